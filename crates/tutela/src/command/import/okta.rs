//! Events of the Okta System Log.

use serde_json::{Value, json};

use super::foreign::{Foreign, find, present, resource};

/// Who did it: Okta's own id says no name; where it is missing, the sign-in name does.
const WHO: &[&[&str]] = &[&["actor", "id"], &["actor", "alternateId"], &["actor", "displayName"]];

/// One record as the JSON of a new event: type `okta.` and the event type in lower case, action its last part.
///
/// Times without a zone are read as UTC. Where `published` is absent (Okta always has it), the event
/// happened when it is imported, for all that anybody can tell. Errors name the field that is wrong.
pub fn okta(record: &Value) -> Result<Value, String> {
    let mut foreign = Foreign::of(record)?;
    let name = foreign.required("eventType")?;
    let kind = foreign.kind("okta", name, "eventType", name)?;
    let action = kind.rsplit('.').next().filter(|action| !action.is_empty()).map(str::to_owned);
    let time = foreign.time("published")?;
    let outcome = outcome(foreign.text(&["outcome", "result"]));
    let reason = reason(&mut foreign);
    let resource = target(&foreign);
    let ip = foreign.address(&["client", "ipAddress"]).or_else(|| first_hop(&foreign));
    let source = present(json!({"ip": ip, "user_agent": foreign.user_agent(&["client", "userAgent", "rawUserAgent"])}));
    let actor = foreign.actor("okta", WHO);
    let members = json!({
        "type": kind, "time": time, "action": action, "outcome": outcome, "reason": reason, "actor": actor, "resource": resource, "source": source,
    });
    Ok(foreign.event(members))
}

/// `CHALLENGE`, `DEFERRED`, `SKIPPED` and the like are no end yet; the result itself stays in the metadata.
fn outcome(result: Option<&str>) -> &'static str {
    match result {
        Some("SUCCESS" | "ALLOW") => "success",
        Some("FAILURE") => "failure",
        Some("DENY" | "RATE_LIMIT") => "denied",
        _ => "unknown",
    }
}

