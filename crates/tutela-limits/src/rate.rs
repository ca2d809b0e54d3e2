//! How much of something there may be in a time: `{requests = 100, window = "1m", burst = 20}`.
//!
//! Two ways to count, each one number a key:
//!
//! - **gcra** (the generic cell rate algorithm): one request each `window / requests`, and `burst` of them at once. The
//!   number is the time at which the bucket is full again.
//! - **sliding_window**: at most `requests` in the last `window`, the one before it counted in proportion to how much of
//!   it still lies within. The number holds which window it is, and both counts.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tutela_core::{Span, Timestamp};

/// Most requests of a limit: both counts of a sliding window fit beside its number.
const MOST: u32 = 65_535;

/// How many requests in which time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// How many requests in `window`, 1 to 65535.
    pub requests: u32,
    /// The time in which they are counted: `1m`.
    pub window: Span,
    /// How many may come at once, 1 to 65535; `requests` where absent. A sliding window has no use for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<u32>,
    /// How it is counted: `gcra` or `sliding_window`.
    #[serde(default)]
    pub algorithm: Algorithm,
}

/// How it is counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Algorithm {
    /// Evenly, with a burst.
    #[default]
    Gcra,
    /// So many in the last window.
    SlidingWindow,
}

/// Whether a request passes, and what is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// Whether it passes.
    pub allowed: bool,
    /// How many more would pass now.
    pub remaining: u32,
    /// When all would pass again.
    pub reset: Duration,
    /// When the next one passes, where this one did not.
    pub retry_after: Option<Duration>,
}

impl Rate {
    /// Refuses values out of range.
    pub fn check(&self) -> Result<(), String> {
        if !(1..=MOST).contains(&self.requests) {
            return Err(format!("`requests` is {}; it goes from 1 to {MOST}", self.requests));
        }
        if self.burst.is_some_and(|burst| !(1..=MOST).contains(&burst)) {
            return Err(format!("`burst` is {}; it goes from 1 to {MOST}", self.burst.unwrap_or_default()));
        }
        let window = self.window.duration();
        if window < Duration::from_secs(1) || window > Duration::from_secs(86_400) {
            return Err(format!("`window` is {}; it goes from one second to one day", self.window.words()));
        }
        Ok(())
    }

    /// Decides about a request of a key with this number, and gives the number that holds from now on.
    pub fn decide(&self, state: Option<u64>, now: Timestamp) -> (u64, Decision) {
        match self.algorithm {
            Algorithm::Gcra => self.gcra(state, now),
            Algorithm::SlidingWindow => self.sliding(state, now),
        }
    }

    fn gcra(&self, state: Option<u64>, now: Timestamp) -> (u64, Decision) {
        let now = micros(now);
        let each = micros_of(self.window.duration()) / u64::from(self.requests.max(1));
        let room = each.saturating_mul(u64::from(self.burst.unwrap_or(self.requests)));
        // A clock that was set back makes nobody wait longer than a full bucket.
        let full = state.unwrap_or(0).clamp(now, now + room);
        let next = full + each;
        if next - now > room {
            let wait = next - now - room;
            let decision = Decision { allowed: false, remaining: 0, reset: duration(full - now), retry_after: Some(duration(wait)) };
            return (full, decision);
        }
        let remaining = (room - (next - now)) / each.max(1);
        let decision = Decision { allowed: true, remaining: u32::try_from(remaining).unwrap_or(MOST), reset: duration(next - now), retry_after: None };
        (next, decision)
    }

    fn sliding(&self, state: Option<u64>, now: Timestamp) -> (u64, Decision) {
        let (now, window) = (micros(now), micros_of(self.window.duration()).max(1));
        let (index, within) = (now / window, now % window);
        let (known, before, current) = state.map_or((index, 0, 0), |state| (state >> 32, state >> 16 & 0xffff, state & 0xffff));
        // Only the low half of the number of a window is kept.
        let (before, current) = match (index & 0xffff_ffff).wrapping_sub(known) & 0xffff_ffff {
            0 => (before, current),
            1 => (current, 0),
            _ => (0, 0),
        };
        let (most, left) = (u64::from(self.requests), window - within);
        let weighed = |left: u64| current * window + before * left;
        let pack = |current: u64| (index & 0xffff_ffff) << 32 | before << 16 | current;
        if weighed(left) + window > most * window {
            // How far the window has to slide until one more fits; where the current one is full, into the next.
            let over = weighed(left) + window - most * window;
            let wait = if before > 0 && current < most {
                over.div_ceil(before).min(left)
            } else {
                left + (window * (current + 1).saturating_sub(most)).div_ceil(current.max(1))
            };
            let decision = Decision { allowed: false, remaining: 0, reset: duration(left + window), retry_after: Some(duration(wait)) };
            return (pack(current), decision);
        }
        let remaining = (most * window - weighed(left) - window) / window;
        let decision = Decision { allowed: true, remaining: u32::try_from(remaining).unwrap_or(MOST), reset: duration(left + window), retry_after: None };
        (pack(current + 1), decision)
    }
}

