//! The log and its tree.

use std::{fmt, str::FromStr};

use tutela_core::{EventId, Timestamp};
use tutela_ledger::{Checkpoint, Frontier, Hash, Range, Signer, Span};
use uuid::Uuid;

use crate::{
    Error, Store,
    append::{Mark, row_id},
    sql::statements,
    table::search::position,
    value::{Row, params},
};

statements! {
    DATABASE_BYTES on Postgres () = "SELECT pg_database_size(current_database())";
    DATABASE_BYTES_LITE on Sqlite () = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()";
    EVENT_HOUR_ADD (Int, Text, Text, Int) = "INSERT INTO event_hour (hour, type, outcome, events) VALUES ($1, $2, $3, $4)
        ON CONFLICT (hour, type, outcome) DO UPDATE SET events = event_hour.events + excluded.events";
    EVENT_HOUR_LIST (Int) = "SELECT hour, CAST(sum(events) AS BIGINT) FROM event_hour WHERE hour >= $1 GROUP BY hour ORDER BY hour";
    EVENT_HOUR_TOTALS (Int, Int) = "SELECT hour, type, outcome, events FROM event_hour WHERE hour >= $1 AND hour < $2 ORDER BY hour, type, outcome";
    INDEX_INSERT_MANY on Postgres (Ints, Ints, Texts) = "INSERT INTO event_index (month, row_id, tokens) SELECT m, r, string_to_array(t, ' ') FROM unnest($1, $2, $3) AS x (m, r, t)";
    INDEX_MONTH_UPSERT (Int, Int, Int) = "INSERT INTO index_month (month, lowest, highest) VALUES ($1, $2, $3)
        ON CONFLICT (month) DO UPDATE SET highest = excluded.highest";
    LOG_BEYOND (Int, Int, Int) = "SELECT (SELECT count(*) FROM log_item WHERE row_id >= $2) + (SELECT count(*) FROM log_checkpoint WHERE size > $1)
        + (SELECT count(*) FROM log_node WHERE level = 1 AND idx >= $3)";
    LOG_BY_ID (Id) = "SELECT seq, id, time, leaf, body FROM log WHERE id = $1 AND body IS NOT NULL";
    LOG_BY_SEQ (Int) = "SELECT seq, id, time, leaf, body FROM log WHERE seq = $1 AND body IS NOT NULL";
    LOG_CHECKPOINT_INSERT (Int, Text) = "INSERT INTO log_checkpoint (size, note) VALUES ($1, $2)";
    LOG_CHECKPOINT_RANGE (Int, Int) = "SELECT size, note FROM log_checkpoint WHERE size > $1 AND size <= $2 ORDER BY size";
    LOG_HEAD_FENCE on Postgres (Int) = "UPDATE log_head SET term = $1 WHERE one = 1 AND term <= $1 RETURNING size, frontier, checkpoint, first";
    LOG_HEAD_GET () = "SELECT size, frontier, checkpoint, first FROM log_head WHERE one = 1";
    LOG_HEAD_INSERT (Int, Bytes, Text) = "INSERT INTO log_head (one, size, frontier, checkpoint, term, first) VALUES (1, $1, $2, $3, 0, 0)";
    LOG_HEAD_SET (Int, Bytes, Text) = "UPDATE log_head SET size = $1, frontier = $2, checkpoint = $3 WHERE one = 1";
    LOG_HEAD_SET_FENCED on Postgres (Int, Bytes, Text, Int, Int) = "UPDATE log_head SET size = $1, frontier = $2, checkpoint = $3 WHERE one = 1 AND term = $4 AND size = $5";
    LOG_INSERT (Int, Id, Time, Bytes, Bytes) = "INSERT INTO log (seq, id, time, leaf, body) VALUES ($1, $2, $3, $4, $5)";
    LOG_INSERT_MANY on Postgres (Ints, Ids, Times, Blobs, Blobs) = "INSERT INTO log (seq, id, time, leaf, body) SELECT * FROM unnest($1, $2, $3, $4, $5)";
    LOG_ITEM_BY_ROW (Int) = "SELECT body FROM log_item WHERE row_id = $1";
    LOG_ITEM_INSERT (Int, Bytes) = "INSERT INTO log_item (row_id, body) VALUES ($1, $2)";
    LOG_ITEM_INSERT_MANY on Postgres (Ints, Blobs) = "INSERT INTO log_item (row_id, body) SELECT * FROM unnest($1, $2)";
    LOG_ITEM_RANGE (Int, Int) = "SELECT row_id, body FROM log_item WHERE row_id >= $1 AND row_id < $2 ORDER BY row_id";
    LOG_LEAF_RANGE (Int, Int) = "SELECT leaf FROM log WHERE seq >= $1 AND seq < $2 ORDER BY seq";
    LOG_MARK_SPAN (Time, Time) = "SELECT min(first), max(first) FROM log_mark WHERE latest >= $1 AND earliest < $2";
    LOG_MARK_WIDEN (Int, Time, Time) = "INSERT INTO log_mark (first, earliest, latest) VALUES ($1, $2, $3) ON CONFLICT (first) DO UPDATE SET
        earliest = CASE WHEN excluded.earliest < log_mark.earliest THEN excluded.earliest ELSE log_mark.earliest END,
        latest = CASE WHEN excluded.latest > log_mark.latest THEN excluded.latest ELSE log_mark.latest END";
    LOG_NODE_INSERT (Int, Int, Bytes) = "INSERT INTO log_node (level, idx, hash) VALUES ($1, $2, $3)";
    LOG_NODE_RANGE (Int, Int, Int) = "SELECT idx, hash FROM log_node WHERE level = $1 AND idx >= $2 AND idx < $3 ORDER BY idx";
    LOG_SCAN (Int, Int) = "SELECT seq, leaf, body, id FROM log WHERE seq >= $1 AND seq < $2 ORDER BY seq";
    LOG_RANGE (Int, Int) = "SELECT seq, id, time, leaf, body FROM log WHERE seq >= $1 AND seq < $2 AND body IS NOT NULL ORDER BY seq";
}

