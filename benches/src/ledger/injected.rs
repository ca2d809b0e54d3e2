//! The disk that the budget speaks of, where ours is faster: this program runs itself again under
//! a preloaded library that makes every fsync 4 ms longer. Floor and ledger both pay it.

use std::{path::Path, process::Command};

use serde_json::{Value, json};
use tutela_store::Config;

use super::{PRODUCERS, SLOW, append, floor, folder, open};
use crate::{flags::Flags, machine, report::Report, stats::median};

const SOURCE: &str = include_str!("slow_fsync.c");

/// Compiles the library, runs the inner run under it, and takes its figures over.
pub fn run(dir: &Path, flags: &Flags, report: &mut Report) -> Result<(), String> {
    println!("SQLite, an fsync 4 ms longer: floor, {PRODUCERS} producers");
    let library = compile(dir)?;
    let program = std::env::current_exe().map_err(|e| e.to_string())?;
    let number = |flag: &str| flags.number(flag, 3).to_string();
    let mut command = Command::new(program);
    command.args(["ledger", "--injected", "1", "--rounds", &number("rounds"), "--seconds", &number("seconds")]);
    let out = command.env("LD_PRELOAD", library).env("SLOW_FSYNC_US", SLOW.as_micros().to_string()).output().map_err(|e| e.to_string())?;
    if !out.status.success() {
        return Err(format!("the run with a slower fsync failed: {}", String::from_utf8_lossy(&out.stderr)));
    }
    let found: Value = serde_json::from_slice(&out.stdout).map_err(|e| format!("the run with a slower fsync: {e}"))?;
    let figure = |name: &str| found[name].as_f64().ok_or_else(|| format!("the run with a slower fsync gave no `{name}`"));
    let (fsync, p50) = (figure("fsync_p50_ms")?, figure("p50_ms")?);
    if fsync < SLOW.as_secs_f64() * 1e3 {
        return Err(format!("the injected fsync took {fsync} ms only: the library was not loaded"));
    }
    report.figure("slow_fsync_p50_ms", fsync);
    report.figure("slow_floor_per_s", figure("floor_per_s")?);
    report.figure("slow_durable_per_s", figure("per_s")?);
    report.figure("slow_durable_p50_ms", p50);
    report.figure("ratio_at_4_ms", figure("ratio")?);
    report.figure("p50_over_two_fsyncs_ms", p50 - 2.0 * fsync);
    report.raw("sqlite_fsync_4_ms_longer", found);
    Ok(())
}

/// The run under the library: prints its figures as JSON and nothing else.
pub async fn inner(flags: &Flags) -> Result<(), String> {
    let (time, place) = (flags.seconds("seconds", 3), folder()?);
    let fsync = floor::fsync_ms(place.path())?;
    let store = open(&Config::default(), place.path()).await?;
    let (mut floors, mut rounds) = (Vec::new(), Vec::new());
    for _ in 0..flags.number("rounds", 3) {
        floors.push(floor::rows_per_s(place.path(), time)?);
        rounds.push(append::closed_loop(&store, PRODUCERS, time, machine::own_cpu).await?);
    }
    store.close().await;
    let (floor, ours) = (median(floors.clone()), median(rounds.iter().map(|r| r.per_s).collect()));
    let p50 = median(rounds.iter().map(|r| r.p50_ms).collect());
    println!(
        "{}",
        json!({"fsync_p50_ms": fsync, "floor_per_s": floor, "per_s": ours, "p50_ms": p50, "ratio": ours / floor, "floors": floors, "rounds": append::json(&rounds)})
    );
    Ok(())
}

fn compile(dir: &Path) -> Result<std::path::PathBuf, String> {
    let (source, library) = (dir.join("slow_fsync.c"), dir.join("slow_fsync.so"));
    std::fs::write(&source, SOURCE).map_err(|e| e.to_string())?;
    let out = Command::new("cc").args(["-shared", "-fPIC", "-O2", "-o"]).arg(&library).arg(&source).arg("-ldl").output().map_err(|e| format!("cc: {e}"))?;
    if out.status.success() { Ok(library) } else { Err(format!("cc: {}", String::from_utf8_lossy(&out.stderr))) }
}
