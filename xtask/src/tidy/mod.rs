//! `tidy`: the house rules that a tool can check. An ordinary test runs it too (`tests/tidy.rs`).
//!
//! Each rule is a function of its inputs (metadata, file texts), so that its own tests can plant
//! a violation and see it found. Only this file reads anything.

mod edges;
mod files;
mod licence;
mod source;

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Place, Steps, Stop, cmd};

/// What the rules found.
#[derive(Debug, Default)]
pub struct Findings {
    /// Violations.
    pub errors: Vec<String>,
    /// Worth knowing, no violation.
    pub notes: Vec<String>,
}

/// A file of the repository.
#[derive(Debug, Clone)]
pub(crate) struct Text {
    /// Path from the root, with `/`.
    pub path: String,
    /// What it says; empty for files that are not text.
    pub text: String,
}

/// `tidy`, without flags.
pub fn run(place: &Place, words: &[String], steps: &mut Steps) -> Result<(), String> {
    if let Some(word) = words.first() {
        return Err(format!("`tidy` takes no `{word}`"));
    }
    steps.step("tidy", || report(place));
    Ok(())
}

/// Checks everything, prints what was found, and fails where it is a violation.
pub(crate) fn report(place: &Place) -> Result<(), Stop> {
    let found = check(place)?;
    for note in &found.notes {
        println!("note: {note}");
    }
    for error in &found.errors {
        println!("error: {error}");
    }
    if found.errors.is_empty() { Ok(()) } else { Err(Stop::Failed(format!("{} violations of the house rules", found.errors.len()))) }
}

/// Checks everything.
pub fn check(place: &Place) -> Result<Findings, String> {
    let mut found = Findings::default();
    let own = cmd::metadata(&place.root, &["--no-deps"])?;
    found.errors.extend(edges::check(&edges::read(&own)));
    let all = cmd::metadata(&place.root, &["--locked"])?;
    let packages = licence::read(&all);
    found.errors.extend(licence::check(&packages));
    found.notes.extend(licence::duplicates(&packages));

    let texts = texts(&place.root)?;
    found.errors.extend(source::no_sql(&texts));
    found.errors.extend(source::no_printing(&texts));
    found.errors.extend(source::no_machine_path(&texts));
    source::lengths(&texts, &mut found);
    found.errors.extend(files::nothing_patched(&texts)?);
    found.errors.extend(files::links(&texts));
    found.errors.extend(vendored(&place.root));
    Ok(found)
}

/// Every file that git has or would take.
fn texts(root: &Path) -> Result<Vec<Text>, String> {
    let list = cmd::output(Command::new("git").args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).current_dir(root))?;
    let mut texts = Vec::new();
    for path in list.split('\0').filter(|path| !path.is_empty()) {
        // Deleted but still listed: nothing to check.
        let Ok(bytes) = std::fs::read(root.join(path)) else { continue };
        texts.push(Text { path: path.to_owned(), text: String::from_utf8(bytes).unwrap_or_default() });
    }
    if texts.is_empty() { Err("git lists no files here".into()) } else { Ok(texts) }
}

/// Vendored assets are what their publishers published.
fn vendored(root: &Path) -> Option<String> {
    let dir: PathBuf = root.join("crates/tutela-http/assets");
    let tool: &[&str] = if cmd::find("sha256sum").is_some() { &["sha256sum"] } else { &["shasum", "-a", "256"] };
    let (program, flags) = tool.split_first()?;
    let checked = cmd::output(Command::new(program).args(flags).args(["--check", "--strict", "SHA256SUMS"]).current_dir(&dir));
    checked.err().map(|why| format!("crates/tutela-http/assets: a vendored file is not the one that SHA256SUMS names: {why}"))
}
