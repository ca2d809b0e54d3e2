use reqwest::{Method, Response};
use serde_json::{Value, json};
use testkit::{ClientPeer, OpenidPeer};

use crate::{
    people::{MESSAGES, SetUp, app_code, hidden, set_up_app},
    server::{Browser, Instance, PASSWORD, answer, http, location, storages, until},
};

const ADA: &str = "ada@example.com";

/// An application that people sign in to here.
struct Photos {
    instance: Instance,
    peer: ClientPeer,
    id: String,
    secret: String,
}

impl Photos {
    /// `oauth` changes what it is registered with, `wish` what it is like.
    async fn start(storage: &str, oauth: Value, wish: Value) -> Option<Self> {
        Self::start_with(storage, MESSAGES, oauth, wish).await
    }

    async fn start_with(storage: &str, settings: &str, oauth: Value, wish: Value) -> Option<Self> {
        let Some(own) = ClientPeer::address() else {
            testkit::skip("TUTELA_FEDERATION does not name the peers of federation");
            return None;
        };
        let settings = format!("[identity.back_channel]\nallow_private = true\n{settings}");
        let instance = Instance::start(storage, &settings).await;
        let mut registration = json!({"redirect_uris": [format!("{own}/cb")], "post_logout_redirect_uris": [format!("{own}/bye")],
            "backchannel_logout_uri": format!("{own}/told"), "require_consent": false, "audiences": ["photos"]});
        merge(&mut registration, oauth);
        let (status, client) = instance.operator(Method::POST, "/v1/clients", json!({"name": "Photos", "oauth": registration})).await;
        assert_eq!(status, 201, "{client}");
        let (id, secret) = (client["id"].as_str().unwrap().to_owned(), client["api_key"].as_str().unwrap_or_default().to_owned());
        let mut all = json!({"issuer": instance.own(), "client_id": id, "client_secret": secret});
        merge(&mut all, wish);
        Some(Self { peer: ClientPeer::start(&own, &all), instance, id, secret })
    }

    /// Goes to sign in at the application, as far as it leads without a person: an address and its answer.
    async fn go(&self, browser: &Browser, query: &str) -> (String, Response) {
        self.follow(browser, &format!("{}/go?{query}", self.peer.own)).await
    }

    async fn follow(&self, browser: &Browser, at: &str) -> (String, Response) {
        let mut at = at.to_owned();
        for _ in 0..12 {
            let response = browser.get(&at).await;
            match location(&response, &at) {
                Some(next) => at = next,
                None => return (at, response),
            }
        }
        panic!("it never came back: {at}");
    }

    /// Signs in at the page that `go` led to.
    async fn sign_in(&self, browser: &Browser, at: &str) -> (String, Response) {
        let to = at.split_once("to=").map(|(_, to)| to.to_owned()).unwrap_or_default();
        let response = browser.submit(&self.instance, "/sign-in", &[("email", ADA), ("password", PASSWORD), ("to", &to)]).await;
        let next = location(&response, &self.instance.own()).unwrap();
        self.follow(browser, &next).await
    }

    /// Goes, signs in, and gives what the application has then.
    async fn signed_in(&self, browser: &Browser, query: &str) -> Value {
        let (at, response) = self.go(browser, query).await;
        let (at, response) = if at.contains("/sign-in") { self.sign_in(browser, &at).await } else { (at, response) };
        let (status, found) = answer(response).await;
        assert_eq!(status, 200, "{at}: {found}");
        found
    }

    /// What the application answers to a post.
    async fn post(&self, path: &str, body: &str) -> (u16, Value) {
        answer(http().build().unwrap().post(format!("{}{path}", self.peer.own)).body(body.to_owned()).send().await.unwrap()).await
    }

    /// Posts a form to one of our endpoints, as the application.
    async fn form(&self, path: &str, fields: &[(&str, &str)]) -> (u16, Value) {
        let here = [std::net::SocketAddr::from(([127, 0, 0, 1], 0))];
        let client = http().resolve_to_addrs("tutela.localhost", &here).build().unwrap();
        let fields: Vec<(&str, &str)> = fields.iter().copied().filter(|(_, value)| !value.is_empty()).collect();
        answer(client.post(format!("{}{path}", self.instance.own())).form(&fields).send().await.unwrap()).await
    }

    /// A code, and the verifier that goes with it, from a request of our own making.
    async fn code(&self, browser: &Browser, scope: &str) -> String {
        let uri = format!("{}/cb", self.peer.own);
        let at = format!("{}/oauth/authorize?{}", self.instance.own(), self.request(&uri, scope));
        let mut at = at;
        for _ in 0..12 {
            let response = browser.get(&at).await;
            let next = location(&response, &at);
            let Some(next) = next else { panic!("{at}: {}", response.text().await.unwrap()) };
            if let Some((_, rest)) = next.split_once("/cb?code=") {
                return rest.split('&').next().unwrap().to_owned();
            }
            at = next;
        }
        panic!("no code came: {at}");
    }

    fn request(&self, uri: &str, scope: &str) -> String {
        format!(
            "response_type=code&client_id={}&redirect_uri={uri}&scope={scope}&state=s&nonce=n&code_challenge={CHALLENGE}&code_challenge_method=S256",
            self.id
        )
    }

