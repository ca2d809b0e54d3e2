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
    use std::sync::Mutex;

    use tutela_core::{SystemEnv, Timestamp};
    use tutela_waf::Budget as _;

    use super::*;

    /// A thread that has used what the test says.
    struct Used(Mutex<Duration>);

    impl Env for Used {
        fn now(&self) -> Timestamp {
            SystemEnv.now()
        }
        fn fill(&self, out: &mut [u8]) {
            SystemEnv.fill(out);
        }
        fn uptime(&self) -> Duration {
            SystemEnv.uptime()
        }
        fn cpu_time(&self) -> Duration {
            *self.0.lock().unwrap()
        }
    }

    const HOUR: Duration = Duration::from_secs(3_600);

    #[test]
    fn the_thread_is_asked_only_after_a_quarter_of_the_time_and_then_it_alone_decides() {
        let thread = Arc::new(Used(Mutex::new(HOUR * 100)));
        let env: Arc<dyn Env> = Arc::clone(&thread) as _;
        let mut short = CpuTime::new(&env, HOUR);
        assert!(!short.is_spent() && short.at_begin.is_none() && short.used() < HOUR / 4);
        // Two hours have passed: what of them the thread has used is not known, and counts as all until it was asked.
        let mut long = CpuTime { began: Instant::now() - HOUR * 2, ..CpuTime::new(&env, HOUR * 3) };
        assert!(!long.is_spent() && long.used() >= HOUR * 2 && long.used() < HOUR * 3);
        *thread.0.lock().unwrap() += HOUR * 2;
        assert!(long.is_spent());
        // One that has used nothing has nothing spent, however much time has passed.
        *thread.0.lock().unwrap() = Duration::ZERO;
        let mut waits = CpuTime { began: Instant::now() - HOUR * 9, ..CpuTime::new(&env, HOUR) };
        assert!(!waits.is_spent() && waits.used() == Duration::ZERO);
        *thread.0.lock().unwrap() = HOUR;
        assert!(!waits.is_spent() && waits.used() == HOUR);
        *thread.0.lock().unwrap() += Duration::from_nanos(1);
        assert!(waits.is_spent());
    }

    #[test]
    fn time_that_others_use_is_not_spent_and_time_of_ones_own_is() {
        // Sleeping is what is tested here: the thread waits, and uses nothing.
        let env: Arc<dyn Env> = Arc::new(SystemEnv);
        let mut waits = CpuTime::new(&env, Duration::from_millis(40));
        std::thread::sleep(Duration::from_millis(120));
        assert!(!waits.is_spent() && waits.used() < Duration::from_millis(40), "{:?}", waits.used());
        let mut works = CpuTime::new(&env, Duration::from_millis(20));
        let begun = Instant::now();
        while !works.is_spent() {
            assert!(begun.elapsed() < Duration::from_secs(20));
        }
        assert!(works.used() >= Duration::from_millis(20));
    }
}
