//! `verify` reads the storage itself and believes nothing in it: every body is hashed again,
//! the tree rebuilt, every kept checkpoint checked. It works beside a running server.

use std::path::Path;

use tutela_core::EventId;
use tutela_ledger::{Checkpoint, Error as LedgerError, Flaw, Frontier, Range, Verifier, VerifyingKey};
use uuid::Uuid;

use crate::{
    Config, Error,
    append::row_id,
    engine::{postgres, sqlite},
    sql::Sql,
    table::instance::INSTANCE_GET,
    table::ledger::{Head, LOG_BEYOND, LOG_CHECKPOINT_RANGE, LOG_HEAD_GET, LOG_ITEM_RANGE, LOG_NODE_RANGE, LOG_SCAN},
    value::{Row, Value, params, values},
};

/// Entries read at a time.
const STEP: u64 = tutela_ledger::CHECKPOINT_EVERY;

/// Takes position, leaf, body where it has not expired, and stored id of one entry.
type EachEntry<'a> = dyn FnMut(u64, &[u8; 32], Option<&[u8]>, EventId) -> Result<Result<(), Flaw>, Error> + Send + 'a;

/// What verification found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Where the log begins: everything before was deleted by retention.
    pub first: u64,
    /// Entries whose bytes were hashed.
    pub entries: u64,
    /// Entries whose bytes retention took out; their leaves were checked.
    pub expired: u64,
    /// Records of batch entries that were hashed.
    pub records: u64,
    /// Checkpoints whose signature and root were checked.
    pub checkpoints: u64,
    /// Sizes of checkpoints held elsewhere that lie before the log's beginning: nothing can be said of them.
    pub unreachable: Vec<u64>,
    /// The first thing that does not fit; `None` where everything does.
    pub flaw: Option<Flaw>,
}

/// A snapshot of the storage to read from.
pub struct Verification {
    source: Source,
}

enum Source {
    Sqlite(Box<rusqlite::Connection>),
    Postgres(Box<deadpool_postgres::Object>),
}

impl Verification {
    /// Opens the storage for reading, in one snapshot.
    pub async fn open(config: &Config, data: &Path) -> Result<Self, Error> {
        if config.url == "sqlite" { Self::beside_sqlite(data) } else { Self::beside_postgres(postgres::pool(config)?.get().await?).await }
    }

    pub(crate) async fn beside_postgres(client: deadpool_postgres::Object) -> Result<Self, Error> {
        client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
        Ok(Self { source: Source::Postgres(Box::new(client)) })
    }

    pub(crate) fn beside_sqlite(data: &Path) -> Result<Self, Error> {
        let conn = sqlite::open_reader(data)?;
        conn.execute_batch("BEGIN")?;
        Ok(Self { source: Source::Sqlite(Box::new(conn)) })
    }

    /// Ends the snapshot; a connection of a pool can be used again.
    pub async fn close(self) -> Result<(), Error> {
        match self.source {
            Source::Sqlite(_) => Ok(()),
            Source::Postgres(client) => Ok(client.batch_execute("ROLLBACK").await?),
        }
    }

    /// Name of the ledger.
    pub async fn origin(&self) -> Result<String, Error> {
        let rows = self.all(&INSTANCE_GET, vec![]).await?;
        rows.first().ok_or(Error::Decode("the database holds no instance".into()))?.get(1)
    }

    /// Checks the whole log against `key`, and against checkpoints held elsewhere. `progress` is
    /// told how many entries are done, of how many.
    pub async fn run(&self, key: &VerifyingKey, held: &[Checkpoint], progress: &(dyn Fn(u64, u64) + Sync)) -> Result<Report, Error> {
        let head = self.all(&LOG_HEAD_GET, vec![]).await?;
        let head = head.first().map(Head::from_row).transpose()?.ok_or(Error::Decode("the ledger has no head".into()))?;
        let total = head.edge.size();
        let first = match self.all(&LOG_HEAD_GET, vec![]).await?.first() {
            Some(row) => Head::first(row)?,
            None => 0,
        };
        let mut report = Report { first, entries: 0, expired: 0, records: 0, checkpoints: 0, unreachable: Vec::new(), flaw: None };
        let found = self.walk(&head, key, held, &mut report, &|done| progress(done, total)).await?;
        report.flaw = found.err();
        Ok(report)
    }

