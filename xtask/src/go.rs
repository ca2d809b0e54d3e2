//! Programs in Go that stand beside ours.

use std::{path::PathBuf, process::Command};

use crate::{Place, Stop, cmd};

/// Coraza, as the benchmark of the firewall asks it.
pub fn coraza(place: &Place) -> Result<PathBuf, Stop> {
    built(place, "benches/peers/coraza")
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
