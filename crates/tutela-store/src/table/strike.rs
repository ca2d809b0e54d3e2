//! Offences that are counted in their own commit. The newest of a network stand in one row, so that two that are
//! committed at a time wait for each other and the second sees the first.

use tutela_core::{AccountId, Timestamp, seam::Strike};

use crate::{Changeset, Error, Expect, Store, changeset::Op, sql::statements, value::params};

/// Digits of a time, so that times stand one behind the other.
const DIGITS: u32 = 16;

statements! {
    STRIKE_ADD (Text, Bytes, Text, Int, Time) = "INSERT INTO strike (rule, tag, times, last_at) VALUES ($1, $2, $3, $5)
        ON CONFLICT (rule, tag) DO UPDATE SET last_at = excluded.last_at,
            times = CASE WHEN length(strike.times) < $4 THEN strike.times || excluded.times ELSE substr(strike.times, 17) || excluded.times END";
    STRIKE_ANNOUNCE (Id, Text) = "INSERT INTO change (topic, key) SELECT 'block', $2 FROM block WHERE id = $1";
    GOOD_SIGN_IN_ADD (Bytes, Id, Time) = "INSERT INTO good_sign_in (tag, account_id, last_at) VALUES ($1, $2, $3)
        ON CONFLICT (tag, account_id) DO UPDATE SET last_at = excluded.last_at";
    GOOD_SIGN_IN_COUNT (Bytes, Time) = "SELECT count(*) FROM good_sign_in WHERE tag = $1 AND last_at > $2";
    GOOD_SIGN_IN_SWEEP (Time) = "DELETE FROM good_sign_in WHERE last_at < $1";
    STRIKE_BLOCK (Text, Bytes, Int, Int, Id, Text, Time, Time, Time, Time, Time, Int) =
        "INSERT INTO block (id, tag, sealed, rule, reason, made_by, made_at, until)
        SELECT $5, $2, $6, $1, 'a rule of detection', 'detection', $7,
            CASE (SELECT count(*) FROM block WHERE tag = $2 AND made_at > $11) WHEN 0 THEN $8 WHEN 1 THEN $9 ELSE $10 END
        FROM strike
        WHERE rule = $1 AND tag = $2 AND length(times) >= $3
            AND CAST(substr(times, CAST(length(times) - $3 + 1 AS INTEGER), 16) AS BIGINT) >= $4
            AND (SELECT count(*) FROM good_sign_in WHERE tag = $2 AND last_at > $11) < $12
            AND NOT EXISTS (SELECT 1 FROM block WHERE tag = $2 AND ended_at IS NULL AND until > $7)";
    STRIKE_FORGET (Bytes) = "DELETE FROM strike WHERE tag = $1";
    STRIKE_SWEEP (Time) = "DELETE FROM strike WHERE last_at < $1";
}

/// Counts an offence; where that makes too many, the network is blocked, if it is not, and all nodes hear of it.
pub(crate) fn strike(offence: &Strike) -> Vec<Op> {
    let op = |sql, params| Op { sql, params, expect: Expect::Any };
    let tag = || offence.tag.to_vec();
    let time = format!("{:016}", offence.at.micros().max(0));
    let length = i64::from(offence.count) * i64::from(DIGITS);
    let [first, second, further] = offence.until;
    let block = params![
        &offence.rule,
        tag(),
        length,
        offence.since.micros(),
        offence.block.0,
        &offence.sealed,
        offence.at,
        first,
        second,
        further,
        offence.again_since,
        offence.shared_by
    ];
    vec![
        op(&STRIKE_ADD, params![&offence.rule, tag(), time, length, offence.at]),
        op(&STRIKE_BLOCK, block),
        op(&STRIKE_ANNOUNCE, params![offence.block.0, offence.block.to_string()]),
    ]
}

impl Store {
    /// How many people signed in from a network with two factors since a time.
    pub async fn good_sign_in_count(&self, tag: [u8; 32], since: Timestamp) -> Result<u64, Error> {
        self.opt(&GOOD_SIGN_IN_COUNT, params![tag.to_vec(), since]).await?.map_or(Ok(0), |row| row.get(0))
    }
}

impl Changeset {
    /// Notes that somebody signed in from a network with two factors.
    pub fn good_sign_in(self, tag: [u8; 32], account: AccountId, now: Timestamp) -> Self {
        self.run(&GOOD_SIGN_IN_ADD, params![tag.to_vec(), account.0, now], Expect::Any)
    }

    /// Forgets the offences of a network.
    pub fn strike_forget(self, tag: [u8; 32]) -> Self {
        self.run(&STRIKE_FORGET, params![tag.to_vec()], Expect::Any)
    }

    /// Drops what nobody counts any more.
    pub fn strike_sweep(self, before: Timestamp) -> Self {
        self.run(&STRIKE_SWEEP, params![before], Expect::Any).run(&GOOD_SIGN_IN_SWEEP, params![before], Expect::Any)
    }
}
