use reqwest::Method;
use serde_json::Value;

use crate::{
    people::{MESSAGES, SetUp, app_code, set_up_app},
    server::{Instance, location, storages},
};

const ADA: &str = "ada@example.com";

#[tokio::test]
async fn an_app_is_set_up_asked_for_and_its_codes_work_once() {
    for storage in storages().await {
        let instance = Instance::start(&storage, MESSAGES).await;
        instance.account(ADA, &["admin"]).await;
        let browser = instance.browser();
        assert_eq!(browser.password(&instance, ADA).await.status(), 303);
        let SetUp { secret, used, recovery: codes } = set_up_app(&browser, &instance).await;
        assert_eq!(codes.len(), 10, "{storage}");
        assert!(instance.message(ADA, "was set up for signing in").await.contains("my app (totp)"));

        let other = instance.browser();
        let answer = other.password(&instance, ADA).await;
        assert!(location(&answer, &instance.own()).unwrap().contains("/sign-in/next"), "a password alone is not enough any more");
        assert_eq!(other.get(&format!("{}/account", instance.own())).await.status(), 303, "and opens nothing");
        // The code that set it up was used up by that; the next one works, once.
        let wrong = other.submit(&instance, "/sign-in/code", &[("kind", "totp"), ("code", &used)]).await;
        assert_eq!(wrong.status(), 401);
        let next = app_code(&secret, 1);
        assert_eq!(other.submit(&instance, "/sign-in/code", &[("kind", "totp"), ("code", &next)]).await.status(), 303);
        assert!(other.page(&instance, "/account").await.contains("Your account"));
        let third = instance.browser();
        third.password(&instance, ADA).await;
        assert_eq!(third.submit(&instance, "/sign-in/code", &[("kind", "totp"), ("code", &next)]).await.status(), 401, "replayed");
        // A recovery code is good once too.
        assert_eq!(third.submit(&instance, "/sign-in/recovery", &[("code", &codes[3])]).await.status(), 303);
        let fourth = instance.browser();
        fourth.password(&instance, ADA).await;
        assert_eq!(fourth.submit(&instance, "/sign-in/recovery", &[("code", &codes[3])]).await.status(), 401);

        let (_, page) = instance.operator(Method::GET, "/v1/events?q=type:session.started", Value::Null).await;
        let amr: Vec<String> = page["items"].as_array().unwrap().iter().map(|i| i["event"]["data"]["amr"].to_string()).collect();
        assert_eq!(amr, [r#"["mfa","pwd","recovery"]"#, r#"["mfa","otp","pwd"]"#, r#"["pwd"]"#], "{storage}");
        let (_, page) = instance.operator(Method::GET, "/v1/events?q=type:sign_in.failed", Value::Null).await;
        let reasons: Vec<&str> = page["items"].as_array().unwrap().iter().map(|i| i["event"]["reason"].as_str().unwrap()).collect();
        assert_eq!(reasons, ["wrong_recovery_code", "code_replayed", "code_replayed"]);
    }
}

#[tokio::test]
async fn a_mailed_code_is_good_for_one_sign_in_and_a_remembered_device_is_asked_no_more() {
    for storage in storages().await {
        let settings = format!("{MESSAGES}required_factors = 2\n");
        let instance = Instance::start(&storage, &settings).await;
        instance.account(ADA, &[]).await;
        // Nothing is set up, so something has to be: the mailbox was never verified.
        let browser = instance.browser();
        browser.password(&instance, ADA).await;
        let page = browser.page(&instance, "/sign-in/next").await;
        assert!(page.contains("Set up a second way to sign in"), "{page}");
        let secret = crate::people::shown_secret(&page);
        let fields = [("sealed", crate::people::hidden(&page, "/sign-in/enrol-app", "sealed")), ("code", app_code(&secret, 0))];
        let fields: Vec<(&str, &str)> = fields.iter().map(|(k, v)| (*k, v.as_str())).collect();
        let codes = browser.submit(&instance, "/sign-in/enrol-app", &fields).await;
        assert!(codes.text().await.unwrap().contains("Your recovery codes"));
        browser.submit(&instance, "/account/email/verify", &[]).await;
        let link = instance.mailed_link(ADA, "/verify-email/").await;
        assert!(browser.get(&link).await.text().await.unwrap().contains("Confirm address"));
        assert_eq!(browser.post(&link, &[]).await.status(), 200);

        let other = instance.browser();
        other.password(&instance, ADA).await;
        assert_eq!(other.submit(&instance, "/sign-in/send", &[("kind", "email")]).await.status(), 303);
        let code = code_in(&instance.message(ADA, "Your code is").await);
        // A code of this sign-in is none of another one.
        let thief = instance.browser();
        thief.password(&instance, ADA).await;
        assert_eq!(thief.submit(&instance, "/sign-in/code", &[("kind", "email"), ("code", &code)]).await.status(), 401);
        let done = other.submit(&instance, "/sign-in/code", &[("kind", "email"), ("code", &code), ("remember", "1")]).await;
        assert_eq!(done.status(), 303, "{storage}");
        other.submit(&instance, "/sign-out", &[]).await;
        let again = other.password(&instance, ADA).await;
        assert!(location(&again, &instance.own()).unwrap().ends_with("/account"), "the device spares the second factor");
        let (_, page) = instance.operator(Method::GET, "/v1/events?q=type:session.started&limit=1", Value::Null).await;
        assert_eq!(page["items"][0]["event"]["data"]["amr"].to_string(), r#"["pwd","remembered"]"#);
        // It never spares the first.
        let wrong = other.post(&format!("{}/sign-in", instance.own()), &[("email", ADA), ("password", "some other plain words")]).await;
        assert_eq!(wrong.status(), 401);
    }
}

/// The eight digits of a mail.
fn code_in(body: &str) -> String {
    body.lines().map(str::trim).find(|line| line.len() == 9 && line.bytes().filter(u8::is_ascii_digit).count() == 8).unwrap().to_owned()
}
