//! `identity`: what people and their tokens cost.
//!
//! - in this process: permission decisions and the verification of access tokens, one core;
//! - over HTTP: server CPU of a password sign-in (the whole, and beyond the password hash), of a refresh, of
//!   an introspection, and resident memory with many live sessions;
//! - the same at Keycloak (`TUTELA_KEYCLOAK` names its folder) on PostgreSQL, whose CPU is not counted.
//!
//! "Beyond the hash" is measured with a hash that costs next to nothing on both sides, and not by taking one
//! large number from another. Each server is measured round by round after a warm-up, ours first.

mod inside;
pub mod keycloak;
pub mod load;
mod tutela;

use std::path::Path;

use serde_json::{Value, json};

use self::{
    keycloak::Keycloak,
    load::{Peer, Round},
    tutela::Tutela,
};
use crate::{flags::Flags, machine, report::Report, stats::median};

/// Connections that ask at once.
pub const CONNECTIONS: usize = 8;
/// People who sign in.
const PEOPLE: usize = 40;
/// Live sessions while memory is read.
const SESSIONS: u64 = 10_000;

/// What is asked, in turn.
const WHAT: [&str; 3] = ["sign_in", "refresh", "introspection"];

/// `identity [--rounds N] [--seconds N] [--sessions N]`.
pub fn run(flags: &Flags) -> Result<(), String> {
    flags.only(&["rounds", "seconds", "sessions"])?;
    let mut report = Report::new("identity");
    inside::measure(&mut report)?;
    let dir = tempfile::tempdir().map_err(|e| e.to_string())?;
    ours(flags, dir.path(), &mut report)?;
    let measured = theirs(flags, dir.path(), &mut report)?;
    let finished = report.finish();
    if !measured && std::env::var_os("TUTELA_REQUIRE_ALL").is_some() {
        finished?;
        return Err("Keycloak was not there to be compared with, and TUTELA_REQUIRE_ALL is set".into());
    }
    finished
}

fn ours(flags: &Flags, dir: &Path, report: &mut Report) -> Result<(), String> {
    println!("tutela on SQLite");
    let tuned = Tutela::start(&dir.join("tuned"), "")?;
    report.raw("tutela_hash", json!(tuned.hash_cost()?));
    let whole = rounds(&tuned, "sign_in", flags)?;
    report.figure("sign_in_whole_ms", cpu_ms(&whole));
    tuned.stop()?;

    let cheap = Tutela::start(&dir.join("cheap"), "[identity.password]\nallow_weak_for_tests = true\nmemory_kib = 8\npasses = 1\n")?;
    let mut raw = json!({"sign_in_whole": jsons(&whole)});
    for (what, figure) in WHAT.into_iter().zip(["sign_in_rest_ms", "refresh_ms", "introspection_ms"]) {
        let found = rounds(&cheap, what, flags)?;
        report.figure(figure, cpu_ms(&found));
        raw[what] = jsons(&found);
    }
    let (fresh, rss) = filled(&cheap, flags)?;
    report.figure("rss_10000_sessions_mb", rss);
    raw["rss_before_mb"] = json!(fresh);
    report.raw("tutela", raw);
    cheap.stop()
}

fn theirs(flags: &Flags, dir: &Path, report: &mut Report) -> Result<bool, String> {
    let Some(keycloak) = Keycloak::start(dir)? else {
        println!("SKIPPED: the comparison with Keycloak: TUTELA_KEYCLOAK does not name its folder; `cargo xtask bench identity` installs it");
        report.raw("keycloak", json!(null));
        return Ok(false);
    };
    println!("Keycloak {} on PostgreSQL", keycloak.version());
    let whole = rounds(&keycloak, "sign_in", flags)?;
    report.figure("keycloak_sign_in_whole_ms", cpu_ms(&whole));
    keycloak.make_hash_cheap()?;
    let mut raw = json!({"version": keycloak.version(), "sign_in_whole": jsons(&whole)});
    for (what, figure) in WHAT.into_iter().zip(["keycloak_sign_in_rest_ms", "keycloak_refresh_ms", "keycloak_introspection_ms"]) {
        let found = rounds(&keycloak, what, flags)?;
        report.figure(figure, cpu_ms(&found));
        raw[what] = jsons(&found);
    }
    let (fresh, rss) = filled(&keycloak, flags)?;
    report.figure("keycloak_rss_mb", rss);
    raw["rss_before_mb"] = json!(fresh);
    report.raw("keycloak", raw);
    Ok(true)
}

/// One round that is thrown away, and those that count.
pub fn rounds(peer: &impl Peer, what: &'static str, flags: &Flags) -> Result<Vec<Round>, String> {
    let time = flags.seconds("seconds", 5);
    Round::of(peer, what, CONNECTIONS, time)?;
    (1..=flags.number("rounds", 3))
        .map(|number| {
            let round = Round::of(peer, what, CONNECTIONS, time)?;
            println!(
                "  {:<9} {what:<14} round {number}: {:.3} ms CPU each, {:.0} a second, p50 {:.2} ms",
                peer.name(),
                round.cpu_ms(),
                round.per_s(),
                round.p50_ms
            );
            Ok(round)
        })
        .collect()
}

/// Signs in until so many sessions live, and gives the resident memory before and after.
fn filled(peer: &impl Peer, flags: &Flags) -> Result<(f64, f64), String> {
    let before = machine::rss_mb(peer.pid())?;
    load::fill(peer, CONNECTIONS, flags.number("sessions", SESSIONS))?;
    let after = machine::rss_mb(peer.pid())?;
    println!("  {:<9} resident memory: {before:.0} MB before, {after:.0} MB with the sessions", peer.name());
    Ok((before, after))
}

/// Server CPU of one request, the median of the rounds.
pub fn cpu_ms(rounds: &[Round]) -> f64 {
    median(rounds.iter().map(Round::cpu_ms).collect())
}

/// For the raw figures.
pub fn jsons(rounds: &[Round]) -> Value {
    rounds.iter().map(Round::json).collect()
}
