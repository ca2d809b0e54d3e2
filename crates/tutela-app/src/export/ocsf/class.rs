//! What single OCSF classes ask for, from what our events say.

use serde_json::{Map, Value, json};

/// Account Change.
const ACCOUNT: u32 = 3_001;
/// Authentication.
const AUTHENTICATION: u32 = 3_002;
/// Authorize Session.
const SESSION: u32 = 3_003;
/// Entity Management.
const ENTITY: u32 = 3_004;
/// User Access Management.
const ACCESS: u32 = 3_005;
/// Group Management.
const GROUP: u32 = 3_006;
/// User Management.
const USER: u32 = 3_007;
/// Role Management.
const ROLE: u32 = 3_008;
/// Detection Finding.
const FINDING: u32 = 2_004;
/// Event Log Activity.
const EVENT_LOG: u32 = 1_008;
/// HTTP Activity.
pub(super) const HTTP: u32 = 4_002;
/// Application Lifecycle.
const LIFECYCLE: u32 = 6_002;
/// API Activity.
const API: u32 = 6_003;
/// Datastore Activity.
const DATASTORE: u32 = 6_005;

/// Methods that HTTP Activity has a number for; WebDAV's are "other".
const METHODS: &[(&str, u8)] = &[("CONNECT", 1), ("DELETE", 2), ("GET", 3), ("HEAD", 4), ("OPTIONS", 5), ("POST", 6), ("PUT", 7), ("TRACE", 8), ("PATCH", 9)];

/// The activity: as declared, but where the event itself says more than its type.
pub(super) fn activity(class: u32, declared: u8, event: &Value) -> u8 {
    match (class, declared) {
        (HTTP, declared) => METHODS.iter().find(|(method, _)| event["request"]["method"] == *method).map_or(declared, |(_, activity)| *activity),
        // One type says that data was sealed or opened; its action says which.
        (DATASTORE, 9) if event["action"].as_str().is_some_and(|action| action.starts_with("decrypt")) => 10,
        (_, declared) => declared,
    }
}

/// Whether the class has an actor without the profile `host`. Naming the profile needlessly harms nothing.
pub(super) fn has_actor(class: u32) -> bool {
    matches!(class, 1_000..=1_999 | 3_000..=3_999 | API | DATASTORE | 6_006)
}

/// Whether the class has `http_request` and `http_response`.
pub(super) fn has_http(class: u32) -> bool {
    matches!(class, 3_000..=3_999 | HTTP | 6_001 | API..=6_006)
}

/// Whether the class has `src_endpoint`.
fn has_endpoint(class: u32) -> bool {
    has_http(class) || matches!(class, EVENT_LOG | 2_006 | 4_000..=4_010 | 4_013..=4_999)
}

/// Whether the class has `resources`. In User Access Management they are what the privileges are for,
/// which our events do not say.
fn has_resources(class: u32) -> bool {
    matches!(class, 2_001..=2_003 | 2_006..=2_008 | GROUP | USER | ROLE | 5_023 | API)
}

