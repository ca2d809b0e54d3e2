//! One number for each of many keys, in memory that never grows.
//!
//! A key's place is one of eight beside each other; where all are taken, the one with the smallest number goes. For a
//! [`Rate`](crate::Rate) that is whoever is nearest to a full bucket, so a flood of new keys pushes out those who have
//! hardly asked, and never the few who ask too much. What is pushed out begins anew.

use std::{
    hash::{BuildHasher, Hash},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Places beside each other.
const WAYS: usize = 8;

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    /// Of the key; 0 where there is none.
    tag: u64,
    state: u64,
}

/// The table. `S` makes its keys unguessable from outside.
#[derive(Debug)]
pub struct Table<S> {
    sets: Box<[Mutex<[Slot; WAYS]>]>,
    hasher: S,
}

impl<S: BuildHasher> Table<S> {
    /// A table for at least so many keys; each takes 16 bytes, and each eight of them eight more.
    pub fn new(keys: usize, hasher: S) -> Self {
        let sets = keys.div_ceil(WAYS).max(1).next_power_of_two();
        Self { sets: (0..sets).map(|_| Mutex::default()).collect(), hasher }
    }

    /// Changes the number of a key, which has none when it comes first or was pushed out.
    pub fn update<K: Hash, R>(&self, key: &K, change: impl FnOnce(Option<u64>) -> (u64, R)) -> R {
        let (mut slots, tag) = self.place(key);
        let known = slots.iter().position(|slot| slot.tag == tag);
        let place = known.or_else(|| slots.iter().position(|slot| slot.tag == 0)).unwrap_or_else(|| smallest(&slots));
        let (state, result) = change(known.map(|place| slots[place].state));
        slots[place] = Slot { tag, state };
        result
    }

    /// Forgets a key.
    pub fn forget<K: Hash>(&self, key: &K) {
        let (mut slots, tag) = self.place(key);
        slots.iter_mut().filter(|slot| slot.tag == tag).for_each(|slot| *slot = Slot::default());
    }

    /// The places where a key may be, and its tag.
    fn place<K: Hash>(&self, key: &K) -> (MutexGuard<'_, [Slot; WAYS]>, u64) {
        let hash = self.hasher.hash_one(key);
        // The set is chosen by other bits than the tag has, so that neighbours are told apart.
        let set = hash.rotate_left(32) as usize & (self.sets.len() - 1);
        (self.sets[set].lock().unwrap_or_else(PoisonError::into_inner), hash | 1)
    }
}

fn smallest(slots: &[Slot; WAYS]) -> usize {
    (0..WAYS).min_by_key(|place| slots[*place].state).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasherDefault, DefaultHasher};

    use tutela_core::{Span, Timestamp};

    use super::*;
    use crate::{Algorithm, Rate};

    type Fixed = BuildHasherDefault<DefaultHasher>;

    #[test]
    fn keys_keep_their_numbers_until_they_are_forgotten() {
        let table = Table::new(64, Fixed::default());
        for key in 0..32_u64 {
            table.update(&key, |before| (before.unwrap_or(key) + 1, ()));
        }
        for key in 0..32_u64 {
            assert_eq!(table.update(&key, |before| (0, before)), Some(key + 1));
        }
        table.forget(&7_u64);
        assert_eq!(table.update(&7_u64, |before| (0, before)), None);
        assert_eq!(std::mem::size_of::<Slot>(), 16);
    }

    #[test]
    fn a_flood_of_new_keys_lets_none_of_those_past_who_ask_too_much() {
        let table = Table::new(1 << 16, Fixed::default());
        let rate = Rate { requests: 100, window: Span::minutes(1), burst: Some(20), algorithm: Algorithm::Gcra };
        let (abusers, others) = (100_u64, 400_000_u64);
        let mut passed = 0;
        // A minute in which each abuser asks a thousand times, among four thousand times as many others.
        for step in 0..1_000_u64 {
            let now = Timestamp::from_micros(1_700_000_000_000_000 + step as i64 * 60_000);
            for abuser in 0..abusers {
                passed += u64::from(table.update(&(0, abuser), |state| rate.decide(state, now)).allowed);
            }
            for other in 0..others / 1_000 {
                table.update(&(1, step * (others / 1_000) + other), |state| rate.decide(state, now));
            }
        }
        assert!(passed <= abusers * 120, "{passed} passed, {} may", abusers * 120);
        assert!(passed >= abusers * 118, "{passed}: the flood cost them what was theirs");
    }
}