    async fn walk(
        &self,
        head: &Head,
        key: &VerifyingKey,
        held: &[Checkpoint],
        report: &mut Report,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Result<(), Flaw>, Error> {
        let Some(edge) = self.edge_at(report.first).await? else { return Ok(Err(Flaw::NodeChanged { from: 0, to: report.first.saturating_sub(1) })) };
        let mut verifier = Verifier::beginning(edge);
        for checkpoint in held.iter().filter(|c| c.size <= report.first && c.size > 0) {
            // Where the tree is cut at a stored tile node, its root can still be put together.
            match if checkpoint.size.is_multiple_of(256) { self.edge_at(checkpoint.size).await? } else { None } {
                Some(edge) if edge.root() == checkpoint.root => report.checkpoints += 1,
                Some(_) => return Ok(Err(Flaw::CheckpointDiffers { size: checkpoint.size, good_up_to: 0 })),
                None => report.unreachable.push(checkpoint.size),
            }
        }
        loop {
            // Steps end at the multiples where a checkpoint is always kept.
            let (from, to) = (verifier.size(), verifier.size() - verifier.size() % STEP + STEP);
            let items = self.all(&LOG_ITEM_RANGE, params![row_id(from, 0), row_id(to, 0)]).await?;
            let mut items = items.into_iter().peekable();
            let scanned = self
                .scan(from, to, &mut |position, leaf, body, id| {
                    let Some(body) = body else {
                        report.expired += 1;
                        return Ok(verifier.without_body(position, leaf).and_then(|()| at_checkpoint(&mut verifier, held, report)));
                    };
                    let mut bodies = Vec::new();
                    while let Some(item) = items.next_if(|item| item.get::<i64>(0).is_ok_and(|id| id < row_id(position + 1, 0))) {
                        let number = bodies.len() as u16;
                        if item.get::<i64>(0)? != row_id(position, number) {
                            return Ok(Err(Flaw::ItemChanged { position, item: number }));
                        }
                        bodies.push(item.get::<Vec<u8>>(1)?);
                    }
                    report.records += bodies.len() as u64;
                    if let Err(flaw) = verifier
                        .entry(position, body, leaf)
                        .and_then(|()| verifier.id(position, body, id))
                        .and_then(|()| verifier.items(position, body, bodies))
                    {
                        return Ok(Err(flaw));
                    }
                    report.entries += 1;
                    Ok(at_checkpoint(&mut verifier, held, report))
                })
                .await?;
            let rows = match scanned {
                Ok(rows) => rows,
                Err(flaw) => return Ok(Err(flaw)),
            };
            if let Err(flaw) = self.check_nodes(&mut verifier).await? {
                return Ok(Err(flaw));
            }
            let mut kept = from;
            for row in self.all(&LOG_CHECKPOINT_RANGE, params![from, verifier.size()]).await? {
                kept = row.get(0)?;
                if let Err(flaw) = self.check_kept(&row, key, &mut verifier, report)? {
                    return Ok(Err(flaw));
                }
            }
            if verifier.size() == to && kept != to {
                return Ok(Err(Flaw::CheckpointMissing(to)));
            }
            progress(verifier.size());
            if rows == 0 {
                break;
            }
        }
        let size = verifier.size();
        let beyond = self.all(&LOG_BEYOND, params![size, row_id(size, 0), size / 256]).await?;
        let beyond: u64 = beyond.first().map_or(Ok(0), |row| row.get(0))?;
        Ok(self.check_end(head, key, held, verifier, report).and(if beyond == 0 { Ok(()) } else { Err(Flaw::Stray(size)) }))
    }

    /// The tree over the first `size` entries, from stored tile nodes; `None` where they are not there.
    async fn edge_at(&self, size: u64) -> Result<Option<Frontier>, Error> {
        let mut hashes = Vec::new();
        for span in (Range { lo: 0, hi: size }).spans() {
            let rows = self.all(&LOG_NODE_RANGE, params![i64::from(span.level), span.start, span.start + span.count]).await?;
            let loaded: Result<Vec<[u8; 32]>, Error> = rows.iter().map(|row| row.get(1)).collect();
            let Ok(hash) = Range::hash(&[loaded?]) else { return Ok(None) };
            hashes.extend(hash);
        }
        Ok(Some(Frontier::from_bytes(size, &hashes)?))
    }

    async fn check_nodes(&self, verifier: &mut Verifier) -> Result<Result<(), Flaw>, Error> {
        let nodes: Vec<_> = verifier.completed().collect();
        for node in nodes {
            let rows = self.all(&LOG_NODE_RANGE, params![i64::from(node.level), node.index, node.index + 1]).await?;
            let stored: Option<[u8; 32]> = rows.first().map(|row| row.get(1)).transpose()?;
            if let Err(flaw) = verifier.node(&node, stored.as_ref()) {
                return Ok(Err(flaw));
            }
        }
        Ok(Ok(()))
    }

    fn check_kept(&self, row: &Row, key: &VerifyingKey, verifier: &mut Verifier, report: &mut Report) -> Result<Result<(), Flaw>, Error> {
        let note: String = row.get(1)?;
        report.checkpoints += 1;
        Ok(open(&note, key).and_then(|checkpoint| verifier.checkpoint(&checkpoint)))
    }

    fn check_end(&self, head: &Head, key: &VerifyingKey, held: &[Checkpoint], mut verifier: Verifier, report: &mut Report) -> Result<(), Flaw> {
        let last = open(&head.checkpoint, key)?;
        report.checkpoints += 1;
        verifier.checkpoint(&last)?;
        if head.edge != *verifier.edge() {
            return Err(Flaw::CheckpointDiffers { size: last.size, good_up_to: 0 });
        }
        if let Some(longer) = held.iter().find(|c| c.size > verifier.size()) {
            return Err(Flaw::Shorter { found: verifier.size(), signed: longer.size });
        }
        verifier.finish().map(|_| ())
    }

    /// Hands entry by entry to `each`, without copying bodies; gives their number, or the flaw that ended it.
    async fn scan(&self, from: u64, to: u64, each: &mut EachEntry<'_>) -> Result<Result<u64, Flaw>, Error> {
        let mut count = 0;
        match &self.source {
            Source::Sqlite(conn) => {
                let mut statement = conn.prepare_cached(LOG_SCAN.sqlite())?;
                let mut rows = statement.query(rusqlite::params_from_iter(&values![from, to]))?;
                while let Some(row) = rows.next()? {
                    let position: i64 = row.get(0)?;
                    let position = position.unsigned_abs();
                    let (leaf, body, id) = (row.get_ref(1)?.as_blob(), row.get_ref(2)?.as_blob_or_null(), row.get_ref(3)?.as_blob());
                    let (Ok(Ok(leaf)), Ok(body)) = (leaf.map(<&[u8; 32]>::try_from), body) else { return Ok(Err(Flaw::BodyChanged(position))) };
                    let Ok(Ok(id)) = id.map(Uuid::from_slice) else { return Ok(Err(Flaw::IdChanged(position))) };
                    if let Err(flaw) = each(position, leaf, body, EventId(id))? {
                        return Ok(Err(flaw));
                    }
                    count += 1;
                }
            }
            Source::Postgres(client) => {
                for row in postgres::query_client(client, &LOG_SCAN, &values![from, to]).await? {
                    let (position, leaf, body): (u64, Vec<u8>, Option<Vec<u8>>) = (row.get(0)?, row.get(1)?, row.get(2)?);
                    let Ok(leaf) = <[u8; 32]>::try_from(leaf.as_slice()) else { return Ok(Err(Flaw::BodyChanged(position))) };
                    if let Err(flaw) = each(position, &leaf, body.as_deref(), EventId(row.get(3)?))? {
                        return Ok(Err(flaw));
                    }
                    count += 1;
                }
            }
        }
        Ok(Ok(count))
    }

    async fn all(&self, sql: &'static Sql, params: Vec<Value>) -> Result<Vec<Row>, Error> {
        match &self.source {
            Source::Sqlite(conn) => sqlite::query(conn, sql, &params),
            Source::Postgres(client) => postgres::query_client(client, sql, &params).await,
        }
    }
}

/// Compares with the checkpoints held elsewhere whose size has just been reached.
fn at_checkpoint(verifier: &mut Verifier, held: &[Checkpoint], report: &mut Report) -> Result<(), Flaw> {
    let size = verifier.size();
    for checkpoint in held.iter().filter(|c| c.size == size) {
        verifier.checkpoint(checkpoint)?;
        report.checkpoints += 1;
    }
    Ok(())
}

fn open(note: &str, key: &VerifyingKey) -> Result<Checkpoint, Flaw> {
    Checkpoint::open(note, key).map_err(|e| match e {
        LedgerError::Flawed(flaw) => flaw,
        _ => Flaw::Signature,
    })
}
