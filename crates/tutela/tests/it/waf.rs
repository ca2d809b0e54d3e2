//! The firewall in front of a real application.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    gateway::{Echo, echo},
    server::{Browser, Instance, answer, storages},
};

fn routes(port: u16, more: &str) -> String {
    let route = |name: &str, path: &str, waf: &str| {
        format!(
            "[[gateway.routes]]\nname = \"{name}\"\nhost = \"public.localhost\"\npath = \"{path}\"\nupstream = \"http://127.0.0.1:{port}\"\nrequire = \"public\"\n{waf}\n"
        )
    };
    format!("{more}\n{}{}{}", route("shop", "/", ""), route("watched", "/watched", "waf = \"detect\""), route("open", "/open", "waf = \"off\""))
}

async fn start(storage: &str, more: &str) -> (Echo, Instance) {
    let echo = echo().await;
    let instance = Instance::start(storage, &routes(echo.port, more)).await;
    (echo, instance)
}

fn at(instance: &Instance, path: &str) -> String {
    format!("http://public.localhost:{}{path}", instance.port)
}

/// The newest record of a request; records are written a moment after their answers.
pub async fn record(instance: &Instance, query: &str) -> Value {
    for _ in 0..500 {
        let (_, found) = instance.operator(Method::GET, &format!("/v1/events?q=type:gateway.request%20{query}&limit=1"), Value::Null).await;
        if let Some(item) = found["items"].get(0) {
            return item["event"].clone();
        }
        tokio::task::yield_now().await;
    }
    panic!("no record of {query}");
}

async fn get(browser: &Browser, instance: &Instance, path: &str) -> StatusCode {
    browser.request(Method::GET, &at(instance, path)).send().await.unwrap().status()
}

const INJECTION: &str = "?id=1%27%20UNION%20SELECT%20password%20FROM%20users--%20";

#[tokio::test]
async fn an_attack_is_refused_watched_or_let_through_as_the_route_says_and_its_record_says_why() {
    for storage in storages().await {
        let (echo, instance) = start(&storage, "").await;
        let browser = instance.browser();
        let refused = browser.request(Method::GET, &at(&instance, &format!("/item{INJECTION}"))).header("accept", "text/html").send().await.unwrap();
        assert_eq!(refused.status(), 403);
        let number = refused.headers()["tutela-request"].to_str().unwrap().to_owned();
        let page = refused.text().await.unwrap();
        assert!(page.contains("The request was refused") && page.contains(&number) && !page.contains("UNION"), "{page}");
        assert!(echo.seen().is_empty(), "the application does not hear of it");
        assert_eq!(get(&browser, &instance, &format!("/watched/item{INJECTION}")).await, 200);
        assert_eq!(get(&browser, &instance, &format!("/open/item{INJECTION}")).await, 200);
        assert_eq!(get(&browser, &instance, "/item?id=1&name=O%27Brien").await, 200);
        assert_eq!(echo.seen().len(), 3);

        let (shop, watched, open) =
            (record(&instance, "/item%20outcome:denied").await, record(&instance, "route:watched").await, record(&instance, "route:open").await);
        let data = &shop["data"];
        assert_eq!((&data["refused_by"], &data["waf_outcome"], &data["waf_mode"]), (&json!("waf"), &json!("refused"), &json!("block")), "{shop}");
        assert!(data["waf_rules"].as_array().unwrap().contains(&json!(1210)) && data["waf_score"].as_i64() >= Some(5), "{shop}");
        assert!(
            shop["personal"]["waf_matched"].to_string().contains("ARGS_GET:id: 1' UNION SELECT")
                || shop["personal"]["waf_matched"].to_string().contains("ARGS:id: 1' UNION SELECT"),
            "{shop}"
        );
        assert_eq!(shop["request"]["id"], json!(number));
        assert_eq!(
            (&watched["data"]["waf_outcome"], &watched["data"]["waf_mode"], &watched["data"]["refused_by"]),
            (&json!("would_refuse"), &json!("detect"), &Value::Null)
        );
        assert_eq!((&open["data"]["waf_mode"], &open["data"]["waf_rules"]), (&Value::Null, &Value::Null));
        // Whoever looks for a rule finds what it refused.
        assert_eq!(record(&instance, "1210%20outcome:denied").await["request"]["id"], json!(number));
    }
}

