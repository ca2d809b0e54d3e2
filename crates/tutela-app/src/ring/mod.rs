//! The key ring at work: keys in memory, for as long as they may stay there.
//!
//! ```text
//! provider --unwrap--> key encryption keys (one an epoch) --unwrap--> data keys (bounded cache)
//! ```
//! A provider is called when an epoch begins, at the start, and every five minutes to confirm that it
//! still answers; never for a record. While it is down, what is in memory serves up to `cache_max_age`;
//! then everything that needs a key is refused, with the reason.

mod epochs;
mod error;
mod settings;
mod subjects;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tutela_core::{Env, KeyId, Secret, Timestamp};
use tutela_kms::{DataKey, NamedKey};
use tutela_store::Store;

use crate::port::KeyProvider;
use epochs::HeldEpoch;

pub use error::KeyError;
pub use settings::{AlgorithmConfig, BackupSettings, KmsSettings, algorithms_check, parse_period, period_text};

/// Data keys held at the most; one takes about 400 bytes.
const MAX_KEYS: u64 = 50_000;
/// How long a data key stays without being read again.
const KEY_LIFE: Duration = Duration::from_secs(600);
/// Uses after which a data key is read again.
const KEY_USES: u64 = 1 << 22;
/// How old the description of a named key may be.
const NAME_LIFE: Duration = Duration::from_secs(5);

/// Keys, and where they come from.
pub struct Ring {
    store: Store,
    env: Arc<dyn Env>,
    pub(crate) settings: KmsSettings,
    providers: Vec<Arc<dyn KeyProvider>>,
    epochs: RwLock<BTreeMap<u32, Arc<HeldEpoch>>>,
    keys: moka::future::Cache<(KeyId, u32), Arc<HeldKey>>,
    names: moka::sync::Cache<String, Arc<NamedKey>>,
    subjects: moka::sync::Cache<[u8; 32], KeyId>,
    /// When a key was last dropped; what was being read before that is not taken.
    dropped: moka::sync::Cache<KeyId, u64>,
    drops: AtomicU64,
    secrets: RingSecrets,
}

/// Keys of the ring itself, derived from the root key.
pub struct RingSecrets {
    /// Of the tags of data subjects.
    pub subject_tag: Secret<[u8; 32]>,
    /// Of the check values of epochs.
    pub epoch_check: Secret<[u8; 32]>,
}

struct HeldKey {
    key: Arc<DataKey>,
    epoch: u32,
    /// Drops there had been when it was read.
    read_at: u64,
    uses: AtomicU64,
}

impl Ring {
    /// A ring without keys yet.
    pub fn new(store: Store, env: Arc<dyn Env>, settings: KmsSettings, providers: Vec<Arc<dyn KeyProvider>>, secrets: RingSecrets) -> Self {
        Self {
            store,
            env,
            settings,
            providers,
            epochs: RwLock::default(),
            keys: moka::future::Cache::builder().max_capacity(MAX_KEYS).time_to_live(KEY_LIFE).build(),
            names: moka::sync::Cache::builder().max_capacity(10_000).time_to_live(NAME_LIFE).build(),
            subjects: moka::sync::Cache::builder().max_capacity(MAX_KEYS).time_to_live(KEY_LIFE).build(),
            dropped: moka::sync::Cache::builder().max_capacity(MAX_KEYS).time_to_live(KEY_LIFE).build(),
            drops: AtomicU64::new(1),
            secrets,
        }
    }

    /// A data key. Many who miss it at once cause one read.
    pub(crate) async fn data_key(&self, id: KeyId, version: u32) -> Result<Arc<DataKey>, KeyError> {
        let held = loop {
            let held = self.keys.try_get_with((id, version), self.load(id, version)).await.map_err(|e| (*e).clone())?;
            if self.dropped.get(&id).is_none_or(|dropped| held.read_at >= dropped) {
                break held;
            }
            // It was being read while it was destroyed or changed.
            self.keys.invalidate(&(id, version)).await;
        };
        self.fresh(held.epoch).await?;
        if held.uses.fetch_add(1, Ordering::Relaxed) >= KEY_USES {
            self.keys.invalidate(&(id, version)).await;
        }
        Ok(Arc::clone(&held.key))
    }

    async fn load(&self, id: KeyId, version: u32) -> Result<Arc<HeldKey>, KeyError> {
        let read_at = self.drops.load(Ordering::SeqCst);
        let row = self.store.key_version_get(id, version).await?.ok_or(KeyError::Unknown)?;
        let (Some(epoch), Some(wrapped)) = (row.epoch, &row.wrapped) else { return Err(KeyError::Destroyed) };
        let key = self.kek(epoch).await?.unwrap(id, version, wrapped).map_err(|_| KeyError::Corrupt)?;
        Ok(Arc::new(HeldKey { key: Arc::new(key), epoch, read_at, uses: AtomicU64::new(0) }))
    }

    /// A named key by its name or id.
    pub(crate) async fn named(&self, name: &str) -> Result<Arc<NamedKey>, KeyError> {
        if let Some(key) = self.names.get(name) {
            return Ok(key);
        }
        let key = Arc::new(self.stored(name).await?.ok_or(KeyError::Unknown)?);
        self.names.insert(name.to_owned(), Arc::clone(&key));
        Ok(key)
    }

    /// A named key by its name or id as it stands in the store, whatever is known of it here.
    pub(crate) async fn stored(&self, name: &str) -> Result<Option<NamedKey>, tutela_store::Error> {
        match name.parse::<KeyId>() {
            Ok(id) => self.store.key_get(id).await,
            Err(_) => self.store.key_get_by_name(name).await,
        }
    }

    /// Drops what is known of a key: it changed, or was destroyed.
    pub(crate) async fn forget(&self, id: KeyId) {
        self.dropped.insert(id, self.drops.fetch_add(1, Ordering::SeqCst) + 1);
        self.names.invalidate_all();
        let versions: Vec<(KeyId, u32)> = self.keys.iter().map(|(k, _)| *k).filter(|(held, _)| *held == id).collect();
        for version in versions {
            self.keys.invalidate(&version).await;
        }
        let tags: Vec<[u8; 32]> = self.subjects.iter().filter(|(_, held)| *held == id).map(|(tag, _)| *tag).collect();
        tags.iter().for_each(|tag| self.subjects.invalidate(tag));
    }

    /// Drops everything but the key encryption keys.
    pub(crate) fn forget_all(&self) {
        self.names.invalidate_all();
        self.keys.invalidate_all();
        self.subjects.invalidate_all();
    }

    fn now(&self) -> Timestamp {
        self.env.now()
    }
}
