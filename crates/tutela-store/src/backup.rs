//! The whole of our own data as lines of JSON, from one snapshot, and back into an empty database of
//! either engine. Indexes are left out: they are built again from the log.
//!
//! ```text
//!   ["account"]                      a table begins
//!   ["019ab…","ada@example.com",…]   one row, columns in the order of TABLES; bytes in base64, times in microseconds
//!   ["end", 4096]                    the number of rows; a file without it is cut off
//! ```

use std::path::Path;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde_json::Value as Json;
use tokio::sync::mpsc;
use tutela_core::Timestamp;
use uuid::Uuid;

use crate::{
    Config, Error, Record,
    append::BLOCK_BITS,
    engine::{postgres, postgres_value, sqlite},
    table::outbox,
    value::{Row, Type, Value},
};

/// Rows of one transaction while loading, and of one fetch while dumping (PostgreSQL).
const STEP: usize = 2_000;

/// A table and its columns, in the order of its key.
pub(crate) struct Table {
    pub name: &'static str,
    columns: &'static [(&'static str, Type)],
    order: &'static str,
}

macro_rules! tables {
    ($($name:ident by $order:literal: $($column:ident $of:ident),+;)*) => {
        &[$(Table { name: stringify!($name), columns: &[$((stringify!($column), Type::$of)),+], order: $order }),*]
    };
}

