//! Reading: the newest 50 by several filters, and hashing the whole log again.

use std::time::{Duration, Instant};

use serde_json::json;
use testkit::root_key;
use tutela_core::{Env as _, SystemEnv, Timestamp};
use tutela_ledger::Signer;
use tutela_store::{Bounds, Changeset, Config, Match, Store, Verification};

use super::{
    event::{self, TYPES, mix},
    folder, open,
};
use crate::{report::Report, stats::percentile};

const PAGE: u32 = 50;
const QUERIES: u64 = 200;
/// Events of one commit while filling.
const CHUNK: u64 = 1_000;

/// Fills a store with `events`, searches it, verifies it.
pub async fn measure(config: &Config, events: u64, engine: &'static str, report: &mut Report) -> Result<(), String> {
    let place = folder()?;
    let store = open(config, place.path()).await?;
    let begun = Instant::now();
    fill(&store, events).await?;
    let filled = begun.elapsed().as_secs_f64();
    let mut slowest = 0.0_f64;
    let mut found = serde_json::Map::new();
    let week = Some(SystemEnv.now().minus(Duration::from_secs(7 * 86_400)));
    for (name, tokens, recent) in filters() {
        let mut took = Vec::new();
        let mut rows = 0;
        for query in 0..QUERIES {
            let wanted = tokens(mix(query));
            let begun = Instant::now();
            rows += newest(&store, &wanted, week.filter(|_| recent)).await?;
            took.push(begun.elapsed().as_secs_f64() * 1e3);
        }
        let (p50, p95) = (percentile(&mut took, 0.5), percentile(&mut took, 0.95));
        println!("  {name}: p50 {p50:.2} ms, p95 {p95:.2} ms, {:.1} rows a page", rows as f64 / QUERIES as f64);
        slowest = slowest.max(p95);
        found.insert(name.to_owned(), json!({"p50_ms": p50, "p95_ms": p95, "rows": rows}));
    }
    let mut took = Vec::new();
    for _ in 0..QUERIES {
        let (begun, hour) = (Instant::now(), SystemEnv.now().secs() / 3_600);
        let totals = store.event_totals(hour - 30 * 24, i64::MAX).await.map_err(|e| e.to_string())?;
        drop(totals);
        took.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    let (p50, p95) = (percentile(&mut took, 0.5), percentile(&mut took, 0.95));
    println!("  totals by type and hour, 30 days: p50 {p50:.2} ms, p95 {p95:.2} ms");
    found.insert("totals".to_owned(), json!({"p50_ms": p50, "p95_ms": p95}));
    let bytes = store.size_on_disk().await.map_err(|e| e.to_string())? as f64 / events as f64;
    println!("  {bytes:.0} bytes an event on disk");
    let key = {
        let seed = root_key().derive(&[b"ledger"]).map_err(|e| e.to_string())?;
        Signer::new(&store.instance().origin, &seed).map_err(|e| e.to_string())?.key().clone()
    };
    store.close().await;
    let begun = Instant::now();
    let verification = Verification::open(config, place.path()).await.map_err(|e| e.to_string())?;
    let checked = verification.run(&key, &[], &|_, _| {}).await.map_err(|e| e.to_string())?;
    let rate = checked.entries as f64 / begun.elapsed().as_secs_f64();
    if let Some(flaw) = checked.flaw {
        return Err(format!("the log that was just written does not verify: {flaw}"));
    }
    report.raw(&format!("{engine}_read"), json!({"events": events, "fill_s": filled, "filters": found, "rehash_per_s": rate, "bytes_per_event": bytes}));
    let names = if engine == "sqlite" { ("search_p95_ms", "rehash_per_s") } else { ("postgresql_search_p95_ms", "postgresql_rehash_per_s") };
    report.figure(names.0, slowest);
    report.figure(names.1, rate);
    Ok(())
}

type Tokens = fn(u64) -> Vec<String>;

/// Each filter by name, the tokens of one query with it, and whether it asks for the last seven days only.
fn filters() -> [(&'static str, Tokens, bool); 11] {
    [
        ("actor", |chance| vec![event::actor_token(event::actor(chance))], false),
        ("type", |chance| vec![of_type(chance)], false),
        ("actor and type", |chance| vec![event::actor_token(event::actor(chance)), of_type(chance >> 32)], false),
        ("actor, type, 7 days", |chance| vec![event::actor_token(event::actor(chance)), of_type(chance >> 32)], true),
        ("denied", |_| vec!["o=denied".into()], false),
        ("rare word", |_| vec![event::word_token("rare")], false),
        ("common word", |_| vec![event::word_token("common")], false),
        ("three words", |_| ["half", "third", "tenth"].map(event::word_token).to_vec(), false),
        ("two words and type", |chance| vec![event::word_token("third"), event::word_token("tenth"), of_type(chance)], false),
        ("network", |chance| vec![event::net_token(event::actor(chance))], false),
        // Every posting list that may hold the actor has to be looked at, and none does.
        ("nobody", |chance| vec![event::actor_token(event::ACTORS + chance % 1_000), "o=success".into()], false),
    ]
}

fn of_type(chance: u64) -> String {
    format!("t={}", TYPES[chance as usize % TYPES.len()])
}

/// The newest page with its bodies; gives the number of rows.
async fn newest(store: &Store, tokens: &[String], since: Option<Timestamp>) -> Result<usize, String> {
    let of = |_month: i64| Ok(Match { all: tokens.to_vec(), ..Match::default() });
    let mut bounds = Bounds { from: 0, before: None };
    if let Some(since) = since {
        let Some((from, _)) = store.log_time_bounds(since, Timestamp::from_secs(253_402_300_799)).await.map_err(|e| e.to_string())? else { return Ok(0) };
        bounds.from = from;
    }
    let positions = store.search(&of, bounds, PAGE).await.map_err(|e| e.to_string())?;
    let rows = store.log_rows(&positions).await.map_err(|e| e.to_string())?;
    Ok(rows.len())
}

async fn fill(store: &Store, events: u64) -> Result<(), String> {
    let (mut next, now) = (0, SystemEnv.now());
    // As over sixty days, so that there are months and a last week.
    let at = |number: u64| now.minus(Duration::from_micros((events - number) * (60 * 86_400 * 1_000_000 / events)));
    while next < events {
        let until = (next + CHUNK).min(events);
        let records = (next..until).map(|number| event::record_at(number, at(number))).collect::<Result<Vec<_>, String>>()?;
        let changeset = Changeset::of_all(records).ok_or("there are no events")?;
        store.commit(changeset).await.map_err(|e| e.to_string())?;
        next = until;
        // On PostgreSQL the log follows the commits; it must not fall far behind.
        if next.is_multiple_of(50 * CHUNK) {
            store.settle().await.map_err(|e| e.to_string())?;
        }
    }
    store.settle().await.map_err(|e| e.to_string())
}