/// The attributes of a class beside those that all have.
pub(super) fn attributes(class: u32, event: &Value, origin: &str) -> Map<String, Value> {
    let mut out = Map::new();
    let mut put = |name: &str, value: Value| {
        out.insert(name.to_owned(), value);
    };
    if has_endpoint(class) {
        put("src_endpoint", endpoint(event));
    }
    if has_http(class) {
        put("http_request", request(event));
        put("http_response", response(event));
    }
    if has_resources(class) {
        put("resources", resource(event).map_or(Value::Null, |resource| json!([resource])));
    }
    match class {
        ACCOUNT | SESSION | ACCESS | USER => put("user", target(class, event)),
        AUTHENTICATION => {
            put("user", target(class, event));
            let about = event["resource"]["id"].as_str().filter(|_| event["resource"]["type"] == "session");
            put("session", json!({"uid": about.or(event["session"].as_str())}));
            put("service", json!({"name": "tutela"}));
            put("dst_endpoint", json!({"hostname": event["data"]["host"].as_str()}));
            let methods: Vec<&str> = event["data"]["amr"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            if !methods.is_empty() {
                put("is_mfa", json!(methods.len() > 1));
            }
            put("auth_factors", methods.into_iter().map(factor).collect());
        }
        ENTITY => {
            put("entity", entity(event));
            put("comment", event["reason"].clone());
        }
        FINDING => {
            put("finding_info", finding(event));
            // What was only written down tells nobody.
            put("is_alert", json!(event["data"]["mode"] != "shadow"));
            put("evidences", json!([{"data": {"about": event["personal"]["about"], "ledger_positions": event["data"]["evidence"]}}]));
        }
        GROUP => put("group", resource(event).unwrap_or_else(|| json!({"name": family(event)}))),
        ROLE => put("iam_role", json!({"name": event["resource"]["id"].as_str().unwrap_or(family(event))})),
        EVENT_LOG => {
            put("log_name", json!(origin));
            put("log_provider", json!("tutela"));
            put("log_type_id", json!(2));
            put("log_type", json!("Application"));
        }
        // The other classes of this category ask on which device it happened.
        1_000..=1_999 => put("device", json!({"name": "unknown", "type_id": 0, "type": "Unknown"})),
        LIFECYCLE => put("app", app(event)),
        API => put(
            "api",
            json!({
                "operation": event["action"].as_str().or(event["type"].as_str()).unwrap_or("unknown"),
                "request": {"uid": event["request"]["id"]},
                "response": {"code": event["request"]["status"]},
            }),
        ),
        DATASTORE => put("database", store(event)),
        _ => {}
    }
    out
}

/// Who did it.
pub(super) fn actor(event: &Value) -> Value {
    let session = json!({"uid": event["session"]});
    match event["actor"]["type"].as_str() {
        Some("client") => json!({"app_uid": event["actor"]["id"], "session": session}),
        Some("system") => json!({"app_name": "tutela", "app_uid": event["actor"]["id"]}),
        _ => json!({"user": person(event), "session": session}),
    }
}

/// The person who did it; who is not known is called so, since a user must have a name or an id.
fn person(event: &Value) -> Value {
    let actor = &event["actor"];
    match (actor["type"].as_str(), actor["id"].as_str()) {
        (Some("account"), Some(id)) => json!({"uid": id, "type_id": 1, "type": "User"}),
        (Some("external"), Some(id)) => json!({"uid": id, "domain": actor["namespace"], "type_id": 1, "type": "User"}),
        (Some("operator"), Some(id)) => json!({"uid": id, "type_id": super::OTHER, "type": "operator"}),
        (Some("anonymous"), _) => json!({"name": "anonymous", "type_id": super::OTHER, "type": "anonymous"}),
        _ => json!({"name": unknown(event, "actor.id"), "domain": actor["namespace"], "type_id": 0, "type": "Unknown"}),
    }
}

/// Whom it was done to: the account or address in the event. Who signs in or out does it to themselves.
fn target(class: u32, event: &Value) -> Value {
    let account = event["resource"]["id"].as_str().filter(|_| event["resource"]["type"] == "account");
    let uid = account.or(event["data"]["account"].as_str());
    let address = event["personal"]["email"].as_str();
    match (uid, address) {
        (None, None) if matches!(class, AUTHENTICATION | SESSION) && !matches!(event["actor"]["type"].as_str(), Some("client" | "system")) => person(event),
        (None, None) => json!({"name": unknown(event, "personal"), "type_id": 0, "type": "Unknown"}),
        // A person's name for us is their address; what somebody typed at a sign-in may be none.
        (uid, address) => json!({"uid": uid, "name": address, "email_addr": address.filter(|text| is_address(text)), "type_id": 1, "type": "User"}),
    }
}

/// The word for what is not there, because nobody knew it or because it was erased.
fn unknown(event: &Value, member: &str) -> &'static str {
    let erased = event["erased"].as_array().is_some_and(|members| members.iter().any(|name| name == member));
    if erased { "erased" } else { "unknown" }
}