    async fn exchange(&self, code: &str, verifier: &str) -> (u16, Value) {
        let uri = format!("{}/cb", self.peer.own);
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &uri),
            ("code_verifier", verifier),
            ("client_id", &self.id),
            ("client_secret", &self.secret),
        ];
        self.form("/oauth/token", &fields).await
    }

    async fn is_good(&self, access_token: &str) -> bool {
        let (status, found) = self.post("/introspect", access_token).await;
        assert_eq!(status, 200, "{found}");
        found["active"].as_bool().unwrap()
    }

    /// The newest events of a type.
    async fn events(&self, kind: &str) -> Vec<Value> {
        let (_, found) = self.instance.operator(Method::GET, &format!("/v1/events?q=type:{kind}"), Value::Null).await;
        found["items"].as_array().unwrap_or_else(|| panic!("{found}")).clone()
    }
}

/// RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

fn merge(into: &mut Value, change: Value) {
    for (name, value) in change.as_object().unwrap() {
        into[name] = value.clone();
    }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}"))
}

#[tokio::test]
async fn a_person_signs_in_to_an_application_and_it_learns_what_it_may() {
    for storage in storages().await {
        let Some(photos) = Photos::start(&storage, json!({"scopes": ["openid", "email"]}), json!({})).await else { return };
        let account = photos.instance.account(ADA, &[]).await;
        let browser = photos.instance.browser();
        let (at, page) = photos.go(&browser, "").await;
        let page = page.text().await.unwrap();
        assert!(at.contains("/sign-in?to=client:") && page.contains("<b>Photos</b>"), "the page says who asks: {at}");
        let (at, response) = photos.sign_in(&browser, &at).await;
        let (status, found) = answer(response).await;
        assert_eq!(status, 200, "{at}: {found}");
        assert_eq!((text(&found["claims"], "sub"), text(&found["claims"], "email")), (account.as_str(), ADA));
        assert_eq!((text(&found["user"], "sub"), found["user"].get("name"), text(&found, "scope")), (account.as_str(), None, "email openid"));
        assert_eq!((text(&found["claims"], "acr"), &found["claims"]["amr"]), ("aal1", &json!(["pwd"])));
        assert!(at.contains("&iss=http%3A%2F%2Ftutela.localhost"), "RFC 9207: {at}");
        // A second application window asks nobody anything.
        let again = photos.signed_in(&browser, "").await;
        assert_ne!(again["claims"]["sid"], found["claims"]["sid"]);
        let event = &photos.events("client.signed_in").await[0]["event"];
        assert_eq!((&event["data"]["scopes"], &event["data"]["offline"]), (&json!(["email", "openid"]), &json!(false)));
        assert_eq!(event["data"]["session"], again["claims"]["sid"]);
        let page = browser.page(&photos.instance, "/account").await;
        assert!(page.contains("tutela.localhost, Photos"), "{page}");
    }
}

