use std::{path::Path, process::Stdio, time::Duration};

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::server::{Instance, answer, storages, until};

/// Calls the app-facing API with a key.
async fn call(instance: &Instance, key: &str, method: Method, path: &str, body: &Value) -> (u16, Value) {
    let url = format!("{}{path}", instance.own());
    let request = instance.browser().request(method, &url).bearer_auth(key);
    answer(if body.is_null() { request } else { request.json(body) }.send().await.unwrap()).await
}

async fn post(instance: &Instance, key: &str, path: &str, body: Value) -> (u16, Value) {
    call(instance, key, Method::POST, path, &body).await
}

async fn operate(instance: &Instance, path: &str, body: Value) -> Value {
    let (status, answer) = instance.operator(Method::POST, path, body).await;
    assert!((200..300).contains(&status), "{path}: {status} {answer}");
    answer
}

const ALL: &[&str] = &["crypto:encrypt", "crypto:decrypt", "crypto:rewrap", "crypto:export", "keys:read"];

#[tokio::test]
async fn what_is_sealed_opens_in_all_three_forms_and_only_in_its_context() {
    for storage in storages().await {
        let instance = Instance::start(&storage, "").await;
        let key = instance.key(ALL).await;
        for form in ["text", "binary", "json"] {
            for context in [json!("patient/7"), json!({"table": "patients", "row": "7"})] {
                let (status, sealed) = post(&instance, &key, "/v1/crypto/encrypt", json!({"text": "blood type 0", "context": context, "form": form})).await;
                assert_eq!(status, 200, "{sealed}");
                let open = |message: &Value, context: Value| json!({"message": message, "context": context, "as": "text"});
                let (status, opened) = post(&instance, &key, "/v1/crypto/decrypt", open(&sealed["message"], context.clone())).await;
                assert_eq!((status, &opened["text"]), (200, &json!("blood type 0")), "{opened}");
                let (status, refused) = post(&instance, &key, "/v1/crypto/decrypt", open(&sealed["message"], json!("patient/8"))).await;
                assert_eq!(status, 422);
                assert_eq!(refused["detail"], "the message does not open: wrong key, wrong context, or changed bytes");
            }
        }
        // The nonce of the JSON form is not decoration: another one was not sent by us.
        let (_, sealed) = post(&instance, &key, "/v1/crypto/encrypt", json!({"text": "x", "form": "json"})).await;
        let mut parts = sealed["message"].clone();
        parts["nonce"] = json!("AAAAAAAAAAAAAAAA");
        assert_eq!(post(&instance, &key, "/v1/crypto/decrypt", json!({"message": parts})).await.0, 422);
    }
}

#[tokio::test]
async fn bad_input_is_told_with_its_field_and_nothing_is_made() {
    let instance = Instance::start("sqlite", "").await;
    let key = instance.key(ALL).await;
    let field = |problem: &Value| problem["errors"][0]["field"].as_str().unwrap_or_default().to_owned();
    for (body, wanted) in [
        (json!({"text": "x", "key": "defualt"}), "key"),
        (json!({"text": "x", "algorithm": "aes-128-gcm"}), "algorithm"),
        (json!({"text": "x", "algorithm": "aes-256-gcm-plain"}), "key"),
        (json!({"plaintext": "not base64!"}), "plaintext"),
        (json!({}), "plaintext"),
        (json!({"text": "x", "value": 1}), "plaintext"),
        (json!({"text": "x", "context": "tky_00"}), "context"),
        (json!({"text": "x", "context": {}}), "context"),
        (json!({"text": "x", "context": "c".repeat(8193)}), "context"),
        (json!({"text": "x", "key": "default", "subject": {"namespace": "a", "value": "1"}}), "subject"),
    ] {
        let (status, problem) = post(&instance, &key, "/v1/crypto/encrypt", body.clone()).await;
        assert_eq!((status, field(&problem)), (422, wanted.to_owned()), "{body} {problem}");
    }
    let twice = r#"{"text": "x", "context": {"a": "1", "a": "2"}}"#;
    let request = instance.browser().request(Method::POST, &format!("{}/v1/crypto/encrypt", instance.own())).bearer_auth(&key);
    let (status, problem) = answer(request.header("content-type", "application/json").body(twice).send().await.unwrap()).await;
    assert_eq!((status, field(&problem)), (422, "context".to_owned()), "a name that stands twice");
    for message in ["tut1.####", "tut1.AQ", "AQID", "tut1.AwEAAAAAAAAAAAAAAAAAAAAAAAAAAQ"] {
        let (status, problem) = post(&instance, &key, "/v1/crypto/decrypt", json!({"message": message})).await;
        assert_eq!((status, field(&problem)), (422, "message".to_owned()), "{problem}");
    }
    let policy = json!({"fields": [{"path": "ssn"}, {"path": "home.street"}]});
    let (status, problem) = post(&instance, &key, "/v1/crypto/records/seal", json!({"policy": policy, "record_id": "1", "record": {"ssn": 1}})).await;
    assert_eq!((status, field(&problem)), (422, "home.street".to_owned()));
    assert_eq!(post(&instance, &key, "/v1/crypto/encrypt", json!({"txt": "x"})).await.0, 400, "what cannot be read is another status");
    let (_, keys) = call(&instance, &key, Method::GET, "/v1/crypto/keys", &Value::Null).await;
    assert_eq!(keys["items"].as_array().unwrap().len(), 1, "no key was made by a typing error");
}

