//! Controls by facts of a running instance: planted violations turn them red, repairs turn them green. Nothing is made
//! up: what is planted goes through the API, the configuration or the database.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    privacy::{purpose, set},
    server::{Instance, escape, storages, until},
    subject_request::ask,
};

const ALL: &str = "[compliance]\nframeworks = [\"gdpr\", \"hipaa\", \"pci-dss\", \"ccpa\"]\n";

/// How every check stands, by its name.
pub async fn checks(instance: &Instance) -> BTreeMap<String, String> {
    let (status, found) = instance.operator(Method::GET, "/v1/compliance", Value::Null).await;
    assert_eq!(status, 200, "{found}");
    let controls = found["frameworks"].as_array().unwrap().iter().flat_map(|framework| framework["controls"].as_array().unwrap());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    controls.flat_map(|control| control["findings"].as_array().unwrap()).map(|finding| (text(&finding["check"]), text(&finding["outcome"]))).collect()
}

async fn is(instance: &Instance, check: &str, outcome: &str) {
    let found = checks(instance).await;
    assert_eq!(found.get(check).map(String::as_str), Some(outcome), "{check}");
}

async fn send(instance: &Instance, method: Method, path: &str, body: Value) -> Value {
    let (status, answer) = instance.operator(method, path, body).await;
    assert!(status < 300, "{path}: {status} {answer}");
    answer
}

#[tokio::test]
async fn all_96_controls_are_shown_and_settings_that_contradict_them_are_named_at_the_start() {
    let settings = format!("{ALL}data_retention = {{user_data = 365, payment_data = 180, logs = 730}}\n[privacy.data_subject_rights]\nerasure = false\n");
    let instance = Instance::start("sqlite", &settings).await;
    let (status, found) = instance.operator(Method::GET, "/v1/compliance", Value::Null).await;
    assert_eq!(status, 200, "{found}");
    let counts: Vec<(&str, usize)> =
        found["frameworks"].as_array().unwrap().iter().map(|of| (of["key"].as_str().unwrap(), of["controls"].as_array().unwrap().len())).collect();
    assert_eq!(counts, [("ccpa", 16), ("gdpr", 24), ("hipaa", 24), ("pci-dss", 32)]);
    // What has no check, and what somebody has to say, is never green.
    for control in found["frameworks"].as_array().unwrap().iter().flat_map(|of| of["controls"].as_array().unwrap()) {
        let unproven = control["findings"].as_array().unwrap().is_empty() || control["kind"] != "automatic";
        assert!(!unproven || control["outcome"] != "pass", "{control}");
    }
    let conflicts = found["conflicts"].to_string();
    for named in ["316(b)(2)(i)", "7101", "identity.mfa.required_factors", "privacy.data_subject_rights.erasure", "compliance.data_retention.payment_data"] {
        assert!(conflicts.contains(named), "{named}: {conflicts}");
    }
    let out = instance.cli(&["compliance", "status", "--framework", "gdpr", "--failed"]).await;
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(text.contains("art-17-1") && text.contains("conflict: gdpr Art. 17: privacy.data_subject_rights.erasure"), "{text}");
    let out = instance.cli(&["compliance", "show", "gdpr", "art-17-1"]).await;
    assert!(String::from_utf8_lossy(&out.stdout).contains("erasure-on"));
    assert_eq!(instance.cli(&["compliance", "status", "--framework", "sox"]).await.status.code(), Some(2));
    let log = instance.started_with();
    assert!(log.contains("conflict: ") && log.contains("audit.retention.presets"), "{log}");
}

#[tokio::test]
async fn what_the_configuration_says_turns_controls_red_and_green() {
    let bad = "[privacy]\nconsent_required = false\n[privacy.data_subject_rights]\naccess = false\nrectification = false\nerasure = false\nportability = false\n\
        [identity.session]\ntimeout = 7200\nadmin_timeout = 1200\n[limits.login]\nattempts = 11\nwindow = \"1h\"\nlockout = \"20m\"\n\
        [audit.retention]\npresets = [\"gdpr-min\"]\n[detection]\nown_rules = false\n\
        [[gateway.routes]]\nname = \"away\"\nhost = \"away.localhost\"\nupstream = \"http://192.0.2.1:8080\"\nwaf = \"detect\"\nrequire = \"public\"\n";
    let good = "[[gateway.routes]]\nname = \"here\"\nhost = \"here.localhost\"\nupstream = \"http://127.0.0.1:9\"\nrequire = \"public\"\n[privacy]\ngpc_since = \"2026-11-23\"\n[identity]\nprofile = \"pci\"\n[identity.session]\ntimeout = 900\nadmin_timeout = 900\n\
        [identity.mfa]\nrequired_factors = 2\nremember_device = false\nproviders = [\"totp\"]\n[audit.retention]\npresets = [\"hipaa\"]\n[backup]\nschedule = \"1d\"\n\
        [alerts]\nwebhook = [\"siem\"]\n[channels.webhook.siem]\nurl = \"http://127.0.0.1:9/x\"\nsecret_file = \"webhook-secret\"\n";
    let names = [
        "access-on",
        "rectification-on",
        "erasure-on",
        "portability-on",
        "nothing-without-a-yes",
        "idle-15-minutes",
        "idle-logoff",
        "lockout",
        "ledger-kept-a-year",
        "requests-kept-24-months",
        "records-kept-six-years",
        "passwords-long",
        "two-factors-required",
        "signal-published",
        "backups-scheduled",
        "rules-watch",
        "silence-alarms",
        "factors-not-replayed",
        "transport-encrypted",
        "firewall-blocks",
    ];
    let instance = Instance::start("sqlite", &format!("{ALL}{bad}")).await;
    set(&instance, purpose("personalize", "consent", json!({}))).await;
    let found = checks(&instance).await;
    for name in names {
        assert_eq!(found[name], "fail", "{name}");
    }
    instance.stop("-INT").await;
    std::fs::write(instance.dir.path().join("webhook-secret"), "0123456789abcdef0123456789abcdef").unwrap();
    instance.rewrite(|text| text.replace(bad, good));
    instance.run().await;
    let found = checks(&instance).await;
    for name in names {
        assert_eq!(found[name], "pass", "{name}");
    }
}