/// Why it ended so, where that is a code such as `INVALID_CREDENTIALS`. A sentence may name somebody, and a
/// reason is not sealed; so sentences stay in the metadata.
fn reason(foreign: &mut Foreign<'_>) -> Option<String> {
    const PATH: &[&str] = &["outcome", "reason"];
    let code = foreign.text(PATH).filter(|text| text.len() <= 128 && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_'))?;
    foreign.lift(PATH);
    Some(code.to_owned())
}

/// What it was done to: the first target with a type and an id. Ids that are addresses would name a person
/// to everybody who reads the ledger's bytes; they stay in the metadata, as all targets do.
fn target(foreign: &Foreign<'_>) -> Option<Value> {
    foreign.value(&["target"]).and_then(Value::as_array).into_iter().flatten().find_map(|item| {
        let text = |name: &str| find(item, &[name]).and_then(Value::as_str);
        resource(text("type")?, text("id").filter(|id| !id.contains('@'))?)
    })
}

/// The address at the beginning of the way, where the client's own is missing; the way stays in the metadata.
fn first_hop(foreign: &Foreign<'_>) -> Option<String> {
    let first = foreign.value(&["request", "ipChain"])?.as_array()?.first()?;
    let ip: std::net::IpAddr = find(first, &["ip"])?.as_str()?.parse().ok()?;
    Some(ip.to_string())
}

#[cfg(test)]
mod tests {
    use tutela_api::NewEvent;

    use super::*;

    fn record() -> Value {
        json!({
            "uuid": "7b1e0000-0000-11f0-8000-000000000001", "published": "2026-11-22T09:30:00.123Z", "eventType": "user.authentication.auth_via_mfa", "severity": "INFO",
            "displayMessage": "Authentication of user via MFA", "actor": {"id": "00uada", "type": "User", "alternateId": "ada@example.com", "displayName": "Ada"},
            "client": {"ipAddress": "192.0.2.7", "zone": "null", "userAgent": {"rawUserAgent": "Mozilla/5.0", "os": "Linux"}},
            "outcome": {"result": "FAILURE", "reason": "INVALID_CREDENTIALS"},
            "target": [{"id": "0oaapp", "type": "AppInstance", "displayName": "Reports"}],
        })
    }

    fn with(change: impl FnOnce(&mut Value)) -> Value {
        let mut record = record();
        change(&mut record);
        okta(&record).unwrap()
    }

    #[test]
    fn what_has_a_place_is_lifted_and_the_rest_is_metadata() {
        let event = okta(&record()).unwrap();
        let expected = json!({
            "type": "okta.user.authentication.auth_via_mfa", "time": "2026-11-22T09:30:00.123000Z", "action": "auth_via_mfa", "outcome": "failure",
            "reason": "INVALID_CREDENTIALS", "actor": {"namespace": "okta", "value": "00uada"}, "resource": {"type": "AppInstance", "id": "0oaapp"},
            "source": {"ip": "192.0.2.7", "user_agent": "Mozilla/5.0"},
            "metadata": {
                "uuid": "7b1e0000-0000-11f0-8000-000000000001", "severity": "INFO", "displayMessage": "Authentication of user via MFA",
                "actor": {"type": "User", "alternateId": "ada@example.com", "displayName": "Ada"},
                "client": {"zone": "null", "userAgent": {"os": "Linux"}}, "outcome": {"result": "FAILURE"},
                "target": [{"id": "0oaapp", "type": "AppInstance", "displayName": "Reports"}],
            },
        });
        assert_eq!(event, expected);
        serde_json::from_value::<NewEvent>(event).unwrap();
    }

    #[test]
    fn results_that_are_no_end_are_unknown() {
        for (result, outcome) in
            [("SUCCESS", "success"), ("ALLOW", "success"), ("FAILURE", "failure"), ("DENY", "denied"), ("CHALLENGE", "unknown"), ("SKIPPED", "unknown")]
        {
            let event = with(|record| record["outcome"]["result"] = json!(result));
            assert_eq!((&event["outcome"], &event["metadata"]["outcome"]["result"]), (&json!(outcome), &json!(result)));
        }
        assert_eq!(with(|record| record["outcome"] = Value::Null)["outcome"], "unknown");
    }

    #[test]
    fn sentences_and_addresses_stay_where_they_are_sealed() {
        let event = with(|record| {
            record["outcome"]["reason"] = json!("Sign-in of Ada was refused");
            record["target"] = json!([{"id": "ada@example.com", "type": "User"}]);
        });
        assert!(event["reason"].is_null() && event["resource"].is_null());
        assert_eq!(event["metadata"]["outcome"]["reason"], "Sign-in of Ada was refused");
    }

    #[test]
    fn the_first_hop_stands_in_for_a_missing_address() {
        let event = with(|record| {
            record["client"] = json!({});
            record["request"] = json!({"ipChain": [{"ip": "2001:db8::7"}, {"ip": "192.0.2.1"}]});
        });
        assert_eq!(event["source"], json!({"ip": "2001:db8::7"}));
    }

    #[test]
    fn letters_that_types_do_not_have_are_replaced_and_the_name_is_kept() {
        let event = with(|record| record["eventType"] = json!("user.authentication.auth_via_IDP"));
        assert_eq!(
            (&event["type"], &event["metadata"]["eventType"]),
            (&json!("okta.user.authentication.auth_via_idp"), &json!("user.authentication.auth_via_IDP"))
        );
    }

    #[test]
    fn errors_name_the_field_and_not_its_value() {
        for (field, value) in [("eventType", Value::Null), ("eventType", json!("secret".repeat(40))), ("published", json!("secret"))] {
            let mut record = record();
            record[field] = value;
            let error = okta(&record).unwrap_err();
            assert!(error.contains(&format!("`{field}`")) && !error.contains("secret"), "{error}");
        }
    }
}
