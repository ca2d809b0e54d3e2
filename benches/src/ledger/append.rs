//! Producers that each hand over one event and wait until it is durable.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tutela_store::{Changeset, Store};

use super::event;
use crate::stats::percentile;

/// One round of one setting.
#[derive(Debug, Clone, Copy)]
pub struct Round {
    /// Durable events per second.
    pub per_s: f64,
    /// From handing over to the answer.
    pub p50_ms: f64,
    /// The slowest hundredth takes longer.
    pub p99_ms: f64,
    /// CPU microseconds an event, producers included.
    pub cpu_us: f64,
}

/// Runs `producers` tasks for `time`. `cpu` tells the CPU seconds used so far by all that take part.
pub async fn closed_loop(store: &Store, producers: usize, time: Duration, cpu: impl Fn() -> Result<f64, String>) -> Result<Round, String> {
    let number = Arc::new(AtomicU64::new(0));
    let before = cpu()?;
    let begun = Instant::now();
    let tasks: Vec<_> = (0..producers).map(|_| tokio::spawn(produce(store.clone(), Arc::clone(&number), begun + time))).collect();
    let mut took = Vec::new();
    for task in tasks {
        took.extend(task.await.map_err(|e| e.to_string())??);
    }
    let seconds = begun.elapsed().as_secs_f64();
    let used = cpu()? - before;
    let count = took.len().max(1) as f64;
    Ok(Round { per_s: count / seconds, p50_ms: percentile(&mut took, 0.5), p99_ms: percentile(&mut took, 0.99), cpu_us: used * 1e6 / count })
}

async fn produce(store: Store, number: Arc<AtomicU64>, until: Instant) -> Result<Vec<f64>, String> {
    let mut took = Vec::new();
    while Instant::now() < until {
        let record = event::record(number.fetch_add(1, Ordering::Relaxed))?;
        let begun = Instant::now();
        store.commit(Changeset::of(record)).await.map_err(|e| e.to_string())?;
        took.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    Ok(took)
}

/// For the raw figures.
pub fn json(rounds: &[Round]) -> Value {
    rounds.iter().map(|r| json!({"per_s": r.per_s, "p50_ms": r.p50_ms, "p99_ms": r.p99_ms, "cpu_us": r.cpu_us})).collect()
}
