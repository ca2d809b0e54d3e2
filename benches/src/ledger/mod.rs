//! `ledger`: what durability costs. Through the store's public interface, on a real disk:
//!
//! - the floor: plain one-row SQLite commits on the same disk, in turn with us;
//! - durable events with 64 producers that each wait for their answer, and with 2,048 in flight;
//! - the same where an fsync takes 4 ms (injected by a preloaded library where the disk is faster);
//! - search and a full re-hash over many events; the durable rate on PostgreSQL, where it is installed.
//!
//! An event here is canonical JSON of some 420 bytes with some twenty index tokens, as a real one has. Making its bytes is
//! counted; sealing its personal fields is the use case's work and is not.

mod append;
mod event;
mod floor;
mod injected;
mod read;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use serde_json::json;
use testkit::{NoGuard, PostgresServer, root_key};
use tutela_core::{Env, SystemEnv, random_bytes};
use tutela_ledger::Signer;
use tutela_store::{Config, Error, Open, Store};

use crate::{flags::Flags, machine, report::Report, stats::median};

const PRODUCERS: usize = 64;
const IN_FLIGHT: usize = 2_048;
/// The disk that the budget speaks of.
const SLOW: Duration = Duration::from_millis(4);

/// `ledger [--events N] [--rounds N] [--seconds N]`; `--injected 1` is the run under the preloaded library.
pub fn run(flags: &Flags) -> Result<(), String> {
    flags.only(&["events", "rounds", "seconds", "injected"])?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|e| e.to_string())?;
    if flags.number("injected", 0) == 1 {
        return runtime.block_on(injected::inner(flags));
    }
    let mut report = Report::new("ledger");
    runtime.block_on(measure(flags, &mut report))?;
    report.finish()
}

async fn measure(flags: &Flags, report: &mut Report) -> Result<(), String> {
    let (time, events) = (flags.seconds("seconds", 3), flags.number("events", 200_000));
    let place = folder()?;
    let fsync = floor::fsync_ms(place.path())?;
    report.raw("disk", json!({"file_system": machine::file_system(place.path()), "fsync_p50_ms": fsync}));
    report.figure("fsync_p50_ms", fsync);

    println!("SQLite: floor, {PRODUCERS} producers, {IN_FLIGHT} in flight, {} rounds", flags.number("rounds", 3));
    let store = open(&Config::default(), place.path()).await?;
    let alone = append::closed_loop(&store, 1, time, machine::own_cpu).await?;
    report.figure("alone_per_s", alone.per_s);
    let (mut floors, mut closed, mut full) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..flags.number("rounds", 3) {
        floors.push(floor::rows_per_s(place.path(), time)?);
        closed.push(append::closed_loop(&store, PRODUCERS, time, machine::own_cpu).await?);
        full.push(append::closed_loop(&store, IN_FLIGHT, time, machine::own_cpu).await?);
    }
    store.close().await;
    let of = |rounds: &[append::Round], pick: fn(&append::Round) -> f64| median(rounds.iter().map(pick).collect());
    report.raw("sqlite", json!({"floor_per_s": floors, "producers_64": append::json(&closed), "in_flight_2048": append::json(&full)}));
    report.figure("floor_per_s", median(floors.clone()));
    report.figure("durable_per_s", of(&closed, |r| r.per_s));
    report.figure("durable_p50_ms", of(&closed, |r| r.p50_ms));
    report.figure("durable_p99_ms", of(&closed, |r| r.p99_ms));
    report.figure("cpu_us_per_event", of(&closed, |r| r.cpu_us));
    report.figure("pipelined_per_s", of(&full, |r| r.per_s));
    report.figure("pipelined_cpu_us_per_event", of(&full, |r| r.cpu_us));
    report.figure("ratio_on_this_disk", of(&closed, |r| r.per_s) / median(floors));

    if fsync >= SLOW.as_secs_f64() * 1e3 {
        report.figure("ratio_at_4_ms", of(&closed, |r| r.per_s) / floor::rows_per_s(place.path(), time)?);
        report.figure("p50_over_two_fsyncs_ms", of(&closed, |r| r.p50_ms) - 2.0 * fsync);
    } else {
        injected::run(place.path(), flags, report)?;
    }

    println!("SQLite: search and re-hash over {events} events");
    read::measure(&Config::default(), events, "sqlite", report).await?;
    postgres(flags, report).await
}

