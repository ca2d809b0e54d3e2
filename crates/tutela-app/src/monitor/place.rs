//! What rules ask of an event that the event itself does not say in one place.

use serde_json::{Value, json};

/// The event with the account that it is about under one name, whichever of its members says so.
pub(super) fn told(mut event: Value) -> Value {
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
        let of = |event: Value| told(event)["about"]["account"].clone();
        assert_eq!(of(json!({"resource": {"type": "account", "id": "a"}, "actor": {"type": "account", "id": "b"}})), "a");
        assert_eq!(of(json!({"data": {"account": "a"}, "actor": {"type": "account", "id": "b"}})), "a");
        assert_eq!(of(json!({"resource": {"type": "photo", "id": "a"}, "actor": {"type": "account", "id": "b"}})), "b");
        assert_eq!(of(json!({"actor": {"type": "client", "id": "b"}})), Value::Null);
    }
}
