//! The sequencer: one process at a time moves events from the outbox into the log.
//!
//! It holds the lease `sequencer` and writes the head under its term. A paused holder whose
//! lease was taken finds a higher term in the head, and its commit changes nothing:
//!
//! ```text
//!   take lease (term + 1) -> fence the head with the term -> move, move, move … -> lose or give up
//! ```

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use deadpool_postgres::Pool;
use tokio::sync::Notify;
use tutela_core::{Env, Timestamp};
use tutela_ledger::Signer;
use uuid::Uuid;

use super::postgres::{execute_tx, log_partition, query_tx};
use crate::{
    Error, Record,
    append::{Append, row_id},
    db::Signals,
    table::{
        job::{LEASE_GIVE_UP, LEASE_TAKE},
        ledger::{self, Head},
        outbox,
    },
    value::{Value, values},
};

/// Most events of one move.
const BATCH: i64 = 1_024;
/// Short, so that another node takes over soon after a crash; the fence makes a short lease safe.
const LEASE: Duration = Duration::from_secs(3);
/// A node that is frozen in the middle of a transaction lets go of its rows, or no other could take over.
const LET_GO: &str = "SET LOCAL idle_in_transaction_session_timeout = '5s'";
/// How often a holder looks without being woken: events of other nodes wait this long at most.
const POLL: Duration = Duration::from_millis(50);

pub(crate) struct Sequencer {
    pool: Pool,
    node: Uuid,
    signer: Signer,
    signals: Signals,
    committed: Arc<Notify>,
    env: Arc<dyn Env>,
    held: Option<Held>,
    known: Known,
}

/// Partitions that are known to exist.
#[derive(Default)]
struct Known {
    months: BTreeSet<i64>,
    blocks: BTreeSet<i64>,
}

struct Held {
    term: i64,
    until: Timestamp,
    head: Head,
}

impl Sequencer {
    pub(crate) fn new(pool: Pool, node: Uuid, signer: Signer, signals: Signals, committed: Arc<Notify>, env: Arc<dyn Env>) -> Self {
        Self { pool, node, signer, signals, committed, env, held: None, known: Known::default() }
    }

    pub(crate) async fn run(mut self, stop: Arc<Notify>) {
        loop {
            let moved = match self.turn().await {
                Ok(moved) => moved,
                Err(e) => {
                    tracing::warn!(error = %e, "the ledger's sequencer lost its turn and will take the lease again");
                    self.held = None;
                    // What the failed move created was rolled back with it.
                    self.known = Known::default();
                    0
                }
            };
            if moved == BATCH as usize {
                continue;
            }
            let pause = if self.held.is_some() { POLL } else { Duration::from_millis(500) };
            tokio::select! {
                () = self.committed.notified() => {}
                () = tokio::time::sleep(pause) => {}
                () = stop.notified() => break,
            }
        }
        if let Err(e) = self.give_up().await {
            tracing::debug!(error = %e, "could not give up the sequencer's lease; it runs out by itself");
        }
    }

    /// Moves what is left and lets another node take over at once.
    async fn give_up(&mut self) -> Result<(), Error> {
        while self.turn().await? == BATCH as usize {}
        let Some(held) = &self.held else { return Ok(()) };
        let mut client = self.pool.get().await?;
        let tx = client.transaction().await?;
        execute_tx(&tx, &LEASE_GIVE_UP, &values!["sequencer", self.node, held.term, self.env.now()]).await?;
        Ok(tx.commit().await?)
    }

    /// Takes or keeps the lease, then moves one batch. Gives the number of events moved.
    async fn turn(&mut self) -> Result<usize, Error> {
        let now = self.env.now();
        if self.held.as_ref().is_none_or(|held| now >= held.until.minus(LEASE / 2)) && !self.take(now).await? {
            // Another node holds it; only the size is of interest here.
            let mut client = self.pool.get().await?;
            let tx = client.transaction().await?;
            if let Some(row) = query_tx(&tx, &ledger::LOG_HEAD_GET, &[]).await?.first() {
                let size: u64 = row.get(0)?;
                self.signals.size.send_if_modified(|known| std::mem::replace(known, size) != size);
            }
            self.held = None;
            return Ok(0);
        }
        self.move_batch().await
    }

    async fn take(&mut self, now: Timestamp) -> Result<bool, Error> {
        let mut client = self.pool.get().await?;
        let tx = client.transaction().await?;
        let until = now + LEASE;
        tx.batch_execute(LET_GO).await?;
        let rows = query_tx(&tx, &LEASE_TAKE, &values!["sequencer", self.node, until, now]).await?;
        let Some(row) = rows.first() else { return Ok(false) };
        let term: i64 = row.get(0)?;
        if self.held.as_ref().is_none_or(|held| held.term != term) {
            let rows = query_tx(&tx, &ledger::LOG_HEAD_FENCE, &[Value::Int(term)]).await?;
            let head = Head::trusted(rows.first(), &self.signer)?;
            self.signals.size.send_replace(head.edge.size());
            self.held = Some(Held { term, until, head });
        } else if let Some(held) = &mut self.held {
            held.until = until;
        }
        tx.commit().await?;
        Ok(true)
    }

