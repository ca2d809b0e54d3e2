//! How much of the processor's time a phase may still take.
//!
//! To ask the kernel for a thread's time costs as much as some twenty rules. A thread cannot have used more of it than
//! has passed, and what has passed costs next to nothing to know: only a phase that goes on for long is measured.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use tutela_core::Env;

/// What is left, and since when it is used.
pub(crate) struct CpuTime {
    env: Arc<dyn Env>,
    left: Duration,
    began: Instant,
    /// The thread's own time at the beginning, once somebody had to know.
    at_begin: Option<Duration>,
}

impl CpuTime {
    /// Begins now.
    pub(crate) fn new(env: &Arc<dyn Env>, left: Duration) -> Self {
        Self { env: Arc::clone(env), left, began: Instant::now(), at_begin: None }
    }

    /// So much may pass unmeasured, and counts as used then.
    fn unmeasured(&self) -> Duration {
        self.left / 4
    }

    /// What the phase has used.
    pub(crate) fn used(&self) -> Duration {
        match self.at_begin {
            Some(at_begin) => self.env.cpu_time().saturating_sub(at_begin),
            None => self.began.elapsed().min(self.unmeasured()),
        }
    }
}

impl tutela_waf::Budget for CpuTime {
    fn is_spent(&mut self) -> bool {
        let passed = self.began.elapsed();
        if passed < self.unmeasured() {
            return false;
        }
        let now = self.env.cpu_time();
        let at_begin = *self.at_begin.get_or_insert_with(|| now.saturating_sub(passed));
        now.saturating_sub(at_begin) > self.left
    }
}

#[cfg(test)]
mod tests {
    use tutela_core::SystemEnv;
    use tutela_waf::Budget as _;

    use super::*;

    #[test]
    fn time_that_others_use_is_not_spent_and_time_of_ones_own_is() {
        // Sleeping is what is tested here: the thread waits, and uses nothing.
        let env: Arc<dyn Env> = Arc::new(SystemEnv);
        let mut waits = CpuTime::new(&env, Duration::from_millis(40));
        assert!(!waits.is_spent());
        let begun = Instant::now();
        std::thread::sleep(Duration::from_millis(8));
        // On a busy machine it may have slept until it is measured.
        let (spent, used) = (waits.is_spent(), waits.used());
        assert!(!spent && (used >= Duration::from_millis(8) || begun.elapsed() >= Duration::from_millis(20)), "{used:?}");
        std::thread::sleep(Duration::from_millis(12));
        assert!(!waits.is_spent(), "measured from here on");
        std::thread::sleep(Duration::from_millis(100));
        assert!(!waits.is_spent() && waits.used() < Duration::from_millis(40), "{:?}", waits.used());
        let mut works = CpuTime::new(&env, Duration::from_millis(20));
        let begun = Instant::now();
        while !works.is_spent() {
            assert!(begun.elapsed() < Duration::from_secs(20));
        }
        assert!(works.used() >= Duration::from_millis(20));
    }
}