#[tokio::test]
async fn a_batch_of_ten_thousand_is_answered_item_by_item_and_is_one_event() {
    let instance = Instance::start("sqlite", "").await;
    let key = instance.key(ALL).await;
    let items: Vec<Value> =
        (0..10_000).map(|i| if i % 1_000 == 999 { json!({"text": 1}) } else { json!({"text": format!("{i}"), "context": "batch"}) }).collect();
    let (status, sealed) = post(&instance, &key, "/v1/crypto/encrypt", json!(items)).await;
    assert_eq!(status, 200);
    let results = sealed["results"].as_array().unwrap();
    assert_eq!((results.len(), results.iter().filter(|r| r["status"] == 200).count()), (10_000, 9_990));
    assert_eq!(results[999]["status"], 400);
    let mut messages: Vec<Value> =
        results.iter().filter(|r| r["status"] == 200).map(|r| json!({"message": r["message"], "context": "batch", "as": "text"})).collect();
    messages[5]["context"] = json!("other");
    let (_, opened) = post(&instance, &key, "/v1/crypto/decrypt", json!(messages)).await;
    assert_eq!((&opened["results"][4]["text"], &opened["results"][5]["status"]), (&json!("4"), &json!(422)));
    let (_, page) = instance.operator(Method::GET, "/v1/events?q=type:key.used&limit=10", Value::Null).await;
    let events: Vec<&Value> = page["items"].as_array().unwrap().iter().map(|e| &e["event"]).collect();
    assert_eq!(events.len(), 2, "{page}");
    let (decrypted, encrypted) = (&events[0]["data"], &events[1]["data"]);
    assert_eq!((&encrypted["count"], &decrypted["count"], &decrypted["failed"]), (&json!(9_990), &json!(9_990), &json!({"commitment": 1})));
    assert_eq!(encrypted["contexts"].as_array().unwrap().len(), 1);
    assert!(!page.to_string().contains("batch"), "the context itself is nowhere");
    let (status, _) = post(&instance, &key, "/v1/crypto/encrypt", json!(vec![json!({"text": "x"}); 10_001])).await;
    assert_eq!(status, 422);
}

#[tokio::test]
async fn an_old_version_goes_only_when_its_messages_are_accounted_for() {
    for storage in storages().await {
        let instance = Instance::start(&storage, "").await;
        let key = instance.key(ALL).await;
        let mut messages = Vec::new();
        for i in 0..3 {
            let (_, sealed) = post(&instance, &key, "/v1/crypto/encrypt", json!({"text": format!("{i}"), "context": {"row": format!("{i}")}})).await;
            messages.push(sealed["message"].clone());
        }
        operate(&instance, "/v1/crypto/keys/default/rotate", Value::Null).await;
        let raise = json!({"min_decryption_version": 2});
        let (status, refused) = instance.operator(Method::PATCH, "/v1/crypto/keys/default", raise.clone()).await;
        assert_eq!(status, 409);
        assert!(refused["detail"].as_str().unwrap().contains("3 messages sealed under version 1"), "{refused}");

        let items: Vec<Value> = (0..2).map(|i| json!({"message": messages[i], "context": {"row": format!("{i}")}})).collect();
        let (_, moved) = post(&instance, &key, "/v1/crypto/rewrap", json!(items)).await;
        assert_eq!((&moved["results"][0]["changed"], &moved["results"][0]["key_version"]), (&json!(true), &json!(2)), "{moved}");
        let again = json!({"message": moved["results"][0]["message"], "context": {"row": "0"}});
        assert_eq!(post(&instance, &key, "/v1/crypto/rewrap", again).await.1["changed"], false, "nothing is rewrapped twice");
        assert_eq!(instance.operator(Method::PATCH, "/v1/crypto/keys/default", raise.clone()).await.0, 409);
        let gone = json!({"release": {"version": 1, "messages": 2}, "reason": "the row was deleted"});
        assert_eq!(instance.operator(Method::PATCH, "/v1/crypto/keys/default", gone).await.0, 409, "more than there are");
        let gone = json!({"release": {"version": 1, "messages": 1}, "reason": "the row was deleted"});
        assert_eq!(instance.operator(Method::PATCH, "/v1/crypto/keys/default", gone).await.0, 200);
        let (status, now) = instance.operator(Method::PATCH, "/v1/crypto/keys/default", raise).await;
        assert_eq!((status, &now["versions"][1]["state"]), (200, &json!("destroyed")), "{now}");
        let (status, _) = post(&instance, &key, "/v1/crypto/decrypt", json!({"message": messages[2], "context": {"row": "2"}})).await;
        assert_eq!(status, 422, "the old version is gone");
        let (_, opened) =
            post(&instance, &key, "/v1/crypto/decrypt", json!({"message": moved["results"][1]["message"], "context": {"row": "1"}, "as": "text"})).await;
        assert_eq!(opened["text"], "1");
    }
}

