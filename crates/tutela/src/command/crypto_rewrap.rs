//! `crypto rewrap`: many messages, in a job that can be broken off and taken up again.
//!
//! Each input line is `{"message": …, "context": …}`, with any other members beside; the output line is
//! the same with the new message, and `was` is the old one, for a compare-and-swap where it is stored.
//! A line that does not open goes to the quarantine file with its reason, and the job goes on. How far
//! it came stands in `OUT.progress`, which is replaced whole after every batch; a run that was broken
//! off is taken up there, and what was half written is cut off.

use std::{
    fs::{File, OpenOptions},
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
};

use clap::Args;
use serde_json::{Map, Value, json};
use tutela_client::Client;

use crate::error::{Error, at};

/// Lines of one call.
const BATCH: usize = 1_000;
/// Bytes of one call; the API takes 16 MiB.
const BATCH_BYTES: usize = 4 << 20;

#[derive(Args)]
pub struct Rewrap {
    /// Messages, one JSON object a line
    #[arg(long = "in", value_name = "FILE")]
    old: PathBuf,
    /// Where the new messages go; lines that are there already count as done
    #[arg(long = "out", value_name = "FILE")]
    new: PathBuf,
    /// Where lines go that do not open, each with its reason
    #[arg(long, value_name = "FILE")]
    quarantine: PathBuf,
    /// Move the messages to this key in place of the newest version of their own
    #[arg(long, value_name = "KEY")]
    to_key: Option<String>,
}

pub async fn run(args: Rewrap, client: &Client) -> Result<(), Error> {
    let total = count(&args.old)?;
    let mut place = Place::read(&args)?;
    let done = place.lines;
    let (mut out, mut aside) = (cut(&args.new, place.output)?, cut(&args.quarantine, place.quarantine)?);
    let bar = indicatif::ProgressBar::new(total);
    bar.set_position(done);
    let lines = BufReader::new(File::open(&args.old).map_err(|e| at(&args.old, &e))?).lines();
    let mut batch = Vec::with_capacity(BATCH);
    let mut quarantined = 0;
    for line in lines.skip(usize::try_from(done).unwrap_or(usize::MAX)) {
        batch.push(line.map_err(|e| at(&args.old, &e))?);
        if batch.len() == BATCH || batch.iter().map(String::len).sum::<usize>() > BATCH_BYTES {
            bar.inc(batch.len() as u64);
            quarantined += step(client, &args, &mut batch, &mut out, &mut aside, &mut place).await?;
        }
    }
    quarantined += step(client, &args, &mut batch, &mut out, &mut aside, &mut place).await?;
    bar.finish_and_clear();
    println!("{} lines, {} done before, {quarantined} new in quarantine", total, done);
    Ok(())
}

async fn step(client: &Client, args: &Rewrap, batch: &mut Vec<String>, out: &mut File, aside: &mut File, place: &mut Place) -> Result<u64, Error> {
    if batch.is_empty() {
        return Ok(0);
    }
    let lines: Vec<Result<Map<String, Value>, String>> = batch.iter().map(|line| serde_json::from_str(line).map_err(|e| e.to_string())).collect();
    let item = |line: &Map<String, Value>| {
        let mut item = json!({"message": line.get("message").cloned().unwrap_or_default()});
        for (name, value) in [("context", line.get("context").cloned()), ("to_key", args.to_key.clone().map(Value::from))] {
            if let Some(value) = value {
                item[name] = value;
            }
        }
        item
    };
    let items: Vec<Value> = lines.iter().flatten().map(item).collect();
    let mut answers = if items.is_empty() { Vec::new() } else { client.rewrap(&items).await?.results }.into_iter();
    let (mut done, mut left) = (String::new(), String::new());
    let mut quarantined = 0;
    for (line, raw) in lines.into_iter().zip(batch.iter()) {
        let answer = line.map(|line| (line, answers.next()));
        match answer {
            Ok((mut line, Some(answer))) if answer.answer.is_some() => {
                let new = answer.answer.map(|a| json!(a.message)).unwrap_or_default();
                let was = line.insert("message".into(), new).unwrap_or_default();
                line.insert("was".into(), was);
                done.push_str(&format!("{}\n", Value::Object(line)));
            }
            other => {
                let reason = match other {
                    Ok((_, Some(answer))) => answer.problem.and_then(|p| p.detail).unwrap_or_else(|| "no reason was given".into()),
                    Ok((_, None)) => "no answer".into(),
                    Err(e) => format!("the line is not a JSON object: {e}"),
                };
                quarantined += 1;
                left.push_str(&format!("{}\n", json!({"line": raw, "reason": reason})));
            }
        }
    }
    // Both files are on the disk before the place moves on: a job that dies repeats one batch at the most.
    write(out, &args.new, &done)?;
    write(aside, &args.quarantine, &left)?;
    place.lines += batch.len() as u64;
    place.output += done.len() as u64;
    place.quarantine += left.len() as u64;
    place.write(args)?;
    batch.clear();
    Ok(quarantined)
}

fn count(path: &Path) -> Result<u64, Error> {
    match File::open(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(0),
        Err(e) => Err(at(path, &e)),
        Ok(file) => BufReader::new(file).lines().try_fold(0, |n, line| line.map(|_| n + 1).map_err(|e| at(path, &e))),
    }
}

/// How far a job came: input lines, and the bytes they became.
#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Place {
    lines: u64,
    output: u64,
    quarantine: u64,
}

impl Place {
    fn path(args: &Rewrap) -> PathBuf {
        let mut name = args.new.clone().into_os_string();
        name.push(".progress");
        name.into()
    }

    fn read(args: &Rewrap) -> Result<Self, Error> {
        let path = Self::path(args);
        match std::fs::read(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(e) => Err(at(&path, &e)),
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| Error::Usage(format!("`{}`: {e}", path.display()))),
        }
    }

    fn write(&self, args: &Rewrap) -> Result<(), Error> {
        let path = Self::path(args);
        let temporary = path.with_extension("progress.tmp");
        let text = serde_json::to_vec(self).map_err(|e| Error::Failed(e.to_string()))?;
        let mut file = File::create(&temporary).map_err(|e| at(&temporary, &e))?;
        let written = file.write_all(&text).and_then(|()| file.sync_all()).and_then(|()| std::fs::rename(&temporary, &path));
        written.map_err(|e| at(&path, &e))
    }
}

/// Opens a file for appending after its first `len` bytes; what stands behind them was half written.
fn cut(path: &Path, len: u64) -> Result<File, Error> {
    let file = OpenOptions::new().create(true).append(true).open(path).map_err(|e| at(path, &e))?;
    let there = file.metadata().map_err(|e| at(path, &e))?.len();
    if there < len {
        return Err(Error::Usage(format!("`{}` is shorter than its progress says; start over with new files", path.display())));
    }
    file.set_len(len).map_err(|e| at(path, &e))?;
    Ok(file)
}

fn write(file: &mut File, path: &Path, text: &str) -> Result<(), Error> {
    file.write_all(text.as_bytes()).and_then(|()| file.sync_data()).map_err(|e| at(path, &e))
}