#[tokio::test]
async fn people_purposes_and_requests_turn_controls_red_and_green() {
    for storage in storages().await {
        let instance = Instance::start(&storage, ALL).await;
        // Administrators.
        let ada = instance.account("ada@example.com", &["admin"]).await;
        is(&instance, "admins-use-two-factors", "fail").await;
        send(&instance, Method::PUT, &format!("/v1/accounts/{ada}/roles"), json!({"roles": []})).await;
        is(&instance, "admins-use-two-factors", "no_data").await;
        // Purposes.
        let ads = |more: Value| purpose("marketing.advertising", "legitimate_interests", more);
        set(&instance, ads(json!({"recipients": [{"name": "Ads Inc"}]}))).await;
        for name in ["recipients-placed", "retention-stated"] {
            is(&instance, name, "fail").await;
        }
        set(&instance, ads(json!({"recipients": [{"name": "Ads Inc", "country": "US"}], "retention_days": 90}))).await;
        for name in ["recipients-placed", "retention-stated", "notices-current", "nothing-without-a-yes"] {
            is(&instance, name, "pass").await;
        }
        set(&instance, purpose("personalize", "consent", json!({"required": true, "retention_days": 1}))).await;
        is(&instance, "nothing-without-a-yes", "fail").await;
        set(&instance, purpose("personalize", "consent", json!({"retention_days": 1}))).await;
        is(&instance, "nothing-without-a-yes", "pass").await;
        // Uses of data, as applications report them.
        let used = async |purpose: &str, data_type: &str| {
            let body = json!({"event_type": "data_processing", "subject": ada, "data_type": data_type, "purpose": purpose});
            instance.operator(Method::POST, "/v1/compliance/events", body).await
        };
        is(&instance, "uses-name-purposes", "no_data").await;
        let (status, answer) = used("service_delivery", "personal").await;
        assert_eq!(status, 201, "{answer}");
        is(&instance, "uses-name-purposes", "fail").await;
        set(&instance, purpose("essential.service", "contract", json!({"retention_days": 30}))).await;
        assert_eq!(used("service_delivery", "personal").await.0, 201);
        is(&instance, "uses-name-purposes", "pass").await;
        let (status, problem) = used("servise_delivery", "personal").await;
        assert!(status == 422 && problem.to_string().contains("service_delivery"), "{problem}");
        let (status, problem) = used("service_delivery", "persnal").await;
        assert!(status == 422 && problem.to_string().contains("personal"), "{problem}");
        let found = instance.operator(Method::GET, &format!("/v1/events?q={}", escape("type:data_processing")), Value::Null).await.1;
        let data = &found["items"][0]["event"]["data"];
        assert_eq!((&data["data_type"], &data["purpose"], &data["ground"]), (&json!("user"), &json!("essential.service"), &json!("contract")), "{found}");
        // A no counts.
        for said in ["given", "withdrawn"] {
            send(&instance, Method::POST, "/v1/consents", json!({"subject": ada, "purposes": ["personalize"], "said": said})).await;
        }
        is(&instance, "withdrawals-count", "pass").await;
        is(&instance, "objections-count", "no_data").await;
        assert_eq!(used("personalize", "user.behavior").await.0, 201);
        is(&instance, "withdrawals-count", "fail").await;
        // An application cannot say itself on which ground it stood.
        let body = json!({"type": "data_processing", "metadata": {"ground": "contract", "purpose": "x"}});
        send(&instance, Method::POST, "/v1/events", body).await;
        let found = instance.operator(Method::GET, &format!("/v1/events?q={}", escape("type:data_processing")), Value::Null).await.1;
        assert_eq!(found["items"][0]["event"]["data"].get("ground"), None, "{found}");
    }
}

