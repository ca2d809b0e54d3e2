//! Incidents: alerts that belong together, whoever is told of them, and what people do.

use std::sync::{Arc, Mutex};

use axum::{Json, Router, extract::State, http::HeaderMap, routing::post};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::{
    detection::{ROUTES, events, guess, knock},
    server::{Instance, storages, until},
};

/// What Slack, PagerDuty and an address of the operator's were sent: path, token or signature, body.
type Got = Arc<Mutex<Vec<(String, String, Value)>>>;

/// All three of them, who refuse what their documentation does not allow.
async fn receivers() -> (u16, Got) {
    let got = Got::default();
    let slack = async |State(got): State<Got>, headers: HeaderMap, Json(body): Json<Value>| {
        let header = &body["blocks"][0]["text"];
        let fine = body["channel"].is_string()
            && header["type"] == "plain_text"
            && header["text"].as_str().is_some_and(|text| (1..=150).contains(&text.chars().count()))
            && body["blocks"].as_array().is_some_and(|blocks| blocks.iter().skip(1).all(|block| !block.to_string().contains("mrkdwn")));
        got.lock().unwrap().push(("slack".into(), headers["authorization"].to_str().unwrap().to_owned(), body));
        Json(if fine { json!({"ok": true, "ts": "1.2"}) } else { json!({"ok": false, "error": "invalid_blocks"}) })
    };
    let pagerduty = async |State(got): State<Got>, Json(body): Json<Value>| {
        let payload = &body["payload"];
        let fine = ["critical", "error", "warning", "info"].contains(&payload["severity"].as_str().unwrap_or_default())
            && body["dedup_key"].as_str().is_some_and(|key| key.len() <= 255)
            && payload["summary"].is_string()
            && payload["source"].is_string();
        // https://developer.pagerduty.com/docs/events-api-v2/trigger-events: what is acknowledged or resolved needs no payload.
        let fine = match body["event_action"].as_str() {
            Some("trigger") => fine,
            Some("acknowledge" | "resolve") => body["dedup_key"].is_string(),
            _ => false,
        };
        got.lock().unwrap().push(("pagerduty".into(), body["routing_key"].as_str().unwrap_or_default().to_owned(), body));
        (if fine { axum::http::StatusCode::ACCEPTED } else { axum::http::StatusCode::BAD_REQUEST }, Json(json!({"status": "success"})))
    };
    let refuses = async || axum::http::StatusCode::BAD_REQUEST;
    let hook = async |State(got): State<Got>, headers: HeaderMap, Json(body): Json<Value>| {
        got.lock().unwrap().push(("hook".into(), headers["tutela-signature"].to_str().unwrap().to_owned(), body));
    };
    let app = Router::new()
        .route("/api/chat.postMessage", post(slack))
        .route("/v2/enqueue", post(pagerduty))
        .route("/hook", post(hook))
        .route("/refuses", post(refuses))
        .with_state(Arc::clone(&got));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, app).await });
    (port, got)
}

/// Everybody who can be told, and the configuration that names them.
struct Channels {
    secrets: TempDir,
    port: u16,
    got: Got,
}

const SIGNING: &str = "a signing secret of Slack's";

impl Channels {
    async fn open() -> Self {
        let (port, got) = receivers().await;
        Self { secrets: tempfile::tempdir().unwrap(), port, got }
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.secrets.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    fn settings(&self, hook: &str) -> String {
        let (token, key, secret) = (self.file("slack", "xoxb-1\n"), self.file("pagerduty", "R0UT1NGKEY\n"), self.file("hook", "a secret of sixteen\n"));
        let (signing, port) = (self.file("signing", SIGNING), self.port);
        format!(
            "{ROUTES}[channels]\nlog = \"{}\"\n[channels.slack]\ntoken_file = \"{token}\"\nsigning_secret_file = \"{signing}\"\nurl = \"http://127.0.0.1:{port}/api\"\n\
             [channels.pagerduty.security-team]\nrouting_key_file = \"{key}\"\nurl = \"http://127.0.0.1:{port}\"\n\
             [channels.webhook.siem]\nurl = \"http://127.0.0.1:{port}{hook}\"\nsecret_file = \"{secret}\"\n\
             [alerts]\nemail = [\"security@company.com\"]\nslack = \"#security-alerts\"\npagerduty = \"security-team\"\nwebhook = \"siem\"\n",
            self.mail().display()
        )
    }

    fn mail(&self) -> std::path::PathBuf {
        self.secrets.path().join("mail")
    }

    /// What a channel was sent.
    fn to(&self, channel: &str) -> Vec<Value> {
        self.got.lock().unwrap().iter().filter(|(to, ..)| to == channel).map(|(_, _, body)| body.clone()).collect()
    }
}

/// A button of Slack, signed as Slack does.
async fn press(instance: &Instance, action: &str, incident: &str, secret: &str) -> (u16, String) {
    let payload = json!({"type": "block_actions", "user": {"id": "U1", "username": "grace"}, "actions": [{"action_id": action, "value": incident}]});
    let mut form = reqwest::Url::parse("https://slack.invalid/").unwrap();
    let body = form.query_pairs_mut().append_pair("payload", &payload.to_string()).finish().query().unwrap().to_owned();
    let now = tutela_core::Env::now(&tutela_core::SystemEnv).secs();
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret.as_bytes());
    let mac = aws_lc_rs::hmac::sign(&key, format!("v0:{now}:{body}").as_bytes());
    let hex: String = mac.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let request = instance.browser().request(Method::POST, &format!("{}/v1/alerts/slack", instance.own()));
    let request = request.header("content-type", "application/x-www-form-urlencoded").header("x-slack-request-timestamp", now.to_string());
    let answer = request.header("x-slack-signature", format!("v0={hex}")).body(body).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test]
