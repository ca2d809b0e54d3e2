//! `crypto`: what sealing costs, from the cipher to the answer over HTTP.
//!
//! - in this process: every suite at four lengths, beside the bare ciphers of the same library
//!   under one reused key, which commit to nothing and are bound to nothing;
//! - over HTTP: server CPU of one sealed item, one by one and in batches of 480, with commitments
//!   and the ledger on;
//! - the same at OpenBao's transit engine (`TUTELA_BAO` names its program): development mode, in
//!   memory, without audit, so that nothing is counted there but sealing and HTTP.
//!
//! All of them in turn, round by round.

mod bao;
mod inside;
mod load;
mod tutela;

use serde_json::{Value, json};

use self::{
    bao::Bao,
    load::{Round, SHAPES, Target},
    tutela::Tutela,
};
use crate::{flags::Flags, machine, report::Report, stats::median};

/// Items of a batch.
const BATCH: usize = 480;
/// Bytes of the plaintext of each item over HTTP.
const PLAINTEXT: [u8; 32] = [7; 32];

/// `crypto [--passes N] [--rounds N] [--seconds N]`: passes in process, rounds of seconds over HTTP.
pub fn run(flags: &Flags) -> Result<(), String> {
    flags.only(&["passes", "rounds", "seconds"])?;
    let mut report = Report::new("crypto");
    let passes = flags.number("passes", 15);
    println!("in process: five suites and two bare ciphers, {passes} passes");
    inside::measure(passes, &mut report)?;
    let peer = served(flags, &mut report)?;
    let finished = report.finish();
    if peer == Peer::Missing && std::env::var_os("TUTELA_REQUIRE_ALL").is_some() {
        finished?;
        return Err("OpenBao was not there to be compared with, and TUTELA_REQUIRE_ALL is set".into());
    }
    finished
}

/// Whether there was somebody to be compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Peer {
    Measured,
    Missing,
}

fn served(flags: &Flags, report: &mut Report) -> Result<Peer, String> {
    let (rounds, time) = (flags.number("rounds", 3), flags.seconds("seconds", 4));
    let dir = tempfile::tempdir().map_err(|e| e.to_string())?;
    let tutela = Tutela::start(dir.path())?;
    let bao = Bao::start(dir.path())?;
    println!("over HTTP: {rounds} rounds of {} s each", time.as_secs());
    let mut ours = Measured::of(tutela.target());
    let mut theirs = bao.as_ref().map(|bao| Measured::of(bao.target()));
    for number in 1..=rounds {
        println!("round {number}");
        for shape in 0..SHAPES.len() {
            for measured in [Some(&mut ours), theirs.as_mut()].into_iter().flatten() {
                measured.round(shape, time)?;
            }
        }
    }
    report.figure("tutela_rss_mb", machine::rss_mb(ours.target.pid)?);
    ours.figures(report, |shape| shape.ours);
    report.raw("tutela", ours.json());
    tutela.stop()?;
    report.raw("load", json!({"plaintext_bytes": PLAINTEXT.len(), "batch": BATCH, "seconds": time.as_secs()}));
    let (Some(theirs), Some(bao)) = (theirs, bao) else {
        println!("SKIPPED: the comparison with OpenBao: TUTELA_BAO does not name its program; `cargo xtask bench crypto` installs it");
        report.raw("openbao", json!(null));
        return Ok(Peer::Missing);
    };
    report.figure("openbao_rss_mb", machine::rss_mb(theirs.target.pid)?);
    theirs.figures(report, |shape| shape.theirs);
    report.raw("openbao", theirs.json());
    report.raw("versions", json!({"openbao": bao.version()}));
    Ok(Peer::Measured)
}

/// A server and its rounds, by shape of the load.
struct Measured {
    target: Target,
    rounds: Vec<Vec<Round>>,
}

impl Measured {
    fn of(target: Target) -> Self {
        Self { target, rounds: SHAPES.iter().map(|_| Vec::new()).collect() }
    }

    fn round(&mut self, shape: usize, time: std::time::Duration) -> Result<(), String> {
        let round = Round::of(&self.target, &SHAPES[shape], time)?;
        println!("  {:<8} {:<26} {:.1} us an item, p50 {:.0} us", self.target.name, SHAPES[shape].words, round.cpu_us(), round.p50_us);
        self.rounds[shape].push(round);
        Ok(())
    }

    /// The median of the rounds, under the names that `pick` gives: CPU of an item, and waiting time of a request.
    fn figures(&self, report: &mut Report, pick: fn(&load::Shape) -> [&'static str; 2]) {
        for (shape, rounds) in SHAPES.iter().zip(&self.rounds) {
            let [cpu, p50] = pick(shape);
            report.figure(cpu, median(rounds.iter().map(Round::cpu_us).collect()));
            report.figure(p50, median(rounds.iter().map(|round| round.p50_us).collect()));
        }
    }

    fn json(&self) -> Value {
        let shapes = SHAPES.iter().zip(&self.rounds);
        Value::Object(shapes.map(|(shape, rounds)| (shape.words.to_owned(), rounds.iter().map(Round::json).collect())).collect())
    }
}
