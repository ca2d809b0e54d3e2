//! `bench`: builds what is measured, then hands over to `benches/`.

use std::path::PathBuf;

use crate::{Place, Steps, Stop, cmd, go, keycloak, python, rust};

/// Every benchmark, and what it measures.
const BENCHES: &[(&str, Measures)] = &[
    ("compliance", Measures::Program),
    ("crypto", Measures::Beside(OPENBAO)),
    ("detection", Measures::Beside(RSIGMA)),
    ("identity", Measures::Beside(KEYCLOAK)),
    ("ledger", Measures::Library),
    ("limit", Measures::Library),
    ("oauth", Measures::Beside(KEYCLOAK)),
    ("privacy", Measures::Program),
    ("proxy", Measures::Program),
    ("start", Measures::Program),
    ("waf", Measures::Beside(CORAZA)),
];

const CORAZA: Peer = Peer { name: "Coraza", variable: "TUTELA_CORAZA", get: go::coraza };
const KEYCLOAK: Peer = Peer { name: "Keycloak", variable: "TUTELA_KEYCLOAK", get: keycloak::home };
const OPENBAO: Peer = Peer { name: "OpenBao", variable: "TUTELA_BAO", get: python::openbao };
const RSIGMA: Peer = Peer { name: "rsigma", variable: "TUTELA_RSIGMA", get: rust::rsigma };

#[derive(Clone, Copy)]
enum Measures {
    Library,
    /// The program `tutela`.
    Program,
    /// The program, and a peer beside it.
    Beside(Peer),
}

/// A program that ours is compared with.
#[derive(Clone, Copy)]
struct Peer {
    name: &'static str,
    /// Names where it is, where it is not to be installed.
    variable: &'static str,
    /// Installs it.
    get: fn(&Place) -> Result<PathBuf, Stop>,
}

/// `bench NAME... [--FLAG...]`.
pub fn run(place: &Place, words: &[String], steps: &mut Steps) -> Result<(), String> {
    let (names, flags) = split(words);
    if names.is_empty() {
        return Err(format!("`bench` needs a name: {}", known()));
    }
    for name in names {
        let Some((name, measures)) = BENCHES.iter().find(|(known, _)| known == name) else {
            return Err(format!("there is no benchmark `{name}`; there are {}", known()));
        };
        steps.step(&format!("bench {name}"), || one(place, name, *measures, flags));
    }
    Ok(())
}

fn one(place: &Place, name: &str, measures: Measures, flags: &[String]) -> Result<(), Stop> {
    if !matches!(measures, Measures::Library) {
        cmd::run(&mut cmd::cargo(place, &["build", "--release", "-p", "tutela"]))?;
    }
    let mut command = cmd::cargo(place, &["run", "--release", "-q", "-p", "benches", "--", name]);
    command.args(flags).env("TUTELA_BIN", place.program("release"));
    let Measures::Beside(peer) = measures else { return cmd::run(&mut command) };
    if std::env::var_os(peer.variable).is_some() {
        return cmd::run(&mut command);
    }
    match (peer.get)(place) {
        Ok(found) => cmd::run(command.env(peer.variable, found)),
        // Ours is measured all the same; without the peer the step is counted as skipped.
        Err(Stop::Failed(why) | Stop::Skipped(why)) => {
            println!("{} cannot be had: {why}", peer.name);
            cmd::run(&mut command)?;
            Err(Stop::Skipped(format!("measured without {}: {why}", peer.name)))
        }
    }
}

/// Names first, then everything from the first flag on.
fn split(words: &[String]) -> (&[String], &[String]) {
    let flags = words.iter().position(|word| word.starts_with("--")).unwrap_or(words.len());
    words.split_at(flags)
}

fn known() -> String {
    BENCHES.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_before_flags() {
        let words: Vec<String> = ["ledger", "start", "--events", "1000"].map(str::to_owned).to_vec();
        let (names, flags) = split(&words);
        assert_eq!((names, flags), (&words[..2], &words[2..]));
    }
}
