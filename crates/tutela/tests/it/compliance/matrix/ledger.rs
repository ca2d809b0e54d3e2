//! The ledger, and looking at everything.

use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Fault, FaultProxy, SearchServer};

use super::{ALL, Seen, execute, send, store::MAP};
use crate::server::{Instance, storages, until};

#[tokio::test]
async fn looking_at_everything() {
    for storage in storages().await {
        let seen = Seen::default();
        let folder = tempfile::tempdir().unwrap();
        let (file, map) = (folder.path().join("shop.db"), folder.path().join("map.yml"));
        std::fs::write(&map, MAP).unwrap();
        let run = |sql: &str| rusqlite::Connection::open(&file).unwrap().execute_batch(sql).unwrap();
        // Numbers of Fides' sample are no card numbers, and neither is what only looks like one.
        run(
            "CREATE TABLE person (id INTEGER PRIMARY KEY, mail TEXT, made TEXT NOT NULL, ccn TEXT); INSERT INTO person VALUES (1, 'p1@example.com', datetime('now'), '373719391'), (2, 'order 4111111111111112', datetime('now'), '4111')",
        );
        let stores = format!(
            "[privacy.stores.shop]\nkind = \"sqlite\"\npath = \"{}\"\nmap = \"{}\"\n[compliance.data_retention]\nuser_data = 365\n",
            file.display(),
            map.display()
        );
        let instance = Instance::start(&storage, &format!("{ALL}{stores}")).await;
        let scan = async || send(&instance, Method::POST, "/v1/compliance/scans", Value::Null).await;
        let found = scan().await;
        assert_eq!((&found["looked"], &found["card_numbers"]), (&json!(2), &json!({})), "{found}");
        for name in ["ledger-verifies", "no-clear-card-numbers", "finds-open-incidents"] {
            seen.is(&instance, name, "pass").await;
        }
        // In a column that nobody mapped.
        run("UPDATE person SET ccn = '4111 1111 1111 1111' WHERE id = 2");
        assert_eq!(scan().await["card_numbers"], json!({"shop.person.ccn": 1}));
        seen.is(&instance, "no-clear-card-numbers", "fail").await;
        until("the incident", async || {
            let live = send(&instance, Method::GET, "/v1/incidents?state=live", Value::Null).await;
            live.to_string().contains("Card numbers lie in the clear")
        })
        .await;
        seen.is(&instance, "finds-open-incidents", "pass").await;
        let events = send(&instance, Method::GET, "/v1/events?q=type:compliance.card_numbers_found", Value::Null).await;
        assert!(events["items"].as_array().unwrap().len() == 1 && !events.to_string().contains("4111"), "{events}");
        // Nobody works on it for eight days.
        seen.is(&instance, "incidents-worked", "pass").await;
        execute(&instance, &storage, "UPDATE incident SET updated_at = updated_at - DAYS(8)").await;
        seen.is(&instance, "incidents-worked", "fail").await;
        let live = send(&instance, Method::GET, "/v1/incidents?state=live", Value::Null).await;
        for incident in live.as_array().unwrap() {
            let path = format!("/v1/incidents/{}/state", incident["id"].as_str().unwrap());
            send(&instance, Method::POST, &path, json!({"state": "acknowledged", "reason": "it is looked into"})).await;
        }
        seen.is(&instance, "incidents-worked", "pass").await;
        run("UPDATE person SET ccn = NULL");
        assert_eq!(scan().await["card_numbers"], json!({}));
        seen.is(&instance, "no-clear-card-numbers", "pass").await;
        // A store that does not answer passes nothing.
        std::fs::rename(&file, folder.path().join("away.db")).unwrap();
        assert_eq!(scan().await["unlooked"].as_array().unwrap().len(), 1);
        seen.is(&instance, "no-clear-card-numbers", "no_data").await;
        std::fs::rename(folder.path().join("away.db"), &file).unwrap();
        // What would hurt if it were sent.
        seen.is(&instance, "secrets-withheld", "no_data").await;
        // In the ledger: an application wrote it where no rule withholds it.
        let declared = json!({"sentence": "Somebody paid.", "severity": 1, "fields": [{"name": "with", "example": "cash"}]});
        send(&instance, Method::PUT, "/v1/event-types/shop.paid", declared).await;
        send(&instance, Method::POST, "/v1/events", json!({"type": "shop.paid", "metadata": {"with": "4012888888881881"}})).await;
        let found = scan().await;
        assert_eq!(found["card_numbers"], json!({"ledger": 1}), "{found}");
        // A byte of the ledger changes: what is judged by it has no data.
        send(&instance, Method::POST, "/v1/events", json!({"type": "data_access", "subject": {"namespace": "shop", "value": "1"}})).await;
        seen.is(&instance, "seven-kinds-recorded", "no_data").await;
        let change = if storage == "sqlite" { "CAST(CAST(body AS TEXT) || ' ' AS BLOB)" } else { "body || '\\x20'::bytea" };
        execute(&instance, &storage, &format!("UPDATE log SET body = {change} WHERE seq = 3")).await;
        assert!(!scan().await["flaw"].is_null());
        seen.is(&instance, "ledger-verifies", "fail").await;
        seen.are(&instance, &["rules-watch", "restore-rehearsed"], "no_data").await;
        seen.matches("ledger");
    }
}