/// Where it came from.
fn endpoint(event: &Value) -> Value {
    match (event["source"]["ip"].as_str(), event["actor"]["type"].as_str()) {
        (Some(ip), _) => json!({"ip": ip}),
        (None, Some("system")) => json!({"svc_name": "tutela"}),
        // Operators have a shell on the host itself.
        (None, Some("operator")) => json!({"hostname": "localhost"}),
        (None, _) => json!({"name": unknown(event, "source")}),
    }
}

fn request(event: &Value) -> Value {
    let request = &event["request"];
    let method = METHODS.iter().find(|(method, _)| request["method"] == *method).map(|(method, _)| *method);
    json!({"uid": request["id"], "http_method": method, "user_agent": event["source"]["user_agent"], "url": {"path": event["personal"]["path"].as_str()}})
}

fn response(event: &Value) -> Value {
    match event["request"]["status"].as_u64() {
        Some(code) => json!({"code": code, "latency": event["data"]["duration_us"].as_u64().map(|micros| micros / 1_000)}),
        None => Value::Null,
    }
}

/// What it was done to, where the event says so.
fn resource(event: &Value) -> Option<Value> {
    let id = event["resource"]["id"].as_str()?;
    Some(event["resource"]["type"].as_str().map_or_else(|| json!({"name": id}), |kind| json!({"uid": id, "type": kind})))
}

fn entity(event: &Value) -> Value {
    match (event["resource"]["type"].as_str(), event["resource"]["id"].as_str()) {
        (Some("field_policy"), Some(id)) => json!({"uid": id, "type_id": 5, "type": "Policy"}),
        (Some(kind), Some(id)) => json!({"uid": id, "name": event["data"]["name"].as_str(), "type_id": super::OTHER, "type": kind}),
        (None, Some(id)) => json!({"name": id, "type_id": 0, "type": "Unknown"}),
        // Some events are about all things of a family, for example all keys.
        (_, None) => json!({"name": family(event), "type_id": super::OTHER, "type": family(event)}),
    }
}

/// What was found, and by which rule.
fn finding(event: &Value) -> Value {
    let rule = event["data"]["rule"].as_str().unwrap_or("unknown");
    let reasons: Vec<&str> = event["personal"]["reasons"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    json!({
        "uid": event["resource"]["id"].as_str().unwrap_or("unknown"),
        "title": event["data"]["title"].as_str(),
        "desc": Some(reasons.join("; ")).filter(|text| !text.is_empty()),
        "types": [rule],
        "related_events_count": event["data"]["count"].as_u64(),
        "analytic": {"type_id": 1, "type": "Rule", "name": rule, "uid": rule},
    })
}

/// The program that started or stopped: tutela, or what an application's event is about.
fn app(event: &Value) -> Value {
    if family(event) == "server" {
        return json!({"name": "tutela", "version": event["data"]["version"].as_str()});
    }
    json!({"name": event["resource"]["id"].as_str().unwrap_or(family(event))})
}

/// Where the data is kept: events name the data, so the store is called what they name.
fn store(event: &Value) -> Value {
    match (event["resource"]["type"].as_str(), event["resource"]["id"].as_str()) {
        (Some(kind), Some(id)) => json!({"uid": id, "type_id": super::OTHER, "type": kind}),
        (_, id) => json!({"name": id.unwrap_or("unknown"), "type_id": 0, "type": "Unknown"}),
    }
}

/// How somebody proved who they are, from a value of RFC 8176.
fn factor(method: &str) -> Value {
    match method {
        "pwd" => json!({"factor_type_id": 11, "factor_type": "Password"}),
        "otp" => json!({"factor_type_id": 7, "factor_type": "OTP"}),
        "sms" => json!({"factor_type_id": 1, "factor_type": "SMS"}),
        other => json!({"factor_type_id": super::OTHER, "factor_type": other}),
    }
}

/// The first part of the type, for example `key` of `key.restored`.
fn family(event: &Value) -> &str {
    event["type"].as_str().and_then(|kind| kind.split('.').next()).unwrap_or("unknown")
}

/// Whether OCSF's type for addresses would take it.
fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let Some((name, rest)) = domain.split_once('.') else { return false };
    let part = |text: &str, more: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c));
    part(local, "!#$%&'*+,-./=?^_`{|}~") && part(name, "-") && part(rest, "-.")
}