const MAP: &str = "dataset:
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
async fn stores_turn_controls_red_and_green() {
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
    let instance = Instance::start("sqlite", &settings).await;
    let person = |id: u32| json!({"namespace": "shop", "value": id.to_string()});
    // The record of processing: what is held and used by no purpose is a gap.
    is(&instance, "record-complete", "no_data").await;
    let service = |categories: Value| purpose("essential.service", "contract", json!({"retention_days": 30, "categories": categories}));
    set(&instance, service(json!(["user.unique_id"]))).await;
    is(&instance, "record-complete", "fail").await;
    let out = instance.cli(&["privacy", "record"]).await;
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(text.contains("shop.person: it holds user.contact.email, and no purpose uses them") && text.contains("- held in: shop.person"), "{text}");
    set(&instance, service(json!(["user.unique_id", "user.contact"]))).await;
    is(&instance, "record-complete", "pass").await;
    // What a purpose does not need is left out, and what nobody mapped.
    set(&instance, purpose("personalize", "consent", json!({"retention_days": 1, "categories": ["user.unique_id"]}))).await;
    let records = json!([{"id": 1, "mail": "p1@example.com", "made": "2026-01-01", "nickname": "p"}]);
    let asked = |of: &str| json!({"purposes": [of], "collection": "shop.person", "records": records});
    let few = send(&instance, Method::POST, "/v1/privacy/projections", asked("personalize")).await;
    assert_eq!(few, json!({"records": [{"id": 1, "made": "2026-01-01"}], "left_out": ["mail", "nickname"]}));
    let more = send(&instance, Method::POST, "/v1/privacy/projections", asked("essential.service")).await;
    assert_eq!(more, json!({"records": [{"id": 1, "mail": "p1@example.com", "made": "2026-01-01"}], "left_out": ["nickname"]}));
    // A column that nobody mapped, and one that may never be kept.
    is(&instance, "maps-complete", "pass").await;
    run("ALTER TABLE person ADD COLUMN nickname TEXT");
    is(&instance, "maps-complete", "fail").await;
    run("ALTER TABLE person DROP COLUMN nickname");
    for name in ["maps-complete", "no-card-codes", "nothing-overdue"] {
        is(&instance, name, "pass").await;
    }
    // A row over its time.
    run("INSERT INTO person VALUES (20, 'old@example.com', '2020-01-01 00:00:00')");
    is(&instance, "nothing-overdue", "fail").await;
    let applied = instance.cli(&["privacy", "retention", "--apply"]).await;
    assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
    is(&instance, "nothing-overdue", "pass").await;
    // Requests: none, one that is done, one that something speaks against, refused then.
    is(&instance, "erasures-complete", "no_data").await;
    assert_eq!(ask(&instance, "erasure", person(1)).await["status"], "completed");
    for name in ["erasures-complete", "gdpr-requests-in-time"] {
        is(&instance, name, "pass").await;
    }
    run("CREATE TABLE loyalty (id INTEGER PRIMARY KEY, person INTEGER NOT NULL REFERENCES person (id)); INSERT INTO loyalty VALUES (1, 2)");
    let stopped = ask(&instance, "erasure", person(2)).await;
    assert_eq!(stopped["status"], "stopped", "{stopped}");
    is(&instance, "erasures-complete", "fail").await;
    let path = format!("/v1/subject-requests/{}/refuse", stopped["id"].as_str().unwrap());
    send(&instance, Method::POST, &path, json!({"reason": "they are asked for the card first"})).await;
    for name in ["erasures-complete", "gdpr-refusals-reasoned"] {
        is(&instance, name, "pass").await;
    }
    // A hold without an end.
    let mut hold = json!({"subject": person(3), "place": "*", "article": "Art. 17(3)(e)", "reason": "a case", "owner": "legal"});
    let held = send(&instance, Method::POST, "/v1/privacy/holds", hold.clone()).await;
    is(&instance, "holds-complete", "fail").await;
    send(&instance, Method::DELETE, &format!("/v1/privacy/holds/{}?reason=over", held["id"].as_str().unwrap()), Value::Null).await;
    hold["until"] = json!("2036-12-31");
    send(&instance, Method::POST, "/v1/privacy/holds", hold).await;
    is(&instance, "holds-complete", "pass").await;
    // A store that does not answer gives no data, and passes nothing.
    std::fs::rename(&file, folder.path().join("away.db")).unwrap();
    for name in ["maps-complete", "no-card-codes", "nothing-overdue"] {
        is(&instance, name, "no_data").await;
    }
}

