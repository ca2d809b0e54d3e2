use std::{
    convert::Infallible,
    future::{pending, ready},
    panic::AssertUnwindSafe,
};

use bytes::Bytes;
use futures_util::{FutureExt as _, stream};
use http::{Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt as _, Full, StreamBody};
use tower::{Layer as _, Service as _, service_fn};
use tutela_tower::Audit;

use crate::kept::{Kept, ask, request};

type Answer = Result<Response<Full<Bytes>>, Infallible>;

fn with_status(status: u16) -> Answer {
    let mut response = Response::new(Full::from("body"));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    Ok(response)
}

#[tokio::test]
async fn an_answer_is_recorded_with_its_status_and_outcome() {
    for (status, outcome) in [(200, "success"), (303, "success"), (401, "denied"), (403, "denied"), (404, "failure"), (500, "failure")] {
        let kept = Kept::new();
        let answer = ask(&Audit::new(kept.clone()), service_fn(move |_: Request<()>| ready(with_status(status))), request()).await.unwrap();
        assert_eq!(answer.status().as_u16(), status);
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "body");
        let event = kept.only().await;
        assert_eq!((&event["outcome"], &event["request"]["status"], &event["reason"]), (&outcome.into(), &status.into(), &serde_json::Value::Null));
    }
}

#[tokio::test]
async fn an_error_of_the_service_is_recorded_and_passed_on() {
    let kept = Kept::new();
    let service = service_fn(|_: Request<()>| ready(Err::<Response<Full<Bytes>>, _>("no connection to the address of ada")));
    assert_eq!(ask(&Audit::new(kept.clone()), service, request()).await.err(), Some("no connection to the address of ada"));
    let event = kept.only().await;
    assert_eq!((&event["outcome"], &event["reason"]), (&"failure".into(), &"the service failed".into()));
}

#[tokio::test]
async fn a_panic_is_recorded_and_then_goes_on() {
    let kept = Kept::new();
    let late = service_fn(|_: Request<()>| async {
        tokio::task::yield_now().await;
        if true { panic!("the handler's own words") } else { with_status(200) }
    });
    let panic = AssertUnwindSafe(ask(&Audit::new(kept.clone()), late, request())).catch_unwind().await.err().unwrap();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"the handler's own words"));
    let event = kept.only().await;
    assert_eq!((&event["outcome"], &event["reason"]), (&"failure".into(), &"the handler panicked".into()));
    assert!(!event.to_string().contains("own words"));
}

#[tokio::test]
async fn a_panic_before_the_first_wait_is_recorded_too() {
    let kept = Kept::new();
    let early = service_fn(|_: Request<()>| if true { panic!("at once") } else { ready(with_status(200)) });
    assert!(AssertUnwindSafe(ask(&Audit::new(kept.clone()), early, request())).catch_unwind().await.is_err());
    assert_eq!(kept.only().await["reason"], "the handler panicked");
}

#[tokio::test]
async fn a_caller_that_leaves_while_the_handler_works_is_recorded_as_gone() {
    let kept = Kept::new();
    let audit = Audit::new(kept.clone());
    let mut answer = Box::pin(ask(&audit, service_fn(|_: Request<()>| pending::<Answer>()), request()));
    assert!(answer.as_mut().now_or_never().is_none());
    assert!(kept.is_empty());
    drop(answer);
    let event = kept.only().await;
    assert_eq!((&event["outcome"], &event["reason"]), (&"unknown".into(), &"client gone".into()));
    assert!(event["request"].get("status").is_none());
}

#[tokio::test]
async fn an_answer_nobody_ever_waited_for_is_recorded_as_gone() {
    let kept = Kept::new();
    let mut service = Audit::new(kept.clone()).layer(service_fn(|_: Request<()>| pending::<Answer>()));
    drop(service.call(request()));
    assert_eq!(kept.only().await["outcome"], "unknown");
}

#[tokio::test]
async fn a_caller_that_leaves_while_its_event_is_written_is_recorded_once_with_its_answer() {
    let kept = Kept::held();
    let audit = Audit::new(kept.clone());
    let mut answer = Box::pin(ask(&audit, service_fn(|_: Request<()>| ready(with_status(204))), request()));
    assert!(answer.as_mut().now_or_never().is_none(), "the answer waits for its event");
    drop(answer);
    kept.release();
    let event = kept.only().await;
    assert_eq!((&event["outcome"], &event["request"]["status"]), (&"success".into(), &204.into()));
}

#[tokio::test]
async fn the_first_byte_of_a_stream_leaves_after_its_event_and_breaking_off_records_nothing_more() {
    let kept = Kept::held();
    let audit = Audit::new(kept.clone());
    let pieces = || stream::iter(["one", "two"].map(|text| Ok::<_, Infallible>(Frame::data(Bytes::from_static(text.as_bytes())))));
    let service = service_fn(move |_: Request<()>| ready(Ok::<_, Infallible>(Response::new(StreamBody::new(pieces())))));
    let mut answer = Box::pin(ask(&audit, service, request()));
    assert!(answer.as_mut().now_or_never().is_none());
    kept.release();
    let mut body = answer.await.unwrap().into_body();
    assert!(!kept.is_empty(), "recorded before its first byte");
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "one");
    drop(body);
    assert_eq!(kept.only().await["outcome"], "success");
}
