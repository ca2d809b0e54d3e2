//! Fields of records: what opens where.

use serde_json::{Map, Value, json};
use tutela_kms::{DataKey, Error, Mode, Policy, Rule, Suite, index_token, open_record, seal_record};

use crate::attacks::{Repeating, key};

fn canonical(value: &Value) -> Result<Vec<u8>, Error> {
    Ok(value.to_string().into_bytes()) // keys of these values are sorted and their numbers whole
}

fn policy() -> Policy {
    let rule = |path: &str, mode, optional| Rule { path: path.into(), mode, optional, index_bits: 32 };
    let rules = vec![
        rule("ssn", Mode::Random, false),
        rule("address.street", Mode::Random, false),
        rule("mail", Mode::Equality, false),
        rule("country", Mode::Deterministic, false),
        rule("note", Mode::Random, true),
    ];
    Policy::new(rules).unwrap()
}

fn record() -> Map<String, Value> {
    let value = json!({"id": 7, "ssn": 123, "address": {"street": ["a", 1], "city": "Graz"}, "mail": "a@example.com", "country": "AT"});
    value.as_object().unwrap().clone()
}

fn sealed(key: &DataKey, id: &str, record: Map<String, Value>, seed: u8) -> Map<String, Value> {
    seal_record(key, Suite::Aes256Gcm, &policy(), id, record, &canonical, &mut Repeating(seed)).unwrap()
}

fn opened(key: &DataKey, id: &str, record: &Map<String, Value>) -> Result<Map<String, Value>, Error> {
    open_record(key, &policy(), id, record.clone())
}

#[test]
fn a_record_comes_back_as_it_was_and_the_rest_is_untouched() {
    let shut = sealed(&key(2), "7", record(), 1);
    assert_eq!((&shut["id"], &shut["address"]["city"], &shut["key_id"]), (&json!(7), &json!("Graz"), &json!(key(2).id.to_string())));
    let text = Value::Object(shut.clone()).to_string();
    for secret in ["123", "a@example.com", "\"AT\""] {
        assert!(!text.contains(secret), "{secret}");
    }
    assert_eq!(opened(&key(2), "7", &shut).unwrap(), record());
    let mut with_note = record();
    with_note.insert("note".into(), Value::Null);
    assert_eq!(opened(&key(2), "7", &sealed(&key(2), "7", with_note.clone(), 1)).unwrap(), with_note);
}

#[test]
fn a_swapped_row_field_or_version_is_refused() {
    let (mine, theirs) = (sealed(&key(2), "7", record(), 1), sealed(&key(2), "8", record(), 2));
    let newer = sealed(&key(2), "7", record(), 3);
    let swap = |path: &str, from: &Map<String, Value>| {
        let mut changed = mine.clone();
        changed.insert(path.into(), from[path].clone());
        changed
    };
    let mut cases = vec![theirs.clone(), swap("ssn", &theirs), swap("ssn", &newer), swap("$tutela", &theirs), swap("$tutela", &newer), swap("address", &newer)];
    let mut fields = mine.clone();
    fields.insert("ssn".into(), mine["mail"].clone());
    fields.insert("mail".into(), mine["ssn"].clone());
    cases.push(fields);
    let elsewhere = sealed(
        &key(2),
        "7",
        {
            let mut r = record();
            r.insert("country".into(), json!("DE"));
            r
        },
        4,
    );
    cases.push(swap("country", &elsewhere));
    cases.push(swap(
        "mail_index",
        &sealed(
            &key(2),
            "7",
            {
                let mut r = record();
                r.insert("mail".into(), json!("b@example.com"));
                r
            },
            5,
        ),
    ));
    let mut gone = mine.clone();
    gone.remove("ssn");
    cases.push(gone);
    let mut clear = mine.clone();
    clear.insert("note".into(), json!("planted"));
    cases.push(clear);
    for (i, case) in cases.iter().enumerate() {
        assert!(opened(&key(2), "7", case).is_err(), "case {i}");
    }
    assert!(opened(&key(1), "7", &mine).is_err(), "another version of the key");
    assert!(opened(&key(2), "07", &mine).is_err());
    assert!(opened(&key(2), "7", &mine).is_ok());
}

#[test]
fn no_two_writes_share_a_salt_even_where_chance_repeats_for_another_record() {
    let header = |shut: &Map<String, Value>| shut["$tutela"].as_str().unwrap().to_owned();
    assert_ne!(header(&sealed(&key(2), "7", record(), 1)), header(&sealed(&key(2), "7", record(), 2)));
    assert_ne!(header(&sealed(&key(2), "7", record(), 1))[40..], header(&sealed(&key(2), "8", record(), 1))[40..]);
    let mut other = record();
    other.insert("ssn".into(), json!(124));
    assert_ne!(header(&sealed(&key(2), "7", record(), 1)), header(&sealed(&key(2), "7", other, 1)), "a cloned machine writes other content");
}

#[test]
fn equal_values_are_found_by_their_tokens_and_only_in_their_own_field() {
    let shut = sealed(&key(2), "7", record(), 1);
    let token = |path: &str, value: Value| index_token(&key(2), policy().rule(path).unwrap(), &value, &canonical, &mut Repeating(9));
    assert_eq!(json!(token("mail", json!("a@example.com")).unwrap()), shut["mail_index"]);
    assert_eq!(json!(token("country", json!("AT")).unwrap()), shut["country"]);
    assert_ne!(json!(token("mail", json!("b@example.com")).unwrap()), shut["mail_index"]);
    assert!(token("ssn", json!(123)).is_err());
    assert_eq!(shut["mail_index"].as_str().unwrap().len(), 8, "32 bits");
}

#[test]
fn policies_that_cannot_hold_are_refused_with_the_path() {
    let rule = |path: &str| Rule { path: path.into(), mode: Mode::Equality, optional: false, index_bits: 32 };
    for (rules, at) in [
        (vec![], "fields"),
        (vec![rule("")], ""),
        (vec![rule("a..b")], "a..b"),
        (vec![rule("key_id")], "key_id"),
        (vec![rule("a"), rule("a")], "a"),
        (vec![rule("a"), rule("a.b")], "a.b"),
        (vec![rule("a.b"), rule("a")], "a"),
        (vec![rule("a"), rule("a_index")], "a_index"),
        (vec![Rule { index_bits: 4, ..rule("a") }], "a"),
    ] {
        assert!(matches!(Policy::new(rules), Err(Error::Field { path, .. }) if path == at), "{at}");
    }
    let missing = seal_record(&key(1), Suite::Aes256Gcm, &policy(), "7", Map::new(), &canonical, &mut Repeating(1));
    assert!(matches!(missing, Err(Error::Field { path, .. }) if path == "ssn"));
    let taken = seal_record(
        &key(1),
        Suite::Aes256Gcm,
        &policy(),
        "7",
        {
            let mut r = record();
            r.insert("mail_index".into(), json!(1));
            r
        },
        &canonical,
        &mut Repeating(1),
    );
    assert!(matches!(taken, Err(Error::Field { path, .. }) if path == "mail_index"));
}
