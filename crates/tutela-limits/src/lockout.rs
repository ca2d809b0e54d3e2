//! Attempts that fail and lock. An attempt is reserved before it is verified and counts as failed until
//! it is given back, so that of many at once no more are verified than the limit allows.
//!
//! ```text
//!   open    --reserve, not the last of the window--> open, one more counted
//!   open    --reserve, the last of the window-----> locked until now + lockout
//!   open    --reserve, `most` failed in a row-----> exhausted
//!   locked  --reserve before its end--------------> refused
//!   locked  --reserve after its end---------------> open, counting anew
//!   any     --give back (it succeeded)------------> as if it had not been
//!   exhausted: only somebody who unlocks it leads back
//! ```
//! The window slides: the times of the counted attempts are kept, so in no stretch of its length do
//! more pass than the limit says.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tutela_core::{Span, Timestamp};

/// How many attempts may fail within which time, and how long a bucket is locked then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lockout {
    /// How many attempts may fail within `window`, 1 to 1000.
    pub attempts: u32,
    /// The time in which they are counted, from the first of them: `1h`.
    pub window: Span,
    /// How long the next ones are refused without a look: `24h`.
    pub lockout: Span,
}

/// What is counted for one pair of account and device, one address, one authenticator.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bucket {
    /// When attempts were reserved that failed or are under way, oldest first; at most [`Lockout::attempts`].
    pub times: Vec<Timestamp>,
    /// Attempts that failed since the last one that succeeded.
    pub in_a_row: u32,
    /// Until when every attempt is refused.
    pub locked_until: Option<Timestamp>,
}

/// Why an attempt is not verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Too many failed in a row (SP 800-63B-4 §3.2.2); somebody has to unlock it.
    Exhausted,
    /// Too many failed within the window.
    Locked {
        /// Until when.
        until: Timestamp,
    },
}

impl Bucket {
    /// Whether an attempt would be refused at `now`; `most` is how many may fail in a row over all windows.
    pub fn refusal(&self, most: u32, now: Timestamp) -> Option<Refused> {
        if self.in_a_row >= most {
            return Some(Refused::Exhausted);
        }
        self.locked_until.filter(|until| now < *until).map(|until| Refused::Locked { until })
    }

    /// Takes back the attempt reserved at `at`, because it succeeded. The lock that it may have set goes with it.
    pub fn give_back(mut self, at: Timestamp) -> Self {
        if let Some(mine) = self.times.iter().position(|time| *time == at) {
            self.times.remove(mine);
            self.in_a_row = self.in_a_row.saturating_sub(1);
            self.locked_until = None;
        }
        self
    }
}

impl Lockout {
    /// Five in an hour lock for a day.
    pub const LOGIN: Self = Self { attempts: 5, window: Span::hours(1), lockout: Span::hours(24) };

    /// Refuses numbers that protect nobody, or everybody from themselves.
    pub fn check(&self) -> Result<(), String> {
        let day = Span::hours(24).duration();
        if !(1..=1_000).contains(&self.attempts) {
            return Err("`attempts` is from 1 to 1000".into());
        }
        if self.window.duration() > 30 * day || self.lockout.duration() > 365 * day {
            return Err("`window` is at most 30 days, `lockout` at most 365 days".into());
        }
        Ok(())
    }

    /// Counts an attempt that is about to be verified.
    pub fn reserve(&self, mut bucket: Bucket, most: u32, now: Timestamp) -> Result<Bucket, Refused> {
        if let Some(refused) = bucket.refusal(most, now) {
            return Err(refused);
        }
        if bucket.locked_until.take().is_some() {
            bucket.times.clear();
        }
        // What a clock that jumped back left in the future still counts: in doubt fewer pass.
        bucket.times.retain(|time| now.since(*time) < self.window.duration());
        bucket.times.push(now);
        bucket.in_a_row = bucket.in_a_row.saturating_add(1);
        bucket.locked_until = (bucket.times.len() >= self.attempts as usize).then(|| now + self.lockout.duration());
        Ok(bucket)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MOST: u32 = 100;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_secs(1_000_000 + seconds)
    }

    fn reserve(rule: &Lockout, bucket: &mut Bucket, now: Timestamp) -> Result<(), Refused> {
        *bucket = rule.reserve(bucket.clone(), MOST, now)?;
        Ok(())
    }

    #[test]
    fn the_fifth_failure_locks_for_a_day_and_the_sixth_is_not_even_looked_at() {
        let mut bucket = Bucket::default();
        for second in 0..5 {
            reserve(&Lockout::LOGIN, &mut bucket, at(second)).unwrap();
        }
        let until = at(4 + 86_400);
        assert_eq!(reserve(&Lockout::LOGIN, &mut bucket, at(5)), Err(Refused::Locked { until }));
        assert_eq!(reserve(&Lockout::LOGIN, &mut bucket, at(4 + 86_399)), Err(Refused::Locked { until }));
        reserve(&Lockout::LOGIN, &mut bucket, until).unwrap();
        assert_eq!((bucket.times.len(), bucket.in_a_row, bucket.locked_until), (1, 6, None));
    }

    #[test]
    fn an_attempt_that_succeeds_leaves_no_trace_not_even_the_lock_it_set() {
        let mut bucket = Bucket::default();
        for second in 0..4 {
            reserve(&Lockout::LOGIN, &mut bucket, at(second)).unwrap();
        }
        let before = bucket.clone();
        reserve(&Lockout::LOGIN, &mut bucket, at(10)).unwrap();
        assert!(bucket.locked_until.is_some());
        assert_eq!(bucket.clone().give_back(at(10)), before);
        assert_eq!(bucket.clone().give_back(at(11)), bucket, "what was not reserved cannot be given back");
    }

    #[test]
    fn a_hundred_in_a_row_end_it_whatever_the_windows_say() {
        let slow = Lockout { attempts: 1_000, ..Lockout::LOGIN };
        let mut bucket = Bucket::default();
        for day in 0..100 {
            reserve(&slow, &mut bucket, at(day * 86_400)).unwrap();
        }
        assert_eq!(reserve(&slow, &mut bucket, at(200 * 86_400)), Err(Refused::Exhausted));
    }

    proptest! {
        /// In no stretch as long as the window do more pass than the limit says.
        #[test]
        fn never_more_than_the_limit_in_any_window(steps in prop::collection::vec(0_i64..2_000, 1..200)) {
            let rule = Lockout { attempts: 3, window: Span::minutes(10), lockout: Span::minutes(30) };
            let (mut bucket, mut now, mut passed) = (Bucket::default(), 0, Vec::new());
            for step in steps {
                now += step;
                if let Ok(next) = rule.reserve(bucket.clone(), u32::MAX, at(now)) {
                    bucket = next;
                    passed.push(now);
                }
            }
            for from in &passed {
                let within = passed.iter().filter(|t| (*from..*from + 600).contains(t)).count();
                prop_assert!(within <= 3, "{within} in ten minutes");
            }
        }
    }
}