#[tokio::test]
async fn what_was_refused_by_mistake_is_excepted_from_its_event_and_refused_again_when_that_ends() {
    for storage in storages().await {
        let (_echo, instance) = start(&storage, "").await;
        let browser = instance.browser();
        let attack = format!("/item{INJECTION}");
        assert_eq!(get(&browser, &instance, &attack).await, 403);
        let record = record(&instance, "/item%20outcome:denied").await;
        let event = record["id"].as_str().unwrap();
        let exclude = async |body: Value| instance.operator(Method::POST, "/v1/gateway/exclusions", body).await;
        for (bad, said) in [
            (json!({"event": event, "reason": ""}), "reason"),
            (json!({"event": event, "reason": "x", "days": 0}), "days"),
            (json!({"event": event, "reason": "x", "rule": 7}), "no rule matched"),
            (json!({"reason": "x", "rule": 1210}), "route"),
            (json!({"reason": "x", "rule": 1210, "route": "nowhere"}), "there is no route `nowhere`"),
            (json!({"reason": "x", "rule": 1210, "route": "shop", "place": "NOTHING:id"}), "is no place"),
        ] {
            let (status, problem) = exclude(bad).await;
            assert!(status == 422 && problem.to_string().contains(said), "{said}: {problem}");
        }
        let (status, made) = exclude(json!({"event": event, "reason": "a search field for chemists", "days": 7})).await;
        assert_eq!(status, 201, "{made}");
        let made = made.as_array().unwrap().clone();
        assert!(made.iter().all(|one| one["route"] == "shop" && one["event"] == json!(event) && one["place"].as_str().unwrap().ends_with(":id")), "{made:?}");
        assert_eq!(get(&browser, &instance, &attack).await, 200, "{storage}");
        // Nothing else has changed: another field, another attack, another route's mode.
        assert_eq!(get(&browser, &instance, &attack.replace("id=", "name=")).await, 403);
        assert_eq!(get(&browser, &instance, "/item?id=%3Cscript%3Ealert(1)%3C/script%3E").await, 403);
        // It outlives a restart, and is an event with who, why and until when.
        assert_eq!(instance.stop("-TERM").await, Some(0));
        instance.run().await;
        assert_eq!(get(&browser, &instance, &attack).await, 200, "{storage}");
        let (_, page) = instance.operator(Method::GET, "/v1/events?q=type:waf.rule_excluded", Value::Null).await;
        let told = &page["items"][0]["event"];
        assert_eq!(
            (&told["reason"], &told["data"]["event"], told["data"]["route"].as_str()),
            (&json!("a search field for chemists"), &json!(event), Some("shop")),
            "{told}"
        );
        for one in &made {
            let path = format!("/v1/gateway/exclusions/{}?reason=over", one["id"].as_str().unwrap());
            assert_eq!(instance.operator(Method::DELETE, &path, Value::Null).await.0, 204);
            assert_eq!(instance.operator(Method::DELETE, &path, Value::Null).await.0, 409, "it has ended already");
        }
        assert_eq!(get(&browser, &instance, &attack).await, 403);
        let out = instance.cli(&["waf", "exclusions"]).await;
        assert!(String::from_utf8_lossy(&out.stdout).contains("a search field for chemists"), "{out:?}");
    }
}

#[tokio::test]
async fn bodies_of_every_kind_are_read_and_what_is_secret_is_not_written_down() {
    let (echo, instance) = start("sqlite", "").await;
    let browser = instance.browser();
    let post = |kind: &str, body: &str| browser.request(Method::POST, &at(&instance, "/post")).header("content-type", kind).body(body.to_owned());
    let form = "application/x-www-form-urlencoded";
    let part = |value: &str| format!("--b\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\n{value}\r\n--b--\r\n");
    for (kind, good, bad) in [
        (form, "note=dinner+at+eight".to_owned(), "note=%3Cscript%3Ealert(1)%3C/script%3E".to_owned()),
        ("application/json", r#"{"note":"dinner at eight","list":[1,{"a":null}]}"#.into(), r#"{"a":[{"note":"\u003cscript>alert(1)</script>"}]}"#.into()),
        ("multipart/form-data; boundary=b", part("dinner at eight"), part("<script>alert(1)</script>")),
        ("text/xml", "<a><note>dinner at eight</note></a>".into(), "<a><note>&lt;script&gt;alert(1)</note></a>".into()),
    ] {
        assert_eq!(post(kind, &good).send().await.unwrap().status(), 200, "{kind}");
        assert_eq!(post(kind, &bad).send().await.unwrap().status(), 403, "{kind}");
    }
    assert_eq!(echo.seen().len(), 4);
    // What is no JSON is read by nobody as JSON.
    assert_eq!(post("application/json", "{\"a\":1").send().await.unwrap().status(), 400);
    assert_eq!(post("text/xml", "<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>").send().await.unwrap().status(), 400);
    assert_eq!(post(form, "password=%3Cscript%3Ealert(1)%3C/script%3E").send().await.unwrap().status(), 403);
    let record = record(&instance, "/post").await;
    let matched = record["personal"]["waf_matched"].to_string();
    assert!(matched.contains("password: (not kept)") && !matched.contains("alert"), "{record}");
}

#[tokio::test]
async fn a_long_body_is_refused_and_of_an_upload_the_beginning_is_inspected_and_the_record_says_so() {
    let (echo, instance) = start("sqlite", "").await;
    let browser = instance.browser();
    let post = |kind: &str, body: Vec<u8>| browser.request(Method::POST, &at(&instance, "/upload")).header("content-type", kind).body(body);
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(3 << 20)).into_bytes();
    assert!([400, 413].contains(&post("application/json", long).send().await.unwrap().status().as_u16()));
    assert!(echo.seen().is_empty());
    let upload = |name: &str| {
        let mut body = format!("--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"{name}\"\r\nContent-Type: image/jpeg\r\n\r\n").into_bytes();
        body.extend(std::iter::repeat_n(b'x', 5 << 20));
        body.extend(b"\r\n--b--\r\n");
        body
    };
    let kind = "multipart/form-data; boundary=b";
    let (status, seen) = answer(post(kind, upload("me.jpg")).send().await.unwrap()).await;
    assert_eq!((status, seen["bytes"].as_u64()), (200, Some(upload("me.jpg").len() as u64)), "every byte arrives");
    let marked = record(&instance, "/upload%20outcome:success").await;
    assert_eq!(marked["data"]["waf_marks"], json!(["its body is longer than is inspected"]), "{marked}");
    assert_eq!(post(kind, upload("shell.php")).send().await.unwrap().status(), 403);
}