#[tokio::test]
async fn accounts_and_keys_turn_controls_red_and_green() {
    let instance = Instance::start("sqlite", ALL).await;
    let ben = instance.account("ben@example.com", &[]).await;
    let at = |path: &str| format!("/v1/accounts/{ben}/{path}");
    let run = |sql: &str| {
        let db = rusqlite::Connection::open(instance.data().join("tutela.db")).unwrap();
        db.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
        db.execute_batch(sql).unwrap();
    };
    for name in ["no-idle-accounts", "password-only-accounts"] {
        is(&instance, name, "pass").await;
    }
    is(&instance, "leavers-have-no-way-in", "no_data").await;
    // An account that nobody has used for a hundred days.
    let long_ago = "(unixepoch() - 100 * 86400) * 1000000";
    run(&format!("UPDATE account SET created_at = {long_ago}"));
    is(&instance, "no-idle-accounts", "fail").await;
    let browser = instance.browser();
    let (at_page, page) = browser.sign_in_at(&format!("{}/account", instance.own()), "ben@example.com").await;
    assert_eq!(page.status(), 200, "{at_page}: {}", page.text().await.unwrap());
    is(&instance, "no-idle-accounts", "pass").await;
    // A password alone, and as old.
    run(&format!("UPDATE account SET password_changed_at = {long_ago}"));
    is(&instance, "password-only-accounts", "fail").await;
    // It is switched off, and somebody brings its session back.
    send(&instance, Method::POST, &at("disable"), json!({"reason": "left"})).await;
    for name in ["leavers-have-no-way-in", "password-only-accounts"] {
        let found = checks(&instance).await;
        assert_ne!(found[name], "fail", "{name}");
    }
    run("UPDATE session SET ended_at = NULL");
    is(&instance, "leavers-have-no-way-in", "fail").await;
    run("UPDATE session SET ended_at = last_seen_at");
    is(&instance, "leavers-have-no-way-in", "pass").await;
    // A key that should have been rotated.
    send(&instance, Method::POST, "/v1/crypto/keys", json!({"name": "customers", "purposes": ["encrypt"], "rotation_schedule": "30 days"})).await;
    is(&instance, "keys-in-order", "pass").await;
    run(&format!("UPDATE named_key SET rotated_at = {long_ago} WHERE name = 'customers'"));
    is(&instance, "keys-in-order", "fail").await;
    send(&instance, Method::POST, "/v1/crypto/keys/customers/rotate", json!({})).await;
    is(&instance, "keys-in-order", "pass").await;
    // A program's key that is two years old.
    instance.key(&["events:write"]).await;
    is(&instance, "program-keys-rotate", "pass").await;
    run("UPDATE client_key SET created_at = created_at - 2 * 365 * 86400 * 1000000");
    is(&instance, "program-keys-rotate", "fail").await;
    run("DELETE FROM client_key");
    is(&instance, "program-keys-rotate", "no_data").await;
}

/// Changes the database behind the server's back; `DAYS(n)` is so much time.
pub async fn execute(instance: &Instance, storage: &str, sql: &str) {
    let (before, rest) = sql.split_once("DAYS(").unwrap_or((sql, ""));
    let (days, after) = rest.split_once(')').unwrap_or(("0", ""));
    let with = |time: String| if rest.is_empty() { sql.to_owned() } else { format!("{before}{time}{after}") };
    if storage == "sqlite" {
        let db = rusqlite::Connection::open(instance.data().join("tutela.db")).unwrap();
        db.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
        db.execute_batch(&with(format!("{days} * 86400000000"))).unwrap();
    } else {
        let (client, connection) = testkit::tokio_postgres::connect(storage, testkit::tokio_postgres::NoTls).await.unwrap();
        let connection = tokio::spawn(connection);
        client.batch_execute(&with(format!("interval '{days} days'"))).await.unwrap();
        drop(client);
        connection.await.unwrap().unwrap();
    }
}

/// How a control stands.
async fn control(instance: &Instance, framework: &str, id: &str) -> Value {
    let found = send(instance, Method::GET, "/v1/compliance", Value::Null).await;
    let of = |list: &Value, key: &str, wanted: &str| list.as_array().unwrap().iter().find(|of| of[key] == wanted).unwrap().clone();
    of(&of(&found["frameworks"], "key", framework)["controls"], "id", id)
}

