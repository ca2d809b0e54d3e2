use reqwest::{Method, header};
use serde_json::{Value, json};
use testkit::SoftKey;

use crate::{
    people::{MESSAGES, app_code, set_up_app},
    server::{Browser, Instance, PASSWORD, answer, escape, location, storages},
};

const ADA: &str = "ada@example.com";
const BEN: &str = "ben@example.com";
const SESSION: &str = "__Host-tutela";
const HOST: &str = "tutela.localhost";

async fn signed_in(instance: &Instance, email: &str) -> Browser {
    let browser = instance.browser();
    assert_eq!(browser.password(instance, email).await.status(), 303);
    browser
}

async fn is_in(browser: &Browser, instance: &Instance) -> bool {
    browser.get(&format!("{}/account", instance.own())).await.status() == 200
}

#[tokio::test]
async fn a_session_that_was_planted_before_signing_in_is_worth_nothing_afterwards() {
    for storage in storages().await {
        let instance = Instance::start(&storage, MESSAGES).await;
        instance.account(ADA, &[]).await;
        instance.account(BEN, &[]).await;
        // The attacker's own live session, and one that was made up.
        let ben = signed_in(&instance, BEN).await;
        let theirs = ben.cookie(HOST, SESSION).unwrap();
        for planted in [theirs.as_str(), "tse_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
            let ada = instance.browser();
            ada.set_cookie(HOST, SESSION, planted);
            assert_eq!(ada.password(&instance, ADA).await.status(), 303);
            let after = ada.cookie(HOST, SESSION).unwrap();
            assert_ne!(after, planted, "signing in makes another session");
            assert!(ada.page(&instance, "/account").await.contains(ADA));
        }
        assert!(!is_in(&ben, &instance).await, "{storage}: the session that was in the browser ended, whosever it was");
        // Each proof of a step-up makes another token too; the one before it is dead.
        let ada = signed_in(&instance, ADA).await;
        let before = ada.cookie(HOST, SESSION).unwrap();
        ada.get(&format!("{}/step-up", instance.own())).await;
        assert_eq!(ada.submit(&instance, "/sign-in/password", &[("password", PASSWORD)]).await.status(), 303);
        assert_ne!(ada.cookie(HOST, SESSION).unwrap(), before);
        let thief = instance.browser();
        thief.set_cookie(HOST, SESSION, &before);
        assert!(!is_in(&thief, &instance).await);
    }
}

#[tokio::test]
async fn cookies_that_a_sibling_host_could_set_are_not_read() {
    let instance = Instance::start("sqlite", "").await;
    instance.account(BEN, &[]).await;
    let ben = signed_in(&instance, BEN).await;
    let token = ben.cookie(HOST, SESSION).unwrap();
    let url = format!("{}/account", instance.own());
    // A host beside this one can set cookies for the whole domain, but none that begins with `__Host-` (RFC 6265bis §4.1.3.2).
    for tossed in ["tutela", "__Secure-tutela", "__host-tutela", "__Host-tutela2"] {
        let visitor = instance.browser();
        let request = visitor.request(Method::GET, &url).header(header::COOKIE, format!("{tossed}={token}"));
        assert_eq!(visitor.send(&url, request).await.status(), 303, "{tossed}");
    }
    // Of two values of one name, none is taken for somebody's: which of them is the browser's own cannot be told.
    let visitor = instance.browser();
    let two = format!("{SESSION}=tse_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA; {SESSION}={token}");
    let request = visitor.request(Method::GET, &url).header(header::COOKIE, two);
    assert_eq!(visitor.send(&url, request).await.status(), 303);
}

