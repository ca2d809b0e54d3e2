//! `audit import`: events of others from a file, in batches; what does not fit is named and skipped.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

use tutela_client::Client;

use super::{
    import::{Format, records},
    output::progress,
};
use crate::error::{Error, at};

/// Events of one request.
const BATCH: usize = 1_000;

pub async fn run(client: &Client, format: Format, file: &Path) -> Result<(), Error> {
    let reader: Box<dyn BufRead> =
        if file == Path::new("-") { Box::new(BufReader::new(std::io::stdin())) } else { Box::new(BufReader::new(File::open(file).map_err(|e| at(file, &e))?)) };
    let bar = progress(None, "imported");
    let (mut stored, mut refused) = (0_u64, 0_u64);
    let (mut batch, mut places) = (Vec::with_capacity(BATCH), Vec::with_capacity(BATCH));
    let mut input = records(format, reader);
    loop {
        let next = input.next();
        match &next {
            Some((place, Ok(event))) => {
                batch.push(event.clone());
                places.push(*place);
            }
            Some((place, Err(e))) => {
                refused += 1;
                eprintln!("{place}: {e}");
            }
            None => {}
        }
        if batch.len() == BATCH || (next.is_none() && !batch.is_empty()) {
            let answer = client.events_record_once(&key_of(&batch), &batch).await?;
            for (place, result) in places.iter().zip(&answer.results) {
                match &result.problem {
                    None => stored += 1,
                    Some(problem) => {
                        refused += 1;
                        eprintln!("{place}: {}", problem.detail.as_deref().unwrap_or(&problem.title));
                    }
                }
            }
            bar.set_position(stored);
            batch.clear();
            places.clear();
        }
        if next.is_none() {
            break;
        }
    }
    bar.finish_and_clear();
    println!("{stored} events recorded, {refused} records refused");
    if refused > 0 { Err(Error::Failed(format!("{refused} records were refused; the others are recorded"))) } else { Ok(()) }
}

/// Names a batch by what it holds, so that an import that broke off can be repeated within a day.
fn key_of(batch: &[serde_json::Value]) -> String {
    let text = serde_json::to_string(batch).unwrap_or_default();
    let digest: String = tutela_kms::sha256(text.as_bytes()).iter().take(16).map(|b| format!("{b:02x}")).collect();
    format!("import-{digest}")
}
