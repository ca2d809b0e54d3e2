//! `start`: how long until a server on existing data answers, what it weighs in memory and on disk.

use std::{path::Path, process::Command, time::Duration};

use serde_json::json;

use crate::{
    flags::Flags,
    machine,
    report::Report,
    server::{self, Server},
    stats::median,
};

/// `start [--rounds N]`.
pub fn run(flags: &Flags) -> Result<(), String> {
    flags.only(&["rounds"])?;
    let dir = tempfile::tempdir().map_err(|e| e.to_string())?;
    // The first start makes the instance: migrations, keys. It is not measured.
    Server::start(dir.path(), "")?.0.stop()?;
    let (mut ready, mut memory) = (Vec::new(), Vec::new());
    for _ in 0..flags.number("rounds", 5) {
        let (server, took) = Server::start(dir.path(), "")?;
        std::thread::sleep(Duration::from_secs(3));
        ready.push(took.as_secs_f64());
        memory.push(machine::rss_mb(server.pid())?);
        server.stop()?;
    }
    let mut report = Report::new("start");
    report.raw("rounds", json!({"ready_s": ready, "idle_rss_mb": memory}));
    report.figure("ready_median_s", median(ready.clone()));
    report.figure("ready_s", ready.into_iter().fold(0.0, f64::max));
    report.figure("idle_rss_mb", memory.into_iter().fold(0.0, f64::max));
    report.figure("stripped_binary_mb", stripped_mb(dir.path())?);
    report.finish()
}

fn stripped_mb(dir: &Path) -> Result<f64, String> {
    let copy = dir.join("stripped");
    let status = Command::new("strip").arg("-o").arg(&copy).arg(server::program()?).status().map_err(|e| format!("strip: {e}"))?;
    if !status.success() {
        return Err(format!("strip ended with {status}"));
    }
    let size = copy.metadata().map_err(|e| e.to_string())?.len();
    Ok(size as f64 / 1e6)
}
