//! Choosing what a hash costs on this machine. The caller measures, this decides what to measure next.
//!
//! ```text
//!   start -> Try(64 MiB, 1 pass) --too fast--> Try(64 MiB, more passes) --> ... --> Chosen
//!                                --about right--> Chosen
//!                                --too slow--> Chosen(less memory, never below 46 MiB, or fewer passes)
//! ```
//! Memory comes before passes: it is what makes guessing on graphics cards dear (RFC 9106 §4). A choice belongs into the
//! settings of the instance, not into each start: another cost means that every hash is renewed at its next sign-in.

use std::time::Duration;

use super::Cost;

/// How long one hash should take where nothing else is said.
pub const TARGET: Duration = Duration::from_millis(150);
/// Least memory in KiB (OWASP ASVS 5.0 appendix C: 46 MiB with one pass).
pub const MIN_MEMORY: u32 = 47_104;
/// Most memory in KiB: sign-ins run side by side, and each takes this much.
pub const MAX_MEMORY: u32 = 65_536;
/// Most passes, also on a machine that never gets slow enough.
pub const MAX_PASSES: u32 = 32;
const MIB: u32 = 1_024;

/// What to do after a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tuning {
    /// Measure one hash of this cost.
    Try(Cost),
    /// This is the one.
    Chosen(Cost),
}

/// What to measure first.
pub fn first() -> Cost {
    cost(MAX_MEMORY, 1)
}

/// Decides from how long one hash of `trial` took. Each further trial has more memory or more passes than the one
/// before, so there are at most [`MAX_PASSES`] of them; two or three are usual.
pub fn next(trial: Cost, took: Duration, target: Duration) -> Tuning {
    let memory = trial.memory_kib.clamp(MIN_MEMORY, MAX_MEMORY);
    let passes = trial.passes.clamp(1, MAX_PASSES);
    if trial != cost(memory, passes) {
        return Tuning::Try(cost(memory, passes));
    }
    let (took, target) = (took.as_micros().max(1), target.as_micros());
    let scaled = |n: u32| u32::try_from(u128::from(n).saturating_mul(target) / took).unwrap_or(u32::MAX);
    // A quarter off the target is near enough: one hash does not take as long as the next.
    if took.saturating_mul(4) > target.saturating_mul(5) {
        return Tuning::Chosen(match passes {
            1 => cost((scaled(memory) / MIB).saturating_mul(MIB).clamp(MIN_MEMORY, memory), 1),
            _ => cost(memory, scaled(passes).clamp(1, passes)),
        });
    }
    if took.saturating_mul(4) >= target.saturating_mul(3) {
        return Tuning::Chosen(trial);
    }
    match (memory, passes) {
        (MAX_MEMORY, MAX_PASSES) => Tuning::Chosen(trial),
        (MAX_MEMORY, _) => Tuning::Try(cost(MAX_MEMORY, scaled(passes).clamp(passes + 1, MAX_PASSES))),
        (..) => Tuning::Try(cost(MAX_MEMORY, passes)),
    }
}

fn cost(memory_kib: u32, passes: u32) -> Cost {
    Cost { memory_kib, passes, allow_weak_for_tests: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine that fills so many KiB in a millisecond.
    fn machine(speed: u32) -> impl Fn(Cost) -> Duration {
        move |cost| Duration::from_secs_f64(f64::from(cost.memory_kib) * f64::from(cost.passes) / f64::from(speed) / 1_000.0)
    }

    fn tune(took: impl Fn(Cost) -> Duration) -> (Cost, usize) {
        let (mut trial, mut trials) = (first(), 0);
        loop {
            trials += 1;
            match next(trial, took(trial), TARGET) {
                Tuning::Chosen(chosen) => return (chosen, trials),
                Tuning::Try(another) => trial = another,
            }
        }
    }

    #[test]
    fn the_chosen_cost_takes_about_the_target_and_never_much_more() {
        for speed in [400, 500, 700, 1_000, 3_000, 10_000] {
            let (chosen, trials) = tune(machine(speed));
            let took = machine(speed)(chosen);
            assert!(took <= TARGET * 5 / 4 && took >= TARGET / 2, "{speed}: {chosen:?} takes {took:?}");
            assert!(trials <= 4 && chosen.check().is_ok(), "{speed}: {trials} trials");
        }
    }

    #[test]
    fn a_slow_machine_pays_more_time_and_never_goes_below_the_floor() {
        assert_eq!(tune(machine(10)).0, cost(MIN_MEMORY, 1));
        assert_eq!(tune(machine(340)).0, cost(50_176, 1), "49 MiB take 148 ms");
    }

    #[test]
    fn a_machine_that_measures_nothing_ends_at_the_most() {
        assert_eq!(tune(|_| Duration::ZERO), (cost(MAX_MEMORY, MAX_PASSES), 2));
    }

    #[test]
    fn noise_cannot_keep_it_trying() {
        // Always just too fast: the longest way there is.
        let (chosen, trials) = tune(|_| TARGET * 3 / 4 - Duration::from_micros(1));
        assert_eq!(chosen, cost(MAX_MEMORY, MAX_PASSES));
        assert!(trials <= MAX_PASSES as usize, "{trials}");
        // A first trial that was lucky and a second that was not.
        assert_eq!(next(cost(MAX_MEMORY, 6), TARGET * 3, TARGET), Tuning::Chosen(cost(MAX_MEMORY, 2)));
        assert_eq!(next(cost(MAX_MEMORY, 6), TARGET * 30, TARGET), Tuning::Chosen(cost(MAX_MEMORY, 1)));
    }

    #[test]
    fn a_trial_out_of_range_is_not_judged() {
        let weak = Cost { memory_kib: 64, passes: 0, allow_weak_for_tests: true };
        assert_eq!(next(weak, TARGET, TARGET), Tuning::Try(cost(MIN_MEMORY, 1)));
        assert_eq!(next(cost(MIN_MEMORY, 1), TARGET / 10, TARGET), Tuning::Try(cost(MAX_MEMORY, 1)), "memory first");
    }
}
