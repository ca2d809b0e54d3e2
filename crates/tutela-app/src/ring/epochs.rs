//! Key encryption keys in memory, and how long they may serve.

use std::{
    sync::{
        Arc, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use tutela_core::{KeyId, Timestamp};
use tutela_kms::KeyEncryptionKey;
use tutela_store::EpochRow;

use super::{KeyError, Ring};
use crate::port::KeyProvider;

pub(super) struct HeldEpoch {
    kek: Arc<KeyEncryptionKey>,
    provider: String,
    /// When the provider last unwrapped it, in microseconds.
    confirmed_at: AtomicI64,
    /// When it was last asked without an answer, in microseconds.
    asked_at: AtomicI64,
}

/// How often a silent provider is asked at the most.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// What a provider is asked to bind to a wrapped key encryption key.
fn context(id: KeyId, number: u32) -> Vec<u8> {
    [b"tutela epoch", &id.0.as_bytes()[..], &number.to_be_bytes()].concat()
}

impl Ring {
    /// The provider that new epochs are made with.
    pub(crate) fn provider(&self) -> Result<&Arc<dyn KeyProvider>, KeyError> {
        self.provider_named(&self.settings.provider)
    }

    pub(crate) fn provider_named(&self, name: &str) -> Result<&Arc<dyn KeyProvider>, KeyError> {
        self.providers.iter().find(|p| p.name() == name).ok_or_else(|| KeyError::ProviderMissing(name.to_owned()))
    }

    /// Unwraps every epoch that is not destroyed. A provider that does not answer is an error at the start.
    pub(crate) async fn load_epochs(&self) -> Result<usize, KeyError> {
        let rows: Vec<EpochRow> = self.store.epoch_list().await?.into_iter().filter(|row| row.wrapped.is_some()).collect();
        for row in &rows {
            match self.unwrap(row).await {
                Ok(kek) => self.hold(kek, &row.provider),
                // Nothing needs it: after a restore its provider may be lost for good.
                Err(e) if row.references == 0 && row.state != "active" => {
                    tracing::warn!(epoch = row.number, error = %e, "an epoch without keys under it cannot be read")
                }
                Err(e) => return Err(e),
            }
        }
        Ok(rows.len())
    }

    /// Makes a provider key and a key encryption key under it. Nothing is stored yet.
    pub(crate) async fn new_epoch(&self, number: u32, now: Timestamp) -> Result<(EpochRow, Arc<KeyEncryptionKey>), KeyError> {
        let provider = self.provider()?;
        let rng = &mut { &*self.env };
        let id = KeyId::new(now, rng);
        let kek = KeyEncryptionKey::generate(id, number, rng);
        let provider_key = provider.create(&format!("tutela-{}-{number}", id.0.simple())).await?;
        let wrapped = provider.wrap(&provider_key, kek.bytes(), &context(id, number)).await?;
        let row = EpochRow {
            number,
            id,
            provider: provider.name().to_owned(),
            provider_key,
            wrapped: Some(wrapped),
            check: kek.check(self.secrets.epoch_check.open()),
            state: "active".into(),
            created_at: now,
            retired_at: None,
            destroyed_at: None,
            references: 0,
        };
        // What the provider cannot unwrap must not wrap anything.
        self.unwrap(&row).await?;
        Ok((row, Arc::new(kek)))
    }

    /// Keeps a key encryption key in memory.
    pub(crate) fn hold(&self, kek: Arc<KeyEncryptionKey>, provider: &str) {
        let held = HeldEpoch { confirmed_at: AtomicI64::new(self.now().micros()), asked_at: AtomicI64::new(0), provider: provider.to_owned(), kek };
        self.epochs.write().unwrap_or_else(PoisonError::into_inner).insert(held.kek.number(), Arc::new(held));
    }

    /// Drops an epoch that was destroyed.
    pub(crate) fn drop_epoch(&self, number: u32) {
        self.epochs.write().unwrap_or_else(PoisonError::into_inner).remove(&number);
        self.keys.invalidate_all();
    }

    /// Takes up an epoch that another node began.
    pub(crate) async fn take_up_newest(&self) -> Result<(), KeyError> {
        match self.store.epoch_list().await?.first() {
            Some(row) => self.kek(row.number).await.map(|_| ()),
            None => Ok(()),
        }
    }

    /// The newest key encryption key: what new data keys are wrapped with.
    pub(crate) async fn newest(&self) -> Result<Arc<KeyEncryptionKey>, KeyError> {
        let newest = self.epochs.read().unwrap_or_else(PoisonError::into_inner).keys().next_back().copied();
        self.kek(newest.ok_or(KeyError::Unknown)?).await
    }

    /// The key encryption key of an epoch; one that another node began is fetched.
    pub(crate) async fn kek(&self, number: u32) -> Result<Arc<KeyEncryptionKey>, KeyError> {
        if self.held(number).is_none() {
            let row = self.store.epoch_list().await?.into_iter().find(|row| row.number == number).ok_or(KeyError::Corrupt)?;
            let kek = self.unwrap(&row).await?;
            self.hold(kek, &row.provider);
        }
        self.fresh(number).await?;
        self.held(number).map(|held| Arc::clone(&held.kek)).ok_or(KeyError::Unknown)
    }

    /// Refuses an epoch whose provider has been silent for longer than the configured age.
    pub(super) async fn fresh(&self, number: u32) -> Result<(), KeyError> {
        let Some(held) = self.held(number) else { return Ok(()) };
        let since = Timestamp::from_micros(held.confirmed_at.load(Ordering::Relaxed));
        let now = self.now();
        if now < since || now.since(since) <= self.settings.cache_max_age {
            return Ok(());
        }
        let expired = || KeyError::Expired { provider: held.provider.clone(), since: since.to_string() };
        let asked = Timestamp::from_micros(held.asked_at.load(Ordering::Relaxed));
        if now >= asked && now.since(asked) < ASK_AGAIN {
            return Err(expired());
        }
        held.asked_at.store(now.micros(), Ordering::Relaxed);
        self.confirm(number).await.map_err(|e| if matches!(e, KeyError::Provider(_)) { expired() } else { e })
    }

    /// Asks every epoch's provider again. Whoever calls this does so every few minutes.
    pub(crate) async fn confirm_all(&self) -> Vec<(u32, KeyError)> {
        let numbers: Vec<u32> = self.epochs.read().unwrap_or_else(PoisonError::into_inner).keys().copied().collect();
        let mut failed = Vec::new();
        for number in numbers {
            if let Err(e) = self.confirm(number).await {
                failed.push((number, e));
            }
        }
        failed
    }

    async fn confirm(&self, number: u32) -> Result<(), KeyError> {
        let rows = self.store.epoch_list().await?;
        let Some(row) = rows.iter().find(|row| row.number == number) else { return Ok(()) };
        if row.wrapped.is_none() {
            self.drop_epoch(number);
            return Err(KeyError::Destroyed);
        }
        self.unwrap(row).await?;
        if let Some(held) = self.held(number) {
            held.confirmed_at.store(self.now().micros(), Ordering::Relaxed);
        }
        Ok(())
    }

    async fn unwrap(&self, row: &EpochRow) -> Result<Arc<KeyEncryptionKey>, KeyError> {
        let wrapped = row.wrapped.as_deref().ok_or(KeyError::Destroyed)?;
        let bytes = self.provider_named(&row.provider)?.unwrap(&row.provider_key, wrapped, &context(row.id, row.number)).await?;
        // Not every provider authenticates what it unwraps; the stored check does.
        KeyEncryptionKey::from_bytes(row.id, row.number, *bytes.open(), self.secrets.epoch_check.open(), &row.check)
            .map(Arc::new)
            .map_err(|_| KeyError::Corrupt)
    }

    fn held(&self, number: u32) -> Option<Arc<HeldEpoch>> {
        self.epochs.read().unwrap_or_else(PoisonError::into_inner).get(&number).cloned()
    }
}