async fn whoever_is_to_be_told_of_an_alert_is_told_once_and_in_words_that_do_nothing() {
    let channels = Channels::open().await;
    let (got, mail) = (Arc::clone(&channels.got), channels.mail());
    let instance = Instance::start("sqlite", &channels.settings("/hook")).await;
    let out = instance.cli(&["alert", "test"]).await;
    assert!(out.status.success() && String::from_utf8_lossy(&out.stdout).contains("#security-alerts"), "{out:?}");
    until("the test has arrived", async || got.lock().unwrap().len() == 3).await;
    got.lock().unwrap().clear();
    // Names that are markup in a mail, mentions in Slack.
    for number in 0..6 {
        guess(&instance, "198.51.100.7", &format!("%3C!channel%3E+%3Cscript%3E+{number}%40example.com")).await;
    }
    until("they are told", async || got.lock().unwrap().len() >= 3).await;
    until("the mail is there", async || std::fs::read_to_string(&mail).is_ok_and(|text| text.matches("Many failed sign-ins").count() == 1)).await;
    let told = got.lock().unwrap().clone();
    assert_eq!(told.len(), 3, "{told:#?}");
    let of = |name: &str| told.iter().find(|(to, ..)| to == name).unwrap();
    let (_, token, slack) = of("slack");
    assert_eq!((token.as_str(), &slack["channel"]), ("Bearer xoxb-1", &json!("#security-alerts")));
    assert!(slack["blocks"][1]["text"]["text"].as_str().unwrap().contains("ip: 198.51.100.7"), "{slack}");
    let (_, key, pagerduty) = of("pagerduty");
    assert_eq!(
        (key.as_str(), &pagerduty["payload"]["severity"], &pagerduty["payload"]["class"]),
        ("R0UT1NGKEY", &json!("error"), &json!("brute_force_detection"))
    );
    let (_, signature, hook) = of("hook");
    assert!(signature.starts_with("t=") && hook["type"] == "tutela.alert" && hook["data"]["level"] == "high", "{hook}");
    let alert = &events(&instance, "type:alert.raised").await[0];
    assert_eq!(alert["resource"]["id"], hook["id"]);
}

