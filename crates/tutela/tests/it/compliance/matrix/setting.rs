//! What the configuration says.

use reqwest::Method;
use serde_json::{Value, json};

use super::{ALL, Seen, send};
use crate::{
    privacy::{purpose, set},
    server::Instance,
};

#[tokio::test]
async fn what_the_configuration_says() {
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
        "secrets-hashed",
    ];
    let seen = Seen::default();
    let instance = Instance::start("sqlite", &format!("{ALL}{bad}")).await;
    set(&instance, purpose("personalize", "consent", json!({}))).await;
    send(&instance, Method::POST, "/v1/compliance/scans", Value::Null).await;
    seen.are(&instance, &["failed-sign-ins-watched", "finds-open-incidents"], "fail").await;
    seen.are(&instance, &names, "fail").await;
    instance.stop("-INT").await;
    std::fs::write(instance.dir.path().join("webhook-secret"), "0123456789abcdef0123456789abcdef").unwrap();
    let weak = "[identity.password]\nmemory_kib = 64\npasses = 1\nallow_weak_for_tests = true\n";
    instance.rewrite(|text| text.replace(bad, good).replace(weak, ""));
    instance.run().await;
    seen.are(&instance, &names, "pass").await;
    seen.is(&instance, "finds-open-incidents", "pass").await;
    // Rules watch, and then somebody fails.
    seen.is(&instance, "failed-sign-ins-watched", "no_data").await;
    let browser = instance.browser();
    browser.sign_in_at(&format!("{}/account", instance.own()), "nobody@example.com").await;
    seen.is(&instance, "failed-sign-ins-watched", "pass").await;
    seen.matches("setting");
}
