//! Requests that are sent through the real gateway to see what happens.

use reqwest::Method;
use serde_json::{Value, json};

use super::{ALL, Seen, checks, execute, send};
use crate::server::{Instance, storages, until};

const IDLE: [&str; 2] = ["idle-refused-15-minutes", "idle-refused-an-hour"];

#[tokio::test]
async fn attacks_and_sessions_that_nobody_used() {
    for storage in storages().await {
        let seen = Seen::default();
        let on = ALL.replace("probes = false", "probes = true");
        let route = |name: &str, mode: &str| {
            format!(
                "[[gateway.routes]]\nname = \"{name}\"\nhost = \"{name}.localhost\"\npath = \"/app\"\nupstream = \"http://127.0.0.1:9\"\nrequire = \"public\"\nwaf = \"{mode}\"\n"
            )
        };
        let session = |seconds: u32| format!("[identity.session]\ntimeout = {seconds}\n");
        let club = route("club", "block").replace("\"public\"", "\"signed-in\"").replace("club.l", "Club.l");
        let desk = route("desk", "block").replace("\"public\"", "{ permission = \"desk:open\" }");
        let bad = format!("{on}{}{}{club}{desk}{}", route("shop", "detect"), route("blog", "block"), session(7_200));
        let instance = Instance::start(&storage, &bad).await;
        // The first comes by itself.
        let events = async |q: &str| send(&instance, Method::GET, &format!("/v1/events?q={q}"), Value::Null).await["items"].as_array().unwrap().clone();
        until("the first probe", async || !events("type:compliance.probed").await.is_empty()).await;
        let probe = async || send(&instance, Method::POST, "/v1/compliance/probes", Value::Null).await;
        let found = probe().await;
        assert_eq!(
            (&found["passed"], &found["attacked"], &found["unrecorded"], &found["unprobed"]),
            (&json!(["shop (shop.localhost/app)"]), &json!(3), &json!([]), &json!([])),
            "{found}"
        );
        assert_eq!(found["unreached"], json!(["desk (desk.localhost/app)"]));
        assert_eq!(found["idle"], json!({"900": true, "3600": true}));
        seen.is(&instance, "attacks-refused", "fail").await;
        seen.are(&instance, &IDLE, "fail").await;
        seen.are(&instance, &["requests-recorded", "seven-kinds-recorded"], "pass").await;
        // The account of the probe is gone, and was never more than what it says.
        assert_eq!(send(&instance, Method::GET, "/v1/accounts", Value::Null).await["items"], json!([]));
        let made = events("type:account.created").await;
        assert!(made.len() >= 2 && made.iter().all(|of| of["event"]["actor"]["id"] == "compliance"), "{made:?}");
        // An hour: what was idle for less still opens.
        instance.stop("-INT").await;
        instance.rewrite(|text| text.replace(&session(7_200), &session(3_600)).replace("waf = \"detect\"", "waf = \"block\""));
        instance.run().await;
        until("the probe of the new configuration", async || checks(&instance).await[IDLE[1]] == "pass").await;
        seen.is(&instance, IDLE[0], "fail").await;
        seen.are(&instance, &["attacks-refused", IDLE[1]], "pass").await;
        instance.stop("-INT").await;
        instance.rewrite(|text| text.replace(&session(3_600), &session(900)));
        instance.run().await;
        let found = probe().await;
        assert_eq!((&found["passed"], &found["idle"]), (&json!([]), &json!({"900": false, "3600": false})), "{found}");
        seen.are(&instance, &IDLE, "pass").await;
        let out = instance.cli(&["compliance", "probe"]).await;
        assert!(String::from_utf8_lossy(&out.stdout).contains("8 requests sent, 3 routes attacked"), "{out:?}");
        // Records of requests are lost on the way.
        let (planted, repaired) = if storage == "sqlite" {
            ("CREATE TRIGGER planted BEFORE INSERT ON log_item BEGIN SELECT RAISE(ABORT, 'planted'); END", "DROP TRIGGER planted")
        } else {
            (
                "CREATE FUNCTION planted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'planted'; END $$;
                 CREATE TRIGGER planted BEFORE INSERT ON log_item FOR EACH ROW EXECUTE FUNCTION planted()",
                "DROP TRIGGER planted ON log_item",
            )
        };
        execute(&instance, &storage, planted).await;
        let lost = probe().await;
        assert_eq!((lost["unrecorded"].as_array().unwrap().len(), &lost["attacked"]), (8, &json!(0)), "{lost}");
        seen.is(&instance, "attacks-refused", "no_data").await;
        seen.is(&instance, "requests-recorded", "fail").await;
        execute(&instance, &storage, repaired).await;
        assert_eq!(probe().await["unrecorded"], json!([]));
        seen.is(&instance, "requests-recorded", "pass").await;
        // One that was cut off long ago goes; one that may be under way is left alone, and then nothing is known.
        let left = json!({"email": "tutela-probe@probe.invalid", "name": "Probe", "password": "a probe that was cut off"});
        send(&instance, Method::POST, "/v1/accounts", left).await;
        let busy = probe().await;
        assert!(busy["unprobed"].to_string().contains("another probe is under way") && busy["idle"] == json!({}), "{busy}");
        seen.are(&instance, &["attacks-refused", IDLE[0], IDLE[1]], "no_data").await;
        execute(&instance, &storage, "UPDATE account SET created_at = created_at - DAYS(1)").await;
        assert_eq!(probe().await["unprobed"], json!([]));
        assert_eq!(send(&instance, Method::GET, "/v1/accounts", Value::Null).await["items"], json!([]));
        seen.are(&instance, &["attacks-refused", IDLE[0], IDLE[1]], "pass").await;
        // What came of it, changed in the database, says nothing.
        execute(&instance, &storage, "UPDATE setting SET value = '{\"passed\": []}' WHERE name = 'compliance_probe'").await;
        seen.is(&instance, "attacks-refused", "no_data").await;
        probe().await;
        seen.is(&instance, "attacks-refused", "pass").await;
        seen.matches("probe");
    }
}