/// Every table that a backup holds. What is not here is made anew (indexes), or must not come back:
/// sessions, codes, links, devices, messages, leases and the keys of answered requests.
pub(crate) const TABLES: &[Table] = tables! {
    account by "id": id Id, email Text, name Text, state Text, password_hash Text, password_changed_at Time, password_must_change Text, reminded_at Time, mail_reset_at Time, email_verified_at Time, phone Text, phone_verified_at Time, created_at Time;
    role by "name": name Text, permissions Json;
    account_role by "account_id, role": account_id Id, role Text;
    external_id by "namespace, value": namespace Text, value Text, account_id Id;
    authenticator by "id": id Id, account_id Id, kind Text, name Text, handle Bytes, secret Text, counter Int, created_at Time, last_used_at Time;
    outside_identity by "id": id Id, provider Text, subject_hash Bytes, account_id Id, sealed Text, created_at Time, last_used_at Time;
    saml_key by "one": one Int, sealed Text, certificate Text, created_at Time;
    account_group by "name": name Text, created_at Time;
    account_group_role by "group_name, role": group_name Text, role Text;
    account_group_member by "group_name, account_id": group_name Text, account_id Id;
    access_grant by "id": id Id, account_id Id, group_name Text, effect Text, permission Text, resource Text, reason Text, approver Text, created_at Time, expires_at Time, ended_at Time;
    client by "id": id Id, name Text, scopes Json, oauth Json, created_at Time, revoked_at Time;
    client_key by "hash": hash Bytes, client_id Id, created_at Time, expires_at Time;
    client_consent by "account_id, client_id": account_id Id, client_id Id, scopes Json, given_at Time;
    key_epoch by "number": number Int, id Id, provider Text, provider_key Text, wrapped Bytes, check_value Bytes, state Text, created_at Time, retired_at Time, destroyed_at Time;
    named_key by "id": id Id, name Text, purposes Json, suite Int, export Int, state Text, version Int, min_decryption_version Int, rotation_secs Int, created_at Time, rotated_at Time, destroy_at Time;
    key_version by "key_id, version": key_id Id, version Int, state Text, epoch Int, wrapped Bytes, created_at Time, messages Int, plain_messages Int, released Int;
    subject_key by "key_id": key_id Id, tag Bytes, created_at Time, hold Text, epoch Int, destroyed_at Time, unreadable_at Time, backups_gone_at Time;
    key_quarantine by "job, key_id, version": key_id Id, version Int, job Id, reason Text;
    key_job by "id": id Id, epoch Int, done Int, total Int, after_key Id, after_version Int, started_at Time, finished_at Time;
    key_backup by "id": id Id, file Text, sha256 Bytes, keys Int, created_at Time, rehearsed_at Time, deleted_at Time;
    field_policy by "name": name Text, policy Json, changed_at Time;
    counter by "key": key Text, value Int;
    event_type by "name": name Text, declaration Json;
    retention by "days": days Int, classes Text, position Int;
    waf_exclusion by "id": id Id, route Text, rule_id Int, place Text, reason Text, made_by Text, made_at Time, until Time, event_id Id, ended_at Time;
    block by "id": id Id, tag Bytes, sealed Text, rule Text, reason Text, made_by Text, made_at Time, until Time, ended_at Time, told_at Time;
    detection_cursor by "one": one Int, position Int;
    detection_rule by "name": name Text, body Text, mode Text, reason Text, made_by Text, made_at Time;
    detection_state by "rule, key_hash": rule Text, key_hash Bytes, version Int, state Bytes;
    purpose by "name": name Text, body Json, notice_hash Bytes, changed_at Time, retired_at Time;
    consent by "tag, purpose": tag Bytes, purpose Text, said Text, notice_version Text, said_at Time, event Id;
    privacy_wish by "tag, wish": tag Bytes, wish Text, since Time;
    privacy_hold by "id": id Id, tag Bytes, place Text, article Text, reason Text, owner Text, placed_at Time, until Time, released_at Time;
    data_use by "day, purpose, ground": day Int, purpose Text, ground Text, events Int, sample Id;
    breach by "id": id Id, sealed Text, version Int, aware_at Time, opened_at Time, closed_at Time;
    control_statement by "id": id Id, framework Text, control Text, kind Text, owner Text, document Text, reason Text, made_by Text, maker Text, made_at Time, until Time, approved_by Text, approved_at Time, ended_at Time;
    control_state by "framework, control": framework Text, control Text, outcome Text, since Time, event Id;
    assessment by "event": event Id, framework Text, made_at Time, why Text, settings Text, passed Int, failed Int, without_data Int, manual Int, not_applicable Int;
    erased_name by "tag": tag Bytes, account Id, request Id, erased_at Time;
    subject_request by "id": id Id, tag Bytes, law Text, kind Text, state Text, sealed Text, progress Json, version Int, received_at Time, due_on Text, closed_at Time, run_at Time, lease_until Time, attempts Int;
    incident by "id": id Id, state Text, level Text, title Text, playbook Text, rules Json, about Text, alerts Int, opened_at Time, updated_at Time;
    incident_entity by "tag, incident": tag Bytes, incident Id, last_at Time;
    incident_event by "incident, event": incident Id, event Id;
    incident_step by "incident, step": incident Id, step Text, done_by Text, done_at Time, note Text;
    ledger_hold by "id": id Id, case_name Text, reason Text, query Text, placed_at Time, until Time, released_at Time;
    sink by "name": name Text, position Int, state Text, error Text, since Time;
    sink_dead_letter by "sink, row_id": sink Text, row_id Int, reason Text, refused_at Time;
    erasure_task by "key_id, place": key_id Id, place Text, added_at Time;
    log by "seq": seq Int, id Id, time Time, leaf Bytes, body Bytes;
    log_item by "row_id": row_id Int, body Bytes;
    log_node by "level, idx": level Int, idx Int, hash Bytes;
    log_checkpoint by "size": size Int, note Text;
    log_head by "one": one Int, size Int, frontier Bytes, checkpoint Text, term Int, first Int;
    log_mark by "first": first Int, earliest Time, latest Time;
    event_hour by "hour, type, outcome": hour Int, type Text, outcome Text, events Int;
};

/// Events of business transactions that have no position yet (PostgreSQL); they are recorded again after a restore.
static OUTBOX: Table = Table {
    name: "outbox",
    columns: &[("id", Type::Id), ("time", Type::Time), ("recorded_at", Type::Time), ("body", Type::Bytes), ("items", Type::Bytes), ("tokens", Type::Text)],
    order: "n",
};

impl Table {
    fn select(&self) -> String {
        format!("SELECT {} FROM {} ORDER BY {}", self.names(), self.name, self.order)
    }

    fn names(&self) -> String {
        self.columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    }

    fn insert(&self) -> String {
        let places: Vec<String> = (1..=self.columns.len()).map(|n| format!("${n}")).collect();
        format!("INSERT INTO {} ({}) VALUES ({})", self.name, self.names(), places.join(", "))
    }
}

/// Takes one line without its line feed; `false` where nobody reads any more.
type Out = mpsc::Sender<String>;

