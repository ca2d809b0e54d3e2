//! What is remembered of one key: times, in the order in which things happened, not in which they arrived.
//!
//! A window is exact: six within five minutes are six within five minutes, however they are spread, and an event that
//! arrives late is put where it belongs. What is kept is bounded by what the rule counts to, so that memory does not
//! grow with the number of events.

use serde::{Deserialize, Serialize};

/// An event as a window remembers it: when (microseconds) and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Seen {
    pub time: i64,
    pub position: u64,
}

/// Times of events, sorted, at most twice as many as are counted to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ring(Vec<Seen>);

impl Ring {
    /// Puts an event in its place. Says which ones make up `count` within `window` microseconds together with it.
    pub(crate) fn add(&mut self, seen: Seen, count: usize, window: i64) -> Option<Vec<Seen>> {
        let at = self.0.partition_point(|other| *other < seen);
        if self.0.get(at) == Some(&seen) {
            return None;
        }
        self.0.insert(at, seen);
        let found = self.around(at, count, window);
        // Late events still find their neighbours among as many again as are counted.
        let most = count.saturating_mul(2).max(2);
        let newest = self.0.last().map_or(seen.time, |last| last.time);
        let old = self.0.partition_point(|other| other.time < newest.saturating_sub(window.saturating_mul(2)));
        let surplus = self.0.len().saturating_sub(most);
        self.0.drain(..old.max(surplus));
        found
    }

    /// The first window with `count` events that holds the one at `at`: all that are in it.
    fn around(&self, at: usize, count: usize, window: i64) -> Option<Vec<Seen>> {
        let last_start = at.min(self.0.len().checked_sub(count)?);
        let start = ((at + 1).saturating_sub(count)..=last_start).find(|start| self.span(*start, count) <= window)?;
        let first = self.0.get(start)?.time;
        let end = self.0.partition_point(|other| other.time <= first.saturating_add(window));
        self.0.get(start..end).map(<[Seen]>::to_vec)
    }

    fn span(&self, start: usize, count: usize) -> i64 {
        match (self.0.get(start), self.0.get(start + count - 1)) {
            (Some(first), Some(last)) => last.time - first.time,
            _ => i64::MAX,
        }
    }

    pub(crate) fn newest(&self) -> Option<Seen> {
        self.0.last().copied()
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Seen> {
        self.0.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Bytes that it takes, about.
    pub(crate) fn bytes(&self) -> usize {
        self.0.capacity() * size_of::<Seen>()
    }
}

/// Different values, each with the times at which it was there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Values(Vec<(u64, Seen)>);

impl Values {
    /// Puts a value in its place. Says which events show `count` different ones within `window`, together with it.
    pub(crate) fn add(&mut self, value: u64, seen: Seen, count: usize, window: i64) -> Option<Vec<Seen>> {
        let at = self.0.partition_point(|(_, other)| *other < seen);
        if self.0.get(at).is_some_and(|(_, other)| *other == seen) {
            return None;
        }
        self.0.insert(at, (value, seen));
        let newest = self.0.last().map_or(seen.time, |(_, last)| last.time);
        self.0.retain(|(_, other)| other.time >= newest.saturating_sub(window.saturating_mul(2)));
        self.thin(count);
        let near: Vec<(u64, Seen)> = self.0.iter().copied().filter(|(_, other)| (other.time - seen.time).abs() <= window).collect();
        // Every window that holds the new one begins with one of those before it, or with itself.
        near.iter().filter(|(_, first)| first.time <= seen.time).find_map(|(_, first)| {
            let mut shown: Vec<(u64, Seen)> = Vec::new();
            for (value, seen) in near.iter().filter(|(_, other)| other.time >= first.time && other.time - first.time <= window) {
                if shown.iter().all(|(known, _)| known != value) {
                    shown.push((*value, *seen));
                }
            }
            (shown.len() >= count).then(|| shown.into_iter().map(|(_, seen)| seen).collect())
        })
    }

    /// Of a value that is there again and again its two newest are kept, and of all values four times as many as count.
    fn thin(&mut self, count: usize) {
        let most = count.saturating_mul(4).max(8);
        if self.0.len() <= most {
            return;
        }
        let mut kept: Vec<(u64, Seen)> = Vec::with_capacity(self.0.len());
        for (value, seen) in self.0.drain(..).rev() {
            if kept.iter().filter(|(known, _)| *known == value).count() < 2 {
                kept.push((value, seen));
            }
        }
        kept.truncate(most);
        kept.reverse();
        self.0 = kept;
    }

    pub(crate) fn bytes(&self) -> usize {
        self.0.capacity() * size_of::<(u64, Seen)>()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const W: i64 = 300;

    /// Whether some window of `W` that holds the last of `times` has `count`, by looking at all of them.
    fn truth(times: &[i64], new: i64, count: usize) -> bool {
        times.iter().any(|start| *start <= new && new - start <= W && times.iter().filter(|time| **time >= *start && **time - *start <= W).count() >= count)
    }

    #[test]
    fn six_in_five_minutes_are_six_in_five_minutes() {
        let run = |times: &[i64]| {
            let mut ring = Ring::default();
            times.iter().enumerate().any(|(n, time)| ring.add(Seen { time: *time, position: n as u64 }, 6, W).is_some())
        };
        assert!(run(&[0, 10, 20, 30, 40, 50]));
        assert!(run(&[0, 58, 116, 174, 232, 290]));
        assert!(!run(&[0, 72, 145, 217, 290]));
        assert!(!run(&(0..36).map(|n| n * 200).collect::<Vec<_>>()));
        assert!(run(&[290, 0, 232, 58, 174, 116]), "in whichever order they arrive");
    }

    proptest! {
        #[test]
        fn events_that_arrive_a_little_late_change_nothing(mut steps in prop::collection::vec((0_i64..120, 0_i64..60), 1..60), count in 1_usize..8) {
            let mut now = 0;
            let mut arrivals: Vec<(i64, i64)> = steps.drain(..).map(|(step, late)| { now += step; (now + late, now) }).collect();
            arrivals.sort();
            let (mut ring, mut seen) = (Ring::default(), Vec::new());
            for (n, (_, time)) in arrivals.into_iter().enumerate() {
                seen.push(time);
                let fires = ring.add(Seen { time, position: n as u64 }, count, W).is_some();
                prop_assert_eq!(fires, truth(&seen, time, count), "{:?}", seen);
            }
        }

        #[test]
        fn different_values_are_counted_as_they_are(steps in prop::collection::vec((0_i64..100, 0_u64..12), 1..80), count in 1_usize..6) {
            let (mut values, mut seen, mut now) = (Values::default(), Vec::new(), 0);
            for (n, (step, value)) in steps.into_iter().enumerate() {
                now += step;
                seen.push((now, value));
                let fires = values.add(value, Seen { time: now, position: n as u64 }, count, W).is_some();
                let within: std::collections::BTreeSet<u64> = seen.iter().filter(|(time, _)| now - time <= W).map(|(_, value)| *value).collect();
                prop_assert_eq!(fires, within.len() >= count, "{:?}", seen);
            }
        }
    }
}