#[tokio::test]
async fn a_restore_is_rehearsed() {
    for storage in storages().await {
        let seen = Seen::default();
        let instance = Instance::start(&storage, ALL).await;
        seen.is(&instance, "restore-rehearsed", "no_data").await;
        let [file, broken] = ["whole.backup", "broken.backup"].map(|name| instance.dir.path().join(name));
        assert!(instance.cli(&["backup", "--to", file.to_str().unwrap()]).await.status.success());
        let mut bytes = std::fs::read(&file).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&broken, bytes).unwrap();
        for (file, outcome) in [(&file, "pass"), (&broken, "fail"), (&file, "pass")] {
            assert_eq!(instance.cli(&["backup", "drill", file.to_str().unwrap()]).await.status.success(), outcome == "pass");
            seen.is(&instance, "restore-rehearsed", outcome).await;
        }
        seen.matches("rehearsal");
    }
}

#[tokio::test]
async fn all_seven_kinds_are_recorded() {
    for storage in storages().await {
        let seen = Seen::default();
        let instance = Instance::start(&storage, ALL).await;
        seen.is(&instance, "seven-kinds-recorded", "no_data").await;
        // It has run for forty days, and nobody has touched card data or read the ledger.
        execute(&instance, &storage, "UPDATE event_hour SET hour = hour - 960").await;
        seen.is(&instance, "seven-kinds-recorded", "fail").await;
        let ada = instance.account("ada@example.com", &[]).await;
        send(&instance, Method::PUT, &format!("/v1/accounts/{ada}/roles"), json!({"roles": ["admin"]})).await;
        send(&instance, Method::POST, "/v1/events", json!({"type": "data_access", "subject": ada})).await;
        instance.browser().sign_in_at(&format!("{}/account", instance.own()), "nobody@example.com").await;
        seen.is(&instance, "seven-kinds-recorded", "fail").await;
        assert!(instance.cli(&["audit", "export"]).await.status.success());
        seen.is(&instance, "seven-kinds-recorded", "pass").await;
        seen.matches("kinds");
    }
}

#[tokio::test]
async fn a_copy_is_elsewhere() {
    let Some(server) = SearchServer::opensearch() else { return testkit::skip("OpenSearch is not installed") };
    let proxy = FaultProxy::start(&server).await;
    let seen = Seen::default();
    let instance = Instance::start("sqlite", ALL).await;
    seen.is(&instance, "ledger-copied", "fail").await;
    instance.stop("-INT").await;
    let section = format!("[audit]\nstorage = \"opensearch\"\n[audit.cluster]\nurl = \"{}\"\nindex = \"tutela-copied\"\n", proxy.url);
    instance.rewrite(|text| format!("{text}{section}"));
    instance.run().await;
    let stands = async |state: &str| {
        until(state, async || send(&instance, Method::GET, "/v1/sinks", Value::Null).await["items"][0]["state"] == state).await;
    };
    stands("following").await;
    seen.is(&instance, "ledger-copied", "pass").await;
    proxy.set(Fault::Unavailable);
    send(&instance, Method::POST, "/v1/events", json!({"type": "photo.viewed"})).await;
    stands("waiting").await;
    seen.is(&instance, "ledger-copied", "fail").await;
    seen.matches("copy");
}
