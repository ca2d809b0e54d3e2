//! What personal data is used for, and what people say to it.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    gateway::echo,
    server::{Browser, Instance, answer, location, storages, until},
};

pub fn purpose(name: &str, basis: &str, more: Value) -> Value {
    let mut purpose =
        json!({"name": name, "title": format!("Title of {name}"), "basis": basis, "notice": {"version": "1", "text": format!("We use your data for {name}.")}});
    purpose.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    purpose
}

pub async fn set(instance: &Instance, purpose: Value) {
    let path = format!("/v1/purposes/{}", purpose["name"].as_str().unwrap());
    let (status, answer) = instance.operator(Method::PUT, &path, purpose).await;
    assert_eq!(status, 200, "{answer}");
}

async fn why(instance: &Instance, question: Value) -> Vec<String> {
    let (status, answer) = instance.operator(Method::POST, "/v1/consents/check", question).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["allowed"], answer["missing"].as_array().unwrap().is_empty());
    answer["missing"].as_array().unwrap().iter().map(|of| format!("{} {}", of["purpose"].as_str().unwrap(), of["why"].as_str().unwrap())).collect()
}

async fn page(instance: &Instance, browser: &Browser) -> String {
    browser.get(&format!("{}/account/privacy", instance.own())).await.text().await.unwrap()
}

#[tokio::test]
async fn consent_is_asked_given_proven_and_taken_back_as_easily() {
    for storage in storages().await {
        let instance = Instance::start(&storage, "[privacy]\ncontroller = \"Photos Ltd\"\ncontact = \"privacy@example.com\"\n").await;
        let ada = instance.account("ada@example.com", &[]).await;
        set(&instance, purpose("essential.service", "contract", json!({"required": true}))).await;
        set(&instance, purpose("personalize", "consent", json!({"required": true, "categories": ["user.behavior"]}))).await;
        set(&instance, purpose("marketing.advertising", "legitimate_interests", json!({"sells": true, "recipients": [{"name": "Ads Inc", "country": "US"}]})))
            .await;
        // What is needed for the service is; what waits for a yes does.
        let ask = |purposes: Value| json!({"subject": ada, "purposes": purposes});
        assert_eq!(why(&instance, ask(json!([]))).await, ["personalize consent_missing"], "{storage}");
        assert_eq!(why(&instance, ask(json!(["marketing.advertising"]))).await, Vec::<String>::new());
        let (status, problem) = instance.operator(Method::POST, "/v1/consents/check", ask(json!(["personalise"]))).await;
        assert!(status == 422 && problem.to_string().contains("there is no purpose `personalise`; there are personalize"), "{problem}");
        // She says yes on her own page, with one button; and takes it back with one.
        let browser = instance.browser();
        browser.sign_in_at(&format!("{}/account", instance.own()), "ada@example.com").await;
        let before = page(&instance, &browser).await;
        assert!(before.contains("You have not been asked yet") && before.contains("Ads Inc (US)"), "{before}");
        let say = async |said: &str, purpose: &str| {
            let answer = browser.post(&format!("{}/account/privacy/{purpose}", instance.own()), &[("said", said)]).await;
            (answer.status().as_u16(), answer.text().await.unwrap())
        };
        let (status, after) = say("given", "personalize").await;
        assert!(status == 200 && after.contains("You allowed it") && after.contains("Take back"), "{after}");
        assert_eq!(why(&instance, ask(json!([]))).await, Vec::<String>::new());
        // The receipt checks without the server, and not when a letter of it was changed.
        let (_, said) = instance.operator(Method::GET, &format!("/v1/consents?account={ada}"), Value::Null).await;
        let id = said[0]["receipt"].as_str().unwrap();
        let own = browser.get(&format!("{}/account/privacy/receipts/{id}", instance.own())).await;
        let receipt = own.text().await.unwrap();
        for held in ["ISO/IEC TS 27560:2023", "Photos Ltd", "privacy@example.com", "personalize", "\"given\"", "user.behavior", &ada] {
            assert!(receipt.contains(held), "{held}: {receipt}");
        }
        let (_, key) = instance.operator(Method::GET, "/v1/ledger/key", Value::Null).await;
        let file = instance.data().join("receipt.json");
        for (text, good) in
            [(receipt.clone(), true), (receipt.replace("given", "withdrawn"), false), (receipt.replace("\"version\": \"1\"", "\"version\": \"2\""), false)]
        {
            std::fs::write(&file, text).unwrap();
            let out = instance.cli(&["privacy", "receipt", "verify", file.to_str().unwrap(), "--key", key.as_str().unwrap().trim()]).await;
            assert_eq!(out.status.success(), good, "{out:?}");
        }
        let (status, after) = say("withdrawn", "personalize").await;
        assert!(status == 200 && after.contains("You took it back"), "{after}");
        assert_eq!(why(&instance, ask(json!([]))).await, ["personalize refused"]);
        // An objection, and a browser that says so by itself.
        let gpc = json!({"subject": ada, "purposes": ["marketing.advertising"], "gpc": true});
        assert_eq!(why(&instance, gpc).await, ["marketing.advertising opted_out"]);
        say("refused", "marketing.advertising").await;
        assert_eq!(why(&instance, ask(json!(["marketing.advertising"]))).await, ["marketing.advertising objected"]);
        // Nobody but her and who may reads her receipts.
        let stranger = instance.browser();
        instance.account("ben@example.com", &[]).await;
        stranger.sign_in_at(&format!("{}/account", instance.own()), "ben@example.com").await;
        let answer = stranger.get(&format!("{}/account/privacy/receipts/{id}", instance.own())).await;
        assert!(!answer.text().await.unwrap().contains("Photos Ltd"));
        // All of it stands in the ledger.
        let (_, events) = instance.operator(Method::GET, "/v1/events?q=type:consent.given,consent.withdrawn,consent.refused", Value::Null).await;
        assert_eq!(events["items"].as_array().unwrap().len(), 3);
        // What was said survives a restart; a purpose out of use is nobody's any more.
        instance.stop("-TERM").await;
        instance.run().await;
        assert_eq!(why(&instance, ask(json!([]))).await, ["personalize refused"]);
        let (status, _) = instance.operator(Method::DELETE, "/v1/purposes/personalize?reason=over", Value::Null).await;
        assert_eq!((status, why(&instance, ask(json!([]))).await), (204, Vec::new()));
    }
}

