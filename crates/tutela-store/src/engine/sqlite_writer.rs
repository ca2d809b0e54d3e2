//! The writer thread: takes what is waiting, runs each changeset in a savepoint, appends all
//! events, and commits once. One fsync for all; only then is anyone answered.

use std::{collections::BTreeSet, sync::Arc};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};
use tutela_core::seam::CommitGuard;
use tutela_ledger::Signer;

use super::sqlite::{execute, query};
use crate::{
    Changeset, Error, IndexChange, On, Record,
    append::{Append, row_id},
    changeset::Op,
    db::Signals,
    effect::effect_ops,
    table::ledger::{self, Head},
    value::{Value, values},
};

/// Most changesets of one commit.
const BATCH: usize = 1_024;

/// A changeset and who waits for it.
pub(crate) struct Job {
    pub changeset: Changeset,
    pub reply: oneshot::Sender<Result<(), Error>>,
}

pub(crate) struct Writer {
    conn: Connection,
    signer: Signer,
    guard: Arc<dyn CommitGuard>,
    signals: Signals,
    head: Head,
    /// Months whose index table is known to exist.
    months: BTreeSet<i64>,
}

impl Writer {
    pub(crate) fn new(conn: Connection, signer: Signer, guard: Arc<dyn CommitGuard>, signals: Signals) -> Result<Self, Error> {
        let rows = query(&conn, &ledger::LOG_HEAD_GET, &[])?;
        let head = Head::trusted(rows.first(), &signer)?;
        signals.size.send_replace(head.edge.size());
        Ok(Self { conn, signer, guard, signals, head, months: BTreeSet::new() })
    }

    pub(crate) fn run(&mut self, mut queue: mpsc::Receiver<Job>) {
        let mut jobs = Vec::with_capacity(BATCH);
        while queue.blocking_recv_many(&mut jobs, BATCH) > 0 {
            let changesets: Vec<&Changeset> = jobs.iter().map(|job| &job.changeset).collect();
            let answers = match self.commit(&changesets) {
                Ok(answers) => answers,
                Err(e) => {
                    tracing::error!(error = %e, changesets = jobs.len(), "a commit failed as a whole; nothing of it was written");
                    jobs.iter().map(|_| Err(e.clone())).collect()
                }
            };
            let scrubbed = jobs.iter().any(|job| job.changeset.scrub).then(|| self.scrub());
            for (job, mut answer) in jobs.drain(..).zip(answers) {
                if let (true, Some(Err(e))) = (job.changeset.scrub && answer.is_ok(), &scrubbed) {
                    answer = Err(e.clone());
                }
                // Whoever has gone does not need to know.
                let _ = job.reply.send(answer);
            }
        }
        // Leaves a small WAL behind; the next start is quicker.
        let _ = self.conn.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
    }

    /// Takes what was deleted out of the write-ahead log, which keeps old pages until it is cut. In the
    /// database file `secure_delete` has overwritten them.
    fn scrub(&self) -> Result<(), Error> {
        let busy: i64 = self.conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        if busy == 0 { Ok(()) } else { Err(Error::Unavailable("a long read keeps old pages; they are removed as soon as it ends".into())) }
    }

    /// Commits a batch. The outer error fails all of it, an inner one only its own changeset.
    fn commit(&mut self, changesets: &[&Changeset]) -> Result<Vec<Result<(), Error>>, Error> {
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut answers = Vec::with_capacity(changesets.len());
        let mut records: Vec<&Record> = Vec::with_capacity(changesets.len());
        for changeset in changesets {
            let effects = effect_ops(&*self.guard, &changeset.records);
            let answer = if changeset.ops.is_empty() && effects.is_empty() { Ok(()) } else { in_savepoint(&tx, changeset, &effects)? };
            if answer.is_ok() {
                records.extend(&changeset.records);
            }
            answers.push(answer);
        }
        for changeset in changesets.iter().zip(&answers).filter_map(|(changeset, answer)| answer.is_ok().then_some(changeset)) {
            build_index(&tx, &changeset.build)?;
            change_index(&tx, &changeset.index)?;
            tidy_index(&tx, changeset)?;
        }
        // The log and its index are written after the last savepoint is released: an FTS table
        // flushes its hash at every savepoint, which costs 26 us an event instead of 10.
        let append = Append::after(&self.head, records.iter().copied(), &self.signer);
        let mut made = BTreeSet::new();
        if let Some(append) = &append {
            write(&tx, append, &self.months, &mut made)?;
        }
        tx.commit()?;
        // From here on nothing is lost.
        if let Some(append) = append {
            self.head = append.head;
            self.months.extend(made);
            self.signals.size.send_replace(self.head.edge.size());
        }
        Ok(answers)
    }
}

/// Runs one changeset; on a conflict its rows are rolled back and the others go on.
fn in_savepoint(tx: &Transaction<'_>, changeset: &Changeset, effects: &[Op]) -> Result<Result<(), Error>, Error> {
    tx.execute_batch("SAVEPOINT changeset")?;
    match run_ops(tx, &changeset.ops).and_then(|()| run_ops(tx, effects)) {
        Ok(()) => {
            tx.execute_batch("RELEASE changeset")?;
            Ok(Ok(()))
        }
        Err(e @ Error::Unavailable(_)) => Err(e),
        Err(e) => {
            tx.execute_batch("ROLLBACK TO changeset; RELEASE changeset")?;
            Ok(Err(e))
        }
    }
}

