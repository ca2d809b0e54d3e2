//! `breach-list`: the filter of breached passwords, made from a download and asked offline.

use std::{
    fs::{self, File},
    io::{BufReader, BufWriter},
    path::{Path, PathBuf},
};

use clap::Subcommand;
use serde_json::json;
use tutela_core::{Env as _, Secret, SystemEnv};
use tutela_identity::password::breach::{BreachError, BreachList, build};

use super::{Output, output::progress};
use crate::{
    config::Config,
    error::{Error, at},
};

/// Name of the filter in the data folder.
const NAME: &str = "breached-passwords.filter";
/// Bytes read at once: lists have tens of gigabytes.
const BUFFER: usize = 1 << 20;

#[derive(Subcommand)]
pub enum BreachListCommand {
    /// Make the filter from a list of SHA-1 hashes in the format of Have I Been Pwned, sorted by hash
    Import {
        /// The list: `HASH:COUNT` a line; `-` for standard input
        file: PathBuf,
        /// Where the filter goes; `breached-passwords.filter` in the data folder where absent
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
    },
    /// Check every byte of the filter that the configuration names, and look one password up
    Check {
        /// A filter; the configuration's where absent
        file: Option<PathBuf>,
        /// Read a password from standard input and say whether the filter has it
        #[arg(long)]
        ask: bool,
    },
}

pub async fn run(command: BreachListCommand, config: Config, output: Output) -> Result<(), Error> {
    // Hashing and reading for minutes; the runtime has nothing else to do.
    match command {
        BreachListCommand::Import { file, to } => import(&file, &to.unwrap_or_else(|| config.data.join(NAME)), output),
        BreachListCommand::Check { file, ask } => check(file.or(config.identity.password.breach_list), ask, output),
    }
}

fn import(file: &Path, to: &Path, output: Output) -> Result<(), Error> {
    let reader: Box<dyn std::io::Read> =
        if file == Path::new("-") { Box::new(std::io::stdin().lock()) } else { Box::new(File::open(file).map_err(|e| at(file, &e))?) };
    let unfinished = to.with_extension("unfinished");
    let out = File::create(&unfinished).map_err(|e| at(&unfinished, &e))?;
    let bar = progress(None, "passwords");
    let source = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let built = build(BufReader::with_capacity(BUFFER, reader), BufWriter::new(&out), &source, SystemEnv.now(), &mut |lines| bar.set_position(lines));
    bar.finish_and_clear();
    let summary = match built {
        Ok(summary) => summary,
        Err(e) => {
            let _ = fs::remove_file(&unfinished);
            return Err(failed(&e));
        }
    };
    // Whoever reads the old one goes on; the new one is there whole or not at all.
    out.sync_all().and_then(|()| fs::rename(&unfinished, to)).map_err(|e| at(to, &e))?;
    let bytes = fs::metadata(to).map_err(|e| at(to, &e))?.len();
    let shown = json!({"file": to, "hashes": summary.hashes, "lines": summary.lines, "bytes": bytes});
    output.one(
        &shown,
        &format!(
            "{} passwords in {} ({bytes} bytes)\nname it in the configuration and start anew:\n  [identity.password]\n  breach_list = \"{}\"",
            summary.hashes,
            to.display(),
            to.display()
        ),
    );
    Ok(())
}

fn check(file: Option<PathBuf>, ask: bool, output: Output) -> Result<(), Error> {
    let path = file.ok_or_else(|| Error::Usage("no filter is configured (`identity.password.breach_list`); name one".into()))?;
    let list = BreachList::open(File::open(&path).map_err(|e| at(&path, &e))?).map_err(|e| failed(&e))?;
    list.verify_all().map_err(|e| failed(&e))?;
    let mut listed = None;
    if ask {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).map_err(|e| Error::Failed(e.to_string()))?;
        let password = Secret::new(line.trim_end_matches(['\r', '\n']).to_owned());
        listed = Some(list.contains(&password).map_err(|e| failed(&e))?);
    }
    let shown = json!({"file": path, "hashes": list.hashes(), "source": list.source(), "created_at": list.created_at(), "listed": listed});
    let said = listed.map(|listed| if listed { "\nthe password is on it" } else { "\nthe password is not on it" }).unwrap_or_default();
    output.one(&shown, &format!("{} passwords from {}, made {}; intact{said}", list.hashes(), list.source(), list.created_at()));
    Ok(())
}

fn failed(e: &BreachError) -> Error {
    Error::Failed(e.to_string())
}