#[tokio::test]
async fn every_algorithm_and_every_proof_of_a_client_works() {
    let key = json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": "c1", "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
    let public = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": "c1", "use": "sig", "x": key["x"]}]});
    for (oauth, wish) in [
        (json!({"id_token_signed_response_alg": "ES256"}), json!({"auth": "client_secret_basic"})),
        (json!({"id_token_signed_response_alg": "RS256"}), json!({"auth": "client_secret_post", "algorithm": "RS256"})),
        (json!({"id_token_signed_response_alg": "EdDSA", "token_endpoint_auth_method": "none"}), json!({"auth": "none", "algorithm": "EdDSA"})),
        (json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": public}), json!({"auth": "private_key_jwt", "key": key})),
    ] {
        let Some(photos) = Photos::start("sqlite", oauth.clone(), wish).await else { return };
        photos.instance.account(ADA, &[]).await;
        let found = photos.signed_in(&photos.instance.browser(), "").await;
        let (status, next) = photos.post("/refresh", text(&found, "refresh_token")).await;
        assert_eq!(status, 200, "{oauth}: {next}");
        assert_eq!((next["id_token"].is_string(), text(&next, "scope")), (true, "email openid profile"));
        // A lost answer is asked for once more, and is the same.
        let (_, again) = photos.post("/refresh", text(&found, "refresh_token")).await;
        assert_eq!(again["refresh_token"], next["refresh_token"]);
    }
}

#[tokio::test]
async fn a_token_that_was_revoked_or_whose_person_signed_out_is_worth_nothing() {
    for storage in storages().await {
        let Some(photos) = Photos::start(&storage, json!({}), json!({})).await else { return };
        photos.instance.account(ADA, &[]).await;
        let browser = photos.instance.browser();
        let (first, second) = (photos.signed_in(&browser, "").await, photos.signed_in(&browser, "").await);
        let (_, seen) = photos.post("/introspect", text(&first, "access_token")).await;
        assert_eq!((text(&seen, "aud"), text(&seen, "client_id"), text(&seen, "scope")), ("photos", photos.id.as_str(), "email openid profile"));
        let (_, seen) = photos.post("/introspect", text(&first, "refresh_token")).await;
        assert_eq!((&seen["active"], text(&seen, "token_type")), (&json!(true), "refresh_token"));
        assert_eq!(photos.post("/revoke", text(&first, "refresh_token")).await.0, 200);
        assert!(!photos.is_good(text(&first, "access_token")).await && !photos.is_good(text(&first, "refresh_token")).await);
        assert!(photos.is_good(text(&second, "access_token")).await, "another session at the application goes on");
        let (_, refused) = photos.post("/refresh", text(&first, "refresh_token")).await;
        assert_eq!(text(&refused, "error"), "invalid_grant");
        // Signing out here ends what is left.
        assert!(is_in(&photos, &browser).await);
        browser.submit(&photos.instance, "/sign-out", &[]).await;
        assert!(!photos.is_good(text(&second, "access_token")).await);
        assert_eq!(text(&photos.post("/refresh", text(&second, "refresh_token")).await.1, "error"), "invalid_grant");
        let user_info = json!({"url": format!("{}/oauth/userinfo", photos.instance.own()), "token": second["access_token"]});
        assert_eq!(photos.post("/fetch", &user_info.to_string()).await.1["status"], 401);
    }
}

async fn is_in(photos: &Photos, browser: &Browser) -> bool {
    browser.get(&format!("{}/account", photos.instance.own())).await.status() == 200
}

#[tokio::test]
async fn what_may_go_on_without_the_person_does_and_ends_when_they_end_everything() {
    for storage in storages().await {
        let oauth = json!({"scopes": ["openid", "offline_access"]});
        let Some(photos) = Photos::start(&storage, oauth, json!({})).await else { return };
        let account = photos.instance.account(ADA, &[]).await;
        let browser = photos.instance.browser();
        let found = photos.signed_in(&browser, "scope=openid+offline_access").await;
        browser.submit(&photos.instance, "/sign-out", &[]).await;
        let (status, next) = photos.post("/refresh", text(&found, "refresh_token")).await;
        assert_eq!((status, text(&next, "scope")), (200, "offline_access openid"), "{next}");
        // Fewer scopes may be asked for, more may not.
        let who = [("client_id", photos.id.as_str()), ("client_secret", photos.secret.as_str())];
        let mut asked = [("grant_type", "refresh_token"), ("refresh_token", text(&next, "refresh_token")), ("scope", "openid email"), who[0], who[1]];
        assert_eq!(text(&photos.form("/oauth/token", &asked).await.1, "error"), "invalid_scope");
        asked[2].1 = "openid";
        assert_eq!(text(&photos.form("/oauth/token", &asked).await.1, "scope"), "openid");
        let (_, sessions) = photos.instance.operator(Method::GET, "/v1/sessions", Value::Null).await;
        assert_eq!(sessions["items"][0]["hosts"], json!(["Photos"]), "{sessions}");
        assert_eq!(photos.instance.operator(Method::POST, &format!("/v1/accounts/{account}/disable"), Value::Null).await.0, 204);
        assert!(!photos.is_good(text(&next, "access_token")).await);
    }
}

#[tokio::test]
async fn a_person_is_asked_once_may_say_no_and_may_take_it_back() {
    for storage in storages().await {
        let Some(photos) = Photos::start(&storage, json!({"require_consent": true}), json!({})).await else { return };
        photos.instance.account(ADA, &[]).await;
        let browser = photos.instance.browser();
        let (at, _) = photos.go(&browser, "").await;
        let (at, page) = photos.sign_in(&browser, &at).await;
        let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
        let page = page.text().await.unwrap();
        assert!(at.contains("/oauth/continue") && page.contains("Your mail address") && page.contains("<b>Photos</b>"), "{at}: {page}");
        assert!(policy.contains(&format!("form-action 'self' {};", photos.peer.own)), "{policy}");
        let said = |decision: &'static str, page: &str| vec![("request", hidden(page, "/oauth/consent", "request")), ("decision", decision.to_owned())];
        let send = async |decision: &'static str, page: &str| {
            let fields = said(decision, page);
            let fields: Vec<(&str, &str)> = fields.iter().map(|(k, v)| (*k, v.as_str())).collect();
            let response = browser.submit(&photos.instance, "/oauth/consent", &fields).await;
            let next = location(&response, &photos.instance.own()).unwrap();
            let (_, response) = photos.follow(&browser, &next).await;
            answer(response).await
        };
        let (status, refused) = send("deny", &page).await;
        assert_eq!((status, text(&refused, "error")), (400, "access_denied"));
        assert_eq!(text(&answer(photos.go(&browser, "prompt=none").await.1).await.1, "error"), "consent_required");
        let (_, page) = photos.go(&browser, "").await;
        let (status, found) = send("allow", &page.text().await.unwrap()).await;
        assert_eq!(status, 200, "{found}");
        assert_eq!(photos.signed_in(&browser, "prompt=none").await["claims"]["sub"], found["claims"]["sub"], "once said, not asked again");
        let (at, _) = photos.go(&browser, "prompt=consent").await;
        assert!(at.contains("/oauth/"), "but for an application that wants it: {at}");
        let page = browser.page(&photos.instance, "/account/apps").await;
        assert!(page.contains("<b>Photos</b>") && page.contains("Your name"), "{page}");
        let answer_ = browser.submit(&photos.instance, &format!("/account/apps/{}/withdraw", photos.id), &[]).await;
        assert!(answer_.text().await.unwrap().contains("Taken back"));
        assert!(!photos.is_good(text(&found, "access_token")).await);
        assert_eq!(text(&photos.post("/refresh", text(&found, "refresh_token")).await.1, "error"), "invalid_grant");
        assert!(is_in(&photos, &browser).await, "the person's own session goes on");
        assert_eq!(photos.events("client.consent_withdrawn").await[0]["event"]["data"]["sessions_ended"], 2);
    }
}

