//! Whether a server is well: what its answers say (passive), and what it says when asked (active).

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// The health of one server.
#[derive(Debug, Default)]
pub(crate) struct Health(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Failures in a row, as requests found them.
    failures: u32,
    /// It gets no requests until then.
    until: Option<Instant>,
    /// Its own word, where it is asked: good or bad answers in a row, and what they came to.
    good: u32,
    bad: u32,
    down: bool,
}

/// What a server is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fitness {
    /// It says itself that it is not well.
    Down,
    /// Requests have failed; somebody else first.
    Resting,
    /// It is well.
    Well,
}

/// That a server is well now, or no longer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Turn {
    pub well: bool,
}

impl Health {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn fitness(&self, now: Instant) -> Fitness {
        let state = self.state();
        match (state.down, state.until) {
            (true, _) => Fitness::Down,
            (false, Some(until)) if now < until => Fitness::Resting,
            _ => Fitness::Well,
        }
    }

    /// A request is sent to it; where it has rested, the others wait for how that one goes.
    pub(crate) fn tried(&self, rest: Duration, now: Instant) {
        let mut state = self.state();
        if state.until.is_some_and(|until| now >= until) {
            state.until = Some(now + rest);
        }
    }

    /// A request was answered.
    pub(crate) fn answered(&self) -> Option<Turn> {
        let mut state = self.state();
        state.failures = 0;
        state.until.take().filter(|_| !state.down).map(|_| Turn { well: true })
    }

    /// A request was not. After `most` in a row the server rests for `rest`; each that fails after that makes it rest again.
    pub(crate) fn failed(&self, most: u32, rest: Duration, now: Instant) -> Option<Turn> {
        let mut state = self.state();
        state.failures = state.failures.saturating_add(1);
        if state.failures < most {
            return None;
        }
        let fresh = state.until.replace(now + rest).is_none();
        (fresh && !state.down).then_some(Turn { well: false })
    }

    /// It was asked, and this is what it said. It gets requests again after so many good answers, and none after so many bad ones.
    pub(crate) fn asked(&self, well: bool, healthy: u32, unhealthy: u32) -> Option<Turn> {
        let mut state = self.state();
        let state = &mut *state;
        (state.good, state.bad) = if well { (state.good.saturating_add(1), 0) } else { (0, state.bad.saturating_add(1)) };
        if state.down && state.good >= healthy {
            *state = State { good: state.good, ..State::default() };
            return Some(Turn { well: true });
        }
        if !state.down && state.bad >= unhealthy {
            state.down = true;
            return state.until.is_none().then_some(Turn { well: false });
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_fails_rests_and_is_tried_again() {
        let (health, now, rest) = (Health::default(), Instant::now(), Duration::from_secs(10));
        assert_eq!((health.failed(2, rest, now), health.fitness(now)), (None, Fitness::Well));
        assert_eq!((health.failed(2, rest, now), health.fitness(now)), (Some(Turn { well: false }), Fitness::Resting));
        let later = now + rest;
        assert_eq!(health.fitness(later), Fitness::Well, "one may try");
        health.tried(rest, later);
        assert_eq!(health.fitness(later), Fitness::Resting, "and no other meanwhile");
        assert_eq!((health.failed(2, rest, later), health.fitness(later)), (None, Fitness::Resting), "said once");
        assert_eq!((health.answered(), health.fitness(later)), (Some(Turn { well: true }), Fitness::Well));
        assert_eq!(health.answered(), None);
    }

    #[test]
    fn its_own_word_counts_after_so_many() {
        let (health, now) = (Health::default(), Instant::now());
        let says = |well: &[bool]| well.iter().filter_map(|well| health.asked(*well, 2, 3)).map(|turn| turn.well).collect::<Vec<_>>();
        assert_eq!((says(&[false, false, true, false, false]), health.fitness(now)), (vec![], Fitness::Well));
        assert_eq!((says(&[false]), health.fitness(now)), (vec![false], Fitness::Down));
        health.answered();
        assert_eq!((says(&[true, false, true]), health.fitness(now)), (vec![], Fitness::Down));
        assert_eq!((says(&[true]), health.fitness(now)), (vec![true], Fitness::Well));
    }
}