#[tokio::test]
async fn what_people_state_counts_while_it_lasts_and_takes_two_where_it_excuses() {
    for storage in storages().await {
        let instance = Instance::start(&storage, ALL).await;
        let said = |kind: &str, id: &str| json!({"framework": "pci-dss", "control": id, "kind": kind, "owner": "security", "document": "custodians.pdf", "reason": "no cards are taken", "until": "2027-06-30"});
        let state = async |body: Value| instance.operator(Method::POST, "/v1/compliance/statements", body).await;
        assert_eq!(control(&instance, "pci-dss", "3.7.6").await["why"], "nobody has attested to it yet");
        for (field, value, named) in [
            ("framework", "sox", "is not switched on"),
            ("control", "99.9", "has no control"),
            ("kind", "hope", "attestation, exception, not_applicable"),
            ("owner", " ", "`owner` has 1 to 200"),
            ("document", "", "`document` has 1 to 500"),
            ("until", "2020-01-01", "the last day"),
            ("until", "2099-01-01", "two years"),
            ("until", "soon", "2027-11-22"),
        ] {
            let mut bad = said("attestation", "3.7.6");
            bad[field] = json!(value);
            let (status, problem) = state(bad).await;
            assert!(status == 422 && problem.to_string().contains(named), "{field}: {status} {problem}");
        }
        assert_eq!(state(said("attestation", "3.7.6")).await.0, 201);
        let of = control(&instance, "pci-dss", "3.7.6").await;
        assert_eq!((&of["outcome"], &of["why"]), (&json!("manual"), &json!("attested by security until 2027-06-30: custodians.pdf")));
        // Its time passes: what was attested holds no more.
        execute(&instance, &storage, "UPDATE control_statement SET until = made_at - DAYS(1)").await;
        assert_eq!(control(&instance, "pci-dss", "3.7.6").await["outcome"], "fail");
        assert_eq!(state(said("attestation", "3.7.6")).await.0, 201);
        assert_eq!(control(&instance, "pci-dss", "3.7.6").await["outcome"], "manual");

        // What excuses waits for somebody else.
        let (_, made) = state(said("not_applicable", "8.4.1")).await;
        assert_eq!(made["state"], "waits");
        assert_eq!(control(&instance, "pci-dss", "8.4.1").await["outcome"], "fail");
        let path = format!("/v1/compliance/statements/{}/approve", made["id"].as_str().unwrap());
        let (status, problem) = instance.operator(Method::POST, &path, json!({})).await;
        assert!(status == 409 && problem.to_string().contains("ask somebody else"), "{problem}");
        let key = instance.key(&["compliance:write"]).await;
        let other = async |method: Method, path: &str| {
            let request = instance.browser().request(method, &format!("{}{path}", instance.console())).bearer_auth(&key);
            request.json(&json!({})).send().await.unwrap().status().as_u16()
        };
        assert_eq!(other(Method::POST, &path).await, 200);
        assert_eq!(other(Method::POST, &path).await, 409, "once");
        let of = control(&instance, "pci-dss", "8.4.1").await;
        assert_eq!(of["outcome"], "not_applicable");
        assert!(of["why"].as_str().unwrap().starts_with("no cards are taken (approved by client"), "{of}");
        // An exception is told and fails all the same.
        let (_, made) = state(said("exception", "3.7.1")).await;
        let path = format!("/v1/compliance/statements/{}", made["id"].as_str().unwrap());
        assert_eq!(other(Method::POST, &format!("{path}/approve")).await, 200);
        send(&instance, Method::POST, "/v1/crypto/keys", json!({"name": "cards", "purposes": ["encrypt"], "rotation_schedule": "30 days"})).await;
        execute(&instance, &storage, "UPDATE named_key SET rotated_at = rotated_at - DAYS(100)").await;
        let of = control(&instance, "pci-dss", "3.7.1").await;
        assert!(of["outcome"] == "fail" && of["why"].as_str().unwrap().contains("(accepted by client"), "{of}");
        send(&instance, Method::DELETE, &format!("{path}?reason=rotated"), Value::Null).await;
        assert!(!control(&instance, "pci-dss", "3.7.1").await["why"].as_str().unwrap().contains("accepted"));
        assert_eq!(instance.operator(Method::DELETE, &format!("{path}?reason=again"), Value::Null).await.0, 409);
        let out = instance.cli(&["compliance", "statements"]).await;
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        assert!(text.contains("withdrawn") && text.contains("counts") && text.contains("over"), "{text}");
    }
}

#[tokio::test]
async fn assessments_go_to_the_ledger_a_control_that_turns_red_is_told_and_tampering_is_seen() {
    for storage in storages().await {
        let instance = Instance::start(&storage, ALL).await;
        // The first comes by itself: there was none.
        let events =
            async |q: &str| send(&instance, Method::GET, &format!("/v1/events?q={}", escape(q)), Value::Null).await["items"].as_array().unwrap().clone();
        until("the first assessment", async || events("type:compliance.assessed").await.len() == 4).await;
        let ada = instance.account("ada@example.com", &["admin"]).await;
        let made = send(&instance, Method::POST, "/v1/compliance/assessments", json!({})).await;
        assert_eq!(made.as_array().unwrap().len(), 4);
        let pci = made.as_array().unwrap().iter().find(|of| of["framework"] == "pci-dss").unwrap();
        let event = send(&instance, Method::GET, &format!("/v1/events/{}", pci["event"].as_str().unwrap()), Value::Null).await;
        let data = &event["event"]["data"];
        assert_eq!((&data["why"], &data["failed"], data["controls"].as_array().unwrap().len()), (&json!("asked"), &pci["failed"], 32));
        // Red, with why; green again when it is mended.
        let changed = async |control: &str, new: &str| {
            let all = events(&format!("type:compliance.control_changed resource:control/pci-dss/{control}")).await;
            all.into_iter().filter(|of| of["event"]["data"]["new"] == new).collect::<Vec<_>>()
        };
        assert_eq!(changed("8.4.1", "fail").await.len(), 1);
        send(&instance, Method::PUT, &format!("/v1/accounts/{ada}/roles"), json!({"roles": []})).await;
        send(&instance, Method::POST, "/v1/crypto/keys", json!({"name": "cards", "purposes": ["encrypt"], "rotation_schedule": "30 days"})).await;
        send(&instance, Method::POST, "/v1/compliance/assessments", json!({})).await;
        assert_eq!(changed("3.7.1", "pass").await.len(), 1);
        execute(&instance, &storage, "UPDATE named_key SET rotated_at = rotated_at - DAYS(100)").await;
        send(&instance, Method::POST, "/v1/compliance/assessments", json!({})).await;
        let found = changed("3.7.1", "fail").await;
        assert!(found.len() == 1 && found[0]["event"]["reason"].as_str().unwrap().contains("should have been rotated"), "{found:?}");
        until("the alert", async || events("type:alert.raised").await.iter().any(|of| of["event"]["data"]["rule"] == "control_went_red")).await;
        assert_eq!(control(&instance, "pci-dss", "3.7.1").await["since"], found[0]["event"]["time"]);
        // Somebody makes it green in the database.
        execute(&instance, &storage, "UPDATE control_state SET outcome = 'pass' WHERE control = '3.7.1'").await;
        send(&instance, Method::POST, "/v1/compliance/assessments", json!({})).await;
        let found = events("type:compliance.control_differs").await;
        assert_eq!((&found[0]["event"]["data"]["stored"], &found[0]["event"]["data"]["recorded"]), (&json!("pass"), &json!("fail")));
        // The configuration changes: assessed anew by itself.
        instance.stop("-INT").await;
        instance.rewrite(|text| format!("{text}\n[identity.session]\ntimeout = 900\n"));
        instance.run().await;
        let because = async || events("type:compliance.assessed").await.iter().filter(|of| of["event"]["data"]["why"] == "configuration").count();
        until("the assessment of the new configuration", async || because().await == 4).await;
        let out = instance.cli(&["compliance", "history", "pci-dss"]).await;
        assert!(String::from_utf8_lossy(&out.stdout).contains("configuration"), "{out:?}");
    }
}

