//! `bench`: builds what is measured, then hands over to `benches/`.

use crate::{Place, Steps, Stop, cmd, python};

/// Every benchmark, and whether it measures the program `tutela` itself, or that and OpenBao.
const BENCHES: &[(&str, Measures)] =
    &[("crypto", Measures::ProgramAndOpenBao), ("ledger", Measures::Library), ("proxy", Measures::Program), ("start", Measures::Program)];

/// Names the program of OpenBao, where it is not to be installed.
const BAO: &str = "TUTELA_BAO";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Measures {
    Library,
    Program,
    ProgramAndOpenBao,
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
    if measures != Measures::Library {
        cmd::run(&mut cmd::cargo(place, &["build", "--release", "-p", "tutela"]))?;
    }
    let mut command = cmd::cargo(place, &["run", "--release", "-q", "-p", "benches", "--", name]);
    command.args(flags).env("TUTELA_BIN", place.program("release"));
    if measures != Measures::ProgramAndOpenBao || std::env::var_os(BAO).is_some() {
        return cmd::run(&mut command);
    }
    match python::openbao(place) {
        Ok(bao) => cmd::run(command.env(BAO, bao)),
        // Ours is measured all the same; without the peer the step is counted as skipped.
        Err(Stop::Failed(why) | Stop::Skipped(why)) => {
            println!("OpenBao cannot be had: {why}");
            cmd::run(&mut command)?;
            Err(Stop::Skipped(format!("measured without OpenBao: {why}")))
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