#[tokio::test]
async fn a_person_is_one_under_every_name_and_the_switch_is_a_switch() {
    let instance = Instance::start("sqlite", "").await;
    set(&instance, purpose("personalize", "consent", json!({"required": true}))).await;
    let user = json!({"namespace": "photos", "value": 42});
    let (status, said) = instance.operator(Method::POST, "/v1/consents", json!({"subject": user, "said": "given", "method": "phone"})).await;
    assert_eq!((status, &said[0]["purpose"]), (201, &json!("personalize")), "{said}");
    // The application's user becomes an account: what they have said goes along.
    let ada = instance.account("ada@example.com", &[]).await;
    assert_eq!(why(&instance, json!({"subject": ada})).await, ["personalize consent_missing"]);
    let (status, answer) = instance.operator(Method::PUT, &format!("/v1/accounts/{ada}/identifiers"), json!({"namespace": "photos", "value": "42"})).await;
    assert!(status < 300, "{answer}");
    assert_eq!(why(&instance, json!({"subject": ada})).await, Vec::<String>::new());
    instance.operator(Method::POST, "/v1/consents", json!({"subject": ada, "said": "withdrawn"})).await;
    assert_eq!(why(&instance, json!({"subject": user})).await, ["personalize refused"]);
    // Other words ask again, where they say so.
    instance.operator(Method::POST, "/v1/consents", json!({"subject": ada, "said": "given"})).await;
    let mut renewed = purpose("personalize", "consent", json!({"required": true}));
    renewed["notice"] = json!({"version": "2", "text": "Other words.", "renew": true});
    set(&instance, renewed).await;
    assert_eq!(why(&instance, json!({"subject": ada})).await, ["personalize consent_missing"]);
    for (bad, said) in [
        (purpose("Personal use", "consent", json!({})), "name"),
        (purpose("health", "consent", json!({"categories": ["user.health_and_medical"]})), "special_basis"),
        (purpose("x", "whim", json!({})), "basis"),
    ] {
        let path = format!("/v1/purposes/{}", bad["name"].as_str().unwrap().replace(' ', "%20"));
        let (status, problem) = instance.operator(Method::PUT, &path, bad).await;
        assert!(status == 422 && problem.to_string().contains(said), "{status} {problem}");
    }
    // Where nobody is asked, a no is still a no.
    instance.rewrite(|text| format!("{text}\n[privacy]\nconsent_required = false\n"));
    instance.stop("-TERM").await;
    instance.run().await;
    let eve = instance.account("eve@example.com", &[]).await;
    assert_eq!(why(&instance, json!({"subject": eve})).await, Vec::<String>::new());
    instance.operator(Method::POST, "/v1/consents", json!({"subject": eve, "said": "refused"})).await;
    assert_eq!(why(&instance, json!({"subject": eve})).await, ["personalize refused"]);
    let (_, settings) = instance.operator(Method::GET, "/v1/privacy/settings", Value::Null).await;
    let rights = json!({"access": true, "rectification": true, "erasure": true, "portability": true});
    assert_eq!(settings, json!({"consent_required": false, "data_subject_rights": rights}));
}