async fn postgres(flags: &Flags, report: &mut Report) -> Result<(), String> {
    let Some(server) = PostgresServer::start(&["fsync=on"]) else {
        println!("SKIPPED: PostgreSQL is not installed");
        report.raw("postgresql", json!(null));
        return Ok(());
    };
    println!("PostgreSQL, fsync=on: {PRODUCERS} producers, then search");
    let config = Config { url: server.fresh("bench").await, ..Config::default() };
    let place = folder()?;
    let store = open(&config, place.path()).await?;
    let pid = server.pid();
    let cpu = move || -> Result<f64, String> { Ok(machine::own_cpu()? + machine::tree_cpu(pid)?) };
    let mut closed = Vec::new();
    for _ in 0..flags.number("rounds", 3) {
        closed.push(append::closed_loop(&store, PRODUCERS, flags.seconds("seconds", 3), cpu).await?);
        store.settle().await.map_err(|e| e.to_string())?;
    }
    store.close().await;
    let two = two_sequencers(&server, flags).await?;
    report.raw("postgresql_two_nodes", json!({"producers": 4, "per_s": two}));
    report.figure("postgresql_two_nodes_per_s", two);
    report.raw("postgresql", json!({"version": machine::version("psql", "--version"), "producers_64": append::json(&closed)}));
    report.figure("postgresql_durable_per_s", median(closed.iter().map(|r| r.per_s).collect()));
    report.figure("postgresql_p50_ms", median(closed.iter().map(|r| r.p50_ms).collect()));
    report.figure("postgresql_cpu_us_per_event", median(closed.iter().map(|r| r.cpu_us).collect()));
    let read = Config { url: server.fresh("bench_read").await, ..Config::default() };
    read::measure(&read, flags.number("events", 200_000), "postgresql", report).await
}

/// Two nodes on one database, two producers each: one sequences, both record.
async fn two_sequencers(server: &PostgresServer, flags: &Flags) -> Result<f64, String> {
    let config = Config { url: server.fresh("bench_two").await, ..Config::default() };
    let (a, b) = (folder()?, folder()?);
    let (one, other) = (open(&config, a.path()).await?, open(&config, b.path()).await?);
    let time = flags.seconds("seconds", 3);
    let cpu = || Ok(0.0);
    let (left, right) = tokio::join!(append::closed_loop(&one, 2, time, cpu), append::closed_loop(&other, 2, time, cpu));
    let per_s = left?.per_s + right?.per_s;
    one.settle().await.map_err(|e| e.to_string())?;
    one.close().await;
    other.close().await;
    Ok(per_s)
}

/// A new folder on a disk: `TUTELA_BENCH_DIR`, else the folder for temporary files, which must not be memory.
fn folder() -> Result<tempfile::TempDir, String> {
    let base = std::env::var_os("TUTELA_BENCH_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let kind = machine::file_system(&base).unwrap_or_default();
    if ["tmpfs", "ramfs"].contains(&kind.as_str()) {
        return Err("the folder for temporary files is memory, where an fsync is nothing: name a folder on a disk in TUTELA_BENCH_DIR".into());
    }
    tempfile::Builder::new().prefix("tutela-bench").tempdir_in(&base).map_err(|e| e.to_string())
}

/// Opens the store as the program does, but for the guard.
async fn open(config: &Config, data: &Path) -> Result<Store, String> {
    let env: &dyn Env = &SystemEnv;
    let seed = root_key().derive(&[b"ledger"]).map_err(|e| e.to_string())?;
    let opened = Store::open(Open {
        config: config.clone(),
        data: data.to_owned(),
        signer: Box::new(move |origin| Signer::new(origin, &seed).map_err(Error::from)),
        host: "tutela.localhost".into(),
        key_fingerprint: root_key().fingerprint().map_err(|e| e.to_string())?,
        guard: Arc::new(NoGuard),
        restoring: false,
        node: uuid::Builder::from_random_bytes(random_bytes(&mut { env })).into_uuid(),
        env: Arc::new(SystemEnv),
    });
    opened.await.map_err(|e| e.to_string())
}
