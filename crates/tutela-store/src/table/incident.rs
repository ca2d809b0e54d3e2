//! Incidents: alerts that belong together, what ties them, what was done and where it was told.

use tutela_core::{EventId, IncidentId, Timestamp};

use crate::{
    Changeset, Error, Expect, Store,
    sql::statements,
    value::{Row, params},
};

statements! {
    INCIDENT_ALERT (Id, Text, Json, Text, Text, Time, Int) = "UPDATE incident SET level = $2, rules = $3, about = $4, playbook = $5, updated_at = $6, alerts = alerts + $7 WHERE id = $1";
    INCIDENT_ENTITY_SET (Bytes, Id, Time) = "INSERT INTO incident_entity (tag, incident, last_at) VALUES ($1, $2, $3)
        ON CONFLICT (tag, incident) DO UPDATE SET last_at = excluded.last_at";
    INCIDENT_EVENT_ADD (Id, Id, Int) = "INSERT INTO incident_event (incident, event)
        SELECT $1, $2 WHERE (SELECT count(*) FROM incident_event WHERE incident = $1) < $3 ON CONFLICT (incident, event) DO NOTHING";
    INCIDENT_EVENTS (Id) = "SELECT event FROM incident_event WHERE incident = $1 ORDER BY event";
    INCIDENT_GET (Id) = "SELECT id, state, level, title, playbook, rules, about, alerts, opened_at, updated_at FROM incident WHERE id = $1";
    INCIDENT_INSERT (Id, Text, Text, Text, Text, Json, Text, Int, Time) =
        "INSERT INTO incident (id, state, level, title, playbook, rules, about, alerts, opened_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)";
    INCIDENT_LIST (Text, Id, Int) = "SELECT id, state, level, title, playbook, rules, about, alerts, opened_at, updated_at FROM incident
        WHERE ($1 = 'all' OR ($1 = 'live' AND state IN ('open', 'acknowledged', 'contained')) OR state = $1) AND ($2 IS NULL OR id < $2) ORDER BY id DESC LIMIT $3";
    INCIDENT_LIVE_OF (Bytes, Time) = "SELECT i.id, i.state, i.level, i.title, i.playbook, i.rules, i.about, i.alerts, i.opened_at, i.updated_at
        FROM incident i JOIN incident_entity e ON e.incident = i.id
        WHERE e.tag = $1 AND e.last_at > $2 AND i.state IN ('open', 'acknowledged', 'contained') ORDER BY i.id LIMIT 1";
    INCIDENT_MESSAGE_GET (Id, Text, Text) = "SELECT handle FROM incident_message WHERE incident = $1 AND channel = $2 AND target = $3";
    INCIDENT_MESSAGE_SET (Id, Text, Text, Text) = "INSERT INTO incident_message (incident, channel, target, handle) VALUES ($1, $2, $3, $4)
        ON CONFLICT (incident, channel, target) DO NOTHING";
    INCIDENT_STATE (Id, Text, Text, Time) = "UPDATE incident SET state = $3, updated_at = $4 WHERE id = $1 AND state = $2";
    INCIDENT_STEP_CLEAR (Id, Text) = "DELETE FROM incident_step WHERE incident = $1 AND step = $2";
    INCIDENT_STEP_DONE (Id, Text, Text, Time, Text) = "INSERT INTO incident_step (incident, step, done_by, done_at, note) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (incident, step) DO NOTHING";
    INCIDENT_STEPS (Id) = "SELECT step, done_by, done_at, note FROM incident_step WHERE incident = $1 ORDER BY done_at";
}

/// Most events that one incident names.
const MOST_EVENTS: i64 = 5_000;

/// An incident.
#[derive(Debug, Clone)]
pub struct IncidentRow {
    /// Its id.
    pub id: IncidentId,
    /// How far it has come.
    pub state: String,
    /// The gravest of its alerts.
    pub level: String,
    /// What its first alert is called.
    pub title: String,
    /// What is to be done.
    pub playbook: Option<String>,
    /// The rules that have told of it.
    pub rules: Vec<String>,
    /// Whom and what it is about, sealed.
    pub about: String,
    /// How many alerts.
    pub alerts: u64,
    /// Since when.
    pub opened_at: Timestamp,
    /// When something was added, or somebody did something.
    pub updated_at: Timestamp,
}

/// A step that is done.
#[derive(Debug, Clone)]
pub struct IncidentStepRow {
    /// The step of the playbook.
    pub step: String,
    /// By whom.
    pub done_by: String,
    /// When.
    pub done_at: Timestamp,
    /// What came of it.
    pub note: Option<String>,
}

