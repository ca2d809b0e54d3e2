use std::{
    convert::Infallible,
    future::{pending, ready},
    panic::AssertUnwindSafe,
    sync::Arc,
};

use bytes::Bytes;
use futures_util::{FutureExt as _, future::BoxFuture};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use serde_json::Value;
use tower::service_fn;
use tutela_tower::{Audit, NewEvent, NotRecorded, Recorder};

use crate::kept::{Kept, ask, request};

fn secret() -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::from("secret")))
}

#[tokio::test]
async fn an_answer_that_cannot_be_recorded_does_not_leave() {
    let answer = ask(&Audit::new(Kept::refusing()), service_fn(|_: Request<()>| ready(secret())), request()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    let problem: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((&problem["type"], &problem["status"]), (&"urn:tutela:problem:unavailable".into(), &503.into()));
    let text = problem.to_string();
    assert!(!text.contains("secret") && !text.contains("disk"), "neither the answer nor the cause: {text}");
}

#[tokio::test]
async fn an_error_that_cannot_be_recorded_is_replaced_and_a_panic_goes_on() {
    let audit = Audit::new(Kept::refusing());
    let failing = service_fn(|_: Request<()>| ready(Err::<Response<Full<Bytes>>, _>("broken")));
    assert_eq!(ask(&audit, failing, request()).await.unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
    let panicking = service_fn(|_: Request<()>| if true { panic!("on purpose") } else { ready(secret()) });
    assert!(AssertUnwindSafe(ask(&audit, panicking, request())).catch_unwind().await.is_err());
}

#[tokio::test]
async fn an_answer_that_need_not_be_recorded_leaves_all_the_same() {
    let answer = ask(&Audit::new(Kept::refusing()).required(false), service_fn(|_: Request<()>| ready(secret())), request()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "secret");
}

struct Panicking;

impl Recorder for Panicking {
    fn record(&self, _: NewEvent) -> BoxFuture<'_, Result<(), NotRecorded>> {
        Box::pin(async { if true { panic!("the recorder itself") } else { Ok(()) } })
    }
}

#[tokio::test]
async fn a_recorder_that_panics_counts_as_one_that_refuses() {
    let answer = ask(&Audit::new(Arc::new(Panicking)), service_fn(|_: Request<()>| ready(secret())), request()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[test]
fn outside_of_a_runtime_nothing_is_recorded_and_so_nothing_leaves() {
    let audit = Audit::new(Kept::new());
    let answer = ask(&audit, service_fn(|_: Request<()>| ready(secret())), request()).now_or_never().unwrap().unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    let mut gone = Box::pin(ask(&audit, service_fn(|_: Request<()>| pending::<Result<Response<Full<Bytes>>, Infallible>>()), request()));
    assert!(gone.as_mut().now_or_never().is_none());
    drop(gone);
}
