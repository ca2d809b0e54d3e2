use std::{fs, path::Path};

use reqwest::Method;
use serde_json::{Value, json};

use crate::server::{Instance, escape, storages};

async fn record(instance: &Instance, person: &str, word: &str) {
    let event = json!({"type": "photo.shared", "actor": {"namespace": "photos", "value": person}, "source": {"ip": "192.0.2.9"}, "metadata": {"note": word}});
    let (status, answer) = instance.operator(Method::POST, "/v1/events?wait=sequenced", event).await;
    assert_eq!(status, 201, "{answer}");
    assert!(answer["position"].is_string() && answer["leaf"].as_str().unwrap().len() == 64, "{answer}");
}

async fn erase(instance: &Instance, person: &str) {
    let body = json!({"subject": {"namespace": "photos", "value": person}, "reason": "asked for it"});
    let (status, answer) = instance.operator(Method::POST, "/v1/crypto/subjects/erase", body).await;
    assert_eq!(status, 200, "{answer}");
}

async fn count(instance: &Instance, query: &str) -> usize {
    let (status, page) = instance.operator(Method::GET, &format!("/v1/events?limit=1000&q={}", escape(query)), Value::Null).await;
    assert_eq!(status, 200, "{page}");
    page["items"].as_array().unwrap().len()
}

/// A new host: the root key and the local provider's keys were kept, nothing else.
pub fn new_host(old: &Instance, storage: &str) -> Instance {
    let new = Instance::new(storage, "");
    fs::create_dir_all(new.data()).unwrap();
    fs::copy(old.data().join("instance.key"), new.data().join("instance.key")).unwrap();
    copy_folder(&old.data().join("keys"), &new.data().join("keys"));
    new
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test]
async fn a_backup_made_while_it_runs_comes_back_on_the_other_engine_and_nobody_who_was_erased_does() {
    let storages = storages().await;
    let others = self::storages().await;
    for (number, storage) in storages.iter().enumerate() {
        let instance = Instance::start(storage, "").await;
        instance.account("ada@example.com", &["admin"]).await;
        for (person, word) in [("1", "zanzibar"), ("2", "timbuktu"), ("3", "samarkand")] {
            record(&instance, person, word).await;
        }
        erase(&instance, "1").await;
        let file = instance.dir.path().join("whole.backup");
        let out = instance.cli(&["backup", "--to", file.to_str().unwrap()]).await;
        assert!(out.status.success(), "{}", text(&out.stderr));
        assert!(!text(&fs::read(&file).unwrap()).contains("ada@example.com"), "a backup is sealed");
        // After the backup: one more erasure, and events that will be lost.
        erase(&instance, "2").await;
        record(&instance, "3", "lost").await;
        let (_, note) = instance.operator(Method::GET, "/v1/ledger/checkpoint", Value::Null).await;
        let elsewhere = instance.dir.path().join("elsewhere.txt");
        fs::write(&elsewhere, note.as_str().unwrap()).unwrap();
        let drill = instance.cli(&["backup", "drill", file.to_str().unwrap()]).await;
        assert!(drill.status.success() && text(&drill.stdout).contains("recorded as"), "{}{}", text(&drill.stdout), text(&drill.stderr));
        assert_eq!(count(&instance, "type:backup.rehearsed outcome:success").await, 1);
        assert!(!instance.data().join("drill-0").exists());
        instance.stop("-INT").await;

        // On the other engine, where there is one.
        let target = others.get(1 - number.min(others.len() - 1)).unwrap_or(&others[0]).clone();
        let restored = new_host(&instance, &target);
        let refused = restored.cli(&["restore", file.to_str().unwrap()]).await;
        assert_eq!(refused.status.code(), Some(2), "without the journal of erasures nothing is restored");
        assert!(text(&refused.stderr).contains("erasures.log"), "{}", text(&refused.stderr));
        let journal = instance.data().join("backups/erasures.log");
        let args = ["restore", file.to_str().unwrap(), "--erasures", journal.to_str().unwrap(), "--checkpoint", elsewhere.to_str().unwrap()];
        let out = restored.cli(&args).await;
        let said = text(&out.stdout);
        assert!(out.status.success(), "{said}{}", text(&out.stderr));
        assert!(said.contains("1 erasures were carried out again") && said.contains("entries are missing from here on"), "{said}");
        restored.run().await;
        for (query, found) in
            [("samarkand", 1), ("zanzibar", 0), ("timbuktu", 0), ("lost", 0), ("type:photo.shared", 3), ("type:backup.restored", 1), ("actor:photos:3", 1)]
        {
            assert_eq!(count(&restored, query).await, found, "{storage} -> {target}: {query}");
        }
        let (at, page) = restored.browser().sign_in_at(&format!("{}/ledger", restored.console()), "ada@example.com").await;
        assert_eq!(page.status(), 200, "{at}: the account came back with its password and role");
        // A second restore into it is refused, and changes nothing.
        restored.stop("-INT").await;
        let again = restored.cli(&args).await;
        assert!(!again.status.success() && text(&again.stderr).contains("not empty"), "{}", text(&again.stderr));
        let verified = restored.cli(&["audit", "verify"]).await;
        assert!(verified.status.success(), "{}", text(&verified.stderr));
    }
}

#[tokio::test]
async fn a_backup_that_was_cut_changed_or_belongs_to_others_is_refused_and_a_half_restore_serves_nobody() {
    let instance = Instance::start("sqlite", "").await;
    for n in 0..40 {
        record(&instance, "1", &format!("word{n}")).await;
    }
    let file = instance.dir.path().join("whole.backup");
    assert!(instance.cli(&["backup", "--to", file.to_str().unwrap()]).await.status.success());
    let twice = instance.cli(&["backup", "--to", file.to_str().unwrap()]).await;
    assert!(text(&twice.stderr).contains("overwrites nothing"));
    instance.stop("-INT").await;
    let whole = fs::read(&file).unwrap();
    let first = whole.iter().position(|b| *b == b'\n').unwrap();
    let try_with = async |bytes: &[u8], host: &Instance| {
        let bad = host.dir.path().join("bad.backup");
        fs::write(&bad, bytes).unwrap();
        host.cli(&["restore", bad.to_str().unwrap(), "--without-erasures"]).await
    };

    let mut changed = whole.clone();
    *changed.last_mut().unwrap() ^= 1;
    let mut head = whole.clone();
    let at = text(&whole[..first]).find("made_at").unwrap() + 14;
    head[at] ^= 1;
    for (name, bytes) in [
        ("cut", &whole[..whole.len() - 9]),
        ("cut in its head", &whole[..first + 30]),
        ("changed", &changed[..]),
        ("another first line", &head[..]),
        ("nothing", &b""[..]),
    ] {
        let host = new_host(&instance, "sqlite");
        let out = try_with(bytes, &host).await;
        assert!(!out.status.success(), "{name}");
        // What was loaded before the flaw showed is served by nobody.
        if name == "changed" || name == "cut" {
            let serve = host.cli(&["serve"]).await;
            assert!(!serve.status.success() && text(&serve.stderr).contains("is not finished"), "{name}: {}", text(&serve.stderr));
        } else {
            assert!(!host.data().join("tutela.db").exists(), "{name}");
        }
    }
    // Somebody else's root key.
    let other = Instance::start("sqlite", "").await;
    other.stop("-INT").await;
    let host = new_host(&other, "sqlite");
    let out = try_with(&whole, &host).await;
    assert!(text(&out.stderr).contains("another root key"), "{}", text(&out.stderr));
}