#[tokio::test]
async fn looking_at_everything_turns_controls_red_and_green() {
    for storage in storages().await {
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
            is(&instance, name, "pass").await;
        }
        // In a column that nobody mapped.
        run("UPDATE person SET ccn = '4111 1111 1111 1111' WHERE id = 2");
        assert_eq!(scan().await["card_numbers"], json!({"shop.person.ccn": 1}));
        is(&instance, "no-clear-card-numbers", "fail").await;
        until("the incident", async || {
            let live = send(&instance, Method::GET, "/v1/incidents?state=live", Value::Null).await;
            live.to_string().contains("Card numbers lie in the clear")
        })
        .await;
        is(&instance, "finds-open-incidents", "pass").await;
        let events = send(&instance, Method::GET, "/v1/events?q=type:compliance.card_numbers_found", Value::Null).await;
        assert!(events["items"].as_array().unwrap().len() == 1 && !events.to_string().contains("4111"), "{events}");
        run("UPDATE person SET ccn = NULL");
        assert_eq!(scan().await["card_numbers"], json!({}));
        is(&instance, "no-clear-card-numbers", "pass").await;
        // A store that does not answer passes nothing.
        std::fs::rename(&file, folder.path().join("away.db")).unwrap();
        assert_eq!(scan().await["unlooked"].as_array().unwrap().len(), 1);
        is(&instance, "no-clear-card-numbers", "no_data").await;
        std::fs::rename(folder.path().join("away.db"), &file).unwrap();
        // What would hurt if it were sent.
        is(&instance, "secrets-withheld", "no_data").await;
        // In the ledger: an application wrote it where no rule withholds it.
        let declared = json!({"sentence": "Somebody paid.", "severity": 1, "fields": [{"name": "with", "example": "cash"}]});
        send(&instance, Method::PUT, "/v1/event-types/shop.paid", declared).await;
        send(&instance, Method::POST, "/v1/events", json!({"type": "shop.paid", "metadata": {"with": "4012888888881881"}})).await;
        let found = scan().await;
        assert_eq!(found["card_numbers"], json!({"ledger": 1}), "{found}");
        // A byte of the ledger changes: what is judged by it has no data.
        send(&instance, Method::POST, "/v1/events", json!({"type": "data_access", "subject": {"namespace": "shop", "value": "1"}})).await;
        is(&instance, "seven-kinds-recorded", "no_data").await;
        let change = if storage == "sqlite" { "CAST(CAST(body AS TEXT) || ' ' AS BLOB)" } else { "body || '\\x20'::bytea" };
        execute(&instance, &storage, &format!("UPDATE log SET body = {change} WHERE seq = 3")).await;
        assert!(!scan().await["flaw"].is_null());
        let found = checks(&instance).await;
        assert_eq!((found["ledger-verifies"].as_str(), found["rules-watch"].as_str(), found["restore-rehearsed"].as_str()), ("fail", "no_data", "no_data"));
    }
}

