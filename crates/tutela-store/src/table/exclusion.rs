//! Rules of the firewall that are excepted on a route.

use tutela_core::{EventId, ExclusionId, Timestamp};

use crate::{
    Changeset, Error, Expect, Store,
    sql::statements,
    value::{Row, params},
};

statements! {
    EXCLUSION_GET (Id) = "SELECT id, route, rule_id, place, reason, made_by, made_at, until, event_id, ended_at FROM waf_exclusion WHERE id = $1";
    EXCLUSION_INSERT (Id, Text, Int, Text, Text, Text, Time, Time, Id) =
        "INSERT INTO waf_exclusion (id, route, rule_id, place, reason, made_by, made_at, until, event_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    EXCLUSION_LIST () = "SELECT id, route, rule_id, place, reason, made_by, made_at, until, event_id, ended_at FROM waf_exclusion ORDER BY id DESC LIMIT 1000";
    EXCLUSION_LIVE (Time) =
        "SELECT id, route, rule_id, place, reason, made_by, made_at, until, event_id, ended_at FROM waf_exclusion WHERE ended_at IS NULL AND until > $1 ORDER BY id LIMIT 1000";
    EXCLUSION_END (Id, Time) = "UPDATE waf_exclusion SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL";
}

/// An exclusion.
#[derive(Debug, Clone)]
pub struct ExclusionRow {
    /// Its id.
    pub id: ExclusionId,
    /// The route's name.
    pub route: String,
    /// The rule's id.
    pub rule: u64,
    /// The place; the whole rule where absent.
    pub place: Option<String>,
    /// Why.
    pub reason: String,
    /// Who made it.
    pub made_by: String,
    /// Since when.
    pub made_at: Timestamp,
    /// When it ends by itself.
    pub until: Timestamp,
    /// The request that it was made from.
    pub event: Option<EventId>,
    /// When somebody ended it.
    pub ended_at: Option<Timestamp>,
}

impl Store {
    /// An exclusion.
    pub async fn exclusion_get(&self, id: ExclusionId) -> Result<Option<ExclusionRow>, Error> {
        self.opt(&EXCLUSION_GET, params![id.0]).await?.as_ref().map(exclusion).transpose()
    }

    /// The newest 1,000, those that ended too.
    pub async fn exclusion_list(&self) -> Result<Vec<ExclusionRow>, Error> {
        self.all(&EXCLUSION_LIST, params![]).await?.iter().map(exclusion).collect()
    }

    /// Those in force.
    pub async fn exclusion_list_live(&self, now: Timestamp) -> Result<Vec<ExclusionRow>, Error> {
        self.all(&EXCLUSION_LIVE, params![now]).await?.iter().map(exclusion).collect()
    }
}

impl Changeset {
    /// Makes an exclusion.
    pub fn exclusion_insert(self, row: &ExclusionRow) -> Self {
        let event = row.event.map(|event| event.0);
        self.run(
            &EXCLUSION_INSERT,
            params![row.id.0, &row.route, row.rule as i64, row.place.as_deref(), &row.reason, &row.made_by, row.made_at, row.until, event],
            Expect::Any,
        )
    }

    /// Ends one.
    pub fn exclusion_end(self, id: ExclusionId, now: Timestamp) -> Self {
        self.run(&EXCLUSION_END, params![id.0, now], Expect::One("this exclusion has ended already"))
    }
}

fn exclusion(row: &Row) -> Result<ExclusionRow, Error> {
    Ok(ExclusionRow {
        id: ExclusionId(row.get(0)?),
        route: row.get(1)?,
        rule: row.get::<i64>(2)?.unsigned_abs(),
        place: row.get(3)?,
        reason: row.get(4)?,
        made_by: row.get(5)?,
        made_at: row.get(6)?,
        until: row.get(7)?,
        event: row.get::<Option<uuid::Uuid>>(8)?.map(EventId),
        ended_at: row.get(9)?,
    })
}
