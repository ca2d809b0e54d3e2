//! Messages and records that the second implementation made (`sdk/python/tests/tutela_message.py`,
//! which shares no code with this one), and those that both must refuse.

use serde_json::{Map, Value};
use tutela_core::KeyId;
use tutela_kms::{Binding, CallerContext, DataKey, Message, Mode, Policy, Rule, index_token, open, open_record};

use crate::attacks::Repeating;

fn vectors() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../sdk/python/tests/data/messages.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn bytes(hex: &Value) -> Vec<u8> {
    let hex = hex.as_str().unwrap();
    (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect()
}

fn data_key(case: &Value, id: KeyId, version: u32) -> DataKey {
    DataKey::from_bytes(id, version, bytes(&case["data_key"]).try_into().unwrap())
}

fn caller(context: &Value) -> Result<CallerContext, tutela_kms::Error> {
    match context {
        Value::Null => Ok(CallerContext::None),
        Value::String(text) => CallerContext::text(text.clone()),
        Value::Object(map) => CallerContext::pairs(map.iter().map(|(n, v)| (n.clone(), v.as_str().unwrap().to_owned())).collect()),
        other => unreachable!("{other}"),
    }
}

/// The plaintext of a case, written out or by its pattern.
fn plaintext(case: &Value) -> Vec<u8> {
    match case["pattern"].as_u64() {
        None => bytes(&case["plaintext"]),
        Some(len) => (0..len).map(|i| ((7 * i + 13 * (i / 256) + 101 * (i / 16_384)) % 256) as u8).collect(),
    }
}

fn try_open(case: &Value, message: &Message) -> Result<Vec<u8>, tutela_kms::Error> {
    let header = message.header();
    let key = data_key(case, header.key, header.version);
    let context = caller(&case["context"])?;
    let record: Option<[u8; 16]> = case["record"].as_str().and_then(|_| bytes(&case["record"]).try_into().ok());
    let paths: Vec<String> = case["fields"].as_array().into_iter().flatten().map(|f| f[0].as_str().unwrap().to_owned()).collect();
    let members: Vec<&str> = paths.iter().map(String::as_str).collect();
    let binding = match case["purpose"].as_str().unwrap_or("message") {
        "message" => Binding::Message(&context),
        "event" => Binding::Event { id: record.as_ref().unwrap(), members: &members },
        "field" => Binding::Field { path: members[0] },
        "wrap" => Binding::Wrap { key: KeyId(uuid::Uuid::from_bytes(record.unwrap())), version: case["wrapped_version"].as_u64().unwrap_or(0) as u32 },
        other => unreachable!("{other}"),
    };
    open(&key, &binding, message)
}

#[test]
fn messages_of_the_second_implementation_open_and_its_broken_ones_do_not() {
    let vectors = vectors();
    let cases = vectors["messages"].as_array().unwrap();
    let whole = |name: &str| {
        let case = cases.iter().find(|c| c["name"] == name).unwrap();
        Message::from_text(case["text"].as_str().unwrap()).unwrap().as_bytes().to_vec()
    };
    let (mut opened, mut refused) = (0, 0);
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let message = if let Some(text) = case["text"].as_str() {
            Message::from_text(text)
        } else if let (Some(of), true) = (case["of"].as_str(), cases.iter().any(|c| c["name"] == case["of"] && c["text"].is_string())) {
            let of = whole(of);
            let at = |n: &Value| n.as_u64().map_or(of.len(), |n| n as usize).min(of.len());
            Message::from_bytes(case["slices"].as_array().unwrap().iter().flat_map(|s| of[at(&s[0])..at(&s[1])].to_vec()).collect())
        } else {
            continue; // the form by parts and long ones: tested over the API, and by their chunks
        };
        let result = message.and_then(|message| try_open(case, &message));
        if case["opens"] == true {
            assert_eq!(result.unwrap_or_else(|e| panic!("{name}: {e}")), plaintext(case), "{name}");
            opened += 1;
        } else {
            assert!(result.is_err(), "{name} opened");
            refused += 1;
        }
    }
    assert!(opened >= 20 && refused >= 25, "{opened} opened, {refused} refused");
}

fn policy(case: &Value) -> Result<Policy, tutela_kms::Error> {
    let rule = |f: &Value| Rule {
        path: f["path"].as_str().unwrap().into(),
        mode: match f["mode"].as_str().unwrap_or("random") {
            "deterministic" => Mode::Deterministic,
            "equality" => Mode::Equality,
            _ => Mode::Random,
        },
        optional: f["optional"] == true,
        index_bits: f["index_bits"].as_u64().unwrap_or(32) as u8,
    };
    Policy::new(case["fields"].as_array().unwrap().iter().map(rule).collect())
}

#[test]
fn records_of_the_second_implementation_open_and_its_broken_ones_do_not() {
    let (mut opened, mut refused) = (0, 0);
    for case in vectors()["records"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let sealed: Map<String, Value> = case["sealed"].as_object().unwrap().clone();
        let result = tutela_kms::record_header(&sealed)
            .and_then(|header| open_record(&data_key(case, header.key, header.version), &policy(case)?, case["record_id"].as_str().unwrap(), sealed));
        if case["opens"] == true {
            assert_eq!(Value::Object(result.unwrap_or_else(|e| panic!("{name}: {e}"))), case["record"], "{name}");
            opened += 1;
        } else {
            assert!(result.is_err(), "{name} opened");
            refused += 1;
        }
    }
    assert!(opened >= 5 && refused >= 15, "{opened} opened, {refused} refused");
}

#[test]
fn context_keys_and_indexes_are_those_of_the_second_implementation() {
    let vectors = vectors();
    for case in vectors["context_keys"].as_array().unwrap() {
        let key = data_key(case, KeyId(uuid::Uuid::nil()), 1);
        assert_eq!(key.context_key(&caller(&case["context"]).unwrap()).open()[..], bytes(&case["key"]), "{}", case["name"]);
    }
    // RFC 8785 is the ledger's part and tested there; of whole values the plain text is canonical.
    for case in vectors["indexes"].as_array().unwrap().iter().filter(|case| !case["value"].is_f64() && !case["value"].is_object()) {
        let rule = Rule {
            path: case["path"].as_str().unwrap().into(),
            mode: Mode::Equality,
            optional: false,
            index_bits: case["index_bits"].as_u64().unwrap_or(32) as u8,
        };
        let canonical = |value: &Value| Ok(value.to_string().into_bytes());
        let token = index_token(&data_key(case, KeyId(uuid::Uuid::nil()), 1), &rule, &case["value"], &canonical, &mut Repeating(1)).unwrap();
        assert_eq!(token, case["index"].as_str().unwrap(), "{}", case["name"]);
    }
}