/// Writes every table from one snapshot. Gives the number of rows.
pub(crate) async fn dump_sqlite(path: &Path, out: Out) -> Result<u64, Error> {
    let conn = sqlite::open_reader(path)?;
    let task = tokio::task::spawn_blocking(move || -> Result<u64, Error> {
        conn.execute_batch("BEGIN")?;
        let mut count = 0;
        let gone = |_| Error::Unavailable("nobody reads the backup any more".into());
        for table in TABLES {
            out.blocking_send(Json::from(vec![table.name]).to_string()).map_err(gone)?;
            let mut statement = conn.prepare(&table.select())?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let values: Result<Vec<Json>, Error> =
                    table.columns.iter().enumerate().map(|(i, (_, of))| Ok(encode(*of, &sqlite::owned(row.get_ref(i)?)))).collect();
                out.blocking_send(Json::from(values?).to_string()).map_err(gone)?;
                count += 1;
            }
        }
        out.blocking_send(serde_json::json!(["end", count]).to_string()).map_err(gone)?;
        Ok(count)
    });
    task.await.map_err(|e| Error::Internal(e.to_string()))?
}

/// As [`dump_sqlite`], on PostgreSQL.
pub(crate) async fn dump_postgres(mut client: deadpool_postgres::Object, out: Out) -> Result<u64, Error> {
    let tx = client.build_transaction().isolation_level(tokio_postgres::IsolationLevel::RepeatableRead).read_only(true).start().await?;
    let mut count = 0;
    let gone = |_| Error::Unavailable("nobody reads the backup any more".into());
    for table in TABLES.iter().chain([&OUTBOX]) {
        out.send(Json::from(vec![table.name]).to_string()).await.map_err(gone)?;
        // A cursor, so that a large table is never held in memory.
        tx.batch_execute(&format!("DECLARE backup CURSOR FOR {}", table.select())).await?;
        loop {
            let rows = tx.query_typed(&format!("FETCH FORWARD {STEP} FROM backup"), &[]).await?;
            for row in &rows {
                let row = postgres_value::row(row)?;
                let values: Vec<Json> = table.columns.iter().zip(&row.0).map(|((_, of), value)| encode(*of, value)).collect();
                out.send(Json::from(values).to_string()).await.map_err(gone)?;
                count += 1;
            }
            if rows.len() < STEP {
                break;
            }
        }
        tx.batch_execute("CLOSE backup").await?;
    }
    out.send(serde_json::json!(["end", count]).to_string()).await.map_err(gone)?;
    Ok(count)
}

/// Where a backup is loaded into: a fresh database that nobody serves.
pub struct Loading {
    target: Target,
    table: Option<&'static Table>,
    waiting: Vec<Vec<Value>>,
    pending: Vec<Record>,
    blocks: std::collections::BTreeSet<i64>,
    rows: u64,
    ended: bool,
}

enum Target {
    Postgres(Box<deadpool_postgres::Object>),
    Sqlite(Box<rusqlite::Connection>),
}

impl Loading {
    /// Makes the tables of an empty database. One that holds anything is refused.
    pub async fn begin(config: &Config, data: &Path, instance: &InstanceRow) -> Result<Self, Error> {
        let target =
            if config.url == "sqlite" { Target::Sqlite(Box::new(sqlite::fresh(data)?)) } else { Target::Postgres(Box::new(postgres::fresh(config).await?)) };
        let mut loading =
            Self { target, table: None, waiting: Vec::new(), pending: Vec::new(), blocks: std::collections::BTreeSet::new(), rows: 0, ended: false };
        let found = loading.query("SELECT id, origin, key_fingerprint FROM instance").await?;
        if !found.is_empty() {
            return Err(Error::Conflict("the database is not empty: a restore needs a fresh one, so that nothing is mixed"));
        }
        // A database of which a restore has begun is served by nobody until it is finished.
        let insert = "INSERT INTO instance (one, id, origin, key_fingerprint, created_at, state) VALUES (1, $1, $2, $3, $4, 'restoring')";
        let values = vec![Value::Id(instance.id), Value::from(&instance.origin), Value::from(instance.key_fingerprint), Value::Time(instance.created_at)];
        loading.insert(insert, &[Type::Id, Type::Text, Type::Bytes, Type::Time], vec![values]).await?;
        Ok(loading)
    }

