//! An event of the log, as rules see it.

use std::net::IpAddr;

use serde_json::{Value, json};
use tutela_core::{SessionId, Timestamp};
use tutela_detection::{Engine, Rules};
use tutela_store::{LogRow, Position};

use crate::{
    App, Error, network,
    port::{Coordinates, Place},
};

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
        let body = placed(app, body);
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

/// The event with the block of its address, and where that is as far as it is known.
fn placed(app: &App, mut event: Value) -> Value {
    let address = event["source"]["ip"].as_str().and_then(|text| text.parse::<IpAddr>().ok());
    if let (Some(address), Some(map)) = (address, event.as_object_mut()) {
        let found = app.detection.places.as_ref().and_then(|places| places.find(address.to_canonical()));
        map.insert("place".into(), place(address, found));
    }
    event
}

/// A place under the names that rules have for it.
fn place(address: IpAddr, found: Option<Place>) -> Value {
    let mut named = serde_json::Map::from_iter([("block".to_owned(), json!(network::block(address).to_string()))]);
    let Place { country, city, coordinates, network } = found.unwrap_or_default();
    let name = match (&city, &country) {
        (Some(city), Some(country)) => Some(format!("{city} ({country})")),
        (city, country) => city.clone().or_else(|| country.clone()),
    };
    for (key, value) in [("country", country), ("name", name), ("network", network)] {
        named.extend(value.map(|value| (key.to_owned(), json!(value))));
    }
    if let Some(Coordinates { latitude, longitude, radius_km }) = coordinates {
        for (key, value) in [("latitude", latitude), ("longitude", longitude), ("radius_km", radius_km)] {
            named.insert(key.to_owned(), json!(value));
        }
    }
    Value::Object(named)
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
    fn what_is_not_known_of_a_place_is_not_there() {
        let address = "81.2.69.142".parse().unwrap();
        assert_eq!(place(address, None), json!({"block": "81.2.69.0/24"}));
        assert_eq!(place("2001:db8:7:8::1".parse().unwrap(), None), json!({"block": "2001:db8:7::/48"}));
        let coordinates = Some(Coordinates { latitude: 51.5, longitude: -0.1, radius_km: 10.0 });
        let london = Place { country: Some("GB".into()), city: Some("London".into()), coordinates, network: None };
        let whole = json!({"block": "81.2.69.0/24", "country": "GB", "name": "London (GB)", "latitude": 51.5, "longitude": -0.1, "radius_km": 10.0});
        assert_eq!(place(address, Some(london)), whole);
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
