//! The local provider: one key file for each epoch, wrapped by the instance's root key.
//!
//! A key is a file of its own so that it can be destroyed: overwritten, synced and unlinked. What was
//! wrapped under it opens nowhere then, unless the folder was copied; so the folder does not belong
//! into file backups (`docs/operations/keys.md`).

use std::{
    fs,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use tutela_app::port::{KeyProvider, ProviderError};
use tutela_core::{Env, KeyId, Secret, seam::BoxFuture};
use tutela_kms::{Binding, CallerContext, DataKey, Message, Suite, open, seal};
use uuid::Uuid;

use crate::text::hex;

/// Keys in a folder.
pub struct Local {
    folder: PathBuf,
    root: Arc<DataKey>,
    env: Arc<dyn Env>,
}

impl Local {
    /// Keys in `folder`, wrapped by `wrapping`, which is derived from the root key.
    pub fn new(folder: PathBuf, wrapping: [u8; 32], env: Arc<dyn Env>) -> Self {
        Self { folder, root: Arc::new(DataKey::from_bytes(KeyId(Uuid::nil()), 0, wrapping)), env }
    }

    fn make(&self, name: &str) -> Result<(), ProviderError> {
        let key: Secret<[u8; 32]> = Secret::new(tutela_core::random_bytes(&mut { &*self.env }));
        let sealed = seal(&self.root, Suite::Aes256Gcm, &binding(name), key.open(), &mut { &*self.env }).map_err(refused)?;
        fs::create_dir_all(&self.folder).and_then(|()| private(&self.folder)).map_err(|e| self.broken(&e))?;
        let (path, temporary) = (self.folder.join(name), self.folder.join(format!("{name}.tmp")));
        let written = (|| {
            let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
            file.write_all(sealed.to_text().as_bytes())?;
            file.sync_all()?;
            fs::rename(&temporary, &path)?;
            fs::File::open(&self.folder)?.sync_all()
        })();
        written.map_err(|e| self.broken(&e))
    }

    fn read(&self, name: &str) -> Result<DataKey, ProviderError> {
        let path = self.path(name)?;
        let text = fs::read_to_string(&path).map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => ProviderError::Gone(format!("`{}` is missing", path.display())),
            _ => self.broken(&e),
        })?;
        let opened = Message::from_text(text.trim()).and_then(|message| open(&self.root, &binding(name), &message)).map_err(refused)?;
        let bytes = Secret::new(opened);
        let key = bytes.open().as_slice().try_into().map_err(|_| ProviderError::Refused(format!("`{}` does not hold a key", path.display())))?;
        Ok(DataKey::from_bytes(KeyId(Uuid::nil()), 0, key))
    }

    /// Overwrites before it unlinks: a file system that writes in place keeps nothing then.
    fn erase(&self, name: &str) -> Result<(), ProviderError> {
        let path = self.path(name)?;
        let erased = (|| {
            let mut file = match fs::OpenOptions::new().write(true).open(&path) {
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
                other => other?,
            };
            let len = file.metadata()?.len();
            file.write_all(&vec![0; usize::try_from(len).unwrap_or(0)])?;
            file.sync_all()?;
            fs::remove_file(&path)?;
            fs::File::open(&self.folder)?.sync_all()
        })();
        erased.map_err(|e| self.broken(&e))
    }

    /// A key's name comes from our own database; it still may not lead out of the folder.
    fn path(&self, name: &str) -> Result<PathBuf, ProviderError> {
        let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if plain { Ok(self.folder.join(name)) } else { Err(ProviderError::Refused(format!("`{name}` is not a name of a key file"))) }
    }

    fn broken(&self, e: &std::io::Error) -> ProviderError {
        ProviderError::Unavailable(format!("`{}`: {e}", self.folder.display()))
    }
}

impl KeyProvider for Local {
    fn name(&self) -> &'static str {
        "local"
    }

    fn create<'a>(&'a self, label: &'a str) -> BoxFuture<'a, Result<String, ProviderError>> {
        Box::pin(async move { self.make(label).map(|()| label.to_owned()) })
    }

    fn wrap<'a>(&'a self, key: &'a str, clear: &'a [u8; 32], context: &'a [u8]) -> BoxFuture<'a, Result<Vec<u8>, ProviderError>> {
        Box::pin(async move {
            let context = hex_context(context)?;
            let message = seal(&self.read(key)?, Suite::Aes256Gcm, &Binding::Message(&context), clear, &mut { &*self.env }).map_err(refused)?;
            Ok(message.as_bytes().to_vec())
        })
    }

    fn unwrap<'a>(&'a self, key: &'a str, wrapped: &'a [u8], context: &'a [u8]) -> BoxFuture<'a, Result<Secret<[u8; 32]>, ProviderError>> {
        Box::pin(async move {
            let context = hex_context(context)?;
            let message = Message::from_bytes(wrapped.to_vec()).map_err(refused)?;
            let clear = Secret::new(open(&self.read(key)?, &Binding::Message(&context), &message).map_err(refused)?);
            clear.open().as_slice().try_into().map(Secret::new).map_err(|_| ProviderError::Refused("it holds no key".into()))
        })
    }

    fn destroy<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(async move { self.erase(key) })
    }

    fn warnings<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<String>, ProviderError>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

fn binding(name: &str) -> Binding<'_> {
    Binding::Field { path: name }
}

fn hex_context(context: &[u8]) -> Result<CallerContext, ProviderError> {
    CallerContext::text(hex(context)).map_err(refused)
}

fn refused(e: tutela_kms::Error) -> ProviderError {
    ProviderError::Refused(e.to_string())
}

fn private(folder: &Path) -> std::io::Result<()> {
    fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o700))
}
