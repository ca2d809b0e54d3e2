//! `audit verify`: on the storage itself, or one proof file by itself.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::PathBuf,
};

use clap::Args;
use serde_json::Value;
use tutela_ledger::{Checkpoint, Signer, TlogProof, VerifyingKey};
use tutela_store::Verification;

use super::output::progress;
use crate::{
    config::Config,
    error::{Error, at},
    serve,
};

#[derive(Args)]
pub struct Verify {
    /// A checkpoint kept elsewhere that the log must still fit; may be given several times
    #[arg(long = "checkpoint", value_name = "FILE")]
    checkpoints: Vec<PathBuf>,
    /// The key that signs checkpoints (name+hash+key); from the instance key where absent
    #[arg(long)]
    key: Option<String>,
    /// Check one proof file instead of the whole log; needs no server, no data folder, but --key and --event
    #[arg(long, value_name = "FILE", requires_all = ["key", "event"])]
    proof: Option<PathBuf>,
    /// Check a file that `audit export --with-proofs` wrote; needs no server, no data folder, but --key
    #[arg(long, value_name = "FILE", requires = "key", conflicts_with = "proof")]
    export: Option<PathBuf>,
    /// The sealed bytes of the event the proof is for
    #[arg(long, value_name = "FILE", requires = "proof")]
    event: Option<PathBuf>,
}

pub async fn run(verify: Verify, load: impl Fn() -> Result<Config, Error>) -> Result<(), Error> {
    let named_key = verify.key.as_deref().map(VerifyingKey::parse).transpose().map_err(|e| Error::Usage(format!("--key: {e}")))?;
    if let (Some(proof), Some(event), Some(key)) = (&verify.proof, &verify.event, &named_key) {
        return one_proof(proof, event, key);
    }
    if let (Some(export), Some(key)) = (&verify.export, &named_key) {
        return whole_export(export, key);
    }
    let config = load()?;
    let verification = Verification::open(&config.storage, &config.data).await?;
    let key = match named_key {
        Some(key) => key,
        None => instance_key(&config, &verification).await?,
    };
    let mut held = Vec::new();
    for file in &verify.checkpoints {
        let note = fs::read_to_string(file).map_err(|e| at(file, &e))?;
        held.push(Checkpoint::open(&note, &key).map_err(|e| Error::Usage(format!("`{}`: {e}", file.display())))?);
    }
    let bar = progress(Some(0), "verified");
    let report = verification
        .run(&key, &held, &|done, total| {
            bar.set_length(total);
            bar.set_position(done);
        })
        .await?;
    bar.finish_and_clear();
    match report.flaw {
        None => {
            println!(
                "ok: {} entries, {} records of batches, {} checkpoints; everything is as it was signed",
                report.entries, report.records, report.checkpoints
            );
            Ok(())
        }
        Some(flaw) => Err(Error::Failed(format!("the ledger does not verify\n  {flaw}\n  {} entries before it were read and fit", report.entries))),
    }
}

/// The key that this instance signs with, from its own root key.
async fn instance_key(config: &Config, verification: &Verification) -> Result<VerifyingKey, Error> {
    let path = config.key_file();
    if !path.exists() {
        return Err(Error::Usage(format!("`{}` is not there; name the key of the ledger with --key (GET /v1/ledger/key shows it)", path.display())));
    }
    let root = crate::keys::read_root(config).await?;
    let seed = root.derive(&[serve::LEDGER_LABEL]).map_err(tutela_app::Error::from)?;
    let signer = Signer::new(&verification.origin().await?, &seed).map_err(tutela_app::Error::from)?;
    Ok(signer.key().clone())
}

/// Every line's event against its own proof, all under the one checkpoint at the end.
fn whole_export(file: &std::path::Path, key: &VerifyingKey) -> Result<(), Error> {
    let reader = BufReader::new(fs::File::open(file).map_err(|e| at(file, &e))?);
    let wrong = |line: usize, why: &str| Error::Failed(format!("`{}` does not verify\n  line {line}: {why}", file.display()));
    let (mut events, mut under, mut end) = (0_u64, std::collections::BTreeSet::new(), None);
    for (number, line) in reader.lines().enumerate() {
        let (line, number) = (line.map_err(|e| at(file, &e))?, number + 1);
        let json: Value = serde_json::from_str(&line).map_err(|e| wrong(number, &format!("not JSON: {e}")))?;
        if end.is_some() {
            return Err(wrong(number, "there is something behind the checkpoint"));
        }
        if let Some(note) = json["checkpoint"].as_str() {
            end = Some(Checkpoint::open(note, key).map_err(|e| wrong(number, &e.to_string()))?);
            continue;
        }
        let place = [&json, &json["tutela"], &json["unmapped"]].into_iter().find(|place| place["proof"].is_string()).unwrap_or(&json);
        let (Some(sealed), Some(proof)) = (place["sealed"].as_str(), place["proof"].as_str()) else {
            return Err(wrong(number, "there is no proof; export with --with-proofs"));
        };
        let proof = TlogProof::parse(proof).map_err(|e| wrong(number, &e.to_string()))?;
        let checkpoint = proof.verify(sealed.as_bytes(), key).map_err(|e| wrong(number, &e.to_string()))?;
        says_the_same(&json, sealed).map_err(|why| wrong(number, why))?;
        under.insert((checkpoint.size, checkpoint.root));
        events += 1;
    }
    let end = end.ok_or_else(|| wrong(0, "the checkpoint at the end is missing: the file is cut off"))?;
    if under.iter().any(|(size, root)| (*size, *root) != (end.size, end.root)) {
        return Err(wrong(0, "events stand under other checkpoints than the one at the end"));
    }
    println!("ok: {events} events stand in {} as they were sealed, under a signed checkpoint of {} entries", end.origin, end.size);
    println!("an export shows that what it holds is genuine; that it holds everything, only the sealed form of the whole log shows");
    Ok(())
}

/// What people read in the line must be what was sealed: the members that are not sealed are compared.
fn says_the_same(line: &Value, sealed: &str) -> Result<(), &'static str> {
    let sealed: Value = serde_json::from_str(sealed).map_err(|_| "the sealed bytes are not JSON")?;
    let Some(event) = line["event"].as_object().filter(|event| event.contains_key("id") && event.contains_key("recorded_at")) else { return Ok(()) };
    for (name, value) in sealed.as_object().into_iter().flatten().filter(|(name, _)| *name != "sealed" && *name != "actor") {
        if event.get(name) != Some(value) {
            return Err("the event was changed: it differs from its sealed bytes");
        }
    }
    Ok(())
}

fn one_proof(proof: &std::path::Path, event: &std::path::Path, key: &VerifyingKey) -> Result<(), Error> {
    let text = fs::read_to_string(proof).map_err(|e| at(proof, &e))?;
    let body = fs::read(event).map_err(|e| at(event, &e))?;
    let parsed = TlogProof::parse(&text).map_err(|e| Error::Usage(format!("`{}`: {e}", proof.display())))?;
    let checkpoint = parsed.verify(&body, key).map_err(|e| Error::Failed(e.to_string()))?;
    println!("ok: the event stands at position {} of {}, under a signed checkpoint of {} entries", parsed.index, checkpoint.origin, checkpoint.size);
    Ok(())
}