#[tokio::test]
async fn twelve_failures_are_one_incident_that_is_worked_through_and_taken_along() {
    for storage in storages().await {
        let channels = Channels::open().await;
        let instance = Instance::start(&storage, &channels.settings("/hook")).await;
        let attacker = "198.51.100.7";
        for _ in 0..12 {
            guess(&instance, attacker, "ada@example.com").await;
        }
        let open = async |state: &str| {
            let (status, found) = instance.operator(Method::GET, &format!("/v1/incidents?state={state}"), Value::Null).await;
            assert_eq!(status, 200, "{found}");
            found.as_array().unwrap().clone()
        };
        until("an incident is open", async || open("live").await.len() == 1).await;
        let id = open("open").await[0]["id"].as_str().unwrap().to_owned();
        until("everybody is told", async || ["slack", "pagerduty", "hook"].iter().all(|channel| channels.to(channel).len() == 1)).await;
        let slack = &channels.to("slack")[0];
        let buttons: Vec<&Value> = slack["blocks"][3]["elements"].as_array().unwrap().iter().map(|button| &button["action_id"]).collect();
        assert_eq!(buttons, ["acknowledge", "undo"], "{slack}");
        // An application tells of the same address: graver, so they hear of it, below what they have heard.
        let key = instance.key(&["alerts:write"]).await;
        let raise = async |level: &str| {
            let alert =
                json!({"level": level, "title": "Security Threat Detected: card_testing", "details": "40 cards in a minute", "about": {"ip": attacker}});
            let request = instance.browser().request(Method::POST, &format!("{}/v1/alerts", instance.own()));
            crate::server::answer(request.bearer_auth(&key).json(&alert).send().await.unwrap()).await
        };
        let (status, raised) = raise("critical").await;
        assert_eq!((status, &raised["incident"]), (201, &json!(id)), "{raised}");
        until("they hear of it", async || channels.to("slack").len() == 2 && channels.to("pagerduty").len() == 2).await;
        assert_eq!((&channels.to("slack")[1]["thread_ts"], &channels.to("slack")[0]["thread_ts"]), (&json!("1.2"), &Value::Null));
        assert_eq!(channels.to("pagerduty")[0]["dedup_key"], channels.to("pagerduty")[1]["dedup_key"]);
        // More of the same is counted, and nobody is called again.
        raise("critical").await;
        let (status, detail) = instance.operator(Method::GET, &format!("/v1/incidents/{id}"), Value::Null).await;
        assert_eq!(
            (status, &detail["alerts"], &detail["level"], &detail["about"]["ip"], &detail["playbook"]),
            (200, &json!(3), &json!("critical"), &json!([attacker]), &json!("account_takeover")),
            "{detail}"
        );
        assert_eq!(detail["rules"], json!(["brute_force_detection", "Security Threat Detected: card_testing"]));
        // Somebody looks at it, checks a step off, lets the address in again by a button.
        let (status, said) = press(&instance, "acknowledge", &id, SIGNING).await;
        assert_eq!((status, said.as_str()), (200, "Acknowledged."));
        assert_eq!(press(&instance, "undo", &id, "another secret").await.0, 401);
        assert_eq!(knock(&instance, attacker).await.0, 403);
        assert_eq!(press(&instance, "undo", &id, SIGNING).await.1, "1 blocks lifted.");
        assert_eq!(knock(&instance, attacker).await.0, 200, "{storage}");
        let out = instance.cli(&["incident", "step", &id, "scope", "--note", "nobody got in"]).await;
        assert!(out.status.success(), "{out:?}");
        assert!(!instance.cli(&["incident", "step", &id, "scope"]).await.status.success(), "it is done already");
        assert!(!instance.cli(&["incident", "step", &id, "nothing"]).await.status.success());
        // What can be done by a button, and what cannot.
        let contain =
            async |action: &str| instance.operator(Method::POST, &format!("/v1/incidents/{id}/contain"), json!({"action": action, "reason": "ticket 7"})).await;
        assert_eq!(contain("block_ip").await, (200, json!({"done": 1, "refused": []})));
        assert_eq!(knock(&instance, attacker).await.0, 403, "{storage}");
        let (status, problem) = contain("revoke_sessions").await;
        assert!(status == 409 && problem.to_string().contains("names nobody"), "{problem}");
        let go = async |state: &str| instance.operator(Method::POST, &format!("/v1/incidents/{id}/state"), json!({"state": state, "reason": "done"})).await.0;
        assert_eq!((go("contained").await, go("resolved").await, go("acknowledged").await, go("reviewed").await), (204, 204, 409, 204));
        until("PagerDuty hears how far it is", async || {
            let said: Vec<Value> = channels.to("pagerduty").iter().map(|body| body["event_action"].clone()).collect();
            said == ["trigger", "trigger", "acknowledge", "resolve"]
        })
        .await;
        let out = instance.cli(&["incident", "show", &id]).await;
        let said = String::from_utf8_lossy(&out.stdout).into_owned();
        assert!(said.contains("[x] scope") && said.contains("nobody got in") && said.contains("reviewed"), "{said}");
        // What comes back is a new one.
        let (_, again) = raise("high").await;
        assert_ne!(again["incident"], json!(id));
        assert_eq!((open("live").await.len(), open("all").await.len()), (1, 2));
        // All of it, for somebody who believes nobody.
        let file = channels.secrets.path().join("timeline.jsonl");
        let out = instance.cli(&["incident", "export", &id, "--to", file.to_str().unwrap()]).await;
        assert!(out.status.success(), "{out:?}");
        let (_, key) = instance.operator(Method::GET, "/v1/ledger/key", Value::Null).await;
        let text = std::fs::read_to_string(&file).unwrap();
        let count = |kind: &str| text.matches(&format!("\"type\":\"{kind}\"")).count();
        let lines = text.lines().count();
        for (kind, least) in [
            ("sign_in.failed", 6),
            ("alert.raised", 3),
            ("address.blocked", 1),
            ("address.unblocked", 1),
            ("incident.opened", 1),
            ("incident.moved", 4),
            ("incident.contained", 1),
            ("incident.step_set", 1),
        ] {
            assert!(count(kind) >= least, "{kind} in {lines} lines: {text}");
        }
        let key = key
            .as_str()
            .map(str::to_owned)
            .unwrap_or_else(|| text.lines().last().and_then(|line| serde_json::from_str::<Value>(line).ok()).unwrap()["key"].as_str().unwrap().to_owned());
        let out = instance.cli(&["audit", "verify", "--export", file.to_str().unwrap(), "--key", key.trim()]).await;
        assert!(out.status.success(), "{out:?}");
    }
}

