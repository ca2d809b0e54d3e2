//! Connections that each do one thing again and again, and what the server spent on it.

use std::{
    net::TcpStream,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{http::Connection, machine, stats::percentile};

/// Time for the server to write what it recorded; that work belongs to the requests.
const SETTLE: Duration = Duration::from_secs(2);

/// A connection on loopback.
pub type Wire = Connection<TcpStream>;
/// One request after another, with what it keeps between them.
pub type Step<'a> = Box<dyn FnMut(&mut Wire) -> Result<(), String> + 'a>;

/// A server that people sign in to.
pub trait Peer: Sync {
    /// Whose it is.
    fn name(&self) -> &'static str;
    /// Its process.
    fn pid(&self) -> u32;
    /// Where it listens on loopback.
    fn port(&self) -> u16;
    /// What a connection asks again and again, by its name.
    fn step(&self, what: &'static str, connection: usize) -> Step<'_>;
    /// Signs in, and uses the session once, where sessions are counted.
    fn session(&self, _wire: &mut Wire, _number: u64) -> Result<(), String> {
        Err("sessions are not begun one by one here".into())
    }
}

/// One run of one kind of request against one server.
#[derive(Debug)]
pub struct Round {
    requests: u64,
    seconds: f64,
    cpu: f64,
    /// Median time of a request.
    pub p50_ms: f64,
    p99_ms: f64,
}

impl Round {
    /// Asks for `time` over so many connections.
    pub fn of(peer: &impl Peer, what: &'static str, connections: usize, time: Duration) -> Result<Self, String> {
        // Connections make their own start (a first sign-in, for a refresh) before anything is counted.
        let ready = std::sync::Barrier::new(connections + 1);
        let (before, ended) = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..connections)
                .map(|number| {
                    let ready = &ready;
                    scope.spawn(move || {
                        let mut wire = Connection::open(peer.port());
                        let mut step = peer.step(what, number);
                        let first = wire.as_mut().map_err(|e| e.clone()).and_then(&mut step);
                        ready.wait();
                        ready.wait();
                        first?;
                        ask(&mut wire?, &mut step, Instant::now() + time)
                    })
                })
                .collect();
            ready.wait();
            let before = machine::tree_cpu(peer.pid());
            let begun = Instant::now();
            ready.wait();
            let ended: Vec<Result<Vec<f64>, String>> =
                threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err("a connection of the load ended early".to_owned()))).collect();
            (before.map(|cpu| (cpu, begun)), ended)
        });
        let (before, begun) = before?;
        let seconds = begun.elapsed().as_secs_f64();
        std::thread::sleep(SETTLE);
        let cpu = machine::tree_cpu(peer.pid())? - before;
        let mut took = Vec::new();
        for one in ended {
            took.extend(one.map_err(|e| format!("{}, {what}: {e}", peer.name()))?);
        }
        Ok(Self { requests: took.len() as u64, seconds, cpu, p50_ms: percentile(&mut took, 0.5), p99_ms: percentile(&mut took, 0.99) })
    }

    /// CPU milliseconds of the server for one request.
    pub fn cpu_ms(&self) -> f64 {
        self.cpu * 1e3 / self.requests.max(1) as f64
    }

    /// Requests answered in a second.
    pub fn per_s(&self) -> f64 {
        self.requests as f64 / self.seconds
    }

    /// For the raw figures.
    pub fn json(&self) -> Value {
        json!({"requests": self.requests, "seconds": self.seconds, "cpu_s": self.cpu, "cpu_ms": self.cpu_ms(), "p50_ms": self.p50_ms, "p99_ms": self.p99_ms})
    }
}

fn ask(wire: &mut Wire, step: &mut Step<'_>, until: Instant) -> Result<Vec<f64>, String> {
    let mut took = Vec::new();
    while Instant::now() < until {
        let begun = Instant::now();
        step(wire)?;
        took.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    Ok(took)
}

/// Begins so many sessions, each used once.
pub fn fill(peer: &impl Peer, connections: usize, sessions: u64) -> Result<(), String> {
    let next = AtomicU64::new(0);
    std::thread::scope(|scope| {
        let begin = || {
            let mut wire = Connection::open(peer.port())?;
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= sessions {
                    return Ok(());
                }
                peer.session(&mut wire, number)?;
            }
        };
        let threads: Vec<_> = (0..connections).map(|_| scope.spawn(begin)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().unwrap_or_else(|_| Err("a connection of the load ended early".to_owned())))
    })
}