#[tokio::test]
async fn how_fresh_and_how_strong_is_for_the_application_to_say() {
    let Some(photos) = Photos::start("sqlite", json!({}), json!({})).await else { return };
    photos.instance.account(ADA, &[]).await;
    let browser = photos.instance.browser();
    let error = async |query: &str| text(&answer(photos.go(&browser, query).await.1).await.1, "error").to_owned();
    assert_eq!(error("prompt=none").await, "login_required");
    photos.signed_in(&browser, "").await;
    for query in ["prompt=login", "prompt=select_account", "max_age=0"] {
        let (at, page) = photos.go(&browser, query).await;
        assert!(at.contains("/sign-in/next"), "{query}: {at}");
        let page = page.text().await.unwrap();
        let to = hidden(&page, "/sign-in/password", "to");
        let response = browser.submit(&photos.instance, "/sign-in/password", &[("password", PASSWORD), ("to", &to)]).await;
        let next = location(&response, &photos.instance.own()).unwrap();
        let (at, response) = photos.follow(&browser, &next).await;
        assert_eq!(response.status(), 200, "{query}: {at}");
    }
    assert_eq!(error("prompt=none&acr_values=aal2").await, "login_required");
    assert_eq!(photos.signed_in(&browser, "prompt=none&max_age=600").await["claims"]["acr"], "aal1");
    let SetUp { secret, .. } = set_up_app(&browser, &photos.instance).await;
    let (at, page) = photos.go(&browser, "acr_values=aal2").await;
    let page = page.text().await.unwrap();
    let (step, field, proof) =
        if page.contains("/sign-in/code") { ("/sign-in/code", "code", app_code(&secret, 1)) } else { ("/sign-in/password", "password", PASSWORD.to_owned()) };
    let to = hidden(&page, step, "to");
    let mut response = browser.submit(&photos.instance, step, &[("kind", "totp"), (field, &proof), ("to", &to)]).await;
    let mut next = location(&response, &photos.instance.own()).unwrap_or_else(|| panic!("{at}"));
    if next.contains("/sign-in/next") {
        response = browser.submit(&photos.instance, "/sign-in/code", &[("kind", "totp"), ("code", &app_code(&secret, 1)), ("to", &to)]).await;
        next = location(&response, &photos.instance.own()).unwrap();
    }
    let (_, response) = photos.follow(&browser, &next).await;
    let (status, found) = answer(response).await;
    assert_eq!((status, &found["claims"]["acr"]), (200, &json!("aal2")), "{found}");
}

#[tokio::test]
async fn an_application_signs_its_person_out_and_all_of_them_are_told() {
    for storage in storages().await {
        let Some(photos) = Photos::start(&storage, json!({}), json!({})).await else { return };
        photos.instance.account(ADA, &[]).await;
        let browser = photos.instance.browser();
        let told = async || answer(http().build().unwrap().get(format!("{}/told", photos.peer.own)).send().await.unwrap()).await.1;
        let (first, second) = (photos.signed_in(&browser, "").await, photos.signed_in(&browser, "").await);
        // Without the application's ID token the person is asked.
        let out = format!("{}/out?post_logout_redirect_uri={}/bye&state=x", photos.peer.own, photos.peer.own);
        let (at, page) = photos.follow(&browser, &out).await;
        let page = page.text().await.unwrap();
        assert!(page.contains("Photos asks to sign you out") && is_in(&photos, &browser).await, "{at}: {page}");
        let (at, _) = photos.follow(&browser, &format!("{out}&post_logout_redirect_uri=https%3A%2F%2Fevil.example%2F")).await;
        assert!(at.contains("/oauth/logout?"), "nobody is sent elsewhere: {at}");
        // With it they are not, and come back with the application's word.
        let (at, response) = photos.follow(&browser, &format!("{out}&id_token_hint={}", text(&first, "id_token"))).await;
        assert_eq!(answer(response).await, (200, json!({"bye": "x"})), "{at}");
        assert!(!is_in(&photos, &browser).await);
        until("both sessions were told", async || told().await.as_array().unwrap().len() == 2).await;
        let mut sids: Vec<Value> = told().await.as_array().unwrap().iter().map(|one| one["sid"].clone()).collect();
        sids.sort_by_key(Value::to_string);
        assert_eq!(sids, [first["claims"]["sid"].clone(), second["claims"]["sid"].clone()]);
        // One that does not hear is told again.
        let deaf = async |value: &str| http().build().unwrap().put(format!("{}/deaf", photos.peer.own)).body(value.to_owned()).send().await.unwrap();
        let third = photos.signed_in(&browser, "").await;
        deaf("true").await;
        let (_, sessions) = photos.instance.operator(Method::GET, "/v1/sessions", Value::Null).await;
        let login = text(&sessions["items"][0], "id").to_owned();
        assert_eq!(photos.instance.operator(Method::DELETE, &format!("/v1/sessions/{login}?reason=test"), Value::Null).await.0, 204);
        photos.instance.stop("-KILL").await;
        photos.instance.run().await;
        deaf("false").await;
        until("the third was told after a crash", async || told().await.as_array().unwrap().iter().any(|one| one["sid"] == third["claims"]["sid"])).await;
        until("the ledger knows", async || photos.events("client.logout_told").await.len() == 3).await;
    }
}

