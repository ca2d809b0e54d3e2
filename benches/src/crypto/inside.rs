//! In this process: CPU time of this thread for one message, every suite and the bare ciphers in turn.
//!
//! Of ours a message is sealed and opened as the server does it: bound to a text, with the
//! system's randomness, into memory of its own. A bare cipher works in place under one key object
//! with a counted nonce, which is the least that any program has to do; opening is what sealing
//! and opening take together, less the sealing.

use std::hint::black_box;

use aws_lc_rs::aead::{AES_256_GCM, Aad, Algorithm, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use serde_json::{Map, Value, json};
use tutela_core::{Env, KeyId, SystemEnv};
use tutela_kms::{Binding, CallerContext, DataKey, Suite, open, seal};

use crate::{machine, report::Report, stats::percentile};

/// Lengths of plaintexts, in bytes.
const SIZES: [usize; 4] = [32, 256, 4 << 10, MIB];
const MIB: usize = 1 << 20;
/// CPU seconds of sealing in one pass of one cell, about.
const PASS_S: f64 = 0.02;
/// Messages that are sealed and opened before a cell is measured.
const WARM_UP: u32 = 16;

/// Measures everything and puts it into the report.
pub fn measure(passes: u64, report: &mut Report) -> Result<(), String> {
    let mut cells = cells()?;
    for _ in 0..passes {
        for cell in &mut cells {
            cell.pass()?;
        }
    }
    println!("  {:<30} {:>9}   {:>18} {:>18}   best/median", "", "bytes", "seal, ns", "open, ns");
    let mut raw: Map<String, Value> = Map::new();
    for cell in &mut cells {
        let (seal, open) = (Times::of(&mut cell.seal), Times::of(&mut cell.open));
        println!("  {:<30} {:>9}   {:>18} {:>18}", cell.sealer.name(), cell.plaintext.len(), seal.text(), open.text());
        let figures = json!({"seal": seal.json(cell.plaintext.len()), "open": open.json(cell.plaintext.len()), "messages": cell.count});
        let of = raw.entry(cell.sealer.name()).or_insert_with(|| json!({}));
        of[cell.plaintext.len().to_string()] = figures;
        for (name, value) in figures_of(cell, &seal, &open) {
            report.figure(name, value);
        }
    }
    report.raw("in_process", json!({"passes": passes, "ns": raw}));
    Ok(())
}

/// What of a cell stands in the table.
fn figures_of(cell: &Cell, seal: &Times, open: &Times) -> Vec<(&'static str, f64)> {
    match (cell.sealer.name(), cell.plaintext.len()) {
        ("aes-256-gcm", 32) => vec![("seal_32_b_ns", seal.median), ("open_32_b_ns", open.median)],
        ("aes-256-gcm", MIB) => vec![("seal_1_mib_gb_per_s", seal.gb_per_s(MIB)), ("open_1_mib_gb_per_s", open.gb_per_s(MIB))],
        (AES, 32) => vec![("bare_seal_32_b_ns", seal.median), ("bare_open_32_b_ns", open.median)],
        (AES, MIB) => vec![("bare_seal_1_mib_gb_per_s", seal.gb_per_s(MIB)), ("bare_open_1_mib_gb_per_s", open.gb_per_s(MIB))],
        _ => Vec::new(),
    }
}

const AES: &str = "bare aes-256-gcm";
const CHACHA: &str = "bare chacha20-poly1305";

/// Every sealer at every length; the lengths of one sealer do not follow one another.
fn cells() -> Result<Vec<Cell>, String> {
    let mut cells = Vec::new();
    for size in SIZES {
        for suite in Suite::ALL {
            cells.push(Cell::new(Sealer::Ours(suite), size)?);
        }
        for (name, algorithm) in [(AES, &AES_256_GCM), (CHACHA, &CHACHA20_POLY1305)] {
            cells.push(Cell::new(Sealer::bare(name, algorithm)?, size)?);
        }
    }
    Ok(cells)
}

/// One sealer at one length, and what it took in each pass, in nanoseconds a message.
struct Cell {
    sealer: Sealer,
    plaintext: Vec<u8>,
    count: u32,
    seal: Vec<f64>,
    open: Vec<f64>,
}

impl Cell {
    fn new(mut sealer: Sealer, size: usize) -> Result<Self, String> {
        let plaintext: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
        let (warm, _) = sealer.pass(&plaintext, WARM_UP)?;
        let count = (PASS_S * f64::from(WARM_UP) / warm).clamp(4.0, 1e6) as u32;
        Ok(Self { sealer, plaintext, count, seal: Vec::new(), open: Vec::new() })
    }

    fn pass(&mut self) -> Result<(), String> {
        let (seal, open) = self.sealer.pass(&self.plaintext, self.count)?;
        self.seal.push(seal * 1e9 / f64::from(self.count));
        self.open.push(open * 1e9 / f64::from(self.count));
        Ok(())
    }
}

enum Sealer {
    Bare { name: &'static str, key: Box<LessSafeKey>, next: u64 },
    Ours(Suite),
}

impl Sealer {
    fn bare(name: &'static str, algorithm: &'static Algorithm) -> Result<Self, String> {
        let key = UnboundKey::new(algorithm, &[9; 32]).map_err(|e| e.to_string())?;
        Ok(Self::Bare { name, key: Box::new(LessSafeKey::new(key)), next: 0 })
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Bare { name, .. } => name,
            Self::Ours(suite) => suite.name(),
        }
    }

    /// CPU seconds for sealing `count` messages, and for opening as many.
    fn pass(&mut self, plaintext: &[u8], count: u32) -> Result<(f64, f64), String> {
        match self {
            Self::Bare { key, next, .. } => bare(key, next, plaintext, count),
            Self::Ours(suite) => ours(*suite, plaintext, count),
        }
    }
}

fn ours(suite: Suite, plaintext: &[u8], count: u32) -> Result<(f64, f64), String> {
    let env: &dyn Env = &SystemEnv;
    let key = DataKey::generate(KeyId::new(env.now(), &mut { env }), 1, &mut { env });
    let context = CallerContext::text("patient/7".into()).map_err(|e| e.to_string())?;
    let binding = Binding::Message(&context);
    let mut message = seal(&key, suite, &binding, plaintext, &mut { env }).map_err(|e| e.to_string())?;
    let begun = machine::thread_cpu();
    for _ in 0..count {
        message = seal(&key, suite, &binding, black_box(plaintext), &mut { env }).map_err(|e| e.to_string())?;
    }
    let sealed = machine::thread_cpu();
    for _ in 0..count {
        black_box(open(&key, &binding, black_box(&message)).map_err(|e| e.to_string())?);
    }
    Ok((sealed - begun, machine::thread_cpu() - sealed))
}

fn bare(key: &LessSafeKey, next: &mut u64, plaintext: &[u8], count: u32) -> Result<(f64, f64), String> {
    let mut buffer = plaintext.to_vec();
    let begun = machine::thread_cpu();
    for _ in 0..count {
        *next += 1;
        let tag = key.seal_in_place_separate_tag(nonce(*next), Aad::empty(), black_box(&mut buffer[..])).map_err(|e| e.to_string())?;
        let _ = black_box(tag);
    }
    let sealed = machine::thread_cpu();
    for _ in 0..count {
        *next += 1;
        let tag = key.seal_in_place_separate_tag(nonce(*next), Aad::empty(), black_box(&mut buffer[..])).map_err(|e| e.to_string())?;
        key.open_in_place_separate_tag(nonce(*next), Aad::empty(), tag.as_ref(), black_box(&mut buffer[..])).map_err(|e| e.to_string())?;
    }
    let both = machine::thread_cpu() - sealed;
    Ok((sealed - begun, both - (sealed - begun)))
}

fn nonce(number: u64) -> Nonce {
    let mut bytes = [0; NONCE_LEN];
    bytes[4..].copy_from_slice(&number.to_be_bytes());
    Nonce::assume_unique_for_key(bytes)
}

/// Nanoseconds a message over all passes.
struct Times {
    best: f64,
    median: f64,
}

impl Times {
    fn of(passes: &mut [f64]) -> Self {
        Self { best: percentile(passes, 0.0), median: percentile(passes, 0.5) }
    }

    /// 10^9 bytes a second, which is bytes a nanosecond.
    fn gb_per_s(&self, size: usize) -> f64 {
        size as f64 / self.median
    }

    fn text(&self) -> String {
        format!("{:.0}/{:.0}", self.best, self.median)
    }

    fn json(&self, size: usize) -> Value {
        json!({"best_ns": self.best, "median_ns": self.median, "best_gb_per_s": size as f64 / self.best, "median_gb_per_s": self.gb_per_s(size)})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sealer_seals_and_opens_at_every_length() {
        for cell in &mut cells().unwrap() {
            cell.count = 1;
            cell.pass().unwrap();
            assert!(cell.seal[0] > 0.0, "{} {}", cell.sealer.name(), cell.plaintext.len());
        }
    }

    #[test]
    fn times_are_best_and_median_and_a_byte_a_nanosecond_is_a_gigabyte_a_second() {
        let times = Times::of(&mut [4.0, 2.0, 9.0]);
        assert_eq!((times.best, times.median, times.gb_per_s(8)), (2.0, 4.0, 2.0));
    }
}
