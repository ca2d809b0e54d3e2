//! Coraza with the same rules, over the same requests, as a program of its own: `benches/peers/coraza`.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::{Value, json};

/// What it is asked about.
pub(super) struct Question<'a> {
    pub name: &'a str,
    pub method: &'a str,
    pub target: &'a str,
    pub headers: Vec<(&'a str, &'a [u8])>,
    pub body: &'a [u8],
    /// Whether its cost is wanted too.
    pub cost: bool,
}

/// What it says.
#[derive(Deserialize)]
pub(super) struct Said {
    pub refused: bool,
    #[serde(default)]
    pub median_us: f64,
}

/// Where it is, if it is here.
pub(super) fn program() -> Option<PathBuf> {
    std::env::var_os("TUTELA_CORAZA").map(PathBuf::from)
}

/// Its version, and its answers in the order of the questions.
pub(super) fn ask(program: &Path, rules: &Path, questions: &[Question<'_>]) -> Result<(String, Vec<Said>), String> {
    let mut child = Command::new(program).arg(rules).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(|e| format!("{}: {e}", program.display()))?;
    let (mut to, from) = (child.stdin.take().ok_or("no way in")?, child.stdout.take().ok_or("no way out")?);
    let lines: Vec<String> = questions.iter().map(line).collect();
    let writer = std::thread::spawn(move || lines.iter().try_for_each(|line| writeln!(to, "{line}")));
    let mut said = Vec::new();
    let mut version = String::new();
    for line in BufReader::new(from).lines() {
        let line: Value = serde_json::from_str(&line.map_err(|e| e.to_string())?).map_err(|e| e.to_string())?;
        match line["version"].as_str() {
            Some(found) => found.clone_into(&mut version),
            None => said.push(Said::deserialize(line).map_err(|e| e.to_string())?),
        }
    }
    let written = writer.join().map_err(|_| "the writer died")?;
    let status = child.wait().map_err(|e| e.to_string())?;
    written.map_err(|e| format!("Coraza: {e}"))?;
    if !status.success() || said.len() != questions.len() {
        return Err(format!("Coraza answered {} of {} questions: {status}", said.len(), questions.len()));
    }
    Ok((version, said))
}

fn line(question: &Question<'_>) -> String {
    let headers: Vec<[String; 2]> = question.headers.iter().map(|(name, value)| [(*name).to_owned(), STANDARD.encode(value)]).collect();
    let all: BTreeMap<&str, Value> = [
        ("name", json!(question.name)),
        ("method", json!(question.method)),
        ("target", json!(question.target)),
        ("headers", json!(headers)),
        ("body", json!(STANDARD.encode(question.body))),
        ("cost", json!(question.cost)),
    ]
    .into();
    json!(all).to_string()
}
