//! `benches NAME [--FLAG N...]`: measures, compares with a peer or a floor in the same run, holds
//! the figures against `budgets.toml`, and writes everything to `results/NAME.json`.
//!
//! Wall time is the loose figure, CPU time the firm one. Run it with `cargo xtask bench NAME`,
//! which builds what is measured.

mod compliance;
mod crypto;
mod detection;
mod flags;
mod http;
mod identity;
mod ledger;
mod limit;
mod load;
mod machine;
mod oauth;
mod privacy;
mod proxy;
mod report;
mod server;
mod start;
mod stats;
mod waf;

use std::process::ExitCode;

use flags::Flags;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("benches: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let mut words = std::env::args().skip(1);
    let name = words.next().ok_or("usage: benches compliance|crypto|detection|identity|ledger|limit|oauth|privacy|proxy|start|waf [--FLAG N...]")?;
    let flags = Flags::parse(words)?;
    match name.as_str() {
        "compliance" => compliance::run(&flags),
        "crypto" => crypto::run(&flags),
        "detection" => detection::run(&flags),
        "identity" => identity::run(&flags),
        "ledger" => ledger::run(&flags),
        "oauth" => oauth::run(&flags),
        "limit" => limit::run(&flags),
        "privacy" => privacy::run(&flags),
        "proxy" => proxy::run(&flags),
        "start" => start::run(&flags),
        "waf" => waf::run(&flags),
        other => {
            Err(format!("there is no benchmark `{other}`; there are compliance, crypto, detection, identity, ledger, limit, oauth, privacy, proxy, start, waf"))
        }
    }
}