    /// Takes one line of a backup.
    pub async fn line(&mut self, line: &str) -> Result<(), Error> {
        let bad = |what: &str| Error::Decode(format!("the backup holds a line that cannot be read: {what}"));
        let row: Vec<Json> = serde_json::from_str(line).map_err(|e| bad(&e.to_string()))?;
        match (row.as_slice(), self.table) {
            ([Json::String(end), Json::Number(count)], _) if end == "end" => {
                self.flush().await?;
                if count.as_u64() != Some(self.rows) {
                    return Err(bad("it has another number of rows than it says"));
                }
                self.ended = true;
            }
            ([Json::String(name)], table) if table.is_none_or(|table| table.columns.len() > 1) && known(name).is_some() => {
                self.flush().await?;
                self.table = known(name);
            }
            (values, Some(table)) if values.len() == table.columns.len() => {
                let values: Option<Vec<Value>> = table.columns.iter().zip(values).map(|((_, of), value)| decode(*of, value)).collect();
                self.waiting.push(values.ok_or_else(|| bad(table.name))?);
                self.rows += 1;
                if self.waiting.len() == STEP {
                    self.flush().await?;
                }
            }
            _ => return Err(bad("it belongs to no table")),
        }
        Ok(())
    }

    /// Ends the loading; a backup that was cut off is refused. Gives the number of rows, and the events
    /// that still have to be recorded.
    pub fn end(self) -> Result<(u64, Vec<Record>), Error> {
        if self.ended { Ok((self.rows, self.pending)) } else { Err(Error::Decode("the backup is cut off: its end is missing".into())) }
    }

    async fn flush(&mut self) -> Result<(), Error> {
        let (Some(table), rows) = (self.table, std::mem::take(&mut self.waiting)) else { return Ok(()) };
        if rows.is_empty() {
            return Ok(());
        }
        if table.name == OUTBOX.name {
            let rows: Vec<Row> = rows.into_iter().map(|row| Row(std::iter::once(Value::Int(0)).chain(row).collect())).collect();
            self.pending.extend(outbox::read(&rows)?.1);
            return Ok(());
        }
        self.partitions(table, &rows).await?;
        let types: Vec<Type> = table.columns.iter().map(|(_, of)| *of).collect();
        self.insert(&table.insert(), &types, rows).await
    }

    /// Partitions of the log that these rows stand in (PostgreSQL).
    async fn partitions(&mut self, table: &Table, rows: &[Vec<Value>]) -> Result<(), Error> {
        let shift = match table.name {
            "log" => BLOCK_BITS,
            "log_item" => BLOCK_BITS + 10,
            _ => return Ok(()),
        };
        let Target::Postgres(client) = &self.target else { return Ok(()) };
        for row in rows {
            let Some(Value::Int(key)) = row.first() else { continue };
            if self.blocks.insert(key >> shift) {
                client.batch_execute(&postgres::log_partition(key >> shift)).await?;
            }
        }
        Ok(())
    }

    async fn query(&self, text: &str) -> Result<Vec<Row>, Error> {
        match &self.target {
            Target::Postgres(client) => client.query_typed(text, &[]).await?.iter().map(postgres_value::row).collect(),
            Target::Sqlite(conn) => {
                let mut statement = conn.prepare(text)?;
                let columns = statement.column_count();
                let mut rows = statement.query([])?;
                let mut out = Vec::new();
                while let Some(row) = rows.next()? {
                    let values: Result<Vec<Value>, rusqlite::Error> = (0..columns).map(|i| row.get_ref(i).map(sqlite::owned)).collect();
                    out.push(Row(values?));
                }
                Ok(out)
            }
        }
    }

    async fn insert(&mut self, text: &str, types: &[Type], rows: Vec<Vec<Value>>) -> Result<(), Error> {
        match &mut self.target {
            Target::Postgres(client) => {
                let tx = client.transaction().await?;
                for row in &rows {
                    tx.execute_typed(text, &postgres_value::typed_as(types, row)).await?;
                }
                Ok(tx.commit().await?)
            }
            Target::Sqlite(conn) => {
                let tx = conn.transaction()?;
                {
                    let mut statement = tx.prepare_cached(&text.replace('$', "?"))?;
                    for row in &rows {
                        statement.execute(rusqlite::params_from_iter(row))?;
                    }
                }
                Ok(tx.commit()?)
            }
        }
    }
}

