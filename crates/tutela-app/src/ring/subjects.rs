//! Keys of data subjects: found by a keyed hash of who they are, made when first needed.

use std::{collections::BTreeMap, sync::Arc};

use tutela_core::{KeyId, Subject, Timestamp};
use tutela_kms::{DataKey, VersionState, subject_tag};
use tutela_store::KeyVersionRow;

use super::{KeyError, Ring};

impl Ring {
    /// The tag a subject's key is found by.
    pub(crate) fn tag(&self, subject: &Subject) -> [u8; 32] {
        match subject {
            Subject::Account(id) => subject_tag(&self.subject_tag, &["account", &id.to_string()]),
            Subject::External { namespace, value } => subject_tag(&self.subject_tag, &["external", namespace, value]),
            Subject::Unknown(month) => subject_tag(&self.subject_tag, &["month", &month.to_string()]),
        }
    }

    /// The keys of these subjects, made where there are none yet: all missing ones in one commit.
    pub(crate) async fn subject_keys(&self, subjects: &[&Subject], now: Timestamp) -> Result<BTreeMap<Subject, Arc<DataKey>>, KeyError> {
        let mut found = BTreeMap::new();
        let mut missing = Vec::new();
        for subject in subjects {
            if found.contains_key(*subject) || missing.contains(subject) {
                continue;
            }
            match self.subject_key(subject).await? {
                Some(key) => drop(found.insert((*subject).clone(), key)),
                None => missing.push(subject),
            }
        }
        if missing.is_empty() {
            return Ok(found);
        }
        let kek = self.newest().await?;
        let mut new = Vec::with_capacity(missing.len());
        for subject in &missing {
            let rng = &mut { &*self.env };
            let key = DataKey::generate(KeyId::new(now, rng), 1, rng);
            let wrapped = kek.wrap(&key, rng).map_err(|_| KeyError::Corrupt)?;
            let row = KeyVersionRow {
                key: key.id,
                version: 1,
                state: VersionState::Active,
                epoch: Some(kek.number()),
                wrapped: Some(wrapped),
                created_at: now,
                messages: 0,
                plain_messages: 0,
                released: 0,
            };
            new.push((self.tag(subject), row));
        }
        self.store.subject_key_ensure(&new).await?;
        for subject in missing {
            // Another node may have been faster; then its key is the one.
            let key = self.subject_key(subject).await?.ok_or(KeyError::Unknown)?;
            found.insert((*subject).clone(), key);
        }
        Ok(found)
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
