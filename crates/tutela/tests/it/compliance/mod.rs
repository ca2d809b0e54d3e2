//! Compliance on a running instance: controls, what people state of them, assessments, reports, routes under a framework.

mod mask;
mod matrix;

use std::collections::BTreeMap;

pub use matrix::Seen;

use reqwest::Method;
use serde_json::{Value, json};

use crate::server::{Instance, answer, escape, storages, until};

const ALL: &str = "[compliance]\nprobes = false\nframeworks = [\"gdpr\", \"hipaa\", \"pci-dss\", \"ccpa\"]\n";

/// How every check stands, by its name.
pub async fn checks(instance: &Instance) -> BTreeMap<String, String> {
    let (status, found) = instance.operator(Method::GET, "/v1/compliance", Value::Null).await;
    assert_eq!(status, 200, "{found}");
    let controls = found["frameworks"].as_array().unwrap().iter().flat_map(|framework| framework["controls"].as_array().unwrap());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    controls.flat_map(|control| control["findings"].as_array().unwrap()).map(|finding| (text(&finding["check"]), text(&finding["outcome"]))).collect()
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
            ("until", "soon", "2036-12-31"),
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
        // A program is nobody who agrees, and what it has stated nobody else can turn into two.
        let key = instance.key(&["compliance:write"]).await;
        let program = async |path: &str, body: &Value| {
            let request = instance.browser().request(Method::POST, &format!("{}{path}", instance.console())).bearer_auth(&key);
            answer(request.json(body).send().await.unwrap()).await
        };
        for (path, body) in [(path.as_str(), json!({})), ("/v1/compliance/statements", said("exception", "3.7.1"))] {
            let (status, problem) = program(path, &body).await;
            assert!(status == 409 && problem.to_string().contains("a program is none"), "{problem}");
        }
        assert_eq!(program("/v1/compliance/statements", &said("attestation", "3.7.6")).await.0, 201);
        let ben = instance.person("ben@example.com", &["compliance:write"]).await;
        let other = async |method: Method, path: &str| {
            let request = ben.request(method, &format!("{}{path}", instance.console())).header("sec-fetch-site", "same-origin");
            request.json(&json!({})).send().await.unwrap().status().as_u16()
        };
        assert_eq!(other(Method::POST, &path).await, 200);
        assert_eq!(other(Method::POST, &path).await, 409, "once");
        // Whoever is called something else since is the same person.
        let request = ben.request(Method::POST, &format!("{}/v1/compliance/statements", instance.console())).header("sec-fetch-site", "same-origin");
        let (status, own) = answer(request.json(&said("exception", "3.5.1")).send().await.unwrap()).await;
        assert_eq!(status, 201, "{own}");
        execute(&instance, &storage, "UPDATE account SET name = 'Somebody Else'").await;
        assert_eq!(other(Method::POST, &format!("/v1/compliance/statements/{}/approve", own["id"].as_str().unwrap())).await, 409, "their own");
        execute(&instance, &storage, "UPDATE account SET name = 'ben@example.com'").await;
        let of = control(&instance, "pci-dss", "8.4.1").await;
        assert_eq!(of["outcome"], "not_applicable");
        assert!(of["why"].as_str().unwrap().starts_with("no cards are taken (approved by ben@example.com"), "{of}");
        // An exception is told and fails all the same.
        let (_, made) = state(said("exception", "3.7.1")).await;
        let path = format!("/v1/compliance/statements/{}", made["id"].as_str().unwrap());
        assert_eq!(other(Method::POST, &format!("{path}/approve")).await, 200);
        send(&instance, Method::POST, "/v1/crypto/keys", json!({"name": "cards", "purposes": ["encrypt"], "rotation_schedule": "30 days"})).await;
        execute(&instance, &storage, "UPDATE named_key SET rotated_at = rotated_at - DAYS(100)").await;
        let of = control(&instance, "pci-dss", "3.7.1").await;
        assert!(of["outcome"] == "fail" && of["why"].as_str().unwrap().contains("(accepted by ben@example.com"), "{of}");
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

#[tokio::test]
async fn of_two_nodes_one_assesses() {
    let (Some(bao), Some(url)) = (testkit::OpenBao::start(), storages().await.get(1).cloned()) else {
        return testkit::skip("TUTELA_BAO does not name OpenBao, or PostgreSQL is not installed");
    };
    let section = format!("{ALL}[kms]\nprovider = \"vault\"\n[kms.vault]\naddress = \"{}\"\ntoken_file = \"{}\"\n", bao.url, bao.token_file.display());
    let first = Instance::start(&url, &section).await;
    let second = Instance::new(&url, &section);
    std::fs::create_dir(second.data()).unwrap();
    std::fs::copy(first.data().join("instance.key"), second.data().join("instance.key")).unwrap();
    second.run().await;
    let made = async || send(&first, Method::GET, "/v1/events?q=type:compliance.assessed", Value::Null).await["items"].as_array().unwrap().len();
    until("the first assessment", async || made().await == 4).await;
    let (client, connection) = testkit::tokio_postgres::connect(&url, testkit::tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    for round in 2..5 {
        client.batch_execute("UPDATE assessment SET made_at = made_at - interval '2 days'").await.unwrap();
        // Both may take it, and whoever comes second finds it done.
        for _ in 0..2 {
            client.batch_execute("UPDATE job SET run_at = now() WHERE unique_key = 'assessment' AND lease_until IS NULL").await.unwrap();
            let free = "SELECT 1 FROM job WHERE unique_key = 'assessment' AND lease_until IS NULL AND run_at > now()";
            until("the job is done", async || !client.query(free, &[]).await.unwrap().is_empty()).await;
        }
        assert_eq!(made().await, 4 * round);
    }
}
