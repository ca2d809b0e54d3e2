//! Programs in Rust that stand beside ours.

use std::path::PathBuf;

use crate::{Place, Stop, cmd};

/// The last version that builds with our toolchain.
const RSIGMA: &str = "0.23.0";

/// rsigma, installed from the registry and kept.
pub fn rsigma(place: &Place) -> Result<PathBuf, Stop> {
    let root = place.cache.join(format!("rsigma-{RSIGMA}"));
    let program = root.join("bin/rsigma");
    if !program.exists() {
        // A folder of its own to build in: its crates are none of ours.
        let mut install = cmd::cargo(place, &["install", "rsigma", "--version", RSIGMA, "--locked", "--root"]);
        cmd::run(install.arg(&root).arg("--target-dir").arg(root.join("build")).current_dir(&place.cache))?;
        std::fs::remove_dir_all(root.join("build")).map_err(|e| format!("{}: {e}", root.display()))?;
    }
    Ok(program)
}