pub(crate) fn run_ops(conn: &Connection, ops: &[Op]) -> Result<(), Error> {
    for op in ops.iter().filter(|op| op.sql.on != On::Postgres) {
        op.expect.check(execute(conn, op.sql, &op.params)? as u64)?;
    }
    Ok(())
}

/// One contentless table a month; detail=none keeps no positions, which single-token terms do not need.
fn make_index(tx: &Transaction<'_>, month: i64) -> Result<(), Error> {
    tx.execute_batch(&format!(
        "CREATE VIRTUAL TABLE IF NOT EXISTS index_{month} USING fts5(k, content='', contentless_delete=1, detail=none, tokenize=\"ascii tokenchars '=_-./:@'\")"
    ))?;
    // Merging eight segments at a time in place of four halves the writer's work for merges; a search reads a few more segments.
    Ok(tx.execute_batch(&format!("INSERT INTO index_{month} (index_{month}, rank) VALUES ('automerge', 8)"))?)
}

/// Adds rows to indexes that are built anew.
fn build_index(tx: &Transaction<'_>, rows: &[IndexChange]) -> Result<(), Error> {
    for change in rows {
        let row = row_id(change.position.entry, change.position.item.unwrap_or(0));
        if !has_index(tx, change.month)? {
            make_index(tx, change.month)?;
        }
        execute(tx, &ledger::INDEX_MONTH_UPSERT, &values![change.month, row, row])?;
        tx.prepare_cached(&format!("INSERT INTO index_{} (rowid, k) VALUES (?1, ?2)", change.month))?.execute((row, change.tokens.join(" ")))?;
    }
    Ok(())
}

/// Drops or merges an index as a whole.
fn tidy_index(tx: &Transaction<'_>, changeset: &Changeset) -> Result<(), Error> {
    if let Some(month) = changeset.drop_index {
        tx.execute_batch(&format!("DROP TABLE IF EXISTS index_{month}"))?;
    }
    if let Some(merge) = &changeset.merge {
        let before = tx.total_changes();
        if has_index(tx, merge.month)? {
            tx.execute(&format!("INSERT INTO index_{m} (index_{m}, rank) VALUES ('merge', ?1)", m = merge.month), [merge.pages])?;
        }
        // One change is the command itself (https://sqlite.org/fts5.html, "The 'merge' Command").
        if tx.total_changes() - before < 2 {
            merge.finish();
        }
    }
    Ok(())
}

fn has_index(tx: &Transaction<'_>, month: i64) -> Result<bool, Error> {
    Ok(tx.prepare_cached("SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = ?1)")?.query_row([format!("index_{month}")], |row| row.get(0))?)
}

/// Changes rows of the search index; those of a month without one are gone already.
fn change_index(tx: &Transaction<'_>, changes: &[IndexChange]) -> Result<(), Error> {
    for change in changes {
        if !has_index(tx, change.month)? {
            continue;
        }
        let row = row_id(change.position.entry, change.position.item.unwrap_or(0));
        tx.prepare_cached(&format!("DELETE FROM index_{} WHERE rowid = ?1", change.month))?.execute([row])?;
        if !change.tokens.is_empty() {
            tx.prepare_cached(&format!("INSERT INTO index_{} (rowid, k) VALUES (?1, ?2)", change.month))?.execute((row, change.tokens.join(" ")))?;
        }
    }
    Ok(())
}

fn write(tx: &Transaction<'_>, append: &Append<'_>, known: &BTreeSet<i64>, made: &mut BTreeSet<i64>) -> Result<(), Error> {
    {
        let mut log = tx.prepare_cached(ledger::LOG_INSERT.sqlite())?;
        for placed in &append.rows {
            let entry = &placed.record.entry;
            let position = i64::try_from(placed.position).unwrap_or(i64::MAX);
            log.execute((position, entry.id.0.as_bytes(), entry.time.micros(), &entry.leaf[..], &entry.body[..]))?;
            for (item, body) in entry.items.iter().flat_map(|batch| batch.bodies()).enumerate() {
                execute(tx, &ledger::LOG_ITEM_INSERT, &values![row_id(placed.position, item as u16), body.clone()])?;
            }
        }
    }
    for node in &append.nodes {
        execute(tx, &ledger::LOG_NODE_INSERT, &values![i64::from(node.level), node.index, node.hash])?;
    }
    for (size, note) in &append.kept {
        execute(tx, &ledger::LOG_CHECKPOINT_INSERT, &values![*size, note])?;
    }
    for mark in &append.marks {
        execute(tx, &ledger::LOG_MARK_WIDEN, &values![mark.first, mark.earliest, mark.latest])?;
    }
    for ((hour, kind, outcome), events) in append.hours() {
        execute(tx, &ledger::EVENT_HOUR_ADD, &values![hour, kind, outcome, events])?;
    }
    for (month, lowest, highest) in append.months() {
        if !known.contains(&month) {
            make_index(tx, month)?;
            made.insert(month);
        }
        execute(tx, &ledger::INDEX_MONTH_UPSERT, &values![month, lowest, highest])?;
    }
    let mut current = None;
    for (month, row, tokens) in append.index_rows() {
        let statement = match current.take() {
            Some((of, statement)) if of == month => statement,
            _ => tx.prepare_cached(&format!("INSERT INTO index_{month} (rowid, k) VALUES (?1, ?2)"))?,
        };
        let (_, statement) = current.insert((month, statement));
        statement.execute((row, tokens.join(" ")))?;
    }
    let head = &append.head;
    execute(tx, &ledger::LOG_HEAD_SET, &[Value::from(head.edge.size()), Value::Bytes(head.edge.to_bytes()), Value::from(&head.checkpoint)])?;
    Ok(())
}