fn micros(now: Timestamp) -> u64 {
    u64::try_from(now.micros()).unwrap_or(0)
}

fn micros_of(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn duration(micros: u64) -> Duration {
    Duration::from_micros(micros)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rate(requests: u32, window: Span, burst: u32, algorithm: Algorithm) -> Rate {
        Rate { requests, window, burst: Some(burst), algorithm }
    }

    const BEGIN: i64 = 1_700_000_000_000_000;

    /// Which of these requests pass, at so many microseconds after the beginning.
    fn passes(rate: &Rate, times: &[i64]) -> Vec<bool> {
        let mut state = None;
        let decide = |at: &i64| {
            let (next, decision) = rate.decide(state, Timestamp::from_micros(BEGIN + at));
            state = Some(next);
            decision.allowed
        };
        times.iter().map(decide).collect()
    }

    #[test]
    fn a_burst_passes_at_once_and_then_one_each_share_of_the_window() {
        let api = rate(100, Span::minutes(1), 20, Algorithm::Gcra);
        let mut state = None;
        for number in 0..20_u32 {
            let (next, decision) = api.decide(state, Timestamp::from_micros(BEGIN));
            assert!(decision.allowed && decision.remaining == 19 - number, "{number}: {decision:?}");
            state = Some(next);
        }
        let (_, decision) = api.decide(state, Timestamp::from_micros(BEGIN));
        assert_eq!((decision.allowed, decision.retry_after, decision.reset), (false, Some(Duration::from_millis(600)), Duration::from_secs(12)));
        assert!(api.decide(state, Timestamp::from_micros(BEGIN + 600_000)).1.allowed);
        assert!(!api.decide(state, Timestamp::from_micros(BEGIN + 599_999)).1.allowed);
    }

    #[test]
    fn a_sliding_window_counts_the_one_before_as_far_as_it_reaches() {
        let rate = rate(10, Span::seconds(10), 1, Algorithm::SlidingWindow);
        // Ten in the first window; half a window on, half of them still count.
        let mut times: Vec<i64> = (0..12).map(|n| n * 100_000).collect();
        times.extend([15_000_000; 7]);
        let passed = passes(&rate, &times);
        assert_eq!(passed.iter().take(12).filter(|passed| **passed).count(), 10);
        assert_eq!(passed.iter().skip(12).filter(|passed| **passed).count(), 5);
    }

    #[test]
    fn a_clock_that_is_set_back_locks_nobody_out() {
        let api = rate(100, Span::minutes(1), 20, Algorithm::Gcra);
        let (state, _) = api.decide(None, Timestamp::from_micros(BEGIN + 86_400_000_000));
        let (_, decision) = api.decide(Some(state), Timestamp::from_micros(BEGIN));
        assert!(decision.retry_after.is_none_or(|wait| wait <= Duration::from_millis(600)), "{decision:?}");
    }

    #[test]
    fn values_out_of_range_are_named() {
        for (bad, said) in [
            (rate(0, Span::minutes(1), 1, Algorithm::Gcra), "`requests` is 0"),
            (rate(1, Span::minutes(1), 0, Algorithm::Gcra), "`burst` is 0"),
            (rate(1, Span::days(2), 1, Algorithm::Gcra), "`window` is 2 days"),
        ] {
            assert!(bad.check().unwrap_err().starts_with(said));
        }
    }

    proptest! {
        #[test]
        fn never_more_pass_than_were_said(gaps in proptest::collection::vec(0_i64..2_000_000, 1..200), sliding in any::<bool>()) {
            let rate = rate(10, Span::seconds(10), 4, if sliding { Algorithm::SlidingWindow } else { Algorithm::Gcra });
            let times: Vec<i64> = gaps.iter().scan(0, |at, gap| { *at += gap; Some(*at) }).collect();
            let passed = passes(&rate, &times);
            for (first, begin) in times.iter().enumerate() {
                let count = times[first..].iter().zip(&passed[first..]).take_while(|(at, _)| **at - begin < 10_000_000).filter(|(_, passed)| **passed).count();
                // Evenly spaced, the burst comes on top; over two windows, the first may have been emptied late.
                let most = if sliding { 20 } else { 14 };
                prop_assert!(count <= most, "{count} from {begin}");
            }
        }

        #[test]
        fn whoever_waits_as_told_passes(gaps in proptest::collection::vec(0_i64..500_000, 1..60), sliding in any::<bool>()) {
            let rate = rate(10, Span::seconds(10), 4, if sliding { Algorithm::SlidingWindow } else { Algorithm::Gcra });
            let (mut state, mut at) = (None, BEGIN);
            for gap in gaps {
                at += gap;
                let (next, decision) = rate.decide(state, Timestamp::from_micros(at));
                state = Some(next);
                if let Some(wait) = decision.retry_after {
                    let later = Timestamp::from_micros(at + wait.as_micros() as i64);
                    prop_assert!(rate.decide(state, later).1.allowed, "{wait:?}");
                }
            }
        }
    }
}