#[tokio::test]
async fn a_request_that_takes_too_long_to_inspect_ends_as_the_configuration_says() {
    let heavy = format!("[{}1]", "\"select a from b where c = d union\",".repeat(9_000));
    for (on_spent, expected) in [("block", 503), ("pass", 200)] {
        let (_echo, instance) = start("sqlite", &format!("[gateway.waf]\nbudget_ms = 2\non_spent = \"{on_spent}\"\n")).await;
        let browser = instance.browser();
        let post = browser.request(Method::POST, &at(&instance, "/heavy")).header("content-type", "application/json").body(heavy.clone());
        assert_eq!(post.send().await.unwrap().status(), expected);
        let record = record(&instance, "/heavy").await;
        assert_eq!(record["data"]["waf_marks"], json!(["the time for its inspection was used up"]), "{record}");
    }
}

#[tokio::test]
async fn bodies_that_are_inspected_have_so_much_room_together_and_no_more() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let (_echo, instance) = start("sqlite", "[gateway.waf]\nmax_held_mib = 16").await;
    let head = format!("POST /post HTTP/1.1\r\nHost: public.localhost:{}\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n", instance.port);
    let mut held = Vec::new();
    for _ in 0..16 {
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", instance.port)).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        // Whoever finds no room may be answered while they still send.
        let _ = stream.write_all(&[b' '; 900_000]).await;
        held.push(stream);
    }
    let mut refused = 0;
    for stream in &mut held {
        let mut answer = [0; 12];
        let read = tokio::time::timeout(std::time::Duration::from_millis(500), stream.read_exact(&mut answer)).await;
        refused += u32::from(matches!(read, Ok(Ok(_))) && answer.ends_with(b"503"));
    }
    // Held twice, sixteen mebibytes are room for eight and a half of them.
    assert!((6..=9).contains(&refused), "{refused}");
    drop(held);
    let ask =
        async || instance.browser().request(Method::POST, &at(&instance, "/post")).header("content-type", "application/json").body("{\"a\":1}").send().await;
    crate::server::until("there is room again", async || ask().await.is_ok_and(|answer| answer.status() == 200)).await;
}

#[tokio::test]
async fn stages_run_in_their_order_and_passwords_may_look_like_anything() {
    let (_echo, instance) = start("sqlite", "").await;
    let browser = instance.browser();
    assert_eq!(get(&browser, &instance, "/page").await, 200);
    let stages = record(&instance, "/page").await["data"]["stages"].clone();
    let names: Vec<&str> = stages.as_array().unwrap().iter().map(|stage| stage["stage"].as_str().unwrap()).collect();
    assert_eq!(names, ["front", "waf", "limit", "authentication", "authorization", "upstream"], "{stages}");
    // What the layers of docs/ARCHITECTURE.md say is watched has a time each.
    assert!(stages.as_array().unwrap().iter().all(|stage| stage["us"].is_u64()), "{stages}");
    // Our own sign-in takes any password, and refuses what comes in the address.
    let own = instance.own();
    let form = [("email", "ben@example.com"), ("password", "' OR 1=1; DROP TABLE account--<script>alert(1)</script>"), ("to", "")];
    let signed = browser.request(Method::POST, &format!("{own}/sign-in")).header("origin", &own).form(&form).send().await.unwrap();
    assert_eq!(signed.status(), 401);
    assert_eq!(browser.get(&format!("{own}/sign-in?x=%3Cscript%3Ealert(1)%3C/script%3E")).await.status(), 403);
}
