//! The operator's stores, and what people ask for of them.

use reqwest::Method;
use serde_json::{Value, json};

use super::{ALL, Seen, execute, send};
use crate::{
    privacy::{purpose, set},
    server::Instance,
    subject_request::ask,
};

pub(super) const MAP: &str = "dataset:
  - fides_key: shop
    collections:
      - name: person
        tutela_meta: {retention: {class: user_data, anchor: made}}
        fields:
          - {name: id, data_categories: [user.unique_id], fides_meta: {primary_key: true, identity: shop}}
          - {name: mail, data_categories: [user.contact.email]}
          - {name: made, data_categories: [system.operations]}
";

#[tokio::test]
async fn stores_and_requests() {
    let folder = tempfile::tempdir().unwrap();
    let (file, map) = (folder.path().join("shop.db"), folder.path().join("map.yml"));
    std::fs::write(&map, MAP).unwrap();
    let run = |sql: &str| rusqlite::Connection::open(&file).unwrap().execute_batch(sql).unwrap();
    run(
        "CREATE TABLE person (id INTEGER PRIMARY KEY, mail TEXT, made TEXT NOT NULL); INSERT INTO person VALUES (1, 'p1@example.com', datetime('now')), (2, 'p2@example.com', datetime('now')), (3, 'p3@example.com', datetime('now'))",
    );
    let settings = format!(
        "{ALL}data_retention = {{user_data = 365}}\n[privacy]\ncontact = \"privacy@example.com\"\n[privacy.stores.shop]\nkind = \"sqlite\"\npath = \"{}\"\nmap = \"{}\"\n",
        file.display(),
        map.display()
    );
    let seen = Seen::default();
    let instance = Instance::start("sqlite", &settings).await;
    let person = |id: u32| json!({"namespace": "shop", "value": id.to_string()});
    // The record of processing: what is held and used by no purpose is a gap.
    seen.is(&instance, "record-complete", "no_data").await;
    let service = |categories: Value| purpose("essential.service", "contract", json!({"retention_days": 30, "categories": categories}));
    set(&instance, service(json!(["user.unique_id"]))).await;
    seen.is(&instance, "record-complete", "fail").await;
    let out = instance.cli(&["privacy", "record"]).await;
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(text.contains("shop.person: it holds user.contact.email, and no purpose uses them") && text.contains("- held in: shop.person"), "{text}");
    set(&instance, service(json!(["user.unique_id", "user.contact"]))).await;
    seen.is(&instance, "record-complete", "pass").await;
    // What a purpose does not need is left out, and what nobody mapped.
    set(&instance, purpose("personalize", "consent", json!({"retention_days": 1, "categories": ["user.unique_id"]}))).await;
    let records = json!([{"id": 1, "mail": "p1@example.com", "made": "2026-01-01", "nickname": "p"}]);
    let asked = |of: &str| json!({"purposes": [of], "collection": "shop.person", "records": records});
    let few = send(&instance, Method::POST, "/v1/privacy/projections", asked("personalize")).await;
    assert_eq!(few, json!({"records": [{"id": 1, "made": "2026-01-01"}], "left_out": ["mail", "nickname"]}));
    let more = send(&instance, Method::POST, "/v1/privacy/projections", asked("essential.service")).await;
    assert_eq!(more, json!({"records": [{"id": 1, "mail": "p1@example.com", "made": "2026-01-01"}], "left_out": ["nickname"]}));
    // A column that nobody mapped, and one that may never be kept.
    seen.is(&instance, "maps-complete", "pass").await;
    run("ALTER TABLE person ADD COLUMN nickname TEXT");
    seen.is(&instance, "maps-complete", "fail").await;
    run("ALTER TABLE person DROP COLUMN nickname");
    for name in ["maps-complete", "no-card-codes", "nothing-overdue"] {
        seen.is(&instance, name, "pass").await;
    }
    // A row over its time.
    run("INSERT INTO person VALUES (20, 'old@example.com', '2020-01-01 00:00:00')");
    seen.is(&instance, "nothing-overdue", "fail").await;
    let applied = instance.cli(&["privacy", "retention", "--apply"]).await;
    assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
    seen.is(&instance, "nothing-overdue", "pass").await;
    // Requests: none, one that is done, one that something speaks against, refused then.
    seen.is(&instance, "erasures-complete", "no_data").await;
    assert_eq!(ask(&instance, "erasure", person(1)).await["status"], "completed");
    for name in ["erasures-complete", "gdpr-requests-in-time"] {
        seen.is(&instance, name, "pass").await;
    }
    // One that should have been answered long ago.
    let due = async |day: &str| execute(&instance, "sqlite", &format!("UPDATE subject_request SET due_on = '{day}'")).await;
    due("2020-01-01").await;
    seen.is(&instance, "gdpr-requests-in-time", "fail").await;
    due("2099-01-01").await;
    seen.is(&instance, "gdpr-requests-in-time", "pass").await;
    run("CREATE TABLE loyalty (id INTEGER PRIMARY KEY, person INTEGER NOT NULL REFERENCES person (id)); INSERT INTO loyalty VALUES (1, 2)");
    let stopped = ask(&instance, "erasure", person(2)).await;
    assert_eq!(stopped["status"], "stopped", "{stopped}");
    seen.is(&instance, "erasures-complete", "fail").await;
    let path = format!("/v1/subject-requests/{}/refuse", stopped["id"].as_str().unwrap());
    send(&instance, Method::POST, &path, json!({"reason": "they are asked for the card first"})).await;
    seen.are(&instance, &["erasures-complete", "gdpr-refusals-reasoned"], "pass").await;
    seen.is(&instance, "ccpa-requests-in-time", "no_data").await;
    let deletion = json!({"law": "ccpa", "type": "delete", "subject": person(2)});
    let stopped = send(&instance, Method::POST, "/v1/subject-requests?wait=60", deletion).await;
    let path = format!("/v1/subject-requests/{}/refuse", stopped["id"].as_str().unwrap());
    send(&instance, Method::POST, &path, json!({"reason": "they are asked for the card first"})).await;
    seen.are(&instance, &["ccpa-requests-in-time", "ccpa-refusals-reasoned"], "pass").await;
    due("2020-01-01").await;
    seen.is(&instance, "ccpa-requests-in-time", "fail").await;
    due("2099-01-01").await;
    seen.is(&instance, "ccpa-requests-in-time", "pass").await;
    // The reasons are gone, and come back.
    let reason = async |from: &str, to: &str| {
        execute(&instance, "sqlite", &format!("UPDATE subject_request SET progress = replace(progress, '\"{from}', '\"{to}')")).await;
    };
    reason("they are asked for the card first", " ").await;
    seen.are(&instance, &["ccpa-refusals-reasoned", "gdpr-refusals-reasoned"], "fail").await;
    reason(" ", "they are asked for the card first").await;
    seen.are(&instance, &["ccpa-refusals-reasoned", "gdpr-refusals-reasoned"], "pass").await;
    // A hold without an end.
    let mut hold = json!({"subject": person(3), "place": "*", "article": "Art. 17(3)(e)", "reason": "a case", "owner": "legal"});
    let held = send(&instance, Method::POST, "/v1/privacy/holds", hold.clone()).await;
    seen.is(&instance, "holds-complete", "fail").await;
    send(&instance, Method::DELETE, &format!("/v1/privacy/holds/{}?reason=over", held["id"].as_str().unwrap()), Value::Null).await;
    hold["until"] = json!("2036-12-31");
    send(&instance, Method::POST, "/v1/privacy/holds", hold).await;
    seen.is(&instance, "holds-complete", "pass").await;
    // A store that does not answer gives no data, and passes nothing.
    std::fs::rename(&file, folder.path().join("away.db")).unwrap();
    seen.are(&instance, &["maps-complete", "no-card-codes", "nothing-overdue"], "no_data").await;
    seen.matches("store");
}