#[tokio::test]
async fn what_would_hurt_is_withheld_or_named() {
    let folder = tempfile::tempdir().unwrap();
    let (file, map) = (folder.path().join("shop.db"), folder.path().join("map.yml"));
    let db = rusqlite::Connection::open(&file).unwrap();
    db.execute_batch("CREATE TABLE person (id INTEGER PRIMARY KEY, mail TEXT, made TEXT NOT NULL, ssn TEXT)").unwrap();
    let mapped = |field: &str| std::fs::write(&map, format!("{MAP}          - {{name: ssn, {field}}}\n")).unwrap();
    mapped("data_categories: [user.contact]");
    let stores = format!("[privacy.stores.shop]\nkind = \"sqlite\"\npath = \"{}\"\nmap = \"{}\"\n", file.display(), map.display());
    let instance = Instance::start("sqlite", &format!("{ALL}data_retention = {{user_data = 365}}\n{stores}")).await;
    is(&instance, "secrets-withheld", "fail").await;
    for field in ["data_categories: [user.government_id]", "data_categories: [user.contact], tutela_meta: {withhold: true}"] {
        instance.stop("-INT").await;
        mapped(field);
        instance.run().await;
        is(&instance, "secrets-withheld", "pass").await;
    }
}

#[tokio::test]
async fn words_of_people_turn_controls_red_and_green() {
    for storage in storages().await {
        let instance = Instance::start(&storage, ALL).await;
        let ada = instance.account("ada@example.com", &[]).await;
        for name in ["consents-proven", "opt-outs-count", "signal-counts"] {
            is(&instance, name, "no_data").await;
        }
        // A purpose that shares and does not say so is not stopped by a signal.
        let share = |more: Value| purpose("third_party_sharing", "consent", more);
        set(&instance, share(json!({}))).await;
        is(&instance, "signal-counts", "fail").await;
        set(&instance, share(json!({"sells": true}))).await;
        is(&instance, "signal-counts", "pass").await;
        // A yes whose receipt is another one.
        send(&instance, Method::POST, "/v1/consents", json!({"subject": ada, "purposes": ["third_party_sharing"], "said": "given"})).await;
        is(&instance, "consents-proven", "pass").await;
        execute(&instance, &storage, "UPDATE consent SET notice_version = '9'").await;
        is(&instance, "consents-proven", "fail").await;
        execute(&instance, &storage, "UPDATE consent SET notice_version = '1'").await;
        is(&instance, "consents-proven", "pass").await;
        // An opt-out counts.
        assert_eq!(ask_ccpa(&instance, "do_not_sell", json!(ada)).await["status"], "completed");
        is(&instance, "opt-outs-count", "no_data").await;
        set(&instance, purpose("essential.service", "contract", json!({}))).await;
        let used = async |purpose: &str| {
            let body = json!({"event_type": "data_processing", "subject": ada, "data_type": "personal", "purpose": purpose});
            send(&instance, Method::POST, "/v1/compliance/events", body).await
        };
        used("service_delivery").await;
        is(&instance, "opt-outs-count", "pass").await;
        used("third_party_sharing").await;
        is(&instance, "opt-outs-count", "fail").await;
    }
}

async fn ask_ccpa(instance: &Instance, kind: &str, subject: Value) -> Value {
    send(instance, Method::POST, "/v1/subject-requests?wait=10", json!({"law": "ccpa", "type": kind, "subject": subject})).await
}

#[tokio::test]
async fn reports_say_the_same_in_every_form_and_others_can_read_them() {
    let instance = Instance::start("sqlite", ALL).await;
    let get = async |path: &str| instance.operator(Method::GET, path, Value::Null).await;
    let (status, problem) = get("/v1/compliance/report?format=pdf").await;
    assert!(status == 422 && problem.to_string().contains("csv, html, measures, oscal"), "{problem}");
    assert_eq!(get("/v1/compliance/report?format=csv&framework=sox").await.0, 422);
    let report = async |args: &[&str]| {
        let out = instance.cli(&[&["compliance", "report"], args].concat()).await;
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap()
    };
    assert_eq!(report(&["--format", "csv"]).await.lines().count(), 97);
    let html = report(&["--framework", "gdpr"]).await;
    assert!(html.contains("<h2>General Data Protection Regulation</h2>") && !html.contains("<script") && !html.contains("http://"), "{html}");
    let measures = report(&["--measures"]).await;
    assert!(measures.contains("- NOT in place: no backup is scheduled.") && measures.contains("- Sessions end after"), "{measures}");
    let oscal: Value = serde_json::from_str(&report(&["--format", "oscal"]).await).unwrap();
    let results = oscal["assessment-results"]["results"].as_array().unwrap();
    let findings: Vec<&Value> = results.iter().flat_map(|result| result["findings"].as_array().unwrap()).collect();
    assert_eq!((results.len(), findings.len()), (4, 96));
    // Only what holds is satisfied.
    for finding in findings {
        let outcome = finding["props"].as_array().unwrap().iter().find(|of| of["name"] == "outcome").unwrap()["value"].as_str().unwrap();
        assert_eq!(finding["target"]["status"]["state"] == "satisfied", outcome == "pass", "{finding}");
    }
    // Trestle, of whoever keeps the format's tools, reads it; and refuses it where something is missing.
    let Some(python) = std::env::var_os("TUTELA_TEST_PYTHON") else {
        return testkit::skip("TUTELA_TEST_PYTHON does not name a Python with compliance-trestle");
    };
    let file = instance.dir.path().join("results.json");
    let reads = |document: &Value| {
        std::fs::write(&file, document.to_string()).unwrap();
        let code = "import sys; from trestle.oscal.assessment_results import AssessmentResults as A; from pathlib import Path; A.oscal_read(Path(sys.argv[1])) or sys.exit(3)";
        std::process::Command::new(&python).args(["-c", code]).arg(&file).output().unwrap()
    };
    let out = reads(&oscal);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    for path in [
        "/assessment-results/metadata/oscal-version",
        "/assessment-results/results/0/findings/0/target",
        "/assessment-results/results/0/observations/0/methods",
        "/assessment-results/results/0/reviewed-controls",
    ] {
        let (parent, name) = path.rsplit_once('/').unwrap();
        let mut broken = oscal.clone();
        broken.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name).unwrap();
        assert!(!reads(&broken).status.success(), "without {path}");
    }
}

