use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use tutela_core::{Env, Timestamp};

/// 2026-11-22T09:00:00Z
const START: i64 = 1_795_338_000_000_000;

/// A clock that only tests move, and seeded randomness (splitmix64; not for keys).
pub struct TestEnv {
    passed: AtomicU64,
    set_back: AtomicI64,
    state: AtomicU64,
}

impl TestEnv {
    /// Starts at 2026-11-22T09:00:00Z.
    pub fn new() -> Self {
        Self { passed: AtomicU64::new(0), set_back: AtomicI64::new(0), state: AtomicU64::new(7) }
    }

    /// Moves the clock on.
    pub fn pass(&self, time: Duration) {
        self.passed.fetch_add(time.as_micros() as u64, Ordering::SeqCst);
    }

    /// Moves the clock back, as a careless operator or NTP might.
    pub fn jump_back(&self, time: Duration) {
        self.set_back.fetch_add(time.as_micros() as i64, Ordering::SeqCst);
    }
}

impl Default for TestEnv {
    fn default() -> Self {
        Self::new()
    }
}

impl Env for TestEnv {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(START + self.passed.load(Ordering::SeqCst) as i64 - self.set_back.load(Ordering::SeqCst))
    }

    fn uptime(&self) -> Duration {
        Duration::from_micros(self.passed.load(Ordering::SeqCst))
    }

    fn fill(&self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            let mut z = self.state.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::SeqCst);
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            chunk.copy_from_slice(&(z ^ (z >> 31)).to_be_bytes()[..chunk.len()]);
        }
    }
}
