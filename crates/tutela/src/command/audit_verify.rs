//! `audit verify`: on the storage itself, or one proof file by itself.

use std::{fs, path::PathBuf};

use clap::Args;
use tutela_ledger::{Checkpoint, Signer, TlogProof, VerifyingKey};
use tutela_store::Verification;

use super::{audit_verify_export, output::progress};
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
    /// Check a file that `audit export --with-proofs` or `--format sealed` wrote; needs no server, no data folder, but --key
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
        return audit_verify_export::run(export, key);
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
            if report.first > 0 {
                println!("entries before position {} were deleted by retention, as the ledger itself records; of them only tree hashes are left", report.first);
            }
            if report.expired > 0 {
                println!("{} later entries have expired: their events are gone, as the ledger records, and their hashes fit the tree", report.expired);
            }
            for size in &report.unreachable {
                println!("the checkpoint of {size} entries lies before the first entry that is kept: nothing can be said about it");
            }
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

fn one_proof(proof: &std::path::Path, event: &std::path::Path, key: &VerifyingKey) -> Result<(), Error> {
    let text = fs::read_to_string(proof).map_err(|e| at(proof, &e))?;
    let body = fs::read(event).map_err(|e| at(event, &e))?;
    let parsed = TlogProof::parse(&text).map_err(|e| Error::Usage(format!("`{}`: {e}", proof.display())))?;
    let checkpoint = parsed.verify(&body, key).map_err(|e| Error::Failed(e.to_string()))?;
    println!("ok: the event stands at position {} of {}, under a signed checkpoint of {} entries", parsed.index, checkpoint.origin, checkpoint.size);
    Ok(())
}