#[tokio::test]
async fn a_code_that_comes_twice_ends_what_it_gave() {
    for storage in storages().await {
        let Some(photos) = Photos::start(&storage, json!({}), json!({})).await else { return };
        photos.instance.account(ADA, &[]).await;
        let browser = photos.instance.browser();
        photos.signed_in(&browser, "").await;
        let code = photos.code(&browser, "openid").await;
        // Whoever has the code alone has nothing, and does not use it up.
        for verifier in ["", CHALLENGE, &"a".repeat(43)] {
            assert_eq!(text(&photos.exchange(&code, verifier).await.1, "error"), "invalid_grant");
        }
        let (status, tokens) = photos.exchange(&code, VERIFIER).await;
        assert_eq!(status, 200, "{tokens}");
        assert!(photos.is_good(text(&tokens, "access_token")).await);
        let (status, again) = photos.exchange(&code, VERIFIER).await;
        assert_eq!((status, text(&again, "error")), (400, "invalid_grant"));
        assert!(!photos.is_good(text(&tokens, "access_token")).await, "whoever came first may have been the thief");
        assert!(is_in(&photos, &browser).await);
        assert_eq!(photos.events("client.code_replayed").await.len(), 1);
        // Many at once: at most one gets tokens, and they do not last.
        let code = photos.code(&browser, "openid").await;
        let all = futures_util::future::join_all((0..16).map(|_| photos.exchange(&code, VERIFIER))).await;
        let good: Vec<&Value> = all.iter().filter(|(status, _)| *status == 200).map(|(_, found)| found).collect();
        assert_eq!(good.len(), 1);
        assert!(!photos.is_good(text(good[0], "access_token")).await);
        // A refresh token that comes a second time, later, ends its session too; another client's is no use at all.
        let tokens = photos.exchange(&photos.code(&browser, "openid").await, VERIFIER).await.1;
        let other = json!({"name": "Other", "oauth": {"redirect_uris": ["https://other.example/cb"]}});
        let (_, other) = photos.instance.operator(Method::POST, "/v1/clients", other).await;
        let stolen = [
            ("grant_type", "refresh_token"),
            ("refresh_token", text(&tokens, "refresh_token")),
            ("client_id", text(&other, "id")),
            ("client_secret", text(&other, "api_key")),
        ];
        assert_eq!(text(&photos.form("/oauth/token", &stolen).await.1, "error"), "invalid_grant");
        assert!(!photos.is_good(text(&tokens, "access_token")).await);
        assert_eq!(photos.events("refresh_token.replayed").await[0]["event"]["reason"], "other_client");
        // Nobody knows what else was stolen: a rule of detection ends the person's other sessions.
        crate::server::until("all sessions have ended", async || !is_in(&photos, &browser).await).await;
        let ended = photos.events("session.ended").await;
        assert!(ended.iter().any(|item| item["event"]["reason"] == "ended_by_detection"), "{ended:?}");
    }
}

#[tokio::test]
async fn what_was_granted_reaches_no_further_than_registration_person_and_session() {
    for storage in storages().await {
        let oauth = json!({"scopes": ["openid", "email"], "audiences": ["photos", "invoices"], "require_consent": true});
        let Some(photos) = Photos::start(&storage, oauth, json!({})).await else { return };
        photos.instance.account(ADA, &[]).await;
        photos.instance.account("ben@example.com", &[]).await;
        let browser = photos.instance.browser();
        let agreed = async |query: &str| {
            let (at, response) = photos.go(&browser, query).await;
            let (_, response) = if at.contains("/sign-in") { photos.sign_in(&browser, &at).await } else { (at, response) };
            let page = response.text().await.unwrap();
            let request = hidden(&page, "/oauth/consent", "request");
            let response = browser.submit(&photos.instance, "/oauth/consent", &[("request", &request), ("decision", "allow")]).await;
            let (_, response) = photos.follow(&browser, &location(&response, &photos.instance.own()).unwrap()).await;
            (page, answer(response).await.1)
        };
        let (page, found) = agreed("scope=openid+email").await;
        assert!(page.contains("photos"), "the page says where the application may act: {page}");
        // What was said for one service is not said for another.
        assert_eq!(text(&answer(photos.go(&browser, "scope=openid&prompt=none&resource=invoices").await.1).await.1, "error"), "consent_required");
        // Another person than the one who is meant gets nothing, and neither does an application with somebody else's word.
        let hint = text(&found, "id_token").to_owned();
        assert_eq!(photos.go(&browser, &format!("prompt=none&scope=openid&id_token_hint={hint}")).await.1.status(), 200);
        let ben = photos.instance.browser();
        ben.password(&photos.instance, "ben@example.com").await;
        assert_eq!(text(&answer(photos.go(&ben, &format!("scope=openid&id_token_hint={hint}")).await.1).await.1, "error"), "login_required");
        assert_eq!(text(&answer(photos.go(&ben, "scope=openid&id_token_hint=x.y.z").await.1).await.1, "error"), "invalid_request");
        // Brought to the API's own endpoint, an application's token ends what it is of; the person's login is ended by the
        // rule about stolen tokens, since nobody knows what else was taken.
        let body = json!({"refresh_token": found["refresh_token"]});
        let request = browser.request(Method::POST, &format!("{}/v1/tokens/refresh", photos.instance.own())).json(&body);
        assert_eq!(request.send().await.unwrap().status(), 401);
        assert!(!photos.is_good(text(&found, "access_token")).await);
        crate::server::until("the rule has ended the person's login", async || !is_in(&photos, &browser).await).await;
        // For whom it was granted stays; what the client may not have any more it does not get.
        let found = photos.signed_in(&browser, "scope=openid+email").await;
        let asked = |resource: &'static str| {
            vec![
                ("grant_type", "refresh_token"),
                ("refresh_token", text(&found, "refresh_token")),
                ("client_id", photos.id.as_str()),
                ("client_secret", photos.secret.as_str()),
                ("resource", resource),
            ]
        };
        assert_eq!(text(&photos.form("/oauth/token", &asked("invoices")).await.1, "error"), "invalid_target");
        let path = format!("/v1/clients/{}/oauth", photos.id);
        let narrower = |audience: &str| json!({"redirect_uris": [format!("{}/cb", photos.peer.own)], "scopes": ["openid"], "audiences": [audience]});
        assert_eq!(photos.instance.operator(Method::PUT, &path, narrower("photos")).await.0, 200);
        let (status, fewer) = photos.form("/oauth/token", &asked("photos")).await;
        assert_eq!((status, text(&fewer, "scope")), (200, "openid"), "{fewer}");
        assert_eq!(photos.instance.operator(Method::PUT, &path, narrower("invoices")).await.0, 200);
        assert_eq!(text(&photos.post("/refresh", text(&fewer, "refresh_token")).await.1, "error"), "invalid_grant");
        // A code that is on its way when the person takes it back is worth nothing.
        assert_eq!(photos.instance.operator(Method::PUT, &path, narrower("photos")).await.0, 200);
        let code = photos.code(&browser, "openid").await;
        browser.submit(&photos.instance, &format!("/account/apps/{}/withdraw", photos.id), &[]).await;
        assert_eq!(text(&photos.exchange(&code, VERIFIER).await.1, "error"), "invalid_grant");
    }
}

