//! Accounts, sessions, grants, programs.

use reqwest::Method;
use serde_json::{Value, json};

use super::{ALL, Seen, checks, send};
use crate::{
    people::{MESSAGES, set_up_app},
    server::{Instance, storages},
};

#[tokio::test]
async fn administrators_prove_two_factors() {
    for storage in storages().await {
        let seen = Seen::default();
        let instance = Instance::start(&storage, &format!("{ALL}{MESSAGES}")).await;
        seen.is(&instance, "admins-use-two-factors", "no_data").await;
        instance.account("ada@example.com", &["admin"]).await;
        seen.is(&instance, "admins-use-two-factors", "fail").await;
        let browser = instance.browser();
        assert_eq!(browser.password(&instance, "ada@example.com").await.status(), 303);
        set_up_app(&browser, &instance).await;
        seen.is(&instance, "admins-use-two-factors", "pass").await;
        seen.matches("admin");
    }
}

#[tokio::test]
async fn accounts_grants_and_programs() {
    let seen = Seen::default();
    let instance = Instance::start("sqlite", ALL).await;
    seen.is(&instance, "roles-used", "no_data").await;
    let ben = instance.account("ben@example.com", &[]).await;
    let at = |path: &str| format!("/v1/accounts/{ben}/{path}");
    let run = |sql: &str| {
        let db = rusqlite::Connection::open(instance.data().join("tutela.db")).unwrap();
        db.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
        db.execute_batch(sql).unwrap();
    };
    for name in ["no-idle-accounts", "password-only-accounts"] {
        seen.is(&instance, name, "pass").await;
    }
    seen.is(&instance, "leavers-have-no-way-in", "no_data").await;
    // An account that nobody has used for a hundred days.
    let long_ago = "(unixepoch() - 100 * 86400) * 1000000";
    run(&format!("UPDATE account SET created_at = {long_ago}"));
    seen.is(&instance, "no-idle-accounts", "fail").await;
    let browser = instance.browser();
    let (at_page, page) = browser.sign_in_at(&format!("{}/account", instance.own()), "ben@example.com").await;
    assert_eq!(page.status(), 200, "{at_page}: {}", page.text().await.unwrap());
    seen.is(&instance, "no-idle-accounts", "pass").await;
    // A password alone, and as old.
    run(&format!("UPDATE account SET password_changed_at = {long_ago}"));
    seen.is(&instance, "password-only-accounts", "fail").await;
    // It is switched off, and somebody brings its session back.
    send(&instance, Method::POST, &at("disable"), json!({"reason": "left"})).await;
    for name in ["leavers-have-no-way-in", "password-only-accounts"] {
        assert_ne!(checks(&instance).await[name], "fail", "{name}");
    }
    run("UPDATE session SET ended_at = NULL");
    seen.is(&instance, "leavers-have-no-way-in", "fail").await;
    run("UPDATE session SET ended_at = last_seen_at");
    seen.is(&instance, "leavers-have-no-way-in", "pass").await;
    // A program's key that is two years old.
    instance.key(&["events:write"]).await;
    seen.is(&instance, "program-keys-rotate", "pass").await;
    run("UPDATE client_key SET created_at = created_at - 2 * 365 * 86400 * 1000000");
    seen.is(&instance, "program-keys-rotate", "fail").await;
    run("DELETE FROM client_key");
    seen.is(&instance, "program-keys-rotate", "no_data").await;
    // Permissions beside roles: one nobody has approved, and more of them than there are people.
    let cleo = instance.account("cleo@example.com", &[]).await;
    let give = async |permission: &str| {
        let grant = json!({"account_id": cleo, "effect": "allow", "permission": permission, "reason": "for a week"});
        send(&instance, Method::POST, "/v1/grants", grant).await["id"].as_str().unwrap().to_owned()
    };
    seen.is(&instance, "grants-approved", "no_data").await;
    let take = async |id: &str| send(&instance, Method::DELETE, &format!("/v1/grants/{id}?reason=over"), Value::Null).await;
    let first = give("photos:read").await;
    seen.are(&instance, &["grants-approved", "roles-used"], "pass").await;
    run("UPDATE access_grant SET approver = ''");
    seen.is(&instance, "grants-approved", "fail").await;
    take(&first).await;
    give("photos:read").await;
    seen.is(&instance, "grants-approved", "pass").await;
    let second = give("photos:write").await;
    seen.is(&instance, "roles-used", "fail").await;
    take(&second).await;
    seen.is(&instance, "roles-used", "pass").await;
    seen.matches("people");
}
