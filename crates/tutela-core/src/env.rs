//! The clock and the random source: the one seam between the house and the real world's chance.

use crate::Timestamp;

/// A clock and a source of randomness. `app` reads it once per request; engines get the values.
pub trait Env: Send + Sync {
    /// The current time.
    fn now(&self) -> Timestamp;
    /// Fills `out` with random bytes fit for keys.
    fn fill(&self, out: &mut [u8]);
    /// How long it is since some moment before, by a clock that nobody sets. Against it [`Env::now`] shows that it was set.
    fn uptime(&self) -> std::time::Duration;
    /// The processor's time that this thread has used so far. A clock that only a test moves has used none.
    fn cpu_time(&self) -> std::time::Duration {
        std::time::Duration::ZERO
    }
}

/// What pure engines take where they need chance.
pub trait Random {
    /// Fills `out` with random bytes fit for keys.
    fn fill(&mut self, out: &mut [u8]);
}

impl Random for &dyn Env {
    fn fill(&mut self, out: &mut [u8]) {
        Env::fill(*self, out);
    }
}

/// `N` random bytes.
pub fn random_bytes<const N: usize>(rng: &mut dyn Random) -> [u8; N] {
    let mut out = [0; N];
    rng.fill(&mut out);
    out
}

/// The machine's own clock and random source.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEnv;

impl Env for SystemEnv {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Timestamp::from_micros(since.map_or(0, |d| d.as_micros() as i64))
    }

    fn fill(&self, out: &mut [u8]) {
        // INVARIANT: getrandom(2) does not fail on a kernel that has it. Without randomness
        // no key or token may be made, so the process ends rather than going on with zeros.
        if getrandom::fill(out).is_err() {
            std::process::abort();
        }
    }

    fn uptime(&self) -> std::time::Duration {
        // A machine that slept was not set: where there is a clock that knows of sleep, it is this one.
        #[cfg(target_os = "linux")]
        let clock = rustix::time::ClockId::Boottime;
        #[cfg(not(target_os = "linux"))]
        let clock = rustix::time::ClockId::Monotonic;
        let up = rustix::time::clock_gettime(clock);
        std::time::Duration::new(up.tv_sec.unsigned_abs(), up.tv_nsec.unsigned_abs() as u32)
    }

    fn cpu_time(&self) -> std::time::Duration {
        let spent = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        std::time::Duration::new(spent.tv_sec.unsigned_abs(), spent.tv_nsec.unsigned_abs() as u32)
    }
}