#[tokio::test]
async fn a_key_is_destroyed_after_a_wait_and_can_be_kept_until_then() {
    let instance = Instance::start("sqlite", "[kms]\ndestroy_wait = \"1 seconds\"\n").await;
    let key = instance.key(ALL).await;
    operate(&instance, "/v1/crypto/keys", json!({"name": "old", "purposes": ["encrypt"]})).await;
    let (_, sealed) = post(&instance, &key, "/v1/crypto/encrypt", json!({"text": "x", "key": "old"})).await;
    let open = json!({"message": sealed["message"], "as": "text"});
    let long = json!({"reason": "no longer used", "wait": "1 days"});
    assert_eq!(operate(&instance, "/v1/crypto/keys/old/destroy", long).await["state"], "destroying");
    assert_eq!(post(&instance, &key, "/v1/crypto/decrypt", open.clone()).await.0, 422);
    assert_eq!(operate(&instance, "/v1/crypto/keys/old/keep", Value::Null).await["state"], "active");
    assert_eq!(post(&instance, &key, "/v1/crypto/decrypt", open.clone()).await.1["text"], "x");
    operate(&instance, "/v1/crypto/keys/old/destroy", json!({"reason": "no longer used"})).await;
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    operate(&instance, "/v1/crypto/jobs", Value::Null).await;
    until("the destruction", async || instance.operator(Method::GET, "/v1/crypto/keys/old", Value::Null).await.1["state"] == "destroyed").await;
    assert_eq!(post(&instance, &key, "/v1/crypto/decrypt", open).await.0, 422);
    let (status, _) = instance.operator(Method::POST, "/v1/crypto/keys", json!({"name": "old"})).await;
    assert_eq!(status, 409, "a name is never used again");
}

#[tokio::test]
async fn kill_9_in_the_middle_of_a_rewrap_loses_and_repeats_nothing() {
    for storage in storages().await {
        let instance = Instance::start(&storage, "").await;
        let key = instance.key(&["crypto:encrypt", "crypto:decrypt", "events:write"]).await;
        // Two thousand people, each with a key of their own.
        let items: Vec<Value> = (0..2_000).map(|i| json!({"text": format!("{i}"), "subject": {"namespace": "shop", "value": format!("{i}")}})).collect();
        let (_, sealed) = post(&instance, &key, "/v1/crypto/encrypt", json!(items)).await;
        let messages: Vec<Value> = sealed["results"].as_array().unwrap().iter().map(|r| json!({"message": r["message"], "as": "text"})).collect();
        for round in 0..4_u64 {
            operate(&instance, "/v1/crypto/epochs", Value::Null).await;
            tokio::time::sleep(Duration::from_millis(3 * round + 1)).await;
            instance.stop("-KILL").await;
            instance.run().await;
        }
        operate(&instance, "/v1/crypto/jobs", Value::Null).await;
        until("the rewrap", async || {
            let (_, jobs) = instance.operator(Method::GET, "/v1/crypto/jobs", Value::Null).await;
            let first = &jobs["items"][0];
            assert_eq!(first["quarantined"], json!([]));
            assert!(first["done"].as_u64().unwrap() <= first["total"].as_u64().unwrap() + 8, "nothing is moved twice: {first}");
            first["state"] == "done"
        })
        .await;
        let (_, opened) = post(&instance, &key, "/v1/crypto/decrypt", json!(messages)).await;
        for (i, result) in opened["results"].as_array().unwrap().iter().enumerate() {
            assert_eq!(result["text"], json!(format!("{i}")), "{result}");
        }
        let (_, epochs) = instance.operator(Method::GET, "/v1/crypto/epochs", Value::Null).await;
        let epochs = epochs["items"].as_array().unwrap();
        assert!(epochs.iter().skip(1).all(|e| e["references"] == 0), "{epochs:?}");
        assert_eq!(instance.cli(&["audit", "verify"]).await.status.code(), Some(0));
    }
}

