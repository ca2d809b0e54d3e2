//! The root key and the key providers of an instance, from its configuration.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use tutela_app::port::KeyProvider;
use tutela_connect::{AzureKeyVault, Local, Vault};
use tutela_core::{Env, Secret, SystemEnv};
use tutela_kms::{Identity, RootFile, RootKey};

use crate::{
    config::Config,
    error::{Error, at},
};

/// What a provider is asked to bind to a wrapped root key.
const ROOT_CONTEXT: &[u8] = b"tutela root key";

/// Reads the root key, or makes one for a folder that has neither key nor database.
pub async fn read_root(config: &Config) -> Result<RootKey, Error> {
    if let Some(name) = &config.kms.local.credential {
        return read_credential(name);
    }
    let path = config.key_file();
    match fs::read_to_string(&path) {
        Ok(text) => open_root(config, &path, &Secret::new(text)).await,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            let database = config.data.join("tutela.db");
            if database.exists() {
                return Err(Error::Usage(format!(
                    "`{}` is missing, but `{}` exists: put the key back, or run `tutela key restore`; without it the data cannot be opened",
                    path.display(),
                    database.display()
                )));
            }
            let env: &dyn Env = &SystemEnv;
            let root = RootKey::generate(&mut { env });
            write_root(config, &root).await?;
            Ok(root)
        }
        Err(e) => Err(at(&path, &e)),
    }
}

/// Writes a new root key file in the form that the configuration asks for.
pub async fn write_root(config: &Config, root: &RootKey) -> Result<(), Error> {
    let path = config.key_file();
    let env: &dyn Env = &SystemEnv;
    let clear = RootKey::parse(root.to_text().open()).map_err(tutela_app::Error::from)?;
    let file = match (config.kms.provider.as_str(), &config.kms.local.passphrase_file) {
        ("local", None) => RootFile::Clear(clear),
        ("local", Some(passphrase)) => RootFile::seal(&clear, read_passphrase(passphrase)?.open(), &mut { env }).map_err(tutela_app::Error::from)?,
        (name, _) => {
            let provider = outside(config, name)?;
            let key =
                provider.create(&format!("tutela-root-{}", hex(&tutela_core::random_bytes::<8>(&mut { env })))).await.map_err(|e| unavailable(name, &e))?;
            let bytes = Secret::new(clear.bytes());
            let wrapped = provider.wrap(&key, bytes.open(), ROOT_CONTEXT).await.map_err(|e| unavailable(name, &e))?;
            RootFile::Provider { provider: name.to_owned(), key, wrapped }
        }
    };
    let mut out = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(|e| at(&path, &e))?;
    out.write_all(file.to_text().open().as_bytes()).and_then(|()| out.sync_all()).map_err(|e| at(&path, &e))
}

async fn open_root(config: &Config, path: &Path, text: &Secret<String>) -> Result<RootKey, Error> {
    let wrong = |e: tutela_kms::Error| Error::Usage(format!("`{}`: {e}", path.display()));
    match RootFile::parse(text.open()).map_err(wrong)? {
        RootFile::Clear(root) => {
            let mode = fs::metadata(path).map_err(|e| at(path, &e))?.permissions().mode();
            if mode & 0o077 != 0 {
                return Err(Error::Usage(format!(
                    "`{}` can be read by others (mode {:o}): run `chmod 600` on it, and treat the key as known if others are on this host",
                    path.display(),
                    mode & 0o777
                )));
            }
            if config.kms.local.passphrase_file.is_some() || config.kms.provider != "local" {
                tracing::warn!(path = %path.display(), "the root key file is in clear although the configuration names a passphrase or another provider: back the keys up and restore them to have it sealed");
            }
            Ok(root)
        }
        RootFile::Passphrase { memory_kib, passes, salt, sealed } => {
            let file = config.kms.local.passphrase_file.as_ref();
            let file =
                file.ok_or_else(|| Error::Usage(format!("`{}` is sealed by a passphrase: name its file in `kms.local.passphrase_file`", path.display())))?;
            let passphrase = read_passphrase(file)?;
            let opened = tokio::task::spawn_blocking(move || RootFile::open(&salt, memory_kib, passes, &sealed, passphrase.open()));
            let opened = opened.await.map_err(|e| Error::Failed(e.to_string()))?;
            opened.map_err(|_| Error::Usage(format!("the passphrase in `{}` does not open `{}`", file.display(), path.display())))
        }
        RootFile::Provider { provider, key, wrapped } => {
            let bytes = outside(config, &provider)?.unwrap(&key, &wrapped, ROOT_CONTEXT).await.map_err(|e| unavailable(&provider, &e))?;
            Ok(RootKey::from_secret(&bytes))
        }
    }
}