#[tokio::test]
async fn a_client_that_is_not_itself_gets_nothing_and_is_written_down() {
    let Some(photos) =
        Photos::start("sqlite", json!({"grant_types": ["client_credentials", "authorization_code"], "scopes": ["openid", "photos:read"]}), json!({})).await
    else {
        return;
    };
    let (status, mine) = photos.post("/machine", "{}").await;
    assert_eq!((status, text(&mine, "scope"), mine.get("id_token"), mine.get("refresh_token")), (200, "photos:read", None, None), "{mine}");
    let (_, seen) = photos.post("/introspect", text(&mine, "access_token")).await;
    assert_eq!((text(&seen, "sub"), text(&seen, "aud")), (photos.id.as_str(), "photos"));
    assert_eq!(text(&photos.post("/machine", r#"{"resource": "https://other.example"}"#).await.1, "error"), "invalid_target");
    assert_eq!(text(&photos.post("/machine", r#"{"scope": "openid"}"#).await.1, "error"), "invalid_scope");
    let good = [("grant_type", "client_credentials"), ("client_id", photos.id.as_str()), ("client_secret", photos.secret.as_str())];
    let with = |name: &'static str, value: &'static str| {
        let mut fields = good.to_vec();
        fields.retain(|(known, _)| *known != name);
        fields.push((name, value));
        fields
    };
    let error = async |fields: Vec<(&str, &str)>| text(&photos.form("/oauth/token", &fields).await.1, "error").to_owned();
    assert_eq!(error(with("client_secret", "")).await, "invalid_client", "it keeps a secret, so its id alone is nothing");
    assert_eq!(error(with("client_secret", "tck_wrong")).await, "invalid_client");
    assert_eq!(error(with("client_id", "019ab3a4-7c00-7000-8000-000000000001")).await, "invalid_client");
    assert_eq!(error(with("grant_type", "password")).await, "unsupported_grant_type", "no password grant");
    assert_eq!(error(with("grant_type", "refresh_token")).await, "unauthorized_client");
    assert_eq!(error([good.to_vec(), vec![("grant_type", "client_credentials")]].concat()).await, "invalid_request", "a field that comes twice");
    assert!(photos.events("client.refused").await.len() >= 5);
    // The old key works on while another takes its place, and no longer.
    let roll =
        async |overlap: u32| photos.instance.operator(Method::POST, &format!("/v1/clients/{}/key", photos.id), json!({"overlap_seconds": overlap})).await;
    let (status, rolled) = roll(3_600).await;
    assert_eq!(status, 201, "{rolled}");
    assert_eq!(photos.post("/machine", "{}").await.0, 200);
    let fresh = text(&rolled, "api_key").to_owned();
    roll(0).await;
    assert_eq!(text(&photos.post("/machine", "{}").await.1, "code"), "OAUTH_WWW_AUTHENTICATE_CHALLENGE");
    let fields = [("grant_type", "client_credentials"), ("client_id", photos.id.as_str()), ("client_secret", fresh.as_str())];
    assert_eq!(text(&photos.form("/oauth/token", &fields).await.1, "error"), "invalid_client", "a roll without overlap ends every key before it");
}

#[tokio::test]
async fn nobody_is_sent_where_the_application_did_not_say() {
    let Some(photos) = Photos::start("sqlite", json!({}), json!({})).await else { return };
    photos.instance.account(ADA, &[]).await;
    let browser = photos.instance.browser();
    photos.signed_in(&browser, "").await;
    let good = format!("{}/cb", photos.peer.own);
    let authority = good.strip_prefix("http://127.0.0.1:").unwrap();
    for bad in [
        "https://evil.example/cb".to_owned(),
        format!("{good}/"),
        format!("{good}?x=1"),
        format!("{good}%23x"),
        format!("http://127.0.0.1:{}@evil.example/cb", authority.split('/').next().unwrap()),
        format!("http://localhost:{authority}"),
        format!("https://127.0.0.1:{authority}"),
        "http://127.0.0.1/other".to_owned(),
        String::new(),
        "javascript:alert(1)".to_owned(),
        "//evil.example/cb".to_owned(),
    ] {
        let response = browser.get(&format!("{}/oauth/authorize?{}", photos.instance.own(), photos.request(&bad, "openid"))).await;
        assert_eq!((response.status().as_u16(), response.headers().get("location")), (400, None), "{bad}");
    }
    let request = photos.request(&good, "openid");
    for (what, query, expected) in [
        ("no_pkce", request.replace("code_challenge=", "x="), "invalid_request"),
        ("plain_pkce", request.replace("S256", "plain"), "invalid_request"),
        ("implicit", request.replace("response_type=code", "response_type=token"), "unsupported_response_type"),
        ("hybrid", request.replace("response_type=code", "response_type=code+id_token"), "unsupported_response_type"),
        ("fragment", format!("{request}&response_mode=fragment"), "invalid_request"),
        ("scope", request.replace("scope=openid", "scope=groups"), "invalid_scope"),
        ("resource", format!("{request}&resource=https%3A%2F%2Fother.example"), "invalid_target"),
        ("request_uri", format!("{request}&request_uri=https%3A%2F%2Fevil.example"), "request_uri_not_supported"),
    ] {
        let response = browser.get(&format!("{}/oauth/authorize?{query}", photos.instance.own())).await;
        let to = location(&response, &photos.instance.own()).unwrap_or_else(|| panic!("{what}"));
        assert!(to.starts_with(&format!("{good}?error={expected}&")) && to.contains("&state=s&iss=http"), "{what}: {to}");
    }
    // A field that comes twice, an unknown client, and a sealed request that is not ours.
    for (path, what) in [
        (format!("/oauth/authorize?{request}&scope=email"), "twice"),
        (format!("/oauth/authorize?{}", request.replace(&photos.id, "019ab3a4-7c00-7000-8000-000000000001")), "unknown"),
        ("/oauth/continue?request=AAAA".to_owned(), "sealed"),
    ] {
        assert_eq!(browser.get(&format!("{}{path}", photos.instance.own())).await.status(), 400, "{what}");
    }
    // A form of another site gives nothing away: it begins as a request in the address does.
    let elsewhere = browser.request(Method::POST, &format!("{}/oauth/authorize", photos.instance.own())).header("origin", "https://app.example.com");
    let response = elsewhere.header("content-type", "application/x-www-form-urlencoded").body(request.clone()).send().await.unwrap();
    assert!(location(&response, &photos.instance.own()).unwrap().contains("/oauth/authorize?response_type=code"));
    let forged = browser.request(Method::POST, &format!("{}/oauth/consent", photos.instance.own())).header("origin", "https://evil.example");
    let forged = forged.header("content-type", "application/x-www-form-urlencoded").body("request=x&decision=allow").send().await.unwrap();
    assert_eq!(forged.status(), 403, "nobody consents from another site");
}

#[tokio::test]
async fn routes_ask_for_clients_scopes_and_groups_and_take_tokens_of_a_named_issuer() {
    let echo = crate::gateway::echo().await;
    let Some(peer) = OpenidPeer::start(&json!({"redirect_uris": ["https://unused.example/cb"]})) else { return };
    let route = |name: &str, more: &str| {
        format!(
            "[[gateway.routes]]\nname = \"{name}\"\nhost = \"photos.localhost\"\npath = \"/{name}\"\nupstream = \"http://127.0.0.1:{}\"\n{more}\n",
            echo.port
        )
    };
    let settings = format!(
        "{MESSAGES}[identity]\nproviders = [\"openid\"]\n[identity.openid.corp]\nissuer = \"{}\"\nclient_id = \"tutela\"\n\
         api_audience = \"https://partners.example\"\n[identity.openid.corp.network]\nallow_private = true\n{}{}{}{}{}",
        peer.issuer,
        route("invoices", "clients = [\"Photos\"]\nscopes = [\"invoices:read\"]"),
        route("staff", "groups = [\"staff\"]\nissuers = [\"corp\"]"),
        route("photos", ""),
        route("partners", "issuers = [\"corp\"]\nscopes = [\"invoices:read\"]"),
        route("open", "require = \"public\"\nissuers = [\"corp\"]"),
    );
    let oauth = json!({"grant_types": ["authorization_code", "client_credentials"], "scopes": ["openid", "email", "invoices:read"],
        "audiences": ["invoices", "staff", "photos", "partners", "open"]});
    let Some(photos) = Photos::start_with("sqlite", &settings, oauth, json!({})).await else { return };
    let account = photos.instance.account(ADA, &[]).await;
    let browser = photos.instance.browser();
    let at = async |path: &str, token: &str| {
        // Without cookies, as a program.
        let here = [std::net::SocketAddr::from(([127, 0, 0, 1], 0))];
        let program = http().resolve_to_addrs("photos.localhost", &here).build().unwrap();
        let url = format!("http://photos.localhost:{}/{path}", photos.instance.port);
        let response = program.get(url).bearer_auth(token).send().await.unwrap();
        let challenge = response.headers().get("www-authenticate").map(|v| v.to_str().unwrap().to_owned()).unwrap_or_default();
        let (status, seen) = answer(response).await;
        (status, challenge, seen["headers"].clone())
    };
    let person = async |resource: &str, scope: &str| {
        let found = photos.signed_in(&browser, &format!("resource={resource}&scope={scope}")).await;
        text(&found, "access_token").to_owned()
    };
    let machine = async |resource: &str| text(&photos.post("/machine", &json!({"resource": resource}).to_string()).await.1, "access_token").to_owned();

    // A client: a person through it, and itself.
    let (status, _, seen) = at("invoices", &person("invoices", "openid+invoices:read").await).await;
    assert_eq!((status, &seen["tutela-user"], &seen["tutela-client"]), (200, &json!(account), &json!(photos.id)));
    assert!(seen.get("authorization").is_none(), "the token goes no further: {seen}");
    let (status, challenge, _) = at("invoices", &person("invoices", "openid").await).await;
    assert_eq!(status, 403);
    assert!(challenge.contains("insufficient_scope") && challenge.contains("invoices:read"), "{challenge}");
    let (status, _, seen) = at("invoices", &machine("invoices").await).await;
    assert_eq!((status, &seen["tutela-client"], seen.get("tutela-user")), (200, &json!(photos.id), None));
    let (status, challenge, _) = at("invoices", &person("photos", "openid+invoices:read").await).await;
    assert_eq!((status, challenge.contains("invalid_token")), (401, true), "a token for another route");
    let (at_page, page) = browser.sign_in_at(&format!("http://photos.localhost:{}/invoices", photos.instance.port), ADA).await;
    assert_eq!(page.status(), 403, "a browser comes through no client: {at_page}");
    // A program does not pass where nobody named it, and a person does.
    assert_eq!(at("photos", &machine("photos").await).await.0, 403);
    assert_eq!(at("photos", &person("photos", "openid").await).await.0, 200);
    // A group.
    assert_eq!(at("staff", &person("staff", "openid").await).await.0, 403);
    assert_eq!(photos.instance.operator(Method::PUT, "/v1/groups", json!({"name": "staff", "roles": []})).await.0, 204);
    assert_eq!(photos.instance.operator(Method::PUT, &format!("/v1/groups/staff/members/{account}"), Value::Null).await.0, 204);
    assert_eq!(at("staff", &person("staff", "openid").await).await.0, 200);
    // A named issuer.
    let outside = async |resource: &str, scope: &str| {
        let fields = [("grant_type", "client_credentials"), ("resource", resource), ("scope", scope)];
        let request = http().build().unwrap().post(format!("{}/token", peer.issuer)).basic_auth("robot", Some("of%20the%20robot")).form(&fields);
        let (status, tokens) = answer(request.send().await.unwrap()).await;
        assert_eq!(status, 200, "{tokens}");
        text(&tokens, "access_token").to_owned()
    };
    let good = outside("https://partners.example", "invoices:read").await;
    let (status, _, seen) = at("partners", &good).await;
    assert_eq!((status, &seen["tutela-issuer"], &seen["tutela-subject"], seen.get("tutela-user")), (200, &json!("corp"), &json!("robot"), None));
    let claims = text(&seen, "tutela-identity").split('.').nth(1).map(base64_url).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!((&claims["idp"], &claims["sub"], &claims["client_id"], claims.get("sid")), (&json!("corp"), &json!("robot"), &json!("robot"), None));
    assert_eq!(at("partners", &outside("https://partners.example", "").await).await.0, 403, "without the scope");
    assert_eq!(at("partners", &outside("https://other.example", "invoices:read").await).await.0, 401, "for somebody else");
    assert_eq!(at("partners", &format!("{}x", good)).await.0, 401, "forged");
    assert_eq!(at("photos", &good).await.0, 401, "where nobody named the issuer it is nobody's token");
    assert_eq!(at("staff", &good).await.0, 403, "whoever they are there, they are in no group here");
    let (status, _, seen) = at("open", &good).await;
    assert_eq!((status, &seen["tutela-subject"]), (200, &json!("robot")));
    // The ledger knows who asked.
    until("the requests are on record", async || {
        let (_, found) = photos.instance.operator(Method::GET, "/v1/events?q=type:gateway.request&limit=50", Value::Null).await;
        found["items"]
            .as_array()
            .is_some_and(|items| items.iter().any(|item| item["event"]["actor"] == json!({"type": "external", "namespace": "corp", "id": "robot"})))
    })
    .await;
}

#[tokio::test]
async fn a_token_of_one_kind_is_none_of_another() {
    let Some(photos) = Photos::start("sqlite", json!({}), json!({})).await else { return };
    photos.instance.account(ADA, &["admin"]).await;
    let browser = photos.instance.browser();
    let found = photos.signed_in(&browser, "").await;
    let at = async |path: &str, token: &Value| {
        let asked = json!({"url": format!("{}{path}", photos.instance.own()), "token": token});
        photos.post("/fetch", &asked.to_string()).await.1["status"].clone()
    };
    assert_eq!(at("/oauth/userinfo", &found["access_token"]).await, 200);
    assert_eq!(at("/oauth/userinfo", &found["id_token"]).await, 401, "an ID token as an access token");
    assert_eq!(at("/oauth/userinfo", &found["refresh_token"]).await, 401);
    for token in ["access_token", "id_token", "refresh_token"] {
        assert_eq!(at("/v1/me", &found[token]).await, 401, "{token}: what is for an application does not open the API");
    }
    assert!(!photos.is_good(text(&found, "id_token")).await);
    let whole = json!({"name": "greedy", "oauth": {"redirect_uris": ["https://g.example/cb"], "audiences": [photos.instance.own()]}});
    assert_eq!(photos.instance.operator(Method::POST, "/v1/clients", whole).await.0, 422);
    // The client's own token is for the API where it was registered so, and carries the key's permissions and no more.
    let own = json!({"name": "robot", "scopes": ["events:write"], "oauth": {"grant_types": ["client_credentials"], "audiences": [photos.instance.own()]}});
    let (_, robot) = photos.instance.operator(Method::POST, "/v1/clients", own).await;
    let fields = [("grant_type", "client_credentials"), ("client_id", text(&robot, "id")), ("client_secret", text(&robot, "api_key"))];
    let (status, tokens) = photos.form("/oauth/token", &fields).await;
    assert_eq!(status, 200, "{tokens}");
    assert_eq!(at("/v1/audit/settings", &tokens["access_token"]).await, 200);
    assert_eq!(at("/v1/events", &tokens["access_token"]).await, 403);
    assert_eq!(at("/v1/me", &tokens["access_token"]).await, 401);
    assert_eq!(photos.instance.operator(Method::DELETE, &format!("/v1/clients/{}", text(&robot, "id")), Value::Null).await.0, 204);
    assert_eq!(at("/v1/audit/settings", &tokens["access_token"]).await, 401, "a client that was revoked has no token either");
}

fn base64_url(text: &str) -> Vec<u8> {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    URL_SAFE_NO_PAD.decode(text).unwrap()
}