#[tokio::test]
async fn a_route_asks_for_consent_and_a_withdrawal_stops_it_at_once() {
    for storage in storages().await {
        let echo = echo().await;
        let route = |path: &str, purposes: &str| {
            let port = echo.port;
            format!(
                "[[gateway.routes]]\nname = \"p{}\"\nhost = \"photos.localhost\"\npath = \"{path}\"\nupstream = \"http://127.0.0.1:{port}\"\npurposes = {purposes}\n",
                path.len()
            )
        };
        let routes = route("/", "[]")
            + &route("/for-you", "[\"personalize\"]")
            + &route("/ads", "[\"marketing.advertising\"]")
            + &route("/unknown", "[\"nobody.registered\"]");
        let instance = Instance::start(&storage, &format!("{routes}[privacy]\ngpc_since = \"2026-11-22\"\n")).await;
        let ada = instance.account("ada@example.com", &[]).await;
        set(&instance, purpose("personalize", "consent", json!({}))).await;
        set(&instance, purpose("marketing.advertising", "legitimate_interests", json!({"sells": true}))).await;
        let at = |path: &str| format!("http://photos.localhost:{}{path}", instance.port);
        let browser = instance.browser();
        assert_eq!(browser.sign_in_at(&at("/"), "ada@example.com").await.1.status(), 200);
        let session = browser.cookie("photos.localhost", "__Host-tutela-session").unwrap();
        let here = ([127, 0, 0, 1], instance.port).into();
        let plain = crate::server::http().redirect(reqwest::redirect::Policy::none()).resolve("photos.localhost", here).build().unwrap();
        let ask = async |path: &str, gpc: &[&str]| {
            let request = plain.get(at(path)).header("accept", "application/json").header("cookie", format!("__Host-tutela-session={session}"));
            answer(gpc.iter().fold(request, |request, value| request.header("sec-gpc", *value)).send().await.unwrap()).await
        };
        // A program is told what is missing and where it can be given; a person is led there.
        let (status, problem) = ask("/for-you", &[]).await;
        assert_eq!((status, &problem["type"], &problem["missing"][0]["purpose"]), (403, &json!("urn:tutela:problem:consent-required"), &json!("personalize")));
        assert!(
            problem["missing"][0]["notice"].as_str().unwrap().contains("We use your data")
                && problem["give_at"].as_str().unwrap().ends_with("/account/privacy")
        );
        let led = plain.get(at("/for-you")).header("accept", "text/html").header("cookie", format!("__Host-tutela-session={session}")).send().await.unwrap();
        assert_eq!((led.status().as_u16(), location(&led, &at("/")).unwrap()), (303, format!("{}/account/privacy", instance.own())));
        let say = async |said: &str| {
            let (status, answer) = instance.operator(Method::POST, "/v1/consents", json!({"subject": ada, "purposes": ["personalize"], "said": said})).await;
            assert_eq!(status, 201, "{answer}");
        };
        say("given").await;
        assert_eq!(ask("/for-you", &[]).await.0, 200, "{storage}");
        say("withdrawn").await;
        assert_eq!(ask("/for-you", &[]).await.0, 403, "{storage}: from the next request on");
        // The signal counts where it is exactly 1, whatever else is sent beside it.
        for (sent, status) in
            [(vec![], 200), (vec!["1"], 403), (vec!["0", "1"], 403), (vec!["0"], 200), (vec!["true"], 200), (vec!["01"], 200), (vec!["1 "], 403)]
        {
            assert_eq!(ask("/ads", &sent).await.0, status, "{sent:?}");
        }
        assert!(echo.seen().iter().any(|line| line["headers"]["sec-gpc"] == "0"), "it is passed on");
        for host in ["photos", "tutela"] {
            let url = format!("http://{host}.localhost:{}/.well-known/gpc.json", instance.port);
            let (status, said) = answer(browser.get(&url).await).await;
            assert_eq!((status, said), (200, json!({"gpc": true, "lastUpdate": "2026-11-22"})), "{host}");
        }
        // A purpose that nobody registered is no purpose.
        assert_eq!(ask("/unknown", &[]).await.0, 503);
        until("the refusals are on record", async || {
            let (_, events) = instance.operator(Method::GET, "/v1/events?q=type:gateway.request&limit=100", Value::Null).await;
            events["items"].as_array().unwrap().iter().filter(|item| item["event"]["data"]["refused_by"] == "consent").count() >= 6
        })
        .await;
    }
}

