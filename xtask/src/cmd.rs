//! Running other programs.

use std::{
    hash::{DefaultHasher, Hasher as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::{Place, Stop};

/// Runs a program to its end; what it prints passes through.
pub fn run(command: &mut Command) -> Result<(), Stop> {
    let text = describe(command);
    println!("$ {text}");
    let status = command.stdin(Stdio::null()).status().map_err(|e| format!("`{text}`: {e}"))?;
    if status.success() { Ok(()) } else { Err(Stop::Failed(format!("`{text}` ended with {status}"))) }
}

/// What a program prints on its standard output.
pub fn output(command: &mut Command) -> Result<String, String> {
    let text = describe(command);
    let out = command.stdin(Stdio::null()).output().map_err(|e| format!("`{text}`: {e}"))?;
    if !out.status.success() {
        return Err(format!("`{text}` ended with {}: {}", out.status, String::from_utf8_lossy(&out.stderr).trim()));
    }
    String::from_utf8(out.stdout).map_err(|_| format!("`{text}` printed something that is not text"))
}

/// `cargo WORDS` in the repository.
pub fn cargo(place: &Place, words: &[&str]) -> Command {
    let mut command = cargo_in(&place.root);
    command.args(words);
    command
}

/// What cargo says of the workspace.
pub fn metadata(root: &Path, flags: &[&str]) -> Result<Value, String> {
    let text = output(cargo_in(root).args(["metadata", "--format-version", "1"]).args(flags))?;
    serde_json::from_str(&text).map_err(|e| format!("cargo metadata: {e}"))
}

/// Where a program stands in `PATH`.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(program)).find(|file| file.is_file())
}

/// Ends a step where a program is not installed.
pub fn need(program: &str) -> Result<PathBuf, Stop> {
    find(program).ok_or_else(|| Stop::Skipped(format!("`{program}` is not installed")))
}

/// Names folders after what was put into them.
pub fn fingerprint(files: &[&Path]) -> Result<String, String> {
    let mut hasher = DefaultHasher::new();
    for file in files {
        hasher.write(&std::fs::read(file).map_err(|e| format!("{}: {e}", file.display()))?);
    }
    Ok(format!("{:016x}", hasher.finish()))
}

fn cargo_in(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    command
}

fn describe(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}
