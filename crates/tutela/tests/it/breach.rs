//! The register of breaches on a running instance: clocks, two people, notices, reminders, and what compliance makes of it.

use reqwest::Method;
use serde_json::{Value, json};
use tutela_core::{Env as _, SystemEnv};

use crate::{
    compliance::{Seen, execute},
    server::{Instance, answer, storages, until},
};

const ON: &str = "[compliance]\nframeworks = [\"gdpr\", \"hipaa\"]\n";

fn hours_ago(hours: u64) -> String {
    (SystemEnv.now() - std::time::Duration::from_secs(hours * 3_600)).to_string()
}

#[tokio::test]
async fn whoever_has_to_be_told_is_told_in_time_and_after_two_have_signed() {
    for storage in storages().await {
        let seen = Seen::default();
        let instance = Instance::start(&storage, ON).await;
        let ask = async |method: Method, path: &str, body: Value| instance.operator(method, path, body).await;
        let ben = instance.person("ben@example.com", &["compliance:write", "compliance:read"]).await;
        let other = async |path: String| {
            let request = ben.request(Method::POST, &format!("{}{path}", instance.console())).header("sec-fetch-site", "same-origin");
            answer(request.json(&json!({})).send().await.unwrap()).await
        };
        seen.is(&instance, "gdpr-breaches-in-time", "no_data").await;
        for (body, named) in [
            (json!({"title": ""}), "`title` has 1 to 200"),
            (json!({"title": "x", "incident": "019ab3a4-7c00-7000-8000-000000000009"}), "no incident"),
            (json!({"title": "x", "aware_at": "2099-01-01T00:00:00Z"}), "still to come"),
            (json!({"title": "x", "facts": {"categories": ["secrets"]}}), "no `secrets`"),
            (json!({"title": "x", "facts": {"risk": "high"}}), "say why"),
        ] {
            let (status, problem) = ask(Method::POST, "/v1/breaches", body).await;
            assert!(status == 422 && problem.to_string().contains(named), "{named}: {status} {problem}");
        }
        // Known for fifty hours: two reminders are due, and 22 hours are left.
        let facts = json!({"nature": "A laptop was lost", "categories": ["health", "user.contact"], "people": 501, "residents": 501, "health": true});
        let (status, made) = ask(Method::POST, "/v1/breaches", json!({"title": "Laptop", "aware_at": hours_ago(50), "facts": facts})).await;
        assert_eq!(status, 201, "{made}");
        let id = made["id"].as_str().unwrap().to_owned();
        let duties: Vec<String> =
            made["duties"].as_array().unwrap().iter().map(|of| format!("{} {}", of["framework"].as_str().unwrap(), of["to"].as_str().unwrap())).collect();
        assert_eq!(duties, ["gdpr authority", "hipaa people", "hipaa media", "hipaa secretary"]);
        assert_eq!(made["facts"]["categories"], json!(["user.health_and_medical", "user.contact"]));
        assert!(made["missing"].to_string().contains("measures (Art. 33(3)(d))"), "{made}");
        seen.is(&instance, "gdpr-breaches-in-time", "pass").await;
        let reminders = async || ask(Method::GET, "/v1/events?q=type:breach.reminder", Value::Null).await.1["items"].as_array().unwrap().clone();
        let hurry = "UPDATE job SET run_at = run_at - DAYS(1) WHERE unique_key = 'breaches'";
        execute(&instance, &storage, hurry).await;
        until("a reminder", async || !reminders().await.is_empty()).await;
        assert_eq!((reminders().await.len(), &reminders().await[0]["event"]["data"]["to"]), (1, &json!("authority")), "of those that are due one is enough");
        until("an alert", async || {
            let alerts = ask(Method::GET, "/v1/events?q=type:alert.raised", Value::Null).await.1;
            alerts["items"].as_array().unwrap().iter().any(|of| of["event"]["data"]["rule"] == "breach_clock_runs")
        })
        .await;

        // Nobody is told before two have signed what is known.
        let path = |what: &str| format!("/v1/breaches/{id}/{what}");
        let told = async |to: &str, more: Value| {
            let mut body = json!({"to": to, "reference": "case 17"});
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            ask(Method::POST, &path("told"), body).await
        };
        assert_eq!(told("authority", json!({})).await.0, 409);
        assert_eq!(ask(Method::POST, &path("sign"), Value::Null).await.0, 200);
        assert_eq!(ask(Method::POST, &path("sign"), Value::Null).await.0, 409, "one person signs once");
        assert_eq!(other(path("sign")).await.0, 200);
        // What is known changes: they sign again.
        let out = instance.cli(&["breach", "set", &id, "--risk", "high", "--risk-reason", "health data in the clear", "--measures", "keys revoked"]).await;
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        assert!(
            text.contains("signed by 0 of 2") && text.contains("people (gdpr Art. 34(1)): by ") && text.contains("(d) What was and will be done: keys revoked"),
            "{text}"
        );
        assert_eq!(told("authority", json!({})).await.0, 409);
        assert_eq!(ask(Method::POST, &path("sign"), Value::Null).await.0, 200);
        assert_eq!(other(path("sign")).await.0, 200);
        assert!(told("nobody", json!({})).await.1.to_string().contains("authority, people"));
        let (status, of) = told("authority", json!({})).await;
        assert!(status == 200 && of["duties"][0]["late"] == false, "{of}");
        assert!(ask(Method::POST, &path("close"), json!({"reason": "done"})).await.1.to_string().contains("people"), "others are still to be told");
        for to in ["people", "media", "secretary"] {
            assert_eq!(told(to, json!({})).await.0, 200, "{to}");
        }
        assert_eq!(ask(Method::POST, &path("close"), json!({"reason": "all told"})).await.1["state"], "closed");
        assert_eq!(ask(Method::POST, &path("sign"), Value::Null).await.0, 409, "closed");

        // One that was told late fails until there is a reason.
        let (_, late) = ask(Method::POST, "/v1/breaches", json!({"title": "Mail", "aware_at": hours_ago(80)})).await;
        seen.is(&instance, "gdpr-breaches-in-time", "fail").await;
        seen.is(&instance, "hipaa-breaches-in-time", "pass").await;
        let path = |what: &str| format!("/v1/breaches/{}/{what}", late["id"].as_str().unwrap());
        assert_eq!((ask(Method::POST, &path("sign"), Value::Null).await.0, other(path("sign")).await.0), (200, 200));
        let (status, problem) = ask(Method::POST, &path("told"), json!({"to": "authority"})).await;
        assert!(status == 422 && problem.to_string().contains("it was late: say why"), "{problem}");
        assert_eq!(ask(Method::POST, &path("told"), json!({"to": "authority", "reason": "found at the weekend"})).await.0, 200);
        seen.is(&instance, "gdpr-breaches-in-time", "pass").await;
        // People are told sixty days late.
        let facts = json!({"health": true, "people": 3});
        let (_, late) = ask(Method::POST, "/v1/breaches", json!({"title": "Paper", "aware_at": hours_ago(24 * 61), "facts": facts})).await;
        seen.is(&instance, "hipaa-breaches-in-time", "fail").await;
        let path = |what: &str| format!("/v1/breaches/{}/{what}", late["id"].as_str().unwrap());
        assert_eq!((ask(Method::POST, &path("sign"), Value::Null).await.0, other(path("sign")).await.0), (200, 200));
        assert_eq!(ask(Method::POST, &path("told"), json!({"to": "people", "reason": "the address was wrong"})).await.0, 200);
        seen.is(&instance, "hipaa-breaches-in-time", "pass").await;
        seen.matches("breach");
        // What happened stands nowhere in the clear.
        if storage == "sqlite" {
            instance.stop("-INT").await;
            let bytes = std::fs::read(instance.data().join("tutela.db")).unwrap();
            assert!(!bytes.windows(17).any(|window| window == b"A laptop was lost"));
        }
    }
}