impl Store {
    /// An incident.
    pub async fn incident_get(&self, id: IncidentId) -> Result<Option<IncidentRow>, Error> {
        self.opt(&INCIDENT_GET, params![id.0]).await?.as_ref().map(incident).transpose()
    }

    /// Those in a state, `live` or `all`, the newest first.
    pub async fn incident_list(&self, state: &str, before: Option<IncidentId>, limit: u32) -> Result<Vec<IncidentRow>, Error> {
        self.all(&INCIDENT_LIST, params![state, before.map(|id| id.0), i64::from(limit)]).await?.iter().map(incident).collect()
    }

    /// The oldest live one that a tag has been tied to since a time.
    pub async fn incident_live_of(&self, tag: [u8; 32], since: Timestamp) -> Result<Option<IncidentRow>, Error> {
        self.opt(&INCIDENT_LIVE_OF, params![tag.to_vec(), since]).await?.as_ref().map(incident).transpose()
    }

    /// The ids of its events, oldest first.
    pub async fn incident_events(&self, id: IncidentId) -> Result<Vec<EventId>, Error> {
        self.all(&INCIDENT_EVENTS, params![id.0]).await?.iter().map(|row| Ok(EventId(row.get(0)?))).collect()
    }

    /// The steps that are done.
    pub async fn incident_steps(&self, id: IncidentId) -> Result<Vec<IncidentStepRow>, Error> {
        let step = |row: &Row| Ok(IncidentStepRow { step: row.get(0)?, done_by: row.get(1)?, done_at: row.get(2)?, note: row.get(3)? });
        self.all(&INCIDENT_STEPS, params![id.0]).await?.iter().map(step).collect()
    }

    /// Below what a message about it is to stand.
    pub async fn incident_message(&self, id: IncidentId, channel: &str, target: &str) -> Result<Option<String>, Error> {
        self.opt(&INCIDENT_MESSAGE_GET, params![id.0, channel, target]).await?.map(|row| row.get(0)).transpose()
    }
}

impl Changeset {
    /// Opens an incident.
    pub fn incident_insert(self, row: &IncidentRow) -> Self {
        let values = params![row.id.0, &row.state, &row.level, &row.title, row.playbook.as_deref(), &row.rules[..], &row.about, row.alerts, row.opened_at];
        self.run(&INCIDENT_INSERT, values, Expect::Any)
    }

    /// Adds alerts to an incident.
    pub fn incident_alert(self, row: &IncidentRow, more: u64) -> Self {
        let values = params![row.id.0, &row.level, &row.rules[..], &row.about, row.playbook.as_deref(), row.updated_at, more];
        self.run(&INCIDENT_ALERT, values, Expect::Any)
    }

    /// Ties something to an incident.
    pub fn incident_entity(self, tag: [u8; 32], id: IncidentId, now: Timestamp) -> Self {
        self.run(&INCIDENT_ENTITY_SET, params![tag.to_vec(), id.0, now], Expect::Any)
    }

    /// Adds an event to an incident; beyond 5,000 no more are named.
    pub fn incident_event(self, id: IncidentId, event: EventId) -> Self {
        self.run(&INCIDENT_EVENT_ADD, params![id.0, event.0, MOST_EVENTS], Expect::Any)
    }

    /// Moves an incident on, if nobody else has.
    pub fn incident_state(self, id: IncidentId, from: &str, to: &str, now: Timestamp) -> Self {
        self.run(&INCIDENT_STATE, params![id.0, from, to, now], Expect::One("somebody else has moved this incident on meanwhile; look again"))
    }

    /// Checks a step off.
    pub fn incident_step_done(self, id: IncidentId, row: &IncidentStepRow) -> Self {
        let values = params![id.0, &row.step, &row.done_by, row.done_at, row.note.as_deref()];
        self.run(&INCIDENT_STEP_DONE, values, Expect::One("this step is done already"))
    }

    /// A step is to be done again.
    pub fn incident_step_clear(self, id: IncidentId, step: &str) -> Self {
        self.run(&INCIDENT_STEP_CLEAR, params![id.0, step], Expect::One("this step is not done"))
    }

    /// Keeps where an incident was told first.
    pub fn incident_message(self, id: IncidentId, channel: &str, target: &str, handle: &str) -> Self {
        self.run(&INCIDENT_MESSAGE_SET, params![id.0, channel, target, handle], Expect::Any)
    }
}

fn incident(row: &Row) -> Result<IncidentRow, Error> {
    Ok(IncidentRow {
        id: IncidentId(row.get(0)?),
        state: row.get(1)?,
        level: row.get(2)?,
        title: row.get(3)?,
        playbook: row.get(4)?,
        rules: row.get(5)?,
        about: row.get(6)?,
        alerts: row.get(7)?,
        opened_at: row.get(8)?,
        updated_at: row.get(9)?,
    })
}
