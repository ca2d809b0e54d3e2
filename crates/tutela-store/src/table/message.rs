//! Mails and text messages on their way: written in the commit of what they tell, sent afterwards.

use tutela_core::{MessageId, Timestamp};

use crate::{Changeset, Error, Expect, Housekeeping, Store, sql::statements, value::params};

statements! {
    MESSAGE_COUNT () = "SELECT count(*) FROM message";
    MESSAGE_DELETE (Id) = "DELETE FROM message WHERE id = $1";
    MESSAGE_DUE (Time, Text) = "SELECT id, channel, sealed, attempts, expires_at FROM message WHERE channel = $2 AND run_at <= $1 AND (lease_until IS NULL OR lease_until <= $1) ORDER BY run_at, id LIMIT 1";
    MESSAGE_INSERT (Id, Text, Text, Time, Time) = "INSERT INTO message (id, channel, sealed, run_at, attempts, expires_at) VALUES ($1, $2, $3, $4, 0, $5)";
    MESSAGE_LATER (Id, Time) = "UPDATE message SET run_at = $2, lease_until = NULL WHERE id = $1";
    MESSAGE_LEASE (Id, Time, Time) = "UPDATE message SET lease_until = $3, attempts = attempts + 1 WHERE id = $1 AND (lease_until IS NULL OR lease_until <= $2)";
}

/// A message that this process sends.
#[derive(Debug, Clone)]
pub struct MessageRow {
    /// Its id; the receiver sees the same one however often it is sent.
    pub id: MessageId,
    /// `mail` or `sms`.
    pub channel: String,
    /// To whom and what, sealed.
    pub sealed: String,
    /// How often it was tried before.
    pub attempts: u64,
    /// When it is of no use any more.
    pub expires_at: Timestamp,
}

impl Store {
    /// Takes the next message of a channel that is due; `None` where there is none, or another process was faster.
    pub async fn message_take(&self, channel: &'static str, now: Timestamp, lease_until: Timestamp) -> Result<Option<MessageRow>, Error> {
        let Some(row) = self.opt(&MESSAGE_DUE, params![now, channel]).await? else { return Ok(None) };
        let message = MessageRow { id: MessageId(row.get(0)?), channel: row.get(1)?, sealed: row.get(2)?, attempts: row.get(3)?, expires_at: row.get(4)? };
        let lease = Changeset::housekeeping(Housekeeping::Job).run(&MESSAGE_LEASE, params![message.id.0, now, lease_until], Expect::One("it is being sent"));
        match self.commit(lease).await {
            Ok(()) => Ok(Some(message)),
            Err(Error::Conflict(_)) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Gives a message back until later.
    pub async fn message_later(&self, id: MessageId, run_at: Timestamp) -> Result<(), Error> {
        self.commit(Changeset::housekeeping(Housekeeping::Job).run(&MESSAGE_LATER, params![id.0, run_at], Expect::Any)).await
    }

    /// Drops a message that was sent.
    pub async fn message_sent(&self, id: MessageId) -> Result<(), Error> {
        self.commit(Changeset::housekeeping(Housekeeping::Job).run(&MESSAGE_DELETE, params![id.0], Expect::Any)).await
    }

    /// Number of messages on their way.
    pub async fn message_count(&self) -> Result<u64, Error> {
        self.opt(&MESSAGE_COUNT, params![]).await?.map_or(Ok(0), |row| row.get(0))
    }
}

impl Changeset {
    /// Puts a message on its way with this commit.
    pub fn message_insert(self, id: MessageId, channel: &'static str, sealed: &str, run_at: Timestamp, expires_at: Timestamp) -> Self {
        self.run(&MESSAGE_INSERT, params![id.0, channel, sealed, run_at, expires_at], Expect::Any)
    }

    /// Drops a message that is given up.
    pub fn message_drop(self, id: MessageId) -> Self {
        self.run(&MESSAGE_DELETE, params![id.0], Expect::Any)
    }
}
