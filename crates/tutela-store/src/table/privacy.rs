//! What personal data is used for, and what people have said to it.

use serde_json::Value as Json;
use tutela_core::{EventId, Timestamp};

use crate::{
    Changeset, Error, Expect, Store,
    sql::statements,
    value::{Row, params},
};

statements! {
    CONSENT_DELETE (Bytes) = "DELETE FROM consent WHERE tag = $1";
    CONSENT_LIST (Bytes) = "SELECT purpose, said, notice_version, said_at, event FROM consent WHERE tag = $1 ORDER BY purpose";
    CONSENT_SET (Bytes, Text, Text, Text, Time, Id) = "INSERT INTO consent (tag, purpose, said, notice_version, said_at, event) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (tag, purpose) DO UPDATE SET said = excluded.said, notice_version = excluded.notice_version, said_at = excluded.said_at, event = excluded.event
        WHERE consent.said_at <= excluded.said_at";
    CONSENT_LATEST (Int) = "SELECT purpose, said, notice_version, said_at, event FROM consent ORDER BY said_at DESC LIMIT $1";
    PRIVACY_WISH_DELETE (Bytes) = "DELETE FROM privacy_wish WHERE tag = $1";
    PRIVACY_WISH_END (Bytes, Text) = "DELETE FROM privacy_wish WHERE tag = $1 AND wish = $2";
    PRIVACY_WISH_LIST (Bytes) = "SELECT wish, since FROM privacy_wish WHERE tag = $1 ORDER BY wish";
    PRIVACY_WISH_SET (Bytes, Text, Time) = "INSERT INTO privacy_wish (tag, wish, since) VALUES ($1, $2, $3) ON CONFLICT (tag, wish) DO NOTHING";
    PURPOSE_LIST () = "SELECT name, body, notice_hash, changed_at, retired_at FROM purpose ORDER BY name LIMIT 1000";
    PURPOSE_RETIRE (Text, Time) = "UPDATE purpose SET retired_at = $2 WHERE name = $1 AND retired_at IS NULL";
    PURPOSE_SET (Text, Json, Bytes, Time) = "INSERT INTO purpose (name, body, notice_hash, changed_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (name) DO UPDATE SET body = excluded.body, notice_hash = excluded.notice_hash, changed_at = excluded.changed_at, retired_at = NULL";
}

/// A use of personal data.
#[derive(Debug, Clone, PartialEq)]
pub struct PurposeRow {
    /// Its name.
    pub name: String,
    /// All of it.
    pub body: Json,
    /// SHA-256 of the notice.
    pub notice_hash: [u8; 32],
    /// When it was set last.
    pub changed_at: Timestamp,
    /// When it was taken out of use.
    pub retired_at: Option<Timestamp>,
}

/// What somebody has said last to a purpose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentRow {
    /// The purpose.
    pub purpose: String,
    /// `given`, `refused` or `withdrawn`.
    pub said: String,
    /// To which version of its notice.
    pub notice_version: String,
    /// When.
    pub said_at: Timestamp,
    /// The event that holds the receipt.
    pub event: EventId,
}

impl Store {
    /// All purposes, those out of use too.
    pub async fn purpose_list(&self) -> Result<Vec<PurposeRow>, Error> {
        self.all(&PURPOSE_LIST, params![]).await?.iter().map(purpose).collect()
    }

    /// What somebody has said to each purpose.
    pub async fn consent_list(&self, tag: [u8; 32]) -> Result<Vec<ConsentRow>, Error> {
        self.all(&CONSENT_LIST, params![tag]).await?.iter().map(consent).collect()
    }

    /// What was said last to whatever purpose, by whomever.
    pub async fn consent_latest(&self, limit: u32) -> Result<Vec<ConsentRow>, Error> {
        self.all(&CONSENT_LATEST, params![i64::from(limit)]).await?.iter().map(consent).collect()
    }

    /// What somebody has asked of all purposes, and since when.
    pub async fn privacy_wish_list(&self, tag: [u8; 32]) -> Result<Vec<(String, Timestamp)>, Error> {
        self.all(&PRIVACY_WISH_LIST, params![tag]).await?.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
    }
}

impl Changeset {
    /// Sets a purpose; one that was out of use is in use again.
    pub fn purpose_set(self, row: &PurposeRow) -> Self {
        self.run(&PURPOSE_SET, params![&row.name, row.body.clone(), row.notice_hash, row.changed_at], Expect::Any)
    }

    /// Takes a purpose out of use.
    pub fn purpose_retire(self, name: &str, now: Timestamp) -> Self {
        self.run(&PURPOSE_RETIRE, params![name, now], Expect::One("there is no such purpose in use"))
    }

    /// What somebody has said; what was said later stays.
    pub fn consent_set(self, tag: [u8; 32], row: &ConsentRow) -> Self {
        let params = params![tag, &row.purpose, &row.said, &row.notice_version, row.said_at, row.event.0];
        self.run(&CONSENT_SET, params, Expect::Any)
    }

    /// Forgets what somebody has said, and what they have asked.
    pub fn consent_forget(self, tag: [u8; 32]) -> Self {
        self.run(&CONSENT_DELETE, params![tag], Expect::Any).run(&PRIVACY_WISH_DELETE, params![tag], Expect::Any)
    }

    /// What somebody asks of all purposes.
    pub fn privacy_wish_set(self, tag: [u8; 32], wish: &'static str, now: Timestamp) -> Self {
        self.run(&PRIVACY_WISH_SET, params![tag, wish, now], Expect::Any)
    }

    /// They ask it no more.
    pub fn privacy_wish_end(self, tag: [u8; 32], wish: &'static str) -> Self {
        self.run(&PRIVACY_WISH_END, params![tag, wish], Expect::Any)
    }
}

fn purpose(row: &Row) -> Result<PurposeRow, Error> {
    Ok(PurposeRow { name: row.get(0)?, body: row.get(1)?, notice_hash: row.get(2)?, changed_at: row.get(3)?, retired_at: row.get(4)? })
}

fn consent(row: &Row) -> Result<ConsentRow, Error> {
    Ok(ConsentRow { purpose: row.get(0)?, said: row.get(1)?, notice_version: row.get(2)?, said_at: row.get(3)?, event: EventId(row.get(4)?) })
}
