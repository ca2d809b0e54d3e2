//! Programs in Go that stand beside ours.

use std::{path::PathBuf, process::Command};

use crate::{Place, Stop, cmd};

/// Coraza, as the benchmark of the firewall asks it.
pub fn coraza(place: &Place) -> Result<PathBuf, Stop> {
    built(place, "benches/peers/coraza")
}

/// versitygw, a server that speaks S3 and keeps versions and locks.
pub fn versitygw(place: &Place) -> Result<PathBuf, Stop> {
    const VERSION: &str = "v1.8.0";
    let folder = place.cache.join(format!("versitygw-{VERSION}"));
    let program = folder.join("versitygw");
    if !program.exists() {
        std::fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        let module = format!("github.com/versity/versitygw/cmd/versitygw@{VERSION}");
        cmd::run(Command::new(cmd::need("go")?).args(["install", "-trimpath", &module]).env("GOBIN", &folder).current_dir(&folder))?;
    }
    Ok(program)
}

/// The program in a folder, built from its modules and kept.
pub fn built(place: &Place, folder: &str) -> Result<PathBuf, Stop> {
    let from = place.file(folder);
    let name = from.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let built = place.cache.join(format!("{name}-{}", cmd::fingerprint(&[&from.join("go.sum"), &from.join("main.go")])?));
    if !built.exists() {
        std::fs::create_dir_all(&place.cache).map_err(|e| format!("{}: {e}", place.cache.display()))?;
        cmd::run(Command::new(cmd::need("go")?).args(["build", "-trimpath", "-o"]).arg(&built).arg(".").current_dir(&from))?;
    }
    Ok(built)
}