#[tokio::test]
async fn no_page_takes_a_post_from_another_site() {
    let instance = Instance::start("sqlite", MESSAGES).await;
    let id = instance.account(ADA, &["admin"]).await;
    let ada = signed_in(&instance, ADA).await;
    ada.sign_in_at(&format!("{}/people", instance.console()), ADA).await;
    let own = [
        "/sign-in",
        "/sign-in/code",
        "/sign-in/send",
        "/sign-in/recovery",
        "/sign-in/new-password",
        "/sign-up",
        "/recover",
        "/account/password",
        "/account/email",
        "/account/name",
        "/account/app",
        "/account/passkey",
        "/account/recovery",
        "/account/phone",
        "/account/phone/verify",
        "/account/phone/remove",
        "/account/email/verify",
        "/account/password/dismiss",
        "/account/sessions/end-others",
        "/sign-out",
    ];
    let person = format!("/people/{id}");
    let console = ["/people/new", "/people/groups", "/people/grants/x/end", "/sessions/x/end"]
        .map(str::to_owned)
        .into_iter()
        .chain(["disable", "enable", "roles", "groups", "invite", "delete", "unlock", "grant", "password-change"].map(|verb| format!("{person}/{verb}")));
    let urls: Vec<String> =
        own.iter().map(|path| format!("{}{path}", instance.own())).chain(console.map(|path| format!("{}{path}", instance.console()))).collect();
    let (_, before) = instance.operator(Method::GET, "/v1/ledger/checkpoint", Value::Null).await;
    for url in &urls {
        for (name, value) in [("sec-fetch-site", "cross-site"), ("sec-fetch-site", "same-site"), ("origin", "https://evil.example"), ("origin", "null")] {
            let form =
                ada.request(Method::POST, url).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").header(name, value).body("reason=x&name=Eve");
            assert_eq!(ada.send(url, form).await.status(), 403, "{url} with {name}: {value}");
        }
    }
    let (_, page) = instance.operator(Method::GET, "/v1/events?q=outcome:success%20-type:gateway.*&limit=3", Value::Null).await;
    let types: Vec<&str> = page["items"].as_array().unwrap().iter().filter_map(|item| item["event"]["type"].as_str()).collect();
    assert_eq!(types.first(), Some(&"session.extended"), "nothing was done: {types:?}; the log was {before}");
}

