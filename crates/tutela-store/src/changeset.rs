//! Writes as data. A use case decides, then hands over everything that has to happen at once.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tutela_core::{EventId, seam::Facts};
use tutela_ledger::Entry;

use crate::{Error, Position, sql::Sql, table::change::CHANGE_INSERT, value::Value};

/// Statements with their preconditions, and at least one event: no event, no changeset, no commit.
#[derive(Clone)]
pub struct Changeset {
    pub(crate) ops: Vec<Op>,
    pub(crate) records: Vec<Record>,
    /// Rows of search indexes that change or go.
    pub(crate) index: Vec<IndexChange>,
    /// Rows of indexes that are built anew, in the order of the log.
    pub(crate) build: Vec<IndexChange>,
    /// Whether old pages have to leave the disk after the commit (SQLite).
    pub(crate) scrub: bool,
    /// A step of merging an index (SQLite).
    pub(crate) merge: Option<Merge>,
    /// A month whose index goes as a whole.
    pub(crate) drop_index: Option<i64>,
}

/// A step of merging the segments of a month's index.
#[derive(Debug, Clone)]
pub(crate) struct Merge {
    pub month: i64,
    pub pages: i64,
    done: Arc<AtomicBool>,
}

impl Merge {
    pub(crate) fn new(month: i64, pages: i64) -> Self {
        Self { month, pages, done: Arc::default() }
    }

    /// Whether there was nothing left to merge.
    pub(crate) fn is_done(&self) -> bool {
        self.done.load(Ordering::Acquire)
    }

    pub(crate) fn finish(&self) {
        self.done.store(true, Ordering::Release);
    }
}

/// A row of a month's search index with new tokens, or with none: then it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexChange {
    /// Which index (yyyymm).
    pub month: i64,
    /// Which row.
    pub position: Position,
    /// What it is found by from now on.
    pub tokens: Vec<String>,
}

/// An event ready for the log: canonical bytes, its search tokens, and facts for the guard.
#[derive(Debug, Clone)]
pub struct Record {
    /// The entry.
    pub entry: Entry,
    /// What it is found by: one row for an event, one for each record of a batch.
    pub index: Vec<IndexRow>,
    /// Clear facts for the guard; never stored.
    pub facts: Facts,
}

/// Search tokens of one event or batch record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexRow {
    /// Number of the record in its batch; 0 for an ordinary event.
    pub item: u16,
    /// Tokens: `a-z 0-9 = _ - . / : @` only.
    pub tokens: Vec<String>,
}

impl IndexRow {
    /// What follows `mark` in the first token that begins with it; empty where none does.
    pub(crate) fn marked(&self, mark: &str) -> &str {
        self.tokens.iter().find_map(|token| token.strip_prefix(mark)).unwrap_or_default()
    }
}

/// The closed list of writes that need no event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Housekeeping {
    /// An attempt was counted before it is verified; what becomes of it is an event.
    AttemptReservation,
    /// A cursor or cache moved on.
    Cursor,
    /// An idempotency key was reserved, filled or dropped.
    IdempotencyKey,
    /// The instance was given its identity, before there is a log.
    Instance,
    /// A job was scheduled, leased or finished, or moved on.
    Job,
    /// Where an incident was told is kept, so that what follows stands below it.
    IncidentMessage,
    /// Rows of an index were deleted with what they pointed at, or segments of one merged.
    Index,
    /// A lease was taken or given up.
    Lease,
    /// A projection of the ledger moved on, or fares differently.
    Projection,
    /// A session was used.
    SessionTouch,
    /// A single-use code of a sign-in was made, or a sign-in came a step further; its end is an event.
    SignInTransaction,
    /// A data subject who was not known got a key; the event that needs it follows.
    SubjectKey,
    /// What had expired was dropped: codes, host parts of sessions, idempotency keys, announcements.
    Sweep,
}

#[derive(Debug, Clone)]
pub(crate) struct Op {
    pub sql: &'static Sql,
    pub params: Vec<Value>,
    pub expect: Expect,
}

/// How many rows a statement must touch.
#[derive(Debug, Clone, Copy)]
pub enum Expect {
    /// Any number.
    Any,
    /// None, else the commit is a conflict with this text.
    None(&'static str),
    /// Exactly one, else the commit is a conflict with this text.
    One(&'static str),
}

impl Expect {
    /// Whether so many rows are as many as there had to be.
    pub(crate) fn check(self, touched: u64) -> Result<(), Error> {
        match self {
            Self::None(otherwise) if touched != 0 => Err(Error::Conflict(otherwise)),
            Self::One(otherwise) if touched != 1 => Err(Error::Conflict(otherwise)),
            _ => Ok(()),
        }
    }
}

impl Changeset {
    /// A changeset that records `first`.
    pub fn of(first: Record) -> Self {
        Self { records: vec![first], ..Self::empty() }
    }

    /// A changeset that records many events; `None` where there are none.
    pub fn of_all(records: Vec<Record>) -> Option<Self> {
        (!records.is_empty()).then(|| Self { records, ..Self::empty() })
    }

    /// A changeset without an event, for one of the named reasons.
    pub fn housekeeping(_reason: Housekeeping) -> Self {
        Self::empty()
    }

    fn empty() -> Self {
        Self { ops: Vec::new(), records: Vec::new(), index: Vec::new(), build: Vec::new(), scrub: false, merge: None, drop_index: None }
    }

    /// Records another event in the same commit.
    pub fn and(mut self, record: Record) -> Self {
        self.records.push(record);
        self
    }

    /// The ids of the events that it records.
    pub fn event_ids(&self) -> impl Iterator<Item = EventId> {
        self.records.iter().map(|record| record.entry.id)
    }

    /// Tells all nodes that `key` of `topic` changed, so that caches drop it.
    pub fn announce(self, topic: &'static str, key: impl ToString) -> Self {
        self.run(&CHANGE_INSERT, vec![Value::from(topic), Value::from(key.to_string())], Expect::Any)
    }

    /// Changes rows of search indexes. Deleted tokens leave the disk when segments are merged.
    pub fn index_change(mut self, changes: Vec<IndexChange>) -> Self {
        self.index.extend(changes);
        self
    }

    /// Adds rows to indexes that are built anew, in the order of the log.
    pub fn index_build(mut self, rows: Vec<IndexChange>) -> Self {
        self.build.extend(rows);
        self
    }

    /// The same effect in the words of each engine.
    pub(crate) fn on_either(self, postgres: &'static Sql, sqlite: &'static Sql, params: Vec<Value>) -> Self {
        self.run(postgres, params.clone(), Expect::Any).run(sqlite, params, Expect::Any)
    }

    pub(crate) fn run(mut self, sql: &'static Sql, params: Vec<Value>, expect: Expect) -> Self {
        self.ops.push(Op { sql, params, expect });
        self
    }
}

impl fmt::Debug for Changeset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let statements: Vec<&str> = self.ops.iter().map(|op| op.sql.name).collect();
        f.debug_struct("Changeset").field("statements", &statements).field("events", &self.records.len()).finish()
    }
}
