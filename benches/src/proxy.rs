//! `proxy`: CPU time of one proxied request, tutela with recording against nginx and HAProxy, in turn, with the same small
//! backend (another nginx) and the same load (wrk, 16 connections).

use std::path::Path;

use serde_json::json;

use crate::{
    flags::Flags,
    load::{HOST, Proxy, Round, backend},
    machine,
    report::Report,
    server::Server,
    stats::median,
};

/// `proxy [--rounds N] [--seconds N]`.
pub fn run(flags: &Flags) -> Result<(), String> {
    flags.only(&["rounds", "seconds"])?;
    let dir = tempfile::tempdir().map_err(|e| e.to_string())?;
    let backend = backend(dir.path())?;
    let nginx = Proxy::nginx_before(dir.path(), "proxy", "", backend.port, "")?;
    let haproxy = Proxy::haproxy_before(dir.path(), backend.port)?;
    let (tutela, _) = Server::start(dir.path(), &route(backend.port))?;
    let mut rounds = Vec::new();
    let seconds = flags.seconds("seconds", 4);
    for _ in 0..flags.number("rounds", 3) {
        let a = Round::of(nginx.port, nginx.pid(), "/", seconds)?;
        let b = Round::of(tutela.port, tutela.pid(), "/", seconds)?;
        let c = Round::of(haproxy.port, haproxy.pid(), "/", seconds)?;
        let said = |name: &str, round: &Round| format!("{name} {:.1} us, {:.0} requests/s", round.cpu_us(), round.rate());
        println!("{}; {}; {}", said("nginx", &a), said("tutela", &b), said("HAProxy", &c));
        rounds.push((a, b, c));
    }
    let rss = machine::rss_mb(tutela.pid())?;
    tutela.stop()?;
    let sent: u64 = rounds.iter().map(|(_, b, _)| b.requests).sum();
    let recorded = recorded(&dir.path().join("data"))?;

    let mut report = Report::new("proxy");
    report.raw("rounds", rounds.iter().map(|(a, b, c)| json!({"nginx": a.json(), "tutela": b.json(), "haproxy": c.json()})).collect());
    report
        .raw("versions", json!({"nginx": machine::version("nginx", "-v"), "haproxy": machine::version("haproxy", "-v"), "wrk": machine::version("wrk", "-v")}));
    report.raw("load", json!({"threads": 1, "connections": 16, "seconds": seconds.as_secs(), "body_bytes": 112}));
    report.figure("nginx_cpu_us", median(rounds.iter().map(|(a, ..)| a.cpu_us()).collect()));
    report.figure("haproxy_cpu_us", median(rounds.iter().map(|(.., c)| c.cpu_us()).collect()));
    report.figure("tutela_cpu_us", median(rounds.iter().map(|(_, b, _)| b.cpu_us()).collect()));
    report.figure("cpu_ratio_with_recording", median(rounds.iter().map(|(a, b, _)| b.cpu_us() / a.cpu_us()).collect()));
    report.figure("nginx_per_s", median(rounds.iter().map(|(a, ..)| a.rate()).collect()));
    report.figure("tutela_per_s", median(rounds.iter().map(|(_, b, _)| b.rate()).collect()));
    report.figure("recorded_share", recorded as f64 / sent.max(1) as f64);
    report.figure("tutela_rss_mb", rss);
    report.finish()
}

/// The route under measurement, open to everybody.
fn route(backend: u16) -> String {
    format!("[[gateway.routes]]\nname = \"bench\"\nhost = \"{HOST}\"\nupstream = \"http://127.0.0.1:{backend}\"\nrequire = \"public\"\nwaf = \"off\"\n")
}

/// Request records in the log: each is an item of a batch leaf.
fn recorded(data: &Path) -> Result<u64, String> {
    let file = rusqlite::Connection::open(data.join("tutela.db")).map_err(|e| e.to_string())?;
    let count = file.query_row("SELECT count(*) FROM log_item", [], |row| row.get::<_, i64>(0)).map_err(|e| e.to_string())?;
    u64::try_from(count).map_err(|e| e.to_string())
}
