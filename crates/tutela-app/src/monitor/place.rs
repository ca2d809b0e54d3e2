//! What rules ask of an event that the event itself does not say in one place.

use serde_json::{Value, json};
use tutela_core::SessionId;

use crate::App;

/// The event with the account that it is about under one name, whichever of its members says so; of an event that names
/// a session only, whoever that session is.
pub(super) async fn told(app: &App, event: Value) -> Value {
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
    fn whom_an_event_is_about_has_one_name() {
        let of = |event: Value| account_of(event)["about"]["account"].clone();
        assert_eq!(of(json!({"resource": {"type": "account", "id": "a"}, "actor": {"type": "account", "id": "b"}})), "a");
        assert_eq!(of(json!({"data": {"account": "a"}, "actor": {"type": "account", "id": "b"}})), "a");
        assert_eq!(of(json!({"resource": {"type": "photo", "id": "a"}, "actor": {"type": "account", "id": "b"}})), "b");
        assert_eq!(of(json!({"actor": {"type": "client", "id": "b"}})), Value::Null);
    }
}