#[tokio::test]
async fn frameworks_of_the_operator_are_assessed_over_the_same_checks() {
    let folder = tempfile::tempdir().unwrap();
    let (file, bad) = (folder.path().join("house.yml"), folder.path().join("bad.yml"));
    let text = "key: house\ntitle: Rules of the house\nsource: Board, 2026\ncontrols:\n  - {id: h-1, number: '1', title: Backups are made, kind: automatic, owner: operations, checks: [backups-scheduled]}\n  - {id: h-2, number: '2', title: Doors are locked, kind: manual, owner: office, attests: The doors}\n";
    std::fs::write(&file, text).unwrap();
    std::fs::write(&bad, text.replace("backups-scheduled", "backups-made")).unwrap();
    let instance = Instance::start("sqlite", &format!("[compliance]\nfiles = [\"{}\"]\n", file.display())).await;
    assert_eq!(control(&instance, "house", "h-1").await["outcome"], "fail");
    let word = json!({"framework": "house", "control": "h-2", "kind": "attestation", "owner": "office", "document": "round.txt", "until": "2027-06-30"});
    send(&instance, Method::POST, "/v1/compliance/statements", word).await;
    assert_eq!(control(&instance, "house", "h-2").await["outcome"], "manual");
    assert_eq!(send(&instance, Method::POST, "/v1/compliance/assessments", json!({})).await[0]["framework"], "house");
    let out = instance.cli(&["compliance", "controls", "--check", file.to_str().unwrap()]).await;
    assert!(String::from_utf8_lossy(&out.stdout).contains("house: 2 controls, 1 of them with checks"), "{out:?}");
    let out = instance.cli(&["compliance", "controls", "--check", bad.to_str().unwrap()]).await;
    assert!(!out.status.success() && String::from_utf8_lossy(&out.stderr).contains("there is no check `backups-made`"), "{out:?}");
    let out = instance.cli(&["compliance", "controls"]).await;
    assert!(String::from_utf8_lossy(&out.stdout).contains("backups are made by themselves"), "{out:?}");
    // A file that is wrong is said at the start.
    instance.stop("-INT").await;
    std::fs::write(&file, text.replace("key: house", "key: gdpr")).unwrap();
    let out = instance.cli(&["config", "check"]).await;
    let said = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(!out.status.success() && said.contains("there is another framework `gdpr`"), "{said}");
}

#[tokio::test]
async fn a_route_under_a_framework_asks_for_what_that_asks() {
    let route = |more: &str| {
        format!("[[gateway.routes]]\nname = \"pay\"\nhost = \"photos.localhost\"\nupstream = \"http://127.0.0.1:9\"\nframeworks = [\"pci-dss\"]\n{more}\n")
    };
    let settings = |compliance: &str, timeout: u32, more: &str| format!("{}[identity.session]\ntimeout = {timeout}\n{compliance}", route(more));
    let instance = Instance::start("sqlite", &settings(ALL, 900, "")).await;
    // Signed in with a password alone: a stronger sign-in is asked for.
    instance.account("ada@example.com", &[]).await;
    let browser = instance.browser();
    let (at, page) = browser.sign_in_at(&format!("http://photos.localhost:{}/", instance.port), "ada@example.com").await;
    assert!(at.starts_with(&instance.own()), "{at}: {}", page.status());
    instance.stop("-INT").await;
    for (wrong, named) in [
        (settings(ALL, 1_800, ""), "lets sessions be idle for 900 s at most"),
        (settings("", 900, ""), "`pci-dss` is not switched on"),
        (settings(ALL, 900, "require = \"public\""), "asks for somebody who is signed in"),
        (settings(ALL, 900, "waf = \"detect\""), "a firewall that blocks"),
        (settings(ALL, 900, "").replace("frameworks = [\"pci-dss\"]", "frameworks = [\"gdpr\"]"), "asks nothing of a route"),
    ] {
        instance.rewrite(|text| text.replace(&settings(ALL, 900, ""), &wrong));
        let out = instance.cli(&["config", "check"]).await;
        let said = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        assert!(!out.status.success() && said.contains(named), "{named}: {said}");
        instance.rewrite(|text| text.replace(&wrong, &settings(ALL, 900, "")));
    }
}
