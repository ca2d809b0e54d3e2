//! Password hashing on bounded workers: one at a time per core, a short queue, then refusal.
//! A flood of sign-ins waits, then gets 429, and never holds more than cores x memory_kib.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::Semaphore;
use tutela_core::{Env, Random, Secret, random_bytes};
use tutela_identity::{
    Cost, PasswordHash,
    password::tune::{self, Tuning},
};
use tutela_store::Store;

use crate::{Error, PasswordConfig};

/// Sign-ins that may wait, per worker.
const QUEUE_PER_WORKER: usize = 32;

/// The cost of this instance: as configured, as measured once, or measured now and kept.
pub(crate) async fn cost(store: &Store, config: &PasswordConfig, env: &dyn Env) -> Result<Cost, Error> {
    const NAME: &str = "password_cost";
    if let Some(cost) = config.cost() {
        return Ok(cost);
    }
    if let Some(kept) = store
        .setting_get(NAME)
        .await?
        .and_then(|value| serde_json::from_value::<Cost>(value).ok())
        .filter(|cost| !cost.allow_weak_for_tests && cost.check().is_ok())
    {
        return Ok(kept);
    }
    let salt_of = random_bytes::<16>(&mut { env });
    let cost = tokio::task::spawn_blocking(move || measure(&salt_of)).await.map_err(|_| Error::Internal("a password worker died"))??;
    tracing::info!(memory_kib = cost.memory_kib, passes = cost.passes, "the cost of a password hash was measured and is kept");
    store.setting_keep(NAME, serde_json::to_value(cost).unwrap_or_default()).await?;
    Ok(cost)
}

fn measure(seed: &[u8; 16]) -> Result<Cost, Error> {
    struct Fixed([u8; 16]);
    impl Random for Fixed {
        fn fill(&mut self, out: &mut [u8]) {
            out.iter_mut().zip(self.0.iter().cycle()).for_each(|(to, from)| *to = *from);
        }
    }
    let password = Secret::new("a password to measure with".to_owned());
    let mut trial = tune::first();
    loop {
        let began = Instant::now();
        PasswordHash::create(&password, trial, &mut Fixed(*seed))?;
        match tune::next(trial, began.elapsed(), tune::TARGET) {
            Tuning::Try(next) => trial = next,
            Tuning::Chosen(cost) => return Ok(cost),
        }
    }
}

pub(crate) struct Hasher {
    cost: Cost,
    workers: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    queue: usize,
}

impl Hasher {
    pub(crate) fn new(cost: Cost) -> Self {
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        Self { cost, workers: Arc::new(Semaphore::new(workers)), waiting: Arc::default(), queue: workers * QUEUE_PER_WORKER }
    }

    pub(crate) fn cost(&self) -> Cost {
        self.cost
    }

    /// Whether `password` fits `hash`; where there is no hash the same work is done and the answer is no.
    pub(crate) async fn verify(&self, password: Secret<String>, hash: Option<PasswordHash>) -> Result<bool, Error> {
        let dummy = PasswordHash::dummy(self.cost);
        self.run(move || match hash {
            Some(hash) => hash.verify(&password),
            None => dummy.verify(&password).map(|_| false),
        })
        .await
    }

    /// Hashes a new password.
    pub(crate) async fn create(&self, password: Secret<String>, env: Arc<dyn Env>) -> Result<PasswordHash, Error> {
        let cost = self.cost;
        self.run(move || PasswordHash::create(&password, cost, &mut { &*env })).await
    }

    pub(crate) async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> Result<T, tutela_identity::Error> + Send + 'static) -> Result<T, Error> {
        let place = Place::take(&self.waiting, self.queue).ok_or(Error::Busy(Duration::from_secs(2)))?;
        let permit = Arc::clone(&self.workers).acquire_owned().await.map_err(|_| Error::Internal("the password workers are gone"))?;
        metrics::gauge!("tutela_password_queue").set(self.waiting.load(Ordering::Relaxed) as f64);
        let done = tokio::task::spawn_blocking(move || {
            let result = work();
            drop((permit, place));
            result
        });
        Ok(done.await.map_err(|_| Error::Internal("a password worker died"))??)
    }
}

/// A place in the queue, given back when dropped, also when the caller goes away.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(waiting: &Arc<AtomicUsize>, limit: usize) -> Option<Self> {
        let place = Self(Arc::clone(waiting));
        (waiting.fetch_add(1, Ordering::SeqCst) < limit).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_caller_takes_no_place() {
        let waiting = Arc::new(AtomicUsize::new(0));
        let first = Place::take(&waiting, 1);
        assert!(first.is_some() && Place::take(&waiting, 1).is_none());
        drop(first);
        assert!(Place::take(&waiting, 1).is_some());
    }
}
