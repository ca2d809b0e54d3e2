//! `peers`: comparisons with other programs on this machine, slower than what a commit has to pass.

use crate::{Place, Steps, Stop, bench, cmd};

/// Who is compared with, what has to be installed, and which benchmark does it.
const PEERS: &[(&str, &[&str], &str)] = &[
    ("keycloak", &["java", "mvn", "unzip"], "identity"),
    ("nginx", &["nginx", "wrk"], "proxy"),
    ("openbao", &["python3"], "crypto"),
    ("postgresql", &["setpriv"], "ledger"),
];

/// `peers [NAME...]`: all of them where none is named.
pub fn run(place: &Place, words: &[String], steps: &mut Steps) -> Result<(), String> {
    if let Some(stranger) = words.iter().find(|word| !PEERS.iter().any(|(name, ..)| name == word)) {
        let known: Vec<&str> = PEERS.iter().map(|(name, ..)| *name).collect();
        return Err(format!("there is no peer `{stranger}`; there are {}", known.join(", ")));
    }
    for (name, needs, benchmark) in PEERS.iter().filter(|(name, ..)| words.is_empty() || words.iter().any(|word| word == name)) {
        if let Some(missing) = needs.iter().find(|program| cmd::find(program).is_none()) {
            steps.step(&format!("peer {name}"), || Err(Stop::Skipped(format!("`{missing}` is not installed"))));
            continue;
        }
        bench::run(place, &[(*benchmark).to_owned()], steps)?;
    }
    Ok(())
}