/// The log's right edge and its last signed checkpoint.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    pub edge: Frontier,
    pub checkpoint: String,
}

impl Head {
    /// The first entry that retention has not deleted, from a stored head.
    pub(crate) fn first(row: &Row) -> Result<u64, Error> {
        row.get(3)
    }
}

impl Head {
    /// From storage, and only if it is the tree that `signer` signed: the next append would sign whatever stands here.
    pub(crate) fn trusted(row: Option<&Row>, signer: &Signer) -> Result<Self, Error> {
        let head = Self::from_row(row.ok_or(Error::Decode("the ledger has no head".into()))?)?;
        let signed = Checkpoint::open(&head.checkpoint, signer.key())?;
        if (signed.size, signed.root) == (head.edge.size(), head.edge.root()) {
            return Ok(head);
        }
        Err(Error::Decode("the ledger's head is not the tree that was signed: it was changed outside tutela; run `tutela audit verify`".into()))
    }

    pub(crate) fn from_row(row: &Row) -> Result<Self, Error> {
        let frontier: Vec<u8> = row.get(1)?;
        Self::from_stored(row.get(0)?, &frontier, row.get(2)?)
    }
}

/// Where an event stands: an entry, or a record of the batch entry there. Written `7` or `7.3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Position in the log.
    pub entry: u64,
    /// Number of the record in a batch entry.
    pub item: Option<u16>,
}

/// Events of one type and outcome in one hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HourTotal {
    /// Hours since 1970.
    pub hour: i64,
    /// Event type.
    pub kind: String,
    /// How they ended.
    pub outcome: String,
    /// How many.
    pub events: u64,
}

/// An event of the log, or a record of a batch entry.
#[derive(Debug, Clone)]
pub struct LogRow {
    /// Where it stands.
    pub position: Position,
    /// Its id.
    pub id: EventId,
    /// Its canonical bytes, personal fields sealed.
    pub body: Vec<u8>,
    /// Its leaf hash; of a record, in the batch's own tree.
    pub leaf: Hash,
}

impl LogRow {
    /// The `item`-th record of this batch entry.
    pub fn item(&self, item: u16, body: Vec<u8>) -> Self {
        let leaf = tutela_ledger::leaf_hash(&body);
        Self { position: Position { entry: self.position.entry, item: Some(item) }, id: self.id.item(item), body, leaf }
    }
}

impl Store {
    /// Size and last signed checkpoint of the log.
    pub async fn log_head(&self) -> Result<(u64, String), Error> {
        let row = self.opt(&LOG_HEAD_GET, params![]).await?.ok_or(Error::Decode("the ledger has no head".into()))?;
        Ok((row.get(0)?, row.get(2)?))
    }

    /// Bytes that the whole database takes on disk.
    pub async fn size_on_disk(&self) -> Result<u64, Error> {
        let sql = if self.engine_name() == "sqlite" { &DATABASE_BYTES_LITE } else { &DATABASE_BYTES };
        self.opt(sql, params![]).await?.map_or(Ok(0), |row| row.get(0))
    }

    /// The first entry that retention has not deleted.
    pub async fn log_first(&self) -> Result<u64, Error> {
        self.opt(&LOG_HEAD_GET, params![]).await?.map_or(Ok(0), |row| row.get(3))
    }

    /// Totals by hour, type and outcome, for the hours `from..to` since 1970.
    pub async fn event_totals(&self, from: i64, to: i64) -> Result<Vec<HourTotal>, Error> {
        let rows = self.all(&EVENT_HOUR_TOTALS, params![from, to]).await?;
        rows.iter().map(|row| Ok(HourTotal { hour: row.get(0)?, kind: row.get(1)?, outcome: row.get(2)?, events: row.get(3)? })).collect()
    }