/// Who the instance of a backup is.
#[derive(Debug, Clone)]
pub struct InstanceRow {
    /// Its id.
    pub id: Uuid,
    /// Name of its ledger.
    pub origin: String,
    /// What tells root keys apart.
    pub key_fingerprint: [u8; 32],
    /// When it was made.
    pub created_at: Timestamp,
}

fn known(name: &str) -> Option<&'static Table> {
    TABLES.iter().chain([&OUTBOX]).find(|table| table.name == name)
}

fn encode(of: Type, value: &Value) -> Json {
    match (of, value) {
        (_, Value::Null) => Json::Null,
        (Type::Id, Value::Bytes(bytes)) => Uuid::from_slice(bytes).map_or(Json::Null, |id| Json::from(id.to_string())),
        (Type::Time, Value::Int(micros)) => Json::from(*micros),
        (Type::Json, Value::Text(text)) => serde_json::from_str(text).unwrap_or(Json::Null),
        (_, Value::Bytes(bytes)) => Json::from(BASE64.encode(bytes)),
        (_, Value::Id(id)) => Json::from(id.to_string()),
        (_, Value::Int(n)) => Json::from(*n),
        (_, Value::Json(json)) => json.clone(),
        (_, Value::Text(text)) => Json::from(text.as_str()),
        (_, Value::Time(time)) => Json::from(time.micros()),
        (_, Value::Blobs(_) | Value::Ids(_) | Value::Ints(_) | Value::Texts(_) | Value::Times(_)) => Json::Null,
    }
}

fn decode(of: Type, json: &Json) -> Option<Value> {
    if json.is_null() {
        return Some(Value::Null);
    }
    Some(match of {
        Type::Bytes => Value::Bytes(BASE64.decode(json.as_str()?).ok()?),
        Type::Id => Value::Id(Uuid::try_parse(json.as_str()?).ok()?),
        Type::Int => Value::Int(json.as_i64()?),
        Type::Json => Value::Json(json.clone()),
        Type::Text => Value::Text(json.as_str()?.to_owned()),
        Type::Time => Value::Time(Timestamp::from_micros(json.as_i64()?)),
        Type::Blobs | Type::Ids | Type::Ints | Type::Texts | Type::Times => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tables that a backup leaves out.
    const LEFT_OUT: &[&str] = &[
        "attempt",
        "authorization_code",
        "change",
        "client_session",
        "device",
        "event_index",
        "good_sign_in",
        "idempotency",
        "incident_message",
        "index_month",
        "instance",
        "job",
        "lease",
        "link",
        "message",
        "outside_errand",
        "outside_session",
        "refresh_token",
        "session",
        "setting",
        "sign_in",
        "sign_in_code",
        "signing_key",
        "spent_challenge",
        "strike",
        "subject_package",
    ];

    #[test]
    fn every_table_of_the_house_is_backed_up_or_left_out_on_purpose() {
        let text = concat!(
            include_str!("../migrations/0001_the_house.sql"),
            include_str!("../migrations/0002_signing_in.sql"),
            include_str!("../migrations/0003_federation.sql"),
            include_str!("../migrations/0004_gateway.sql"),
            include_str!("../migrations/0005_detection.sql"),
            include_str!("../migrations/0006_privacy.sql"),
            include_str!("../migrations/0007_compliance.sql")
        );
        let mut tables: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("CREATE TABLE ")).filter_map(|rest| rest.split(' ').next()).collect();
        tables.sort_unstable();
        tables.dedup();
        let mut known: Vec<&str> = TABLES.iter().chain([&OUTBOX]).map(|t| t.name).chain(LEFT_OUT.iter().copied()).collect();
        known.sort_unstable();
        assert_eq!(tables, known);
        for table in TABLES {
            // Every column of the table is among those that are written.
            let body = text.split(&format!("CREATE TABLE {} (\n", table.name)).nth(1).unwrap().split("\n)").next().unwrap();
            let lines = body.lines().map(str::trim).filter(|line| !line.starts_with("--") && !line.starts_with("PRIMARY KEY") && !line.starts_with("UNIQUE"));
            let columns: Vec<&str> = lines.filter_map(|line| line.split(' ').next()).collect();
            let written: Vec<&str> = table.columns.iter().map(|(name, _)| *name).collect();
            assert_eq!(columns, written, "{}", table.name);
        }
    }
}
