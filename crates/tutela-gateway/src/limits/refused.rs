//! Who was refused lately, for whoever has to help them.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tutela_core::Timestamp;

/// Most that are remembered.
const MOST: usize = 4_096;

/// Somebody who has asked too often.
#[derive(Debug, Clone)]
pub struct Limited {
    /// The limit's name.
    pub limit: String,
    /// Who: `address 192.0.2.7`, `account 0189…`.
    pub who: String,
    /// Since when.
    pub since: Timestamp,
    /// When the next request passes, as it was said last.
    pub until: Timestamp,
    /// Requests that were refused.
    pub refused: u64,
}

/// They, by limit and by the number that their key has in its table.
#[derive(Default)]
pub(super) struct Refusals(Mutex<HashMap<(String, u64), Limited>>);

impl Refusals {
    fn all(&self) -> MutexGuard<'_, HashMap<(String, u64), Limited>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more; `who` is asked for only where it is not known yet.
    pub(super) fn note(&self, limit: &str, key: u64, now: Timestamp, until: Timestamp, who: impl FnOnce() -> String) {
        let mut all = self.all();
        let at = (limit.to_owned(), key);
        if let Some(known) = all.get_mut(&at) {
            if known.until < now {
                (known.since, known.refused) = (now, 0);
            }
            known.refused += 1;
            known.until = until;
            return;
        }
        if all.len() >= MOST {
            all.retain(|_, known| known.until >= now);
        }
        if all.len() < MOST {
            all.insert(at, Limited { limit: limit.to_owned(), who: who(), since: now, until, refused: 1 });
        }
    }

    /// Those who would be refused now, the most eager first.
    pub(super) fn list(&self, now: Timestamp) -> Vec<Limited> {
        let mut list: Vec<Limited> = self.all().values().filter(|known| known.until >= now).cloned().collect();
        list.sort_by(|a, b| b.refused.cmp(&a.refused).then_with(|| a.who.cmp(&b.who)));
        list
    }

    /// Takes somebody out; the number of their key.
    pub(super) fn take(&self, limit: &str, who: &str) -> Option<u64> {
        let mut all = self.all();
        let at = all.iter().find(|((of, _), known)| of == limit && known.who == who).map(|(at, _)| at.clone())?;
        all.remove(&at);
        Some(at.1)
    }
}