    /// Events and batch records by the hour they were recorded in (hours since 1970), from `hour` on.
    pub async fn event_hours(&self, hour: i64) -> Result<Vec<(i64, u64)>, Error> {
        self.all(&EVENT_HOUR_LIST, params![hour]).await?.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
    }

    /// An event by its id, or a record of a batch by its own.
    pub async fn log_get(&self, id: EventId) -> Result<Option<LogRow>, Error> {
        if let Some(row) = self.opt(&LOG_BY_ID, params![id.0]).await? {
            let batch = log_row(&row)?;
            // The id of a batch is that of its first record too.
            return Ok(Some(self.log_item(&batch, 0).await?.unwrap_or(batch)));
        }
        let (batch, item) = id.split();
        let Some(row) = self.opt(&LOG_BY_ID, params![batch.0]).await? else { return Ok(None) };
        self.log_item(&log_row(&row)?, item).await
    }

    /// An event by its position.
    pub async fn log_at(&self, position: Position) -> Result<Option<LogRow>, Error> {
        let Some(row) = self.opt(&LOG_BY_SEQ, params![position.entry]).await? else { return Ok(None) };
        let entry = log_row(&row)?;
        match position.item {
            None => Ok(Some(entry)),
            Some(item) => self.log_item(&entry, item).await,
        }
    }

    /// Entries `from..to`, oldest first.
    pub async fn log_range(&self, from: u64, to: u64) -> Result<Vec<LogRow>, Error> {
        self.all(&LOG_RANGE, params![from, to]).await?.iter().map(log_row).collect()
    }

    /// All records of the batch entry at `position`; empty for an ordinary entry.
    pub async fn log_items(&self, position: u64) -> Result<Vec<Vec<u8>>, Error> {
        let range = params![row_id(position, 0), row_id(position + 1, 0)];
        self.all(&LOG_ITEM_RANGE, range).await?.iter().map(|row| row.get(1)).collect()
    }

    /// All records of the batch entries `from..to`, oldest first.
    pub async fn log_items_range(&self, from: u64, to: u64) -> Result<Vec<(Position, Vec<u8>)>, Error> {
        let range = params![row_id(from, 0), row_id(to, 0)];
        self.all(&LOG_ITEM_RANGE, range).await?.iter().map(|row| Ok((position(row.get(0)?), row.get(1)?))).collect()
    }

    /// Hash of the subtree over a range of leaves, from stored leaves and tile nodes.
    pub async fn log_subtree(&self, range: Range) -> Result<Hash, Error> {
        let mut loaded = Vec::new();
        for span in range.spans() {
            loaded.push(self.log_span(span).await?);
        }
        Ok(Range::hash(&loaded)?)
    }

    /// The stored hashes of one run.
    pub async fn log_span(&self, span: Span) -> Result<Vec<Hash>, Error> {
        let (from, to) = (span.start, span.start + span.count);
        if span.level == 0 {
            return self.all(&LOG_LEAF_RANGE, params![from, to]).await?.iter().map(|row| row.get(0)).collect();
        }
        self.all(&LOG_NODE_RANGE, params![i64::from(span.level), from, to]).await?.iter().map(|row| row.get(1)).collect()
    }

    /// The positions between which every event with a time in `since..until` stands.
    pub async fn log_time_bounds(&self, since: Timestamp, until: Timestamp) -> Result<Option<(u64, u64)>, Error> {
        let Some(row) = self.opt(&LOG_MARK_SPAN, params![since, until]).await? else { return Ok(None) };
        let (Some(first), Some(last)) = (row.get::<Option<u64>>(0)?, row.get::<Option<u64>>(1)?) else { return Ok(None) };
        Ok(Some((first, last + Mark::WIDTH)))
    }

    async fn log_item(&self, batch: &LogRow, item: u16) -> Result<Option<LogRow>, Error> {
        let row = self.opt(&LOG_ITEM_BY_ROW, params![row_id(batch.position.entry, item)]).await?;
        row.map(|row| Ok(batch.item(item, row.get(0)?))).transpose()
    }
}

pub(crate) fn log_row(row: &Row) -> Result<LogRow, Error> {
    let id: Uuid = row.get(1)?;
    Ok(LogRow { position: Position { entry: row.get(0)?, item: None }, id: EventId(id), leaf: row.get(3)?, body: row.get(4)? })
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.item {
            None => write!(f, "{}", self.entry),
            Some(item) => write!(f, "{}.{item}", self.entry),
        }
    }
}

impl FromStr for Position {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, &'static str> {
        let bad = "a position is a number such as `7`, or `7.3` for a record of a batch";
        let (entry, item) = match text.split_once('.') {
            Some((entry, item)) => (entry, Some(item.parse().ok().filter(|i| *i < 1_024).ok_or(bad)?)),
            None => (text, None),
        };
        let entry = entry.parse().ok().filter(|e| *e < 1 << 53).ok_or(bad)?;
        Ok(Self { entry, item })
    }
}