/// A root key that systemd hands over (`LoadCredential=`).
fn read_credential(name: &str) -> Result<RootKey, Error> {
    let folder = std::env::var_os("CREDENTIALS_DIRECTORY").ok_or_else(|| {
        Error::Usage(format!(
            "kms.local.credential: `{name}` is set, and this process has no $CREDENTIALS_DIRECTORY: run it as a systemd unit with `LoadCredential={name}:…`"
        ))
    })?;
    let path = PathBuf::from(folder).join(name);
    let text = Secret::new(fs::read_to_string(&path).map_err(|e| at(&path, &e))?);
    RootKey::parse(text.open()).map_err(|e| Error::Usage(format!("`{}`: {e}", path.display())))
}

fn read_passphrase(path: &Path) -> Result<Secret<String>, Error> {
    let text = Secret::new(fs::read_to_string(path).map_err(|e| at(path, &e))?);
    let passphrase = Secret::new(text.open().trim_end_matches(['\r', '\n']).to_owned());
    if passphrase.open().chars().count() < 15 {
        return Err(Error::Usage(format!("`{}`: a passphrase has at least 15 characters", path.display())));
    }
    Ok(passphrase)
}

/// Every provider that the configuration names: earlier epochs may still need one that is no longer used.
pub fn providers(config: &Config, root: &RootKey, env: &Arc<dyn Env>) -> Result<Vec<Arc<dyn KeyProvider>>, Error> {
    let wrapping = root.derive(&[b"local epochs"]).map_err(tutela_app::Error::from)?;
    let mut all: Vec<Arc<dyn KeyProvider>> = vec![Arc::new(Local::new(config.data.join("keys"), wrapping, Arc::clone(env)))];
    if let Some(vault) = &config.kms.vault {
        all.push(Arc::new(Vault::new(vault.clone()).map_err(Error::Usage)?));
    }
    if let Some(azure) = &config.kms.azure {
        all.push(Arc::new(AzureKeyVault::new(azure.clone()).map_err(Error::Usage)?));
    }
    Ok(all)
}

/// The identity with which the instance opens its own backups in rehearsals.
pub fn rehearsal(root: &RootKey) -> Result<Identity, Error> {
    Ok(Identity::from_bytes(root.derive(&[b"key backup rehearsal"]).map_err(tutela_app::Error::from)?))
}

fn outside(config: &Config, name: &str) -> Result<Arc<dyn KeyProvider>, Error> {
    match (name, &config.kms.vault, &config.kms.azure) {
        ("vault", Some(vault), _) => Ok(Arc::new(Vault::new(vault.clone()).map_err(Error::Usage)?)),
        ("azure-keyvault", _, Some(azure)) => Ok(Arc::new(AzureKeyVault::new(azure.clone()).map_err(Error::Usage)?)),
        _ => Err(Error::Usage(format!("the root key is wrapped by `{name}`, which the configuration does not have: add its section to `[kms]`"))),
    }
}

fn unavailable(provider: &str, e: &tutela_app::port::ProviderError) -> Error {
    tracing::error!(provider, error = %e, "the root key is held by a provider that did not give it");
    Error::App(tutela_app::KeyError::Provider(e.clone()).into())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
