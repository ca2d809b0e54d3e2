//! Purposes, what data is used for, and what people have said to it.

use reqwest::Method;
use serde_json::{Value, json};

use super::{ALL, Seen, execute, send};
use crate::{
    privacy::{purpose, set},
    server::{Instance, escape, storages},
};

#[tokio::test]
async fn purposes_and_uses() {
    for storage in storages().await {
        let seen = Seen::default();
        let instance = Instance::start(&storage, ALL).await;
        let ada = instance.account("ada@example.com", &[]).await;
        // Purposes.
        let ads = |more: Value| purpose("marketing.advertising", "legitimate_interests", more);
        set(&instance, ads(json!({"recipients": [{"name": "Ads Inc"}]}))).await;
        for name in ["recipients-placed", "retention-stated"] {
            seen.is(&instance, name, "fail").await;
        }
        set(&instance, ads(json!({"recipients": [{"name": "Ads Inc", "country": "US"}], "retention_days": 90}))).await;
        for name in ["recipients-placed", "retention-stated", "notices-current", "nothing-without-a-yes"] {
            seen.is(&instance, name, "pass").await;
        }
        set(&instance, purpose("personalize", "consent", json!({"required": true, "retention_days": 1}))).await;
        seen.is(&instance, "nothing-without-a-yes", "fail").await;
        set(&instance, purpose("personalize", "consent", json!({"retention_days": 1}))).await;
        seen.is(&instance, "nothing-without-a-yes", "pass").await;
        // Uses of data, as applications report them.
        let used = async |purpose: &str, data_type: &str| {
            let body = json!({"event_type": "data_processing", "subject": ada, "data_type": data_type, "purpose": purpose});
            instance.operator(Method::POST, "/v1/compliance/events", body).await
        };
        seen.is(&instance, "uses-name-purposes", "no_data").await;
        let (status, answer) = used("service_delivery", "personal").await;
        assert_eq!(status, 201, "{answer}");
        seen.is(&instance, "uses-name-purposes", "fail").await;
        set(&instance, purpose("essential.service", "contract", json!({"retention_days": 30}))).await;
        assert_eq!(used("service_delivery", "personal").await.0, 201);
        seen.is(&instance, "uses-name-purposes", "pass").await;
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
        seen.is(&instance, "withdrawals-count", "pass").await;
        seen.is(&instance, "objections-count", "no_data").await;
        assert_eq!(used("personalize", "user.behavior").await.0, 201);
        seen.is(&instance, "withdrawals-count", "fail").await;
        send(&instance, Method::POST, "/v1/consents", json!({"subject": ada, "purposes": ["marketing.advertising"], "said": "refused"})).await;
        seen.is(&instance, "objections-count", "pass").await;
        assert_eq!(used("marketing.advertising", "user.behavior").await.0, 201);
        seen.is(&instance, "objections-count", "fail").await;
        // After 90 days nobody looks at it any more.
        execute(&instance, &storage, "UPDATE data_use SET day = day - 100").await;
        seen.are(&instance, &["objections-count", "withdrawals-count", "uses-name-purposes"], "no_data").await;
        assert_eq!(used("service_delivery", "personal").await.0, 201);
        seen.are(&instance, &["objections-count", "withdrawals-count", "uses-name-purposes"], "pass").await;
        // An application cannot say itself on which ground it stood.
        let body = json!({"type": "data_processing", "metadata": {"ground": "contract", "purpose": "x"}});
        send(&instance, Method::POST, "/v1/events", body).await;
        let found = instance.operator(Method::GET, &format!("/v1/events?q={}", escape("type:data_processing")), Value::Null).await.1;
        assert_eq!(found["items"][0]["event"]["data"].get("ground"), None, "{found}");
        // A special category whose ground somebody takes away, and words for people.
        seen.is(&instance, "special-categories-grounded", "no_data").await;
        let care =
            || purpose("essential.care", "contract", json!({"categories": ["user.health_and_medical"], "special_basis": "9(2)(h)", "retention_days": 1}));
        set(&instance, care()).await;
        seen.is(&instance, "special-categories-grounded", "pass").await;
        let (to, kind) = if storage == "sqlite" { ("TEXT", "TEXT") } else { ("text", "jsonb") };
        let mut taken = format!("UPDATE purpose SET body = CAST(replace(CAST(body AS {to}), '\"9(2)(h)\"', 'null') AS {kind}) WHERE name = 'essential.care'");
        taken += &format!("; UPDATE purpose SET body = CAST(replace(CAST(body AS {to}), 'We use your data for essential.care.', ' ') AS {kind})");
        execute(&instance, &storage, &taken).await;
        instance.stop("-INT").await;
        instance.run().await;
        seen.are(&instance, &["special-categories-grounded", "notices-current"], "fail").await;
        set(&instance, care()).await;
        seen.are(&instance, &["special-categories-grounded", "notices-current"], "pass").await;
        seen.matches("purpose");
    }
}

#[tokio::test]
async fn words_of_people() {
    for storage in storages().await {
        let seen = Seen::default();
        let instance = Instance::start(&storage, ALL).await;
        let ada = instance.account("ada@example.com", &[]).await;
        for name in ["consents-proven", "opt-outs-count", "signal-counts"] {
            seen.is(&instance, name, "no_data").await;
        }
        // A purpose that shares and does not say so is not stopped by a signal.
        let share = |more: Value| purpose("third_party_sharing", "consent", more);
        set(&instance, share(json!({}))).await;
        seen.is(&instance, "signal-counts", "fail").await;
        set(&instance, share(json!({"sells": true}))).await;
        seen.is(&instance, "signal-counts", "pass").await;
        // A yes whose receipt is another one.
        send(&instance, Method::POST, "/v1/consents", json!({"subject": ada, "purposes": ["third_party_sharing"], "said": "given"})).await;
        seen.is(&instance, "consents-proven", "pass").await;
        execute(&instance, &storage, "UPDATE consent SET notice_version = '9'").await;
        seen.is(&instance, "consents-proven", "fail").await;
        execute(&instance, &storage, "UPDATE consent SET notice_version = '1'").await;
        seen.is(&instance, "consents-proven", "pass").await;
        // An opt-out counts.
        assert_eq!(ask_ccpa(&instance, "do_not_sell", json!(ada)).await["status"], "completed");
        seen.is(&instance, "opt-outs-count", "no_data").await;
        set(&instance, purpose("essential.service", "contract", json!({}))).await;
        let used = async |purpose: &str| {
            let body = json!({"event_type": "data_processing", "subject": ada, "data_type": "personal", "purpose": purpose});
            send(&instance, Method::POST, "/v1/compliance/events", body).await
        };
        used("service_delivery").await;
        seen.is(&instance, "opt-outs-count", "pass").await;
        used("third_party_sharing").await;
        seen.is(&instance, "opt-outs-count", "fail").await;
        seen.matches("word");
    }
}

async fn ask_ccpa(instance: &Instance, kind: &str, subject: Value) -> Value {
    send(instance, Method::POST, "/v1/subject-requests?wait=10", json!({"law": "ccpa", "type": kind, "subject": subject})).await
}