#[tokio::test]
async fn of_two_nodes_that_rotate_at_once_one_wins_and_both_go_on() {
    let Some(server) = testkit::shared_postgres() else { return testkit::skip("PostgreSQL is not installed") };
    let storage = server.fresh("two_nodes_keys").await;
    let first = Instance::start(&storage, "").await;
    let second = Instance::new(&storage, "");
    std::fs::create_dir_all(second.data()).unwrap();
    std::fs::copy(first.data().join("instance.key"), second.data().join("instance.key")).unwrap();
    // Nodes with local keys share the folder of keys.
    std::os::unix::fs::symlink(first.data().join("keys"), second.data().join("keys")).unwrap();
    second.run().await;
    let rotate = |node: &Instance| {
        let (path, body) = ("/v1/crypto/keys/default/rotate".to_owned(), Value::Null);
        let socket = node.data().join("admin.sock");
        async move {
            let client = crate::server::http().unix_socket(socket).build().unwrap();
            let _ = body;
            client.post(format!("http://admin.sock{path}")).send().await.unwrap().status().as_u16()
        }
    };
    for _ in 0..5 {
        let (a, b) = tokio::join!(rotate(&first), rotate(&second));
        assert!([a, b].contains(&200) && [200, 409].contains(&a) && [200, 409].contains(&b), "{a} {b}");
    }
    let (_, key) = first.operator(Method::GET, "/v1/crypto/keys/default", Value::Null).await;
    let versions = key["versions"].as_array().unwrap();
    assert_eq!(versions.iter().filter(|v| v["state"] == "active").count(), 1, "{key}");
    assert_eq!(versions.len() as u64, key["version"].as_u64().unwrap());
    let api_key = first.key(ALL).await;
    let (_, sealed) = post(&first, &api_key, "/v1/crypto/encrypt", json!({"text": "x"})).await;
    let (_, opened) = post(&second, &api_key, "/v1/crypto/decrypt", json!({"message": sealed["message"], "as": "text"})).await;
    assert_eq!(opened["text"], "x");
}

/// Every file under a folder that holds `needle`.
fn files_with(dir: &Path, needle: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files_with(&path, needle));
        } else if let Ok(bytes) = std::fs::read(&path)
            && bytes.windows(needle.len()).any(|w| w == needle)
        {
            found.push(path.file_name().unwrap().to_string_lossy().into_owned());
        }
    }
    found
}