#[tokio::test]
async fn who_cannot_be_reached_is_told_of_to_the_others() {
    let channels = Channels::open().await;
    // Nothing is there: 404 is tried again, 400 is refused for good.
    let instance = Instance::start("sqlite", &channels.settings("/refuses")).await;
    for _ in 0..6 {
        guess(&instance, "198.51.100.7", "nobody@example.com").await;
    }
    until("the others hear of it", async || channels.to("slack").iter().any(|body| body["text"] == "An alert does not reach webhook siem")).await;
    until("once each", async || channels.to("pagerduty").len() == 2).await;
    let mails = std::fs::read_to_string(channels.mail()).unwrap();
    assert!(mails.contains("does not reach webhook siem"), "{mails}");
    until("it is given up", async || !events(&instance, "type:message.given_up").await.is_empty()).await;
    assert_eq!(channels.to("slack").len(), 2);
}

#[tokio::test]
async fn what_protects_an_account_is_done_by_a_button_and_guardrails_stand_in_its_way() {
    for storage in storages().await {
        let instance = Instance::start(&storage, ROUTES).await;
        let ada = instance.account("ada@example.com", &[]).await;
        let root = instance.account("root@example.com", &["admin"]).await;
        let browser = instance.browser();
        let (_, page) = browser.sign_in_at(&format!("{}/account", instance.own()), "ada@example.com").await;
        assert!(page.status().is_success(), "{:?}", page.status());
        let raise = async |about: Value| {
            let alert = json!({"level": "high", "title": "Something is wrong", "details": "by hand", "about": about});
            let (status, raised) = instance.operator(Method::POST, "/v1/alerts", alert).await;
            assert_eq!(status, 201, "{raised}");
            raised["incident"].as_str().unwrap().to_owned()
        };
        let contain = async |id: &str, action: &str| {
            instance.operator(Method::POST, &format!("/v1/incidents/{id}/contain"), json!({"action": action, "reason": "a test"})).await
        };
        let of_ada = raise(json!({"account": ada})).await;
        assert_eq!(contain(&of_ada, "step_up").await.1["done"], 1);
        assert_eq!(events(&instance, "type:account.step_up_asked").await.len(), 1);
        assert!(browser.get(&format!("{}/account", instance.own())).await.status().is_success(), "signed in still");
        assert_eq!(contain(&of_ada, "revoke_sessions").await.1["done"], 1);
        assert!(browser.get(&format!("{}/account", instance.own())).await.status().is_redirection(), "{storage}");
        assert_eq!(contain(&of_ada, "lock_account").await.1, json!({"done": 1, "refused": []}));
        assert!(contain(&of_ada, "lock_account").await.1["refused"][0].as_str().unwrap().contains("not active anyway"));
        // Nobody locks the last who could undo it.
        let of_root = raise(json!({"account": root})).await;
        assert!(contain(&of_root, "lock_account").await.1["refused"][0].as_str().unwrap().contains("last active administrator"), "{storage}");
        // A key that stops working.
        let key = instance.key(&["alerts:write"]).await;
        let (_, clients) = instance.operator(Method::GET, "/v1/clients", Value::Null).await;
        let client = clients["items"][0]["id"].as_str().unwrap().to_owned();
        let of_key = raise(json!({"client": client})).await;
        assert_eq!(contain(&of_key, "disable_client").await.1["done"], 1);
        let request = instance.browser().request(Method::POST, &format!("{}/v1/alerts", instance.own()));
        let alert = json!({"level": "high", "title": "x", "details": "x"});
        assert_eq!(request.bearer_auth(&key).json(&alert).send().await.unwrap().status().as_u16(), 401, "{storage}");
    }
}
