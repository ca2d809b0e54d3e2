//! An event of the log, as rules see it.

use serde_json::{Value, json};
use tutela_core::{SessionId, Timestamp};
use tutela_detection::{Engine, Rules};
use tutela_store::{LogRow, Position};

use crate::{App, Error};

/// An event that was opened.
pub(super) struct Read {
    pub body: Value,
    pub time: Timestamp,
    pub position: u64,
}

impl Read {
    /// Opens a row; nothing where it has no time.
    pub(super) async fn open(app: &App, row: &LogRow) -> Result<Option<Self>, Error> {
        let body = told(app, app.open_event(row).await?).await;
        let time = body["time"].as_str().and_then(|time| time.parse().ok());
        Ok(time.map(|time| Self { body, time, position: number(row.position) }))
    }

    pub(super) fn event(&self) -> tutela_detection::Event<'_> {
        tutela_detection::Event { body: &self.body, time: self.time, position: self.position }
    }
}

/// An engine for some rules, as the configuration has it.
pub(super) fn engine(app: &App, rules: &Rules) -> Engine {
    Engine::new(rules.iter().cloned().collect(), &app.detection.secret, app.detection.config.memory_mib as usize * (1 << 20))
}

/// A place in the log as a number that grows: a record of a batch stands behind its entry.
fn number(position: Position) -> u64 {
    position.entry << 11 | position.item.map_or(0, |item| u64::from(item) + 1)
}

/// Where that is.
pub(super) fn position(number: u64) -> Position {
    let item = u16::try_from(number & 2_047).ok().and_then(|item| item.checked_sub(1));
    Position { entry: number >> 11, item }
}

/// The event with the account that it is about under one name, whichever of its members says so; of an event that names
/// a session only, whoever that session is.
async fn told(app: &App, event: Value) -> Value {
    let mut event = account_of(event);
    if event.get("about").is_none()
        && event["resource"]["type"] == "session"
        && let Some(id) = event["resource"]["id"].as_str().and_then(|id| id.parse::<SessionId>().ok())
        && let Ok(Some(session)) = app.store.session_get(id).await
        && let Some(map) = event.as_object_mut()
    {
        map.insert("about".into(), json!({"account": session.account.to_string()}));
    }
    event
}

fn account_of(mut event: Value) -> Value {
    let about = {
        let account = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let resource = (event["resource"]["type"] == "account").then(|| account(&event["resource"]["id"])).flatten();
        let data = account(&event["data"]["account"]);
        let actor = (event["actor"]["type"] == "account").then(|| account(&event["actor"]["id"])).flatten();
        resource.or(data).or(actor)
    };
    if let (Some(account), Some(map)) = (about, event.as_object_mut()) {
        map.insert("about".into(), json!({"account": account}));
    }
    event
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_found_again_and_the_first_record_of_a_batch_is_not_its_entry() {
        for place in [Position { entry: 7, item: None }, Position { entry: 7, item: Some(0) }, Position { entry: 7, item: Some(1_023) }] {
            assert_eq!(position(number(place)), place);
        }
        assert!(number(Position { entry: 7, item: Some(1_023) }) < number(Position { entry: 8, item: None }));
    }

    #[test]
    fn whom_an_event_is_about_has_one_name() {
        let of = |event: Value| account_of(event)["about"]["account"].clone();
        assert_eq!(of(json!({"resource": {"type": "account", "id": "a"}, "actor": {"type": "account", "id": "b"}})), "a");
        assert_eq!(of(json!({"data": {"account": "a"}, "actor": {"type": "account", "id": "b"}})), "a");
        assert_eq!(of(json!({"resource": {"type": "photo", "id": "a"}, "actor": {"type": "account", "id": "b"}})), "b");
        assert_eq!(of(json!({"actor": {"type": "client", "id": "b"}})), Value::Null);
    }
}