/// The wrapped bytes of a key, as they stand in the database file.
fn wrapped_of(database: &Path, key_id: &str) -> Vec<u8> {
    let hex = key_id.strip_prefix("tky_").unwrap();
    let db = rusqlite::Connection::open_with_flags(database, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    db.query_row(&format!("SELECT wrapped FROM key_version WHERE key_id = x'{hex}'"), [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn after_an_erasure_no_file_holds_the_key_and_the_ledger_still_verifies() {
    let instance = Instance::start("sqlite", "[kms]\ndestroy_wait = \"1 seconds\"\n").await;
    let key = instance.key(&["crypto:encrypt", "crypto:decrypt", "events:write", "ledger:read"]).await;
    let anna = json!({"namespace": "shop", "value": "anna"});
    let (_, sealed) = post(&instance, &key, "/v1/crypto/encrypt", json!({"text": "her address", "subject": anna})).await;
    let event = json!({"type": "data_access", "actor": anna, "resource": "order/7", "source": {"ip": "198.51.100.7"}, "metadata": {"note": "called twice"}});
    let (status, recorded) = post(&instance, &key, "/v1/events", event).await;
    assert_eq!(status, 201, "{recorded}");
    let path = format!("/v1/events/{}", recorded["id"].as_str().unwrap());
    let (_, before) = call(&instance, &key, Method::GET, &path, &Value::Null).await;
    assert_eq!((&before["event"]["actor"]["id"], &before["event"]["source"]["ip"]), (&json!("anna"), &json!("198.51.100.7")));
    let subject = operate(&instance, "/v1/crypto/subjects/key", json!({"subject": anna})).await;
    let database = instance.data().join("tutela.db");
    let wrapped = wrapped_of(&database, subject["key_id"].as_str().unwrap());
    assert!(!files_with(&instance.data(), &wrapped).is_empty(), "the search finds what is there");
    // A backup of the whole database, taken before.
    let backup = TempDir::new().unwrap();
    for name in ["tutela.db", "tutela.db-wal"] {
        std::fs::copy(instance.data().join(name), backup.path().join(name)).unwrap();
    }
    assert!(!files_with(backup.path(), &wrapped).is_empty());

    // A legal hold stands in the way, and says why.
    operate(&instance, "/v1/crypto/subjects/hold", json!({"subject": anna, "reason": "court order 12/26"})).await;
    let erase = json!({"subject": anna, "reason": "request of the person"});
    let (status, refused) = instance.operator(Method::POST, "/v1/crypto/subjects/erase", erase.clone()).await;
    assert_eq!(status, 409);
    assert!(refused["detail"].as_str().unwrap().contains("court order 12/26"));
    operate(&instance, "/v1/crypto/subjects/release", json!({"subject": anna, "reason": "order lifted"})).await;

    let certificate = operate(&instance, "/v1/crypto/subjects/erase", erase).await;
    assert!(certificate["unreadable_at"].is_string() && certificate["unreadable_in_backups_at"].is_null(), "{certificate}");
    assert_eq!(files_with(&instance.data(), &wrapped), Vec::<String>::new(), "database, log and temporary files hold nothing of it");
    assert_eq!(post(&instance, &key, "/v1/crypto/decrypt", json!({"message": sealed["message"]})).await.0, 422);
    let (_, after) = call(&instance, &key, Method::GET, &path, &Value::Null).await;
    assert_eq!(after["event"]["erased"], json!(["actor.id", "metadata", "source"]), "{after}");
    assert!(!after.to_string().contains("anna") && !after.to_string().contains("198.51.100.7"));
    assert_eq!(after["leaf"], before["leaf"], "the tree commits to what it committed to");

    // The epoch's provider key dies: then the backup opens nothing either.
    operate(&instance, "/v1/crypto/epochs", Value::Null).await;
    until("the rewrap", async || instance.operator(Method::GET, "/v1/crypto/epochs", Value::Null).await.1["items"][1]["references"] == 0).await;
    operate(&instance, "/v1/crypto/epochs/1/destroy", json!({"reason": "erasure of a person"})).await;
    let path = format!("/v1/crypto/erasures/{}", certificate["key_id"].as_str().unwrap());
    let (_, done) = instance.operator(Method::GET, &path, Value::Null).await;
    assert!(done["unreadable_in_backups_at"].is_string() && done["due_at"].is_null(), "{done}");
    assert!(done["note"].as_str().unwrap().starts_with("tutela erasure certificate v1\n"));
    let names: Vec<String> = std::fs::read_dir(instance.data().join("keys")).unwrap().flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    assert_eq!(names.len(), 1, "only the newest provider key is there: {names:?}");
    // The same person may come back, under a new key.
    let (status, _) = post(&instance, &key, "/v1/crypto/encrypt", json!({"text": "new", "subject": anna})).await;
    assert_eq!(status, 200);
    assert_eq!(instance.stop("-INT").await, Some(0));
    assert!(instance.cli(&["audit", "verify"]).await.status.success());

    // The old database does not even start: its key encryption key is gone.
    for name in ["tutela.db", "tutela.db-wal"] {
        std::fs::copy(backup.path().join(name), instance.data().join(name)).unwrap();
    }
    let _ = std::fs::remove_file(instance.data().join("tutela.db-shm"));
    let out = instance.cli(&["serve"]).await;
    assert_eq!(out.status.code(), Some(5), "{}", String::from_utf8_lossy(&out.stderr));
}

#[tokio::test]
async fn on_postgresql_an_erasure_holds_from_the_end_of_its_epoch() {
    let Some(server) = testkit::shared_postgres() else { return testkit::skip("PostgreSQL is not installed") };
    let storage = server.fresh("erasure").await;
    let instance = Instance::start(&storage, "").await;
    let key = instance.key(&["crypto:encrypt", "crypto:decrypt"]).await;
    let anna = json!({"namespace": "shop", "value": "anna"});
    post(&instance, &key, "/v1/crypto/encrypt", json!({"text": "her address", "subject": anna})).await;
    let certificate = operate(&instance, "/v1/crypto/subjects/erase", json!({"subject": anna, "reason": "request"})).await;
    assert!(certificate["unreadable_at"].is_null(), "old row versions and the server's log still have it: {certificate}");
    let (status, _) = instance.operator(Method::POST, "/v1/crypto/epochs/1/destroy", json!({"reason": "too early"})).await;
    assert_eq!(status, 409, "an epoch in use is not destroyed");
    operate(&instance, "/v1/crypto/epochs", Value::Null).await;
    until("the rewrap", async || instance.operator(Method::GET, "/v1/crypto/epochs", Value::Null).await.1["items"][1]["references"] == 0).await;
    operate(&instance, "/v1/crypto/epochs/1/destroy", json!({"reason": "erasure of a person"})).await;
    let path = format!("/v1/crypto/erasures/{}", certificate["key_id"].as_str().unwrap());
    let (_, done) = instance.operator(Method::GET, &path, Value::Null).await;
    assert!(done["unreadable_at"].is_string() && done["unreadable_in_backups_at"].is_string(), "{done}");
}

#[tokio::test]
async fn a_key_backup_brings_an_empty_instance_back_and_never_an_erased_person() {
    let dir = TempDir::new().unwrap();
    let identity = dir.path().join("identity");
    let first = Instance::new("sqlite", "");
    let out = first.cli(&["key", "recipient", "create", "--identity", identity.to_str().unwrap()]).await;
    let recipient = String::from_utf8(out.stdout).unwrap();
    let config = format!("[kms]\nbackup_enabled = true\n[kms.backup]\nrecipients = [\"{}\"]\n", recipient.trim());
    let instance = Instance::start("sqlite", &config).await;
    let key = instance.key(&["crypto:encrypt", "crypto:decrypt"]).await;
    let person = |name: &str| json!({"namespace": "shop", "value": name});
    let (_, sealed) = post(&instance, &key, "/v1/crypto/encrypt", json!({"text": "kept", "context": "c"})).await;
    let (_, anna) = post(&instance, &key, "/v1/crypto/encrypt", json!({"text": "anna's", "subject": person("anna")})).await;
    let (_, bert) = post(&instance, &key, "/v1/crypto/encrypt", json!({"text": "bert's", "subject": person("bert")})).await;
    let backup = operate(&instance, "/v1/crypto/backups", Value::Null).await;
    let file = instance.data().join("key-backups").join(backup["file"].as_str().unwrap());
    let old = std::fs::read(&file).unwrap();
    let rehearsed = operate(&instance, "/v1/crypto/backups/rehearse", Value::Null).await;
    assert!(rehearsed["rehearsed_at"].is_string(), "{rehearsed}");
    assert!(std::fs::read_dir(instance.data().join("key-backups")).unwrap().flatten().all(|e| e.path().is_file()), "the scratch instance is gone");

    // An erasure makes a new backup at once, and the old file goes.
    operate(&instance, "/v1/crypto/subjects/erase", json!({"subject": person("anna"), "reason": "request"})).await;
    until("the end of the old backup", async || !file.exists()).await;
    let (_, list) = instance.operator(Method::GET, "/v1/crypto/backups", Value::Null).await;
    let newest = list["items"].as_array().unwrap().iter().find(|b| b["deleted_at"].is_null()).unwrap().clone();
    let newest = instance.data().join("key-backups").join(newest["file"].as_str().unwrap());

    // A stranger's identity opens nothing, a changed file neither.
    let stranger = dir.path().join("stranger");
    first.cli(&["key", "recipient", "create", "--identity", stranger.to_str().unwrap()]).await;
    let out = first.cli(&["key", "restore", newest.to_str().unwrap(), "--identity", stranger.to_str().unwrap()]).await;
    assert!(!out.status.success() && !first.data().join("instance.key").exists());

    // Into an empty instance: everything opens but what was erased.
    let out = first.cli(&["key", "restore", newest.to_str().unwrap(), "--identity", identity.to_str().unwrap()]).await;
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    assert!(String::from_utf8_lossy(&out.stdout).contains("opened the canary"));
    first.run().await;
    let key = first.key(&["crypto:encrypt", "crypto:decrypt"]).await;
    let open = |sealed: &Value, context: Value| json!({"message": sealed["message"], "context": context, "as": "text"});
    assert_eq!(post(&first, &key, "/v1/crypto/decrypt", open(&sealed, json!("c"))).await.1["text"], "kept");
    assert_eq!(post(&first, &key, "/v1/crypto/decrypt", json!({"message": bert["message"], "as": "text"})).await.1["text"], "bert's");
    assert_eq!(post(&first, &key, "/v1/crypto/decrypt", json!({"message": anna["message"]})).await.0, 422);

    // Beside a database whose provider keys are lost: an older backup does not bring the erased person back.
    assert_eq!(instance.stop("-INT").await, Some(0));
    std::fs::remove_dir_all(instance.data().join("keys")).unwrap();
    assert_eq!(instance.cli(&["serve"]).await.status.code(), Some(5));
    let older = dir.path().join("older");
    std::fs::write(&older, old).unwrap();
    let out = instance.cli(&["key", "restore", older.to_str().unwrap(), "--identity", identity.to_str().unwrap()]).await;
    assert!(String::from_utf8_lossy(&out.stdout).contains("destroyed since"), "{}", String::from_utf8_lossy(&out.stderr));
    instance.run().await;
    let key = instance.key(&["crypto:decrypt"]).await;
    assert_eq!(post(&instance, &key, "/v1/crypto/decrypt", open(&sealed, json!("c"))).await.1["text"], "kept");
    assert_eq!(post(&instance, &key, "/v1/crypto/decrypt", json!({"message": anna["message"]})).await.0, 422);
}

#[tokio::test]
async fn with_openbao_keys_serve_while_it_is_down_up_to_their_age_and_then_refuse() {
    let Some(bao) = testkit::OpenBao::start() else { return testkit::skip("TUTELA_BAO does not name OpenBao") };
    let section = format!(
        "[kms]\nprovider = \"vault\"\ncache_max_age = \"3 seconds\"\n[kms.vault]\naddress = \"{}\"\ntoken_file = \"{}\"\n",
        bao.url,
        bao.token_file.display()
    );
    let instance = Instance::start("sqlite", &section).await;
    let text = std::fs::read_to_string(instance.data().join("instance.key")).unwrap();
    assert!(text.starts_with("tutela root key v1 provider vault tutela-root-"), "{text}");
    let key = instance.key(&["crypto:encrypt", "crypto:decrypt"]).await;
    let seal = json!({"text": "x"});
    assert_eq!(post(&instance, &key, "/v1/crypto/encrypt", seal.clone()).await.0, 200);
    let check = operate(&instance, "/v1/crypto/provider/check", Value::Null).await;
    assert!(check["steps"].as_array().unwrap().iter().all(|s| s["result"] == "ok") && check["warnings"] == json!([]), "{check}");
    bao.pause();
    assert_eq!(post(&instance, &key, "/v1/crypto/encrypt", seal.clone()).await.0, 200, "keys in memory serve");
    tokio::time::sleep(Duration::from_millis(3_100)).await;
    let (status, problem) = post(&instance, &key, "/v1/crypto/encrypt", seal.clone()).await;
    assert_eq!(status, 503);
    assert!(problem["detail"].as_str().unwrap().contains("kms.cache_max_age"), "{problem}");
    bao.resume();
    assert_eq!(post(&instance, &key, "/v1/crypto/encrypt", seal).await.0, 200, "it recovers by itself");
}

#[tokio::test]
async fn with_azure_an_instance_starts_rotates_and_comes_back() {
    let Some(double) = testkit::AzureDouble::start() else { return testkit::skip("TUTELA_TEST_PYTHON does not name a Python") };
    let section = format!(
        "[kms]\nprovider = \"azure-keyvault\"\nrotation_schedule = \"30 days\"\n[kms.azure]\nvault_url = \"{}\"\ntenant_id = \"{}\"\nclient_id = \"{}\"\nclient_secret_file = \"{}\"\nca_file = \"{}\"\nany_challenge_resource = true\n",
        double.url,
        testkit::AZURE_TENANT,
        testkit::AZURE_CLIENT,
        double.secret_file.display(),
        double.cert.display()
    );
    let instance = Instance::start("sqlite", &section).await;
    let key = instance.key(&["crypto:encrypt", "crypto:decrypt"]).await;
    let (_, sealed) = post(&instance, &key, "/v1/crypto/encrypt", json!({"text": "x"})).await;
    operate(&instance, "/v1/crypto/epochs", Value::Null).await;
    until("the rewrap", async || instance.operator(Method::GET, "/v1/crypto/epochs", Value::Null).await.1["items"][1]["references"] == 0).await;
    operate(&instance, "/v1/crypto/epochs/1/destroy", json!({"reason": "test"})).await;
    assert_eq!(instance.stop("-INT").await, Some(0));
    instance.run().await;
    let (_, opened) = post(&instance, &key, "/v1/crypto/decrypt", json!({"message": sealed["message"], "as": "text"})).await;
    assert_eq!(opened["text"], "x", "{opened}");
}

#[tokio::test]
async fn the_command_line_seals_and_opens_files_of_any_size() {
    let instance = Instance::start("sqlite", "").await;
    let plain: Vec<u8> = (0..5_000_000_u32).map(|i| (i % 251) as u8).collect();
    let sealed = pipe(&instance, &["crypto", "encrypt", "--context", "a file"], plain.clone()).await.unwrap();
    assert!(sealed.len() > plain.len() && sealed[0] == 1);
    assert!(pipe(&instance, &["crypto", "decrypt", "--context", "a file"], sealed.clone()).await.unwrap() == plain);
    assert!(pipe(&instance, &["crypto", "decrypt", "--context", "another"], sealed.clone()).await.is_err());
    assert!(pipe(&instance, &["crypto", "decrypt", "--context", "a file"], sealed[..4_000_000].to_vec()).await.is_err(), "cut off");
    let text = pipe(&instance, &["crypto", "encrypt", "--text"], b"short".to_vec()).await.unwrap();
    assert!(text.starts_with(b"tut1."));
    assert_eq!(pipe(&instance, &["crypto", "decrypt"], text).await.unwrap(), b"short");
}

async fn pipe(instance: &Instance, args: &[&str], input: Vec<u8>) -> Result<Vec<u8>, String> {
    let mut child = instance.command(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    tokio::task::spawn_blocking(move || {
        let writer = std::thread::spawn(move || std::io::Write::write_all(&mut stdin, &input));
        let out = child.wait_with_output().unwrap();
        let _ = writer.join();
        if out.status.success() { Ok(out.stdout) } else { Err(String::from_utf8_lossy(&out.stderr).into_owned()) }
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn a_rewrap_of_a_file_goes_on_where_it_was_and_sets_bad_lines_aside() {
    let instance = Instance::start("sqlite", "").await;
    let key = instance.key(&["crypto:encrypt", "crypto:decrypt"]).await;
    let items: Vec<Value> = (0..2_500).map(|i| json!({"text": format!("{i}"), "context": format!("row/{i}")})).collect();
    let (_, sealed) = post(&instance, &key, "/v1/crypto/encrypt", json!(items)).await;
    let mut lines: Vec<String> = sealed["results"]
        .as_array()
        .unwrap()
        .iter()
        .enumerate()
        .map(|(i, r)| json!({"id": i, "message": r["message"], "context": format!("row/{i}")}).to_string())
        .collect();
    lines[7] = lines[7].replace("row/7", "row/8");
    lines[1_200] = "not json".into();
    operate(&instance, "/v1/crypto/keys/default/rotate", Value::Null).await;
    let at = |name: &str| instance.dir.path().join(name).to_string_lossy().into_owned();
    // The first run sees only the beginning, as one that was broken off.
    std::fs::write(at("in"), lines[..1_000].join("\n")).unwrap();
    let args = |input: &str| ["crypto", "rewrap", "--in", input, "--out", &at("out"), "--quarantine", &at("aside")].map(str::to_owned).to_vec();
    let run = async |input: &str| {
        let words = args(input);
        let out = instance.cli(&words.iter().map(String::as_str).collect::<Vec<_>>()).await;
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    };
    run(&at("in")).await;
    std::fs::write(at("all"), lines.join("\n")).unwrap();
    run(&at("all")).await;
    let read = |name: &str| std::fs::read_to_string(at(name)).unwrap().lines().map(|l| serde_json::from_str::<Value>(l).unwrap()).collect::<Vec<_>>();
    let (done, aside) = (read("out"), read("aside"));
    assert_eq!((done.len(), aside.len()), (2_498, 2));
    assert!(aside[0]["reason"].as_str().unwrap().contains("does not open") && aside[1]["line"] == "not json");
    assert!(done.iter().enumerate().all(|(i, line)| line["id"].as_u64().unwrap() >= i as u64 && line["was"] != line["message"]));
    let (_, key) = instance.operator(Method::GET, "/v1/crypto/keys/default", Value::Null).await;
    assert_eq!((&key["versions"][0]["messages"], &key["versions"][1]["references"]), (&json!(2_498), &json!(2)));
}
