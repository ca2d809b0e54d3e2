//! What retention may have taken out of a log: every removed body must be covered by an event of
//! the log itself, which says so.
//!
//! ```text
//!   ledger.expired {from, removed}   bodies at `from` + n are gone for every bit n of `removed`, leaves are not
//!   ledger.pruned  {first}           everything before `first` may be gone, leaves too
//! ```

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use memchr::memmem::Finder;
use serde_json::Value;

use crate::Flaw;

/// Type of the event that covers removed bodies.
pub const EXPIRED: &str = "ledger.expired";
/// Type of the event that covers a removed beginning.
pub const PRUNED: &str = "ledger.pruned";

/// Removals that were found, and removals that the log speaks of.
#[derive(Debug)]
pub(crate) struct Removals {
    /// Runs of positions without a body.
    found: Vec<(u64, u64)>,
    /// Where a run begins, and one bit for each position that may have none.
    declared: Vec<(u64, Vec<u8>)>,
    pruned: u64,
    expired_key: Finder<'static>,
    pruned_key: Finder<'static>,
}

impl Default for Removals {
    fn default() -> Self {
        let (expired_key, pruned_key) = (Finder::new(br#""type":"ledger.expired""#), Finder::new(br#""type":"ledger.pruned""#));
        Self { found: Vec::new(), declared: Vec::new(), pruned: 0, expired_key, pruned_key }
    }
}

impl Removals {
    /// Reads an entry that may speak of removals.
    pub(crate) fn read(&mut self, body: &[u8]) {
        let (expired, pruned) = (self.expired_key.find(body).is_some(), self.pruned_key.find(body).is_some());
        if !expired && !pruned {
            return;
        }
        // The words may stand in somebody's data too; only the type itself counts.
        let Ok(event) = serde_json::from_slice::<Value>(body) else { return };
        let number = |field: &str| event["data"][field].as_u64().unwrap_or(0);
        match event["type"].as_str() {
            Some(EXPIRED) => {
                let map = event["data"]["removed"].as_str().and_then(|text| BASE64.decode(text).ok());
                self.declared.push((number("from"), map.unwrap_or_default()));
            }
            Some(PRUNED) => self.pruned = self.pruned.max(number("first")),
            _ => {}
        }
    }

    /// The entry at `position` has no body.
    pub(crate) fn found(&mut self, position: u64) {
        match self.found.last_mut().filter(|(_, to)| *to == position) {
            Some((_, to)) => *to += 1,
            None => self.found.push((position, position + 1)),
        }
    }

    /// How many entries have no body.
    pub(crate) fn count(&self) -> u64 {
        self.found.iter().map(|(from, to)| to - from).sum()
    }

    /// Everything that is gone must be covered. The log was read from `first` on.
    pub(crate) fn check(mut self, first: u64) -> Result<(), Flaw> {
        if first > self.pruned {
            return Err(Flaw::Removed { from: self.pruned, to: first - 1 });
        }
        self.declared.sort_unstable();
        let covered = |position: u64| {
            let bit = |(from, map): &(u64, Vec<u8>)| {
                let number = position.checked_sub(*from)?;
                Some(map.get(usize::try_from(number / 8).ok()?)? & (1 << (number % 8)) != 0)
            };
            // Runs are sorted; the one that covers a position begins at it or before.
            let end = self.declared.partition_point(|(from, _)| *from <= position);
            self.declared.get(..end).unwrap_or_default().iter().rev().any(|run| bit(run) == Some(true))
        };
        for (from, to) in &self.found {
            let mut open = (*from).max(self.pruned.min(*to))..*to;
            if let Some(first) = open.find(|position| !covered(*position)) {
                let last = open.take_while(|position| !covered(*position)).last().unwrap_or(first);
                return Err(Flaw::Removed { from: first, to: last });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn removals(found: &[u64], said: &[(&str, &str)]) -> Removals {
        let mut removals = Removals::default();
        found.iter().for_each(|position| removals.found(*position));
        for (kind, data) in said {
            removals.read(format!(r#"{{"data":{data},"type":"{kind}"}}"#).as_bytes());
        }
        removals
    }

    fn expired(from: u64, positions: &[u64]) -> String {
        let mut map = vec![0_u8; 4];
        positions.iter().for_each(|p| map[((p - from) / 8) as usize] |= 1 << ((p - from) % 8));
        format!(r#"{{"from":{from},"removed":"{}"}}"#, BASE64.encode(map))
    }

    #[test]
    fn what_the_log_speaks_of_may_be_gone() {
        let (a, b) = (expired(0, &[3, 4, 9]), expired(8, &[10, 11]));
        assert_eq!(removals(&[3, 4, 9, 10, 11], &[(EXPIRED, &a), (EXPIRED, &b)]).check(0), Ok(()));
        assert_eq!(removals(&[300], &[(PRUNED, r#"{"first":512}"#)]).check(256), Ok(()));
    }

    #[test]
    fn what_nobody_spoke_of_is_named() {
        let a = expired(0, &[8, 9]);
        assert_eq!(removals(&[9, 10, 11], &[(EXPIRED, &a)]).check(0), Err(Flaw::Removed { from: 10, to: 11 }));
        // Within what the event spans, but not among what it names.
        assert_eq!(removals(&[7], &[(EXPIRED, &a)]).check(0), Err(Flaw::Removed { from: 7, to: 7 }));
        assert_eq!(removals(&[], &[(PRUNED, r#"{"first":256}"#)]).check(512), Err(Flaw::Removed { from: 256, to: 511 }));
        // Somebody's own event that only quotes the words covers nothing.
        assert_eq!(removals(&[0], &[("app.x", r#"{"note":"\"type\":\"ledger.pruned\"","first":5}"#)]).check(0), Err(Flaw::Removed { from: 0, to: 0 }));
    }
}
