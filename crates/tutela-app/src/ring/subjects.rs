//! Keys of data subjects: found by a keyed hash of who they are, made when first needed.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use tutela_core::{KeyId, Subject, Timestamp};
use tutela_kms::{DataKey, VersionState, subject_tag};
use tutela_store::KeyVersionRow;

use super::{KeyError, Ring};

/// Rounds of looking and making before giving up.
const ATTEMPTS: usize = 4;

impl Ring {
    /// The tag a subject's key is found by.
    pub(crate) fn tag(&self, subject: &Subject) -> [u8; 32] {
        match subject {
            Subject::Account(id) => subject_tag(self.secrets.subject_tag.open(), &["account", &id.to_string()]),
            Subject::External { namespace, value } => subject_tag(self.secrets.subject_tag.open(), &["external", namespace, value]),
            Subject::Unknown(month) => subject_tag(self.secrets.subject_tag.open(), &["month", &month.to_string()]),
        }
    }

    /// The keys of these subjects, made where there are none yet: all missing ones in one commit.
    pub(crate) async fn subject_keys(&self, subjects: &[&Subject], now: Timestamp) -> Result<BTreeMap<Subject, Arc<DataKey>>, KeyError> {
        let mut found = BTreeMap::new();
        let mut missing: BTreeSet<&Subject> = subjects.iter().copied().collect();
        for _ in 0..ATTEMPTS {
            for subject in std::mem::take(&mut missing) {
                match self.subject_key(subject).await? {
                    Some(key) => drop(found.insert(subject.clone(), key)),
                    None => drop(missing.insert(subject)),
                }
            }
            if missing.is_empty() {
                return Ok(found);
            }
            let new = self.make(&missing, now).await?;
            // Another node may be faster, or may have begun an epoch: then the next round looks again.
            self.store.subject_key_ensure(&new).await?;
            self.take_up_newest().await?;
        }
        Err(KeyError::Unknown)
    }

    async fn make(&self, subjects: &BTreeSet<&Subject>, now: Timestamp) -> Result<Vec<([u8; 32], KeyVersionRow)>, KeyError> {
        let kek = self.newest().await?;
        let rng = &mut { &*self.env };
        let mut new = Vec::with_capacity(subjects.len());
        for subject in subjects {
            let key = DataKey::generate(KeyId::new(now, rng), 1, rng);
            let row = KeyVersionRow {
                key: key.id,
                version: 1,
                state: VersionState::Active,
                epoch: Some(kek.number()),
                wrapped: Some(kek.wrap(&key, rng).map_err(|_| KeyError::Corrupt)?),
                created_at: now,
                messages: 0,
                plain_messages: 0,
                released: 0,
            };
            new.push((self.tag(subject), row));
        }
        Ok(new)
    }

    /// The key of a subject, where there is one.
    pub(crate) async fn subject_key(&self, subject: &Subject) -> Result<Option<Arc<DataKey>>, KeyError> {
        let tag = self.tag(subject);
        if let Some(id) = self.subjects.get(&tag) {
            match self.data_key(id, 1).await {
                Err(KeyError::Destroyed | KeyError::Unknown) => self.subjects.invalidate(&tag),
                found => return found.map(Some),
            }
        }
        let Some(row) = self.store.subject_key_get_by_tag(tag).await? else { return Ok(None) };
        self.subjects.insert(tag, row.key);
        self.data_key(row.key, 1).await.map(Some)
    }
}
