use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use futures_util::future::BoxFuture;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Empty, Full};
use serde_json::Value;
use tower::{Layer as _, ServiceExt as _, service_fn};
use tutela_api::Notice;
use tutela_tower::{Actor, Consent, ConsentAnswer, ConsentQuestion, ConsentSource, MissingConsent};

/// Says yes to people whose number is even, and keeps what it was asked.
#[derive(Default)]
struct Judge {
    asked: Mutex<Vec<ConsentQuestion>>,
    down: bool,
}

impl ConsentSource for Judge {
    fn check(&self, question: ConsentQuestion) -> BoxFuture<'_, Result<ConsentAnswer, String>> {
        self.asked.lock().unwrap().push(question.clone());
        Box::pin(async move {
            if self.down {
                return Err("no answer".into());
            }
            let allowed = serde_json::to_value(&question.subject).unwrap()["value"] == "2" && !question.gpc;
            let notice = serde_json::from_value::<Notice>(serde_json::json!({"version": "1", "text": "We look at what you like."})).unwrap();
            let missing = MissingConsent { purpose: "personalize".into(), title: "Suggestions".into(), why: "consent_missing".into(), notice };
            Ok(ConsentAnswer { allowed, missing: if allowed { Vec::new() } else { vec![missing] }, give_at: "https://id.example.com/account/privacy".into() })
        })
    }
}

type Answered = (StatusCode, http::HeaderMap, String);

async fn ask(judge: Judge, who: Option<&str>, headers: &[(&'static str, &'static str)]) -> (Answered, Vec<ConsentQuestion>) {
    let judge = Arc::new(judge);
    let inner = service_fn(|_: Request<Empty<&[u8]>>| async { Ok::<_, Infallible>(Response::new(Full::from("what you like"))) });
    let service = Consent::new(Arc::clone(&judge) as Arc<dyn ConsentSource>, ["personalize"]).layer(inner);
    let mut request = Request::get("/for-you").body(Empty::new()).unwrap();
    for (name, value) in headers {
        request.headers_mut().append(*name, value.parse().unwrap());
    }
    if let Some(who) = who {
        request.extensions_mut().insert(Actor::external("photos", who));
    }
    let (parts, body) = service.oneshot(request).await.unwrap().into_parts();
    let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    let asked = judge.asked.lock().unwrap().clone();
    ((parts.status, parts.headers, text), asked)
}

#[tokio::test]
async fn only_whoever_has_agreed_gets_through() {
    let ((status, _, text), asked) = ask(Judge::default(), Some("2"), &[]).await;
    assert_eq!((status, text.as_str()), (StatusCode::OK, "what you like"));
    assert_eq!((asked[0].purposes.as_slice(), asked[0].gpc), (["personalize".to_owned()].as_slice(), false));

    let ((status, headers, text), _) = ask(Judge::default(), Some("1"), &[("accept", "application/json")]).await;
    let problem: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((status, &headers["content-type"]), (StatusCode::FORBIDDEN, &"application/problem+json".parse().unwrap()));
    assert_eq!(
        (&problem["type"], &problem["missing"][0]["purpose"], &problem["missing"][0]["notice"]["version"], &problem["give_at"]),
        (&"urn:tutela:problem:consent-required".into(), &"personalize".into(), &"1".into(), &"https://id.example.com/account/privacy".into())
    );
    // A browser is led to where they decide.
    let ((status, headers, _), _) = ask(Judge::default(), Some("1"), &[("accept", "text/html,*/*")]).await;
    assert_eq!((status, &headers["location"]), (StatusCode::SEE_OTHER, &"https://id.example.com/account/privacy".parse().unwrap()));
}

#[tokio::test]
async fn nobody_and_no_answer_let_nothing_through_and_the_signal_counts_exactly() {
    let ((status, _, _), asked) = ask(Judge::default(), None, &[]).await;
    assert!(status == StatusCode::UNAUTHORIZED && asked.is_empty(), "without a person nothing is asked");
    let ((status, _, text), _) = ask(Judge { down: true, ..Judge::default() }, Some("2"), &[]).await;
    assert!(status == StatusCode::SERVICE_UNAVAILABLE && !text.contains("no answer") && !text.contains("what you like"), "{text}");
    for (value, counts) in [("1", true), ("0", false), ("true", false), ("1;1", false), ("11", false)] {
        let (_, asked) = ask(Judge::default(), Some("2"), &[("sec-gpc", value)]).await;
        assert_eq!(asked[0].gpc, counts, "{value}");
    }
    let ((status, _, _), _) = ask(Judge::default(), Some("2"), &[("sec-gpc", "0"), ("sec-gpc", "1")]).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
}