    async fn move_batch(&mut self) -> Result<usize, Error> {
        let Some(held) = &mut self.held else { return Ok(0) };
        let mut client = self.pool.get().await?;
        let tx = client.transaction().await?;
        tx.batch_execute(LET_GO).await?;
        let (numbers, records) = outbox::read(&query_tx(&tx, &outbox::OUTBOX_TAKE, &[Value::Int(BATCH)]).await?)?;
        let Some(append) = Append::after(&held.head, &records, &self.signer) else { return Ok(0) };
        write(&tx, &append, &records, &mut self.known).await?;
        let head = &append.head;
        let set = values![head.edge.size(), head.edge.to_bytes(), &head.checkpoint, held.term, held.head.edge.size()];
        if execute_tx(&tx, &ledger::LOG_HEAD_SET_FENCED, &set).await? != 1 {
            return Err(Error::Conflict("another node sequences the ledger"));
        }
        execute_tx(&tx, &outbox::OUTBOX_DELETE, &[Value::Ints(numbers)]).await?;
        tx.commit().await?;
        // From here on these events have their positions for good.
        held.head = append.head;
        self.signals.size.send_replace(held.head.edge.size());
        Ok(records.len())
    }
}

async fn write(tx: &tokio_postgres::Transaction<'_>, append: &Append<'_>, records: &[Record], known: &mut Known) -> Result<(), Error> {
    let Known { months, blocks } = known;
    for block in append.blocks() {
        if blocks.insert(block) {
            tx.batch_execute(&log_partition(block)).await?;
        }
    }
    let positions: Vec<i64> = append.rows.iter().map(|row| i64::try_from(row.position).unwrap_or(i64::MAX)).collect();
    let columns = [
        Value::Ints(positions),
        Value::Ids(records.iter().map(|r| r.entry.id.0).collect()),
        Value::Times(records.iter().map(|r| r.entry.time).collect()),
        Value::Blobs(records.iter().map(|r| r.entry.leaf.to_vec()).collect()),
        Value::Blobs(records.iter().map(|r| r.entry.body.clone()).collect()),
    ];
    execute_tx(tx, &ledger::LOG_INSERT_MANY, &columns).await?;
    let (mut item_ids, mut item_bodies) = (Vec::new(), Vec::new());
    for placed in &append.rows {
        for (item, body) in placed.record.entry.items.iter().flat_map(|batch| batch.bodies()).enumerate() {
            item_ids.push(row_id(placed.position, item as u16));
            item_bodies.push(body.clone());
        }
    }
    if !item_ids.is_empty() {
        execute_tx(tx, &ledger::LOG_ITEM_INSERT_MANY, &[Value::Ints(item_ids), Value::Blobs(item_bodies)]).await?;
    }
    for node in &append.nodes {
        execute_tx(tx, &ledger::LOG_NODE_INSERT, &values![i64::from(node.level), node.index, node.hash]).await?;
    }
    for (size, note) in &append.kept {
        execute_tx(tx, &ledger::LOG_CHECKPOINT_INSERT, &values![*size, note]).await?;
    }
    for mark in &append.marks {
        execute_tx(tx, &ledger::LOG_MARK_WIDEN, &values![mark.first, mark.earliest, mark.latest]).await?;
    }
    for ((hour, kind, outcome), events) in append.hours() {
        execute_tx(tx, &ledger::EVENT_HOUR_ADD, &values![hour, kind, outcome, events]).await?;
    }
    for (month, lowest, highest) in append.months() {
        if months.insert(month) {
            tx.batch_execute(&format!("CREATE TABLE IF NOT EXISTS event_index_{month} PARTITION OF event_index FOR VALUES IN ({month})")).await?;
        }
        execute_tx(tx, &ledger::INDEX_MONTH_UPSERT, &values![month, lowest, highest]).await?;
    }
    let (mut row_months, mut row_ids, mut tokens) = (Vec::new(), Vec::new(), Vec::new());
    for (month, row, words) in append.index_rows() {
        row_months.push(month);
        row_ids.push(row);
        tokens.push(words.join(" "));
    }
    execute_tx(tx, &ledger::INDEX_INSERT_MANY, &[Value::Ints(row_months), Value::Ints(row_ids), Value::Texts(tokens)]).await?;
    Ok(())
}
