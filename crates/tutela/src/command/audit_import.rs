//! `audit import`: events of others from a file, in batches; what does not fit is named and skipped.

use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    path::Path,
};

use serde_json::Value;
use tutela_client::Client;

use super::{audit::Format, output::progress};
use crate::error::{Error, at};

/// Events of one request.
const BATCH: usize = 1_000;

pub async fn run(client: &Client, _format: Format, file: &Path) -> Result<(), Error> {
    let reader = BufReader::new(File::open(file).map_err(|e| at(file, &e))?);
    let bar = progress(None, "imported");
    let (mut stored, mut refused) = (0_u64, 0_u64);
    let (mut batch, mut lines) = (Vec::with_capacity(BATCH), Vec::with_capacity(BATCH));
    let mut input = reader.lines().enumerate();
    loop {
        let next = input.next();
        if let Some((number, line)) = &next {
            let line = line.as_ref().map_err(|e| at(file, e))?;
            match serde_json::from_str::<Value>(line) {
                _ if line.trim().is_empty() => {}
                Ok(event) => {
                    batch.push(event);
                    lines.push(number + 1);
                }
                Err(e) => {
                    refused += 1;
                    eprintln!("line {}: not JSON: {e}", number + 1);
                }
            }
        }
        if batch.len() == BATCH || (next.is_none() && !batch.is_empty()) {
            let answer = client.events_record(&batch).await?;
            for (line, result) in lines.iter().zip(&answer.results) {
                match &result.problem {
                    None => stored += 1,
                    Some(problem) => {
                        refused += 1;
                        eprintln!("line {line}: {}", problem.detail.as_deref().unwrap_or(&problem.title));
                    }
                }
            }
            bar.set_position(stored);
            batch.clear();
            lines.clear();
        }
        if next.is_none() {
            break;
        }
    }
    bar.finish_and_clear();
    println!("{stored} events recorded, {refused} lines refused");
    if refused > 0 { Err(Error::Failed(format!("{refused} lines were refused; the others are recorded"))) } else { Ok(()) }
}