#[tokio::test]
async fn a_map_is_checked_without_a_server() {
    let folder = tempfile::TempDir::new().unwrap();
    let check = |text: &str| {
        let file = folder.path().join("map.yml");
        std::fs::write(&file, text).unwrap();
        let out = std::process::Command::new(env!("CARGO_BIN_EXE_tutela")).args(["privacy", "map", "check", "--offline"]).arg(&file).output().unwrap();
        (out.status.code(), String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr))
    };
    let good = "dataset: [{fides_key: shop, collections: [{name: customer, fields: [{name: id, data_categories: [user.unique_id], fides_meta: {identity: user_id}}]}]}]";
    assert_eq!(check(good), (Some(0), "1 datasets, 1 collections, 0 findings\n".to_owned()));
    let (code, said) = check(&good.replace("identity: user_id", "primary_key: true"));
    assert!(code == Some(1) && said.contains("shop.customer: it holds personal data, and no identity leads there"), "{said}");
    let (code, said) = check("dataset: 1");
    assert!(code == Some(1) && said.contains("map.yml") && said.contains("is a list"), "{said}");
}

#[tokio::test]
async fn a_browser_without_a_person_chooses_and_its_choice_counts_and_is_on_record() {
    for storage in storages().await {
        let echo = echo().await;
        let route = |name: &str, path: &str, purposes: &str| {
            let port = echo.port;
            format!(
                "[[gateway.routes]]\nname = \"{name}\"\nhost = \"photos.localhost\"\npath = \"{path}\"\nupstream = \"http://127.0.0.1:{port}\"\nrequire = \"public\"\npurposes = {purposes}\n"
            )
        };
        let routes = route("all", "/", "[]") + &route("suggest", "/for-you", "[\"personalize\"]");
        let instance = Instance::start(&storage, &format!("{routes}[privacy]\nbanner = true\n")).await;
        set(&instance, purpose("personalize", "consent", json!({"recipients": [{"name": "A <b>"}]}))).await;
        set(&instance, purpose("statistics", "consent", json!({}))).await;
        set(&instance, purpose("essential.service", "contract", json!({}))).await;
        let origin = format!("http://photos.localhost:{}", instance.port);
        let here = ([127, 0, 0, 1], instance.port).into();
        let plain = crate::server::http().redirect(reqwest::redirect::Policy::none()).resolve("photos.localhost", here).build().unwrap();
        let at = |path: &str| format!("{origin}{path}");
        let ask = async |path: &str, cookie: &str, accept: &str| plain.get(at(path)).header("accept", accept).header("cookie", cookie).send().await.unwrap();
        let choose = async |cookie: &str, given: &[&str], from: &str| {
            let request = plain.post(at("/_tutela/consent")).header("origin", from).header("cookie", cookie).header("accept", "application/json");
            let known =
                ["personalize", "statistics", "nobody.registered"].map(|name| json!({"purpose": name, "notice_version": "1", "given": given.contains(&name)}));
            let shown = if given.contains(&"nobody.registered") { &known[..] } else { &known[..2] };
            request.json(&json!({"choices": shown})).send().await.unwrap()
        };
        // Nobody has said anything: a program hears 403, a person is led to the choices.
        assert_eq!(ask("/for-you", "", "application/json").await.status(), 403);
        let led = ask("/for-you", "", "text/html").await;
        assert_eq!((led.status().as_u16(), led.headers()["location"].to_str().unwrap()), (303, "/_tutela/consent?return=%2Ffor%2Dyou"));
        let script = ask("/_tutela/consent.js", "", "*/*").await;
        assert!(script.headers()["content-type"].to_str().unwrap().starts_with("text/javascript") && script.text().await.unwrap().len() < 6_000);
        let (_, listed) = answer(ask("/_tutela/consent", "", "application/json").await).await;
        let names: Vec<&Value> = listed["choices"].as_array().unwrap().iter().map(|of| &of["purpose"]).collect();
        assert_eq!((names, &listed["choices"][0]["given"]), (vec![&json!("personalize"), &json!("statistics")], &Value::Null), "what waits for a yes, only");
        // Another site cannot choose for them, and an unknown purpose is none.
        assert_eq!(choose("", &["personalize"], "https://evil.example").await.status(), 403);
        assert_eq!(choose("", &["nobody.registered"], &origin).await.status(), 400);
        assert_eq!(instance.operator(Method::GET, "/v1/events?q=type:consent.given", Value::Null).await.1["items"], json!([]));

        let chosen = choose("", &["personalize"], &origin).await;
        let cookie = chosen.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
        assert!(chosen.headers()["set-cookie"].to_str().unwrap().contains("HttpOnly; SameSite=Lax; Max-Age=15552000"), "{cookie}");
        let (_, listed) = answer(chosen).await;
        assert_eq!((&listed["choices"][0]["given"], &listed["choices"][1]["given"]), (&json!(true), &json!(false)));
        let answered = ask("/for-you", &cookie, "application/json").await;
        assert_eq!(answered.status(), 200, "{storage}");
        // The application may ask for them by the name that it is told; nobody else can set it.
        let visitor = cookie.split_once('=').unwrap().1.to_owned();
        assert_eq!(echo.seen().last().unwrap()["headers"]["tutela-visitor"], visitor);
        assert_eq!(why(&instance, json!({"subject": {"namespace": "visitor", "value": visitor}, "purposes": ["personalize"]})).await, Vec::<String>::new());
        assert!(plain.get(at("/x")).header("tutela-visitor", &visitor).send().await.unwrap().status().is_success());
        assert!(echo.seen().last().unwrap()["headers"].get("tutela-visitor").is_none());
        assert_eq!(ask("/for-you", &format!("{}x", &cookie[..cookie.len() - 1]), "application/json").await.status(), 403);

        // Without scripts: a page with a form, and back to where they were.
        let page = ask("/_tutela/consent?return=%2Falbum", &cookie, "text/html").await;
        assert!(page.headers()["content-security-policy"].to_str().unwrap().contains("form-action 'self'"));
        let text = page.text().await.unwrap();
        assert!(text.contains("value=\"personalize\" checked") && text.contains("A &lt;b&gt;") && text.contains("name=\"return\" value=\"/album\""), "{text}");
        // Who was shown other words has not agreed to these.
        let other = json!({"choices": [{"purpose": "statistics", "notice_version": "0", "given": true}]});
        let stale = plain.post(at("/_tutela/consent")).header("origin", &origin).header("cookie", &cookie).json(&other).send().await.unwrap();
        assert_eq!(stale.status(), 400);
        let form = [("return", "/album"), ("given", "statistics"), ("shown", "personalize 1"), ("shown", "statistics 1"), ("choose", "none")];
        let back = plain.post(at("/_tutela/consent")).header("sec-fetch-site", "same-origin").header("accept", "text/html").header("cookie", &cookie);
        let back = back.form(&form).send().await.unwrap();
        assert_eq!((back.status().as_u16(), back.headers()["location"].to_str().unwrap()), (303, "/album"));
        assert_eq!(ask("/for-you", &cookie, "application/json").await.status(), 403, "taken back: from the next request on");
        for (kind, events) in [("consent.given", 1), ("consent.refused", 1), ("consent.withdrawn", 1)] {
            let found = instance.operator(Method::GET, &format!("/v1/events?q=type:{kind}"), Value::Null).await.1;
            assert_eq!(found["items"].as_array().unwrap().len(), events, "{kind}: {found}");
        }
        // One address cannot fill the ledger.
        let mut refused = false;
        for n in 0..70 {
            refused |= choose("", if n % 2 == 0 { &["statistics"] } else { &[] }, &origin).await.status() == 400;
        }
        assert!(refused);
    }
}