#[tokio::test]
async fn a_password_of_a_megabyte_costs_no_hash_and_no_patience() {
    let instance = Instance::start("sqlite", &format!("{MESSAGES}[identity]\nsign_up = \"open\"\n")).await;
    instance.account(ADA, &[]).await;
    let huge = "x".repeat(1 << 20);
    let ada = signed_in(&instance, ADA).await;
    let begun = std::time::Instant::now();
    let forms: [(&str, &[(&str, &str)]); 3] = [
        ("/sign-in", &[("email", ADA), ("password", &huge)]),
        ("/sign-up", &[("email", "eve@example.com"), ("name", "Eve"), ("password", &huge)]),
        ("/account/password", &[("old_password", PASSWORD), ("password", &huge)]),
    ];
    // What is far too long is not even read to its end: the answer, or the closed connection, comes first.
    let refused = |answer: reqwest::Result<reqwest::Response>, what: &str| {
        let status = answer.map_or(413, |answer| answer.status().as_u16());
        assert!([400, 401, 413, 422].contains(&status), "{what}: {status}");
    };
    for (path, fields) in forms {
        let body: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", escape(value))).collect();
        let form = ada.request(Method::POST, &format!("{}{path}", instance.own())).header(header::ORIGIN, instance.own());
        refused(form.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").body(body.join("&")).send().await, path);
    }
    let url = format!("{}/v1/sign-in", instance.own());
    for password in [huge.as_str(), &"x".repeat(4_000)] {
        let call = ada.request(Method::POST, &url).json(&json!({"email": ADA, "password": password}));
        refused(call.send().await, "/v1/sign-in");
    }
    assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
    assert!(is_in(&ada, &instance).await);
}

#[tokio::test]
async fn nobody_touches_sessions_devices_and_authenticators_of_somebody_else() {
    for storage in storages().await {
        let instance = Instance::start(&storage, MESSAGES).await;
        instance.account(ADA, &[]).await;
        instance.account(BEN, &[]).await;
        let (ada, ben) = (signed_in(&instance, ADA).await, signed_in(&instance, BEN).await);
        set_up_app(&ada, &instance).await;
        let listed = async |browser: &Browser, what: &str| {
            let url = format!("{}/v1/me/{what}", instance.own());
            let (status, list) = answer(browser.send(&url, browser.request(Method::GET, &url)).await).await;
            assert_eq!(status, 200, "{list}");
            list.as_array().or(list["items"].as_array()).unwrap_or_else(|| panic!("{list}")).clone()
        };
        for (what, form) in
            [("sessions", "/account/sessions/ID/end"), ("devices", "/account/devices/ID/forget"), ("authenticators", "/account/authenticators/ID/remove")]
        {
            let hers = listed(&ada, what).await;
            let id = hers[0]["id"].as_str().unwrap();
            let url = format!("{}/v1/me/{what}/{id}", instance.own());
            let call = ben.request(Method::DELETE, &url).header(header::ORIGIN, instance.own());
            let (status, problem) = answer(ben.send(&url, call).await).await;
            assert_eq!(status, 404, "{what}: {problem}");
            ben.submit(&instance, &form.replace("ID", id), &[]).await;
            assert_eq!(listed(&ada, what).await, hers, "{storage}: {what}");
            assert!(!listed(&ben, what).await.iter().any(|one| one["id"] == id));
        }
    }
}

/// The options that a page hands to the browser in the form that posts to `action`.
fn options(page: &str, action: &str) -> Value {
    let form = page.split(&format!("action=\"{action}\"")).nth(1).unwrap_or_else(|| panic!("no form for {action} in {page}"));
    let text = form.split("data-options=\"").nth(1).unwrap().split('"').next().unwrap();
    serde_json::from_str(&text.replace("&#34;", "\"").replace("&quot;", "\"").replace("&#38;", "&").replace("&amp;", "&")).unwrap()
}

#[tokio::test]
async fn a_passkey_signs_in_at_this_origin_alone_and_each_challenge_once() {
    for storage in storages().await {
        let instance = Instance::start(&storage, MESSAGES).await;
        instance.account(ADA, &[]).await;
        let browser = signed_in(&instance, ADA).await;
        let page = browser.page(&instance, "/account/passkey").await;
        let mut key = SoftKey::new(&instance.own());
        let made = key.create(&options(&page, "/account/passkey")).unwrap().to_string();
        let sealed = crate::people::hidden(&page, "/account/passkey", "sealed");
        let added = browser.submit(&instance, "/account/passkey", &[("sealed", &sealed), ("answer", &made), ("name", "laptop")]).await;
        assert!(added.text().await.unwrap().contains("Your recovery codes"), "{storage}");

        let try_at = async |origin: &str, planted: Option<(&str, &str)>| {
            let visitor = instance.browser();
            let page = visitor.page(&instance, "/sign-in").await;
            key.origin = origin.to_owned();
            let answer = key.get(&options(&page, "/sign-in/passkey")).unwrap().to_string();
            let sealed = crate::people::hidden(&page, "/sign-in/passkey", "sealed");
            let (sealed, answer) = planted.map_or((sealed, answer), |(s, a)| (s.to_owned(), a.to_owned()));
            let status = visitor.submit(&instance, "/sign-in/passkey", &[("sealed", &sealed), ("answer", &answer)]).await.status().as_u16();
            (status, is_in(&visitor, &instance).await, sealed, answer)
        };
        // A page that looks like this one, with a browser that lets it ask.
        let mut at = try_at;
        let evil = instance.own().replace("tutela.localhost", "badtutela.localhost");
        let (status, inside, ..) = at(&evil, None).await;
        assert_eq!((status, inside), (401, false), "another origin");
        let (status, inside, sealed, answer) = at(&instance.own(), None).await;
        assert_eq!((status, inside), (303, true), "{storage}");
        let (status, inside, ..) = at(&instance.own(), Some((&sealed, &answer))).await;
        assert_eq!((status, inside), (401, false), "an answer that was used before");
        let (_, page) = instance.operator(Method::GET, "/v1/events?q=type:session.started&limit=1", Value::Null).await;
        assert_eq!(page["items"][0]["event"]["data"]["acr"], "aal2", "a passkey that recognised the person is two factors");
    }
}

#[tokio::test]
async fn a_route_that_asks_for_more_gets_it_and_the_person_comes_back() {
    let upstream = axum::Router::new().fallback(|| async { "the vault" });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, upstream).await });
    let route = |path: &str, more: &str| {
        format!(
            "[[gateway.routes]]\nname = \"p{}\"\nhost = \"photos.localhost\"\npath = \"{path}\"\nupstream = \"http://127.0.0.1:{port}\"\n{more}\n",
            path.replace('/', "-")
        )
    };
    let settings = route("/", "require = \"signed-in\"") + &route("/vault", "require = \"signed-in\"\nacr = \"aal2\"\nmax_age = \"5m\"") + MESSAGES;
    let instance = Instance::start("sqlite", &settings).await;
    instance.account(ADA, &[]).await;
    let at = |path: &str| format!("http://photos.localhost:{}{path}", instance.port);
    // With one factor the plain page opens, and the vault does not.
    let (seen, page) = {
        let browser = instance.browser();
        let (seen, page) = browser.sign_in_at(&at("/album"), ADA).await;
        (seen, page.status())
    };
    assert_eq!((seen, page.as_u16()), (at("/album"), 200));
    let browser = signed_in(&instance, ADA).await;
    let secret = set_up_app(&browser, &instance).await.secret;
    let weak = instance.browser();
    weak.password(&instance, ADA).await;
    assert!(!is_in(&weak, &instance).await, "the second factor that is there is asked for");
    // The session of the first browser has one factor; the vault leads to the second, and back.
    let mut url = at("/vault/1");
    let mut response = browser.get(&url).await;
    let mut asked = false;
    for _ in 0..10 {
        if let Some(next) = location(&response, &url) {
            url = next;
            response = browser.get(&url).await;
        } else if url.contains("/sign-in") || url.contains("/step-up") {
            let page = response.text().await.unwrap();
            let to = page.split("name=\"to\" value=\"").nth(1).map(|rest| rest.split('"').next().unwrap().to_owned()).unwrap_or_default();
            let own = instance.own();
            response = if page.contains("action=\"/sign-in/code\"") {
                asked = true;
                url = format!("{own}/sign-in/code");
                browser.submit(&instance, "/sign-in/code", &[("kind", "totp"), ("code", &app_code(&secret, 1)), ("to", &to)]).await
            } else {
                url = format!("{own}/sign-in/password");
                browser.submit(&instance, "/sign-in/password", &[("password", PASSWORD), ("to", &to)]).await
            };
        } else {
            break;
        }
    }
    assert!(asked, "the code was asked for; the way ended at {url}");
    assert_eq!((url, response.status().as_u16()), (at("/vault/1"), 200));
    assert_eq!(response.text().await.unwrap(), "the vault");
}

