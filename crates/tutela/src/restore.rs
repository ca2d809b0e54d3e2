//! `tutela key restore`: keys back from a backup, without a running server.

use std::{fs, path::Path, sync::Arc};

use tutela_app::key_backup::Payload;
use tutela_core::{Env, SystemEnv};
use tutela_kms::{Identity, RootKey};

use crate::{
    config::Config,
    error::{Error, at},
    keys, serve,
};

/// Restores into an empty data folder, or beside a database whose provider is lost. The keys are
/// wrapped anew by the configured provider, and the backup's canary must open.
pub async fn run(config: Config, backup: &Path, identity: &Path) -> Result<(), Error> {
    let file = fs::read(backup).map_err(|e| at(backup, &e))?;
    let text = tutela_core::Secret::new(fs::read_to_string(identity).map_err(|e| at(identity, &e))?);
    let identity = Identity::parse(text.open()).map_err(tutela_app::Error::from)?;
    let payload = Payload::open(&identity, &file)?;
    let root = RootKey::parse(payload.root()).map_err(tutela_app::Error::from)?;
    serve::make_data_folder(&config.data)?;
    let path = config.key_file();
    println!("backup file: SHA-256 {}", tutela_kms::sha256(&file).iter().map(|b| format!("{b:02x}")).collect::<String>());
    println!("compare it with the event `key.backed_up` of the ledger where you can: a backup that somebody else made would bring their keys");
    if config.kms.local.credential.is_some() {
        let fix = "leave it out for the restore, then hand the new `instance.key` to systemd and delete the file";
        return Err(Error::Usage(format!("kms.local.credential is set: {fix}")));
    }
    let there = match if path.exists() { Some(keys::read_root(&config).await) } else { None } {
        Some(Ok(root)) => Some(root),
        Some(Err(Error::App(e))) if e.kind() == tutela_core::ErrorKind::Unavailable => {
            // Its provider is lost. The database's own fingerprint tells whether the backup belongs to it.
            fs::rename(&path, path.with_extension("key.lost")).map_err(|e| at(&path, &e))?;
            None
        }
        Some(Err(e)) => return Err(e),
        None => None,
    };
    if let Some(there) = there {
        if there.fingerprint().map_err(tutela_app::Error::from)? != root.fingerprint().map_err(tutela_app::Error::from)? {
            return Err(Error::Usage(format!("`{}` is the root key of another instance than the backup's; nothing was changed", path.display())));
        }
    } else {
        keys::write_root(&config, &root).await?;
    }
    let env: Arc<dyn Env> = Arc::new(SystemEnv);
    let parts = serve::parts(&config, root, env).await?;
    let restored = tutela_app::restore(parts, &payload).await?;
    println!("restored {} keys and opened the canary", restored.keys);
    if restored.skipped > 0 {
        println!("{} keys were destroyed since the backup was made, and stay so", restored.skipped);
    }
    Ok(())
}
