//! Addresses and networks that the gateway refuses.

use tutela_core::{BlockId, Timestamp};

use crate::{
    Changeset, Error, Expect, Store,
    sql::statements,
    value::{Row, params},
};

statements! {
    BLOCK_BLOCKED (Bytes, Time) = "UPDATE block SET tag = tag WHERE tag = $1 AND ended_at IS NULL AND until > $2";
    BLOCK_END (Id, Time) = "UPDATE block SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL";
    BLOCK_GET (Id) = "SELECT id, tag, sealed, rule, reason, made_by, made_at, until, ended_at, told_at FROM block WHERE id = $1";
    BLOCK_INSERT (Id, Bytes, Text, Text, Text, Text, Time, Time) =
        "INSERT INTO block (id, tag, sealed, rule, reason, made_by, made_at, until, told_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $7)";
    BLOCK_LIST () = "SELECT id, tag, sealed, rule, reason, made_by, made_at, until, ended_at, told_at FROM block ORDER BY id DESC LIMIT 1000";
    BLOCK_LIVE (Time, Int) = "SELECT id, tag, sealed, rule, reason, made_by, made_at, until, ended_at, told_at FROM block
        WHERE ended_at IS NULL AND until > $1 ORDER BY id DESC LIMIT $2";
    BLOCK_LIVE_OF (Bytes, Time) = "SELECT id, tag, sealed, rule, reason, made_by, made_at, until, ended_at, told_at FROM block
        WHERE tag = $1 AND ended_at IS NULL AND until > $2 ORDER BY id";
    BLOCK_RECENT (Bytes, Time) = "SELECT count(*) FROM block WHERE tag = $1 AND made_at > $2";
    BLOCK_TELL (Id, Time) = "UPDATE block SET told_at = $2 WHERE id = $1 AND told_at IS NULL";
    BLOCK_UNTOLD (Time) = "SELECT id, tag, sealed, rule, reason, made_by, made_at, until, ended_at, told_at FROM block
        WHERE told_at IS NULL AND made_at < $1 ORDER BY made_at LIMIT 1000";
    BLOCK_SWEEP (Time) = "DELETE FROM block WHERE until < $1";
}

/// The conflict of whoever was blocked meanwhile.
pub const BLOCKED: &str = "this address was blocked meanwhile";

/// A block.
#[derive(Debug, Clone)]
pub struct BlockRow {
    /// Its id.
    pub id: BlockId,
    /// A keyed hash of the network.
    pub tag: [u8; 32],
    /// The network, sealed.
    pub sealed: String,
    /// The rule that made it.
    pub rule: Option<String>,
    /// Why.
    pub reason: String,
    /// Who made it.
    pub made_by: String,
    /// Since when.
    pub made_at: Timestamp,
    /// When it ends by itself.
    pub until: Timestamp,
    /// When somebody lifted it.
    pub ended_at: Option<Timestamp>,
    /// When the ledger was told of it.
    pub told_at: Option<Timestamp>,
}

impl Store {
    /// A block.
    pub async fn block_get(&self, id: BlockId) -> Result<Option<BlockRow>, Error> {
        self.opt(&BLOCK_GET, params![id.0]).await?.as_ref().map(block).transpose()
    }

    /// The newest 1,000, those that ended too.
    pub async fn block_list(&self) -> Result<Vec<BlockRow>, Error> {
        self.all(&BLOCK_LIST, params![]).await?.iter().map(block).collect()
    }

    /// Those in force, the newest first.
    pub async fn block_list_live(&self, now: Timestamp, limit: u32) -> Result<Vec<BlockRow>, Error> {
        self.all(&BLOCK_LIVE, params![now, i64::from(limit)]).await?.iter().map(block).collect()
    }

    /// Those of a network that are in force, the oldest first.
    pub async fn block_list_live_of(&self, tag: [u8; 32], now: Timestamp) -> Result<Vec<BlockRow>, Error> {
        self.all(&BLOCK_LIVE_OF, params![tag.to_vec(), now]).await?.iter().map(block).collect()
    }

    /// Those that were made before a time, and that the ledger was not told of yet.
    pub async fn block_list_untold(&self, before: Timestamp) -> Result<Vec<BlockRow>, Error> {
        self.all(&BLOCK_UNTOLD, params![before]).await?.iter().map(block).collect()
    }

    /// How many there were of a network since a time.
    pub async fn block_count(&self, tag: [u8; 32], since: Timestamp) -> Result<u64, Error> {
        self.opt(&BLOCK_RECENT, params![tag.to_vec(), since]).await?.map_or(Ok(0), |row| row.get(0))
    }
}

impl Changeset {
    /// Blocks a network.
    pub fn block_insert(self, row: &BlockRow) -> Self {
        let values = params![row.id.0, row.tag.to_vec(), &row.sealed, row.rule.as_deref(), &row.reason, &row.made_by, row.made_at, row.until];
        self.run(&BLOCK_INSERT, values, Expect::Any)
    }

    /// Says that the ledger is told of a block.
    pub fn block_tell(self, id: BlockId, now: Timestamp) -> Self {
        self.run(&BLOCK_TELL, params![id.0, now], Expect::One("another node has told of this block meanwhile"))
    }

    /// Only where a network is not blocked.
    pub fn unless_blocked(self, tag: [u8; 32], now: Timestamp) -> Self {
        self.run(&BLOCK_BLOCKED, params![tag.to_vec(), now], Expect::None(BLOCKED))
    }

    /// Lifts a block.
    pub fn block_end(self, id: BlockId, now: Timestamp) -> Self {
        self.run(&BLOCK_END, params![id.0, now], Expect::One("this block has ended already"))
    }

    /// Drops blocks that ended long ago.
    pub fn block_sweep(self, before: Timestamp) -> Self {
        self.run(&BLOCK_SWEEP, params![before], Expect::Any)
    }
}

fn block(row: &Row) -> Result<BlockRow, Error> {
    let tag: Vec<u8> = row.get(1)?;
    Ok(BlockRow {
        id: BlockId(row.get(0)?),
        tag: tag.try_into().map_err(|_| Error::Decode("the hash of a block has another length".into()))?,
        sealed: row.get(2)?,
        rule: row.get(3)?,
        reason: row.get(4)?,
        made_by: row.get(5)?,
        made_at: row.get(6)?,
        until: row.get(7)?,
        ended_at: row.get(8)?,
        told_at: row.get(9)?,
    })
}