#[tokio::test]
async fn an_administrator_removes_a_lost_factor_and_the_owner_learns_of_it() {
    for storage in storages().await {
        let instance = Instance::start(&storage, MESSAGES).await;
        let id = instance.account(ADA, &[]).await;
        let ada = signed_in(&instance, ADA).await;
        set_up_app(&ada, &instance).await;
        let (_, ways) = instance.operator(Method::GET, &format!("/v1/accounts/{id}/authenticators"), Value::Null).await;
        let totp = ways.as_array().unwrap().iter().find(|way| way["kind"] == "totp").unwrap()["id"].as_str().unwrap().to_owned();
        let path = format!("/v1/accounts/{id}/authenticators/{totp}");
        let (status, problem) = instance.operator(Method::DELETE, &path, Value::Null).await;
        assert_eq!(status, 422, "without a reason: {problem}");
        assert_eq!(instance.operator(Method::DELETE, &format!("{path}?reason=phone+lost%2C+seen+in+person"), Value::Null).await.0, 204);
        assert!(!is_in(&ada, &instance).await, "every session has ended");
        instance.message(ADA, "no longer serves").await;
        let (_, left) = instance.operator(Method::GET, &format!("/v1/accounts/{id}/authenticators"), Value::Null).await;
        assert_eq!(left, json!([]), "recovery codes without a second factor go too");
        let (_, page) = instance.operator(Method::GET, "/v1/events?q=type:authenticator.removed", Value::Null).await;
        assert!(page["items"][0]["event"].to_string().contains("phone lost, seen in person"), "{storage}: {page}");
        assert_eq!(signed_in(&instance, ADA).await.get(&format!("{}/account", instance.own())).await.status(), 200, "the password alone is enough again");
    }
}

#[tokio::test]
async fn names_and_addresses_that_look_like_somebody_elses_are_refused_or_shown_as_what_they_are() {
    let instance = Instance::start("sqlite", "").await;
    instance.account(ADA, &[]).await;
    let make = async |email: &str, name: &str| {
        instance.operator(Method::POST, "/v1/accounts", json!({"email": email, "name": name, "password": PASSWORD, "roles": []})).await
    };
    // A Cyrillic `а` in a name beside Latin letters; text that turns around; letters of no width; lines that break.
    for name in ["\u{430}dmin", "Ada\u{202e}nimdA", "Ad\u{200b}a", "Ada\r\nBcc: eve@evil.example", "\u{3b1}dmin"] {
        let (status, problem) = make("eve1@example.com", name).await;
        assert_eq!((status, problem["errors"][0]["field"].as_str()), (422, Some("name")), "{name:?}: {problem}");
    }
    for fine in ["Анна Каренина", "Ελένη", "José Ñuñez", "李小龙 Bruce"] {
        let email = format!("p{}@example.com", fine.len());
        assert_eq!(make(&email, fine).await.0, 201, "{fine}");
    }
    let (status, problem) = make("\u{430}da@example.com", "Ada").await;
    assert_eq!((status, problem["errors"][0]["field"].as_str()), (422, Some("email")), "{problem}");
    let (status, made) = make("ada@ex\u{430}mple.com", "Ada").await;
    assert_eq!((status, made["email"].as_str()), (201, Some("ada@xn--exmple-4nf.com")), "another domain is shown as what it is");
    // And what is the same stays the same, however it is typed.
    assert_eq!(make(" ADA@Example.COM ", "Ada").await.0, 409);
}
