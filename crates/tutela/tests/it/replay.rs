//! What comes back from a backup without those who were erased since.

use std::fs;

use reqwest::Method;
use serde_json::{Value, json};
use tutela_core::Env as _;

use crate::{
    backup::new_host,
    server::{Instance, storages, until},
    subject_request::{ask, customer, shops},
};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test]
async fn a_store_that_is_put_back_loses_those_again_who_were_erased_since_its_backup() {
    for (shop, storage) in shops().await {
        let instance = Instance::start(&storage, &shop.settings()).await;
        assert_eq!(ask(&instance, "erasure", customer(3)).await["status"], "completed");
        let taken_at = tutela_core::SystemEnv.now().to_string();
        for id in [1, 2] {
            assert_eq!(ask(&instance, "erasure", customer(id)).await["status"], "completed");
        }
        // Whoever came after the erasure and before the backup is there by their own will: customer 3 here.
        shop.fill().await.unwrap();
        let there = || async { shop.number("SELECT count(*) FROM Customer WHERE CustomerId IN (1, 2)").await };
        assert_eq!(there().await, 2);
        let replay = async |more: &[&str]| {
            let args = [&["--output", "json", "privacy", "replay", "--store", "chinook", "--taken-at", &taken_at], more].concat();
            let out = instance.cli(&args).await;
            assert!(out.status.success(), "{}", text(&out.stderr));
            serde_json::from_slice::<Value>(&out.stdout).unwrap()
        };
        let looked = replay(&["--dry-run"]).await;
        assert_eq!((&looked["people"], &looked["requests"], there().await), (&json!(2), &json!([]), 2), "{looked}");
        let done = replay(&[]).await;
        let requests = done["requests"].as_array().unwrap();
        assert_eq!(requests.len(), 2, "{done}");
        for id in requests {
            let path = format!("/v1/subject-requests/{}", id.as_str().unwrap());
            // A name may be somebody else's by now: somebody looks first.
            until("the plan", async || instance.operator(Method::GET, &path, Value::Null).await.1["status"] == "waiting").await;
            let (status, answer) = instance.operator(Method::POST, &format!("{path}/approve"), Value::Null).await;
            assert_eq!(status, 200, "{answer}");
            until("the erasure", async || instance.operator(Method::GET, &path, Value::Null).await.1["status"] == "completed").await;
        }
        let left = shop.number("SELECT count(*) FROM Customer").await;
        assert_eq!((there().await, left), (0, 57), "{storage}");
        assert_eq!(replay(&["--dry-run"]).await["people"], 0);
        let out = instance.cli(&["privacy", "replay", "--store", "nowhere", "--taken-at", &taken_at]).await;
        assert!(text(&out.stderr).contains("privacy.stores.nowhere"), "{}", text(&out.stderr));
        let out = instance.cli(&["privacy", "replay", "--store", "chinook", "--taken-at", "2199-01-01T00:00:00Z"]).await;
        assert!(text(&out.stderr).contains("later than now"), "{}", text(&out.stderr));
    }
}

#[tokio::test]
async fn an_account_that_was_erased_after_a_backup_is_erased_before_the_port_opens() {
    for storage in storages().await {
        let instance = Instance::start(&storage, "").await;
        let ada = instance.account("ada@example.com", &["admin"]).await;
        let fay = instance.account("fay@example.com", &[]).await;
        let file = instance.dir.path().join("whole.backup");
        assert!(instance.cli(&["backup", "--to", file.to_str().unwrap()]).await.status.success());
        let erased = ask(&instance, "erasure", json!(fay)).await;
        assert_eq!(erased["status"], "completed", "{erased}");
        let journal = instance.data().join("backups/erasures.log");
        assert!(!text(&fs::read(&journal).unwrap()).contains("fay@"), "names stand there as hashes");
        instance.stop("-INT").await;

        let restored = new_host(&instance, "sqlite");
        let out = restored.cli(&["restore", file.to_str().unwrap(), "--erasures", journal.to_str().unwrap()]).await;
        assert!(out.status.success(), "{}{}", text(&out.stdout), text(&out.stderr));
        // The key of what was sealed for them, and the account.
        assert!(text(&out.stdout).contains("2 erasures were carried out again"), "{}", text(&out.stdout));
        restored.run().await;
        for (account, status) in [(&ada, 200), (&fay, 404)] {
            let (found, answer) = restored.operator(Method::GET, &format!("/v1/accounts/{account}"), Value::Null).await;
            assert_eq!(found, status, "{account}: {answer}");
        }
        let events = restored.cli(&["--output", "json", "audit", "search", "type:account.deleted"]).await;
        assert_eq!(text(&events.stdout).lines().count(), 1, "{}", text(&events.stdout));
    }
}
