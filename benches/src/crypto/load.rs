//! Connections that each ask, wait for the answer, and ask again; and what the server spent on it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::BATCH;
use crate::{http::Connection, machine, stats::percentile};

/// Time for the server to write what it recorded; that work belongs to the requests.
const SETTLE: Duration = Duration::from_secs(2);

/// A server and what it is asked.
pub struct Target {
    /// Whose it is.
    pub name: &'static str,
    /// Where it listens on loopback.
    pub port: u16,
    /// Its process.
    pub pid: u32,
    /// A request with one item.
    pub single: Vec<u8>,
    /// A request with [`BATCH`] items.
    pub batch: Vec<u8>,
}

/// How a server is asked.
pub struct Shape {
    /// In words.
    pub words: &'static str,
    /// How many connections.
    pub connections: usize,
    /// Items of each request: one, or [`BATCH`].
    pub items: usize,
    /// Figures of ours: CPU microseconds an item, p50 of a request in microseconds.
    pub ours: [&'static str; 2],
    /// The same of the peer.
    pub theirs: [&'static str; 2],
}

/// Every shape.
pub const SHAPES: &[Shape] = &[
    Shape {
        words: "one, 1 connection",
        connections: 1,
        items: 1,
        ours: ["single_1_cpu_us", "single_1_p50_us"],
        theirs: ["openbao_single_1_cpu_us", "openbao_single_1_p50_us"],
    },
    Shape {
        words: "one, 16 connections",
        connections: 16,
        items: 1,
        ours: ["single_16_cpu_us", "single_16_p50_us"],
        theirs: ["openbao_single_16_cpu_us", "openbao_single_16_p50_us"],
    },
    Shape {
        words: "480, 1 connection",
        connections: 1,
        items: BATCH,
        ours: ["batch_cpu_us_per_item", "batch_p50_us"],
        theirs: ["openbao_batch_cpu_us_per_item", "openbao_batch_p50_us"],
    },
];

/// One run of one shape against one server.
#[derive(Debug)]
pub struct Round {
    items: u64,
    seconds: f64,
    cpu: f64,
    /// Median time of a request, from its first byte sent to its answer's last byte read.
    pub p50_us: f64,
    p99_us: f64,
}

impl Round {
    /// Asks for `time`.
    pub fn of(target: &Target, shape: &Shape, time: Duration) -> Result<Self, String> {
        let request = if shape.items == 1 { &target.single } else { &target.batch };
        let before = machine::tree_cpu(target.pid)?;
        let begun = Instant::now();
        let mut took = ask_all(target.port, request, shape.connections, begun + time).map_err(|e| format!("{}: {e}", target.name))?;
        let seconds = begun.elapsed().as_secs_f64();
        std::thread::sleep(SETTLE);
        let cpu = machine::tree_cpu(target.pid)? - before;
        let items = (took.len() * shape.items) as u64;
        Ok(Self { items, seconds, cpu, p50_us: percentile(&mut took, 0.5), p99_us: percentile(&mut took, 0.99) })
    }

    /// CPU microseconds of the server for one item.
    pub fn cpu_us(&self) -> f64 {
        self.cpu * 1e6 / self.items.max(1) as f64
    }

    /// For the raw figures.
    pub fn json(&self) -> Value {
        json!({"items": self.items, "seconds": self.seconds, "cpu_s": self.cpu, "cpu_us": self.cpu_us(), "p50_us": self.p50_us, "p99_us": self.p99_us})
    }
}

/// Microseconds of every request of all connections.
fn ask_all(port: u16, request: &[u8], connections: usize, until: Instant) -> Result<Vec<f64>, String> {
    let ended: Vec<Result<Vec<f64>, String>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..connections).map(|_| scope.spawn(move || ask(port, request, until))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err("a connection of the load ended early".to_owned()))).collect()
    });
    let mut all = Vec::new();
    for took in ended {
        all.extend(took?);
    }
    Ok(all)
}

fn ask(port: u16, request: &[u8], until: Instant) -> Result<Vec<f64>, String> {
    let mut connection = Connection::open(port)?;
    let mut took = Vec::new();
    while Instant::now() < until {
        let begun = Instant::now();
        connection.ask_well(request)?;
        took.push(begun.elapsed().as_secs_f64() * 1e6);
    }
    Ok(took)
}
