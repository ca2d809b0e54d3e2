//! Programs for Node: a folder with a list of packages, copied and installed once for each list.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Place, Stop, cmd};

/// A copy of `of` in the cache folder with its packages installed, so that the tree stays clean.
pub fn folder(place: &Place, of: &str) -> Result<PathBuf, Stop> {
    let from = place.file(of);
    let lock = from.join("package-lock.json");
    let manifest = from.join("package.json");
    let locked = lock.exists();
    let lists = if locked { vec![manifest.as_path(), lock.as_path()] } else { vec![manifest.as_path()] };
    let dir = place.cache.join(format!("{}-{}", of.replace('/', "-"), cmd::fingerprint(&lists)?));
    refresh(&from, &dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    let done = dir.join("node_modules/.complete");
    if !done.exists() {
        let install: &[&str] = if locked { &["ci"] } else { &["install"] };
        cmd::run(Command::new(cmd::need("npm")?).args(install).args(["--no-audit", "--no-fund", "--ignore-scripts"]).current_dir(&dir))?;
        fs::write(&done, "").map_err(|e| format!("{}: {e}", done.display()))?;
    }
    Ok(dir)
}

/// Makes `to` equal to `from`, but for `node_modules`.
fn refresh(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for old in fs::read_dir(to)? {
        let old = old?;
        if old.file_name() == "node_modules" {
            continue;
        }
        if old.file_type()?.is_dir() { fs::remove_dir_all(old.path())? } else { fs::remove_file(old.path())? }
    }
    copy(from, to)
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_name() == "node_modules" {
            continue;
        }
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