#[tokio::test]
async fn what_would_hurt_is_withheld_or_named() {
    let folder = tempfile::tempdir().unwrap();
    let (file, map) = (folder.path().join("shop.db"), folder.path().join("map.yml"));
    let db = rusqlite::Connection::open(&file).unwrap();
    db.execute_batch("CREATE TABLE person (id INTEGER PRIMARY KEY, mail TEXT, made TEXT NOT NULL, ssn TEXT, cvv TEXT)").unwrap();
    let mapped = |field: &str| std::fs::write(&map, format!("{MAP}          - {{name: ssn, {field}}}\n")).unwrap();
    mapped("data_categories: [user.contact]");
    let stores = format!("[privacy.stores.shop]\nkind = \"sqlite\"\npath = \"{}\"\nmap = \"{}\"\n", file.display(), map.display());
    let seen = Seen::default();
    let instance = Instance::start("sqlite", &format!("{ALL}data_retention = {{user_data = 365}}\n{stores}")).await;
    seen.is(&instance, "secrets-withheld", "fail").await;
    for field in ["data_categories: [user.government_id]", "data_categories: [user.contact], tutela_meta: {withhold: true}"] {
        instance.stop("-INT").await;
        mapped(field);
        instance.run().await;
        seen.is(&instance, "secrets-withheld", "pass").await;
    }
    seen.is(&instance, "no-card-codes", "pass").await;
    instance.stop("-INT").await;
    std::fs::write(&map, format!("{MAP}          - {{name: cvv, data_categories: [user.financial]}}\n")).unwrap();
    instance.run().await;
    seen.is(&instance, "no-card-codes", "fail").await;
    instance.stop("-INT").await;
    db.execute_batch("ALTER TABLE person DROP COLUMN cvv").unwrap();
    mapped("data_categories: [user.government_id]");
    instance.run().await;
    seen.is(&instance, "no-card-codes", "pass").await;
    seen.matches("secret");
}

#[tokio::test]
async fn a_store_that_hangs_gives_no_data_and_nobody_waits_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let map = folder.path().join("map.yml");
    std::fs::write(&map, MAP).unwrap();
    // It takes every connection, and never says a word.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://nobody@{}/shop", silent.local_addr().unwrap());
    let stores = format!("[privacy.stores.shop]\nkind = \"postgresql\"\nurl = \"{url}\"\nmap = \"{}\"\n", map.display());
    let instance = Instance::start("sqlite", &format!("{ALL}data_retention = {{user_data = 365}}\n{stores}")).await;
    let seen = Seen::default();
    let begun = std::time::Instant::now();
    seen.are(&instance, &["maps-complete", "no-card-codes", "nothing-overdue"], "no_data").await;
    assert!(begun.elapsed().as_secs() < 30, "{:?}", begun.elapsed());
    let looked = send(&instance, Method::POST, "/v1/compliance/scans", Value::Null).await;
    assert_eq!(looked["unlooked"], json!(["shop: it does not answer"]));
    seen.is(&instance, "no-clear-card-numbers", "no_data").await;
    // What asks no store is judged all the same.
    seen.is(&instance, "access-on", "pass").await;
    drop(silent);
}
