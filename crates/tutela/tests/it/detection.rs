//! Rules over the ledger, and what follows.

use reqwest::Method;
use serde_json::{Value, json};

use crate::server::{Instance, storages, until};

pub const ROUTES: &str = "[gateway]\ntrusted_proxies = [\"127.0.0.1\"]\n";

/// A wrong password from an address.
pub async fn guess(instance: &Instance, from: &str, email: &str) -> u16 {
    post_sign_in(instance, from, &format!("email={email}&password=wrong+wrong+wrong&to=")).await
}

async fn post_sign_in(instance: &Instance, from: &str, body: &str) -> u16 {
    let url = format!("{}/sign-in", instance.own());
    let request = instance.browser().request(Method::POST, &url).header("content-type", "application/x-www-form-urlencoded");
    request.header("origin", instance.own()).header("x-forwarded-for", from).body(body.to_owned()).send().await.unwrap().status().as_u16()
}

/// What the sign-in page answers to an address.
pub async fn knock(instance: &Instance, from: &str) -> (u16, String) {
    let url = format!("{}/sign-in", instance.own());
    let request = instance.browser().request(Method::GET, &url).header("x-forwarded-for", from);
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

pub async fn events(instance: &Instance, query: &str) -> Vec<Value> {
    let (status, page) = instance.operator(Method::GET, &format!("/v1/events?q={query}"), Value::Null).await;
    assert_eq!(status, 200, "{page}");
    page["items"].as_array().unwrap().iter().map(|item| item["event"].clone()).collect()
}

#[tokio::test]
async fn six_wrong_passwords_block_an_address_and_nobody_else() {
    for storage in storages().await {
        let instance = Instance::start(&storage, ROUTES).await;
        instance.account("ada@example.com", &[]).await;
        let attacker = "198.51.100.7";
        for _ in 0..5 {
            guess(&instance, attacker, "ada@example.com").await;
        }
        assert_eq!(knock(&instance, attacker).await.0, 200, "five are what a person may need");
        // The sixth is refused by the lock of the account already, and counts all the same. When it is answered the
        // address is blocked: whoever asks next is refused, however many ask.
        guess(&instance, attacker, "ada@example.com").await;
        let seventh = (0..64).map(|_| guess(&instance, attacker, "ada@example.com"));
        assert_eq!(futures_util::future::join_all(seventh).await, [403; 64], "{storage}");
        let (_, page) = knock(&instance, attacker).await;
        assert!(page.contains("This address is blocked") && !page.contains("brute"), "{page}");
        assert_eq!(knock(&instance, "198.51.100.8").await.0, 200);
        // Those behind it count no more: they never get as far as a password.
        for _ in 0..10 {
            assert_eq!(guess(&instance, attacker, "bob@example.com").await, 403);
        }
        until("an alert tells of it", async || !events(&instance, "type:address.blocked").await.is_empty()).await;
        let alerts = events(&instance, "type:alert.raised").await;
        assert_eq!(alerts.len(), 1, "{alerts:?}");
        let alert = &alerts[0];
        assert_eq!(
            (&alert["data"]["rule"], &alert["data"]["count"], &alert["data"]["level"], &alert["personal"]["about"]),
            (&json!("brute_force_detection"), &json!(6), &json!("high"), &json!({"ip": attacker})),
            "{alert}"
        );
        let evidence = alert["data"]["evidence"].as_array().unwrap();
        assert_eq!(evidence.len(), 6, "{alert}");
        let blocks = events(&instance, "type:address.blocked").await;
        assert_eq!((blocks.len(), &blocks[0]["data"]["alert"]), (1, &alert["resource"]["id"]), "{blocks:?}");
        // What another rule would have found, by the same engine.
        let mine = "name: mine\ncondition: failed_login_attempts > 3\nwindow: 1h\naction: block_ip\n";
        let (status, found) = instance.operator(Method::POST, "/v1/rules/backtest", json!({"rules": mine, "days": 1})).await;
        let rule = &found["rules"][0];
        assert_eq!(
            (status, &rule["alerts"], &rule["would_block"], &rule["most"][0]["about"]),
            (200, &json!(1), &json!(1), &json!(format!("ip {attacker}"))),
            "{found}"
        );
        for (bad, said) in
            [(json!({"days": 0}), "days"), (json!({"days": 1, "rules": "name: x\ncondition: nothing > 1\nwindow: 1h\n"}), "there is no metric `nothing`")]
        {
            let (status, problem) = instance.operator(Method::POST, "/v1/rules/backtest", bad).await;
            assert!(status == 422 && problem.to_string().contains(said), "{problem}");
        }
        // A restart forgets nothing and repeats nothing.
        assert_eq!(instance.stop("-TERM").await, Some(0));
        instance.run().await;
        assert_eq!(knock(&instance, attacker).await.0, 403, "{storage}");
        assert_eq!(events(&instance, "type:alert.raised").await.len(), 1);
        // Whoever lifts it says why; from the next request on the address may come again.
        let out = instance.cli(&["block", "list"]).await;
        assert!(String::from_utf8_lossy(&out.stdout).contains("198.51.100.7/32"), "{out:?}");
        assert!(!instance.cli(&["block", "lift", "198.51.100.9", "--reason", "x"]).await.status.success(), "there is none");
        let out = instance.cli(&["block", "lift", attacker, "--reason", "our own tests"]).await;
        assert!(out.status.success(), "{out:?}");
        assert_eq!(knock(&instance, attacker).await.0, 200, "{storage}");
        assert_eq!(events(&instance, "type:address.unblocked").await[0]["reason"], "our own tests");
    }
}

#[tokio::test]
async fn a_right_password_that_is_looked_at_while_its_address_is_blocked_comes_too_late() {
    let instance = Instance::start("sqlite", ROUTES).await;
    instance.account("ada@example.com", &[]).await;
    let attacker = "198.51.100.7";
    for _ in 0..5 {
        guess(&instance, attacker, "nobody@example.com").await;
    }
    // All of them pass the gateway while nothing is blocked yet, and wait for their turn at the password.
    let right = (0..8).map(|_| async {
        let body = format!("email=ada@example.com&password={}&to=", crate::server::PASSWORD.replace(' ', "+"));
        post_sign_in(&instance, attacker, &body).await
    });
    let (_, answers) = tokio::join!(guess(&instance, attacker, "nobody@example.com"), futures_util::future::join_all(right));
    let (_, page) = instance.operator(Method::GET, "/v1/events?q=type:session.started,sign_in.failed&limit=100", Value::Null).await;
    let found: Vec<(&str, &Value)> =
        page["items"].as_array().unwrap().iter().map(|item| (item["event"]["type"].as_str().unwrap(), &item["event"]["reason"])).collect();
    // The newest first.
    let sixth = found.iter().position(|(kind, reason)| *kind == "sign_in.failed" && *reason != "address_blocked").unwrap();
    assert!(found[..sixth].iter().all(|(kind, _)| *kind == "sign_in.failed"), "{found:?}");
    let began = found.iter().filter(|(kind, _)| *kind == "session.started").count();
    let refused = answers.iter().filter(|status| ![200, 303].contains(*status)).count();
    assert_eq!(began + refused, 8, "{answers:?} {found:?}");
}

#[tokio::test]
async fn a_process_that_is_killed_neither_loses_an_attack_nor_tells_of_it_twice() {
    for storage in storages().await {
        let instance = Instance::start(&storage, ROUTES).await;
        for round in 0..4 {
            let attacker = format!("203.0.113.{round}");
            for _ in 0..3 {
                guess(&instance, &attacker, "nobody@example.com").await;
            }
            instance.stop("-KILL").await;
            instance.run().await;
            for _ in 0..3 {
                guess(&instance, &attacker, "nobody@example.com").await;
            }
            // It may be down when the sixth is looked at.
            if round % 2 == 1 {
                instance.stop("-KILL").await;
                instance.run().await;
            }
            assert_eq!(knock(&instance, &attacker).await.0, 403, "{storage}");
        }
        until("all are told of", async || events(&instance, "type:address.blocked").await.len() == 4).await;
        let mut found: Vec<String> = events(&instance, "type:alert.raised").await.iter().map(|alert| alert["personal"]["about"]["ip"].to_string()).collect();
        found.sort();
        assert_eq!(found, (0..4).map(|round| format!("\"203.0.113.{round}\"")).collect::<Vec<_>>(), "{storage}");
    }
}

#[tokio::test]
async fn a_journey_that_nobody_can_make_is_told_with_both_its_ends() {
    let places = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tutela-connect/tests/data/geo/GeoLite2-City-Test.mmdb");
    for storage in storages().await {
        // Relative paths of the configuration begin at its own folder.
        let instance = Instance::new(&storage, &format!("{ROUTES}[geo]\ndatabase = \"places.mmdb\"\n"));
        std::fs::copy(&places, instance.data().parent().unwrap().join("places.mmdb")).unwrap();
        instance.run().await;
        instance.account("ada@example.com", &[]).await;
        let right = format!("email=ada@example.com&password={}&to=", crate::server::PASSWORD.replace(' ', "+"));
        // London, twice; then Milton in Washington State, from where nobody sees it.
        for from in ["81.2.69.142", "81.2.69.160"] {
            assert_eq!(post_sign_in(&instance, from, &right).await, 303);
        }
        assert_eq!(post_sign_in(&instance, "216.160.83.56", &right).await, 303);
        until("an alert tells of it", async || !events(&instance, "type:alert.raised").await.is_empty()).await;
        let alerts = events(&instance, "type:alert.raised").await;
        assert_eq!((alerts.len(), &alerts[0]["data"]["rule"], &alerts[0]["data"]["level"]), (1, &json!("suspicious_activity"), &json!("high")), "{alerts:?}");
        let told = alerts[0].to_string();
        assert!(told.contains("London (GB) and Milton (US), 77") && told.contains("km apart, within 0 minutes"), "{told}");
        // The same rules over the same log, with places.
        let mine = "name: mine\ncondition: successful_logins > 1\nwindow: 1h\nwhere: {country: US}\n";
        let (_, found) = instance.operator(Method::POST, "/v1/rules/backtest", json!({"rules": mine.replace("> 1", "> 0"), "days": 1})).await;
        assert_eq!(found["rules"][0]["alerts"], 1, "{found}");
    }
}

#[tokio::test]
async fn what_must_not_be_blocked_is_not_and_somebody_hears_of_it() {
    let instance = Instance::start("sqlite", &format!("{ROUTES}[detection]\nnever_block = [\"198.51.100.0/24\"]\n")).await;
    for _ in 0..8 {
        guess(&instance, "198.51.100.7", "nobody@example.com").await;
    }
    until("the rule was refused", async || !events(&instance, "type:action.refused").await.is_empty()).await;
    assert_eq!(knock(&instance, "198.51.100.7").await.0, 200);
    let refused = &events(&instance, "type:action.refused").await[0];
    assert_eq!((&refused["data"]["rule"], &refused["data"]["action"]), (&json!("brute_force_detection"), &json!("block_ip")), "{refused}");
    for (bad, said) in [
        (json!({"network": "0.0.0.0/0", "reason": "x"}), "too wide"),
        (json!({"network": "198.51.100.9", "reason": "x"}), "never blocked"),
        (json!({"network": "nobody", "reason": "x"}), "no address"),
        (json!({"network": "203.0.113.9", "reason": ""}), "reason"),
        (json!({"network": "203.0.113.9", "reason": "x", "minutes": 0}), "minutes"),
    ] {
        let (status, problem) = instance.operator(Method::POST, "/v1/blocks", bad).await;
        assert!(status == 422 && problem.to_string().contains(said), "{said}: {problem}");
    }
    let out = instance.cli(&["block", "add", "203.0.113.0/24", "--minutes", "5", "--reason", "a network of theirs"]).await;
    assert!(out.status.success(), "{out:?}");
    assert_eq!(knock(&instance, "203.0.113.200").await.0, 403);
    assert_eq!(knock(&instance, "203.0.114.1").await.0, 200);
}

#[tokio::test]
async fn a_rule_is_tried_made_to_act_and_taken_back_while_the_server_runs() {
    for storage in storages().await {
        // In the configuration, as the short form has it; it takes the place of ours and goes as far.
        let inline =
            "[[detection.rules]]\nname = \"brute_force_detection\"\ncondition = \"failed_login_attempts > 2\"\nwindow = \"5m\"\naction = \"block_ip\"\n";
        let instance = Instance::start(&storage, &format!("{ROUTES}{inline}")).await;
        let (status, rule) = instance.operator(Method::GET, "/v1/rules/brute_force_detection", Value::Null).await;
        assert_eq!(
            (status, &rule["mode"], &rule["condition"], &rule["window"]),
            (200, &json!("act"), &json!("failed_login_attempts > 2"), &json!("5m")),
            "{rule}"
        );
        let guesses = async |from: &str| {
            for _ in 0..3 {
                guess(&instance, from, "nobody@example.com").await;
            }
            knock(&instance, from).await.0
        };
        assert_eq!(guesses("198.51.100.1").await, 403, "{storage}");
        // Less far, for now.
        let change =
            async |mode: &str| instance.operator(Method::PUT, "/v1/rules/brute_force_detection", json!({"mode": mode, "reason": "a test of ours"})).await;
        assert_eq!(change("shadow").await.0, 200);
        assert_eq!(guesses("198.51.100.2").await, 200, "{storage}");
        assert_eq!(change("off").await.0, 200);
        let (_, listed) = instance.operator(Method::GET, "/v1/rules", Value::Null).await;
        let of = |name: &str| listed.as_array().unwrap().iter().find(|rule| rule["name"] == name).unwrap().clone();
        assert_eq!((of("brute_force_detection")["mode"].as_str(), of("suspicious_activity")["mode"].as_str()), (Some("off"), Some("alert")));
        let (status, refused) = change("loud").await;
        assert!(status == 422 && refused.to_string().contains("shadow, alert, act or off"), "{refused}");
        let out = instance.cli(&["rule", "reset", "brute_force_detection", "--reason", "the test is over"]).await;
        assert!(out.status.success(), "{out:?}");
        assert_eq!(guesses("198.51.100.3").await, 403, "{storage}");
        // One of our own, which has tests: it is taken when they pass.
        let text = |times: u32| {
            format!(
                "name: three\ncondition: events >= 3\nevents: sign_in.failed\nwindow: 1h\nkey: email\nmode: alert\ntests:\n  - {{name: t, alerts: 1, events: [{{type: sign_in.failed, email: a@b.c, times: {times}, every: 1s}}]}}\n"
            )
        };
        let put = async |text: String| instance.operator(Method::PUT, "/v1/rules/three", json!({"text": text, "reason": "a case of last week"})).await;
        let (status, refused) = put(text(2)).await;
        assert!(status == 422 && refused.to_string().contains("its test `t` fails"), "{refused}");
        assert_eq!(put("name: other\ncondition: failed_login_attempts > 5\nwindow: 1h\n".into()).await.0, 422, "another name");
        let (status, rule) = put(text(3)).await;
        assert_eq!((status, &rule["mode"], &rule["changed"]["reason"]), (200, &json!("alert"), &json!("a case of last week")), "{rule}");
        for n in 0..3 {
            guess(&instance, &format!("203.0.113.{n}"), "carol@example.com").await;
        }
        until("the new rule tells", async || events(&instance, "type:alert.raised").await.iter().any(|alert| alert["data"]["rule"] == "three")).await;
        let (status, found) = instance.operator(Method::POST, "/v1/rules/backtest", json!({"rule": "three", "days": 1})).await;
        assert_eq!(
            (status, found["rules"].as_array().map(Vec::len), &found["rules"][0]["alerts"]),
            (200, Some(1), &json!(2)),
            "nobody@ was guessed at before: {found}"
        );
        // A restart forgets none of it.
        assert_eq!(instance.stop("-TERM").await, Some(0));
        instance.run().await;
        assert_eq!(instance.operator(Method::GET, "/v1/rules/three", Value::Null).await.0, 200, "{storage}");
        assert_eq!(instance.operator(Method::DELETE, "/v1/rules/three?reason=over", Value::Null).await.0, 204);
        assert_eq!(instance.operator(Method::GET, "/v1/rules/three", Value::Null).await.0, 404);
        assert_eq!(instance.operator(Method::DELETE, "/v1/rules/three?reason=over", Value::Null).await.0, 404);
        let changes = events(&instance, "type:rule.changed,rule.reset").await;
        assert_eq!(changes.len(), 5, "{changes:?}");
    }
}

#[tokio::test]
async fn rules_are_listed_and_tested_and_a_file_of_ones_own_takes_the_place_of_ours() {
    let instance = Instance::new("sqlite", "");
    let out = instance.cli(&["rule", "test"]).await;
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(out.status.success() && said.contains(", 0 failed"), "{said}");
    let file = instance.data().parent().unwrap().join("mine.yml");
    let rule = "name: brute_force_detection\ncondition: failed_login_attempts > 2\nwindow: 1h\naction: block_ip\nmode: act\ntests:\n  - {name: three, alerts: 1, events: [{type: sign_in.failed, ip: 192.0.2.7, times: 3}]}\n  - {name: wrong, alerts: 1, events: [{type: sign_in.failed, ip: 192.0.2.7}]}\n";
    std::fs::write(&file, rule).unwrap();
    let out = instance.cli(&["rule", "test", file.to_str().unwrap()]).await;
    assert!(!out.status.success() && String::from_utf8_lossy(&out.stdout).contains("not ok brute_force_detection: wrong: 0 alerts in place of 1"), "{out:?}");
    instance.rewrite(|text| format!("{text}\n[detection]\nrules = [\"{}\"]\n", file.display()));
    instance.run().await;
    let (_, rules) = instance.operator(Method::GET, "/v1/rules", Value::Null).await;
    let brute = rules.as_array().unwrap().iter().find(|rule| rule["name"] == "brute_force_detection").unwrap();
    assert_eq!((&brute["window"], &brute["tests"]), (&json!("1h"), &json!(2)), "{brute}");
    std::fs::write(&file, "name: x\ncondition: failed_logins > 2\nwindow: 1h\n").unwrap();
    let out = instance.cli(&["rule", "test", file.to_str().unwrap()]).await;
    assert!(String::from_utf8_lossy(&out.stderr).contains("there is no metric `failed_logins`"), "{out:?}");
}

#[tokio::test]
async fn a_name_that_nothing_stands_behind_is_an_error_at_the_start() {
    let instance = Instance::new("sqlite", "[alerts]\npagerduty = [\"security-team\"]\n");
    let out = instance.cli(&["config", "check"]).await;
    assert!(!out.status.success() && String::from_utf8_lossy(&out.stderr).contains("[channels.pagerduty.security-team]"), "{out:?}");
}
