//! What the same disk gives to a program that does the simplest thing.

use std::{
    fs::File,
    io::Write as _,
    path::Path,
    time::{Duration, Instant},
};

use crate::stats::percentile;

/// Commits a second of one thread that inserts one row of 400 bytes at a time: WAL, synchronous=FULL.
pub fn rows_per_s(dir: &Path, time: Duration) -> Result<f64, String> {
    commit_rows(dir, time).map_err(|e| format!("the floor: {e}"))
}

fn commit_rows(dir: &Path, time: Duration) -> rusqlite::Result<f64> {
    let file = rusqlite::Connection::open(dir.join("floor.db"))?;
    file.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE IF NOT EXISTS event (id INTEGER PRIMARY KEY, body BLOB NOT NULL)")?;
    let mut insert = file.prepare("INSERT INTO event (body) VALUES (?1)")?;
    let (body, begun, mut rows) = ([7_u8; 400], Instant::now(), 0_u32);
    while begun.elapsed() < time {
        insert.execute([&body[..]])?;
        rows += 1;
    }
    Ok(f64::from(rows) / begun.elapsed().as_secs_f64())
}

/// The middle duration of appending 400 bytes and waiting for the disk, in milliseconds.
pub fn fsync_ms(dir: &Path) -> Result<f64, String> {
    append_and_wait(dir).map_err(|e| format!("fsync: {e}"))
}

fn append_and_wait(dir: &Path) -> std::io::Result<f64> {
    let mut file = File::create(dir.join("fsync"))?;
    let (begun, mut took) = (Instant::now(), Vec::new());
    while begun.elapsed() < Duration::from_secs(1) {
        let at = Instant::now();
        file.write_all(&[7; 400])?;
        file.sync_data()?;
        took.push(at.elapsed().as_secs_f64() * 1e3);
    }
    Ok(percentile(&mut took, 0.5))
}
