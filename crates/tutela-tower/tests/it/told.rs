use std::{
    convert::Infallible,
    future::ready,
    net::{IpAddr, Ipv4Addr},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use serde_json::json;
use tower::service_fn;
use tutela_tower::{Actor, Audit, Described, Note, PeerAddr, ResourceRef};

use crate::kept::{Kept, ask, request};

fn done() -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::default()))
}

#[tokio::test]
async fn a_request_alone_tells_method_actor_address_and_browser_but_not_its_path() {
    let kept = Kept::new();
    let mut request = request();
    request.extensions_mut().insert(Actor::external("photos", "7"));
    request.extensions_mut().insert(PeerAddr("::ffff:192.0.2.7".parse().unwrap()));
    ask(&Audit::new(kept.clone()), service_fn(|_: Request<()>| ready(done())), request).await.unwrap();
    assert_eq!(
        kept.only().await,
        json!({
            "type": "app.request", "action": "get", "outcome": "success", "actor": {"namespace": "photos", "value": "7"},
            "source": {"ip": "192.0.2.7", "user_agent": "test/1"}, "request": {"method": "GET", "status": 200},
        })
    );
}

#[tokio::test]
async fn route_and_address_fill_what_the_description_leaves_out() {
    let kept = Kept::new();
    let audit = Audit::new(kept.clone())
        .event_type("photo.request")
        .describe(|parts| Described { resource: Some(ResourceRef::Name("photos".into())), ip: Some(Ipv4Addr::LOCALHOST.into()), ..Described::of(parts) })
        .route(|_| Some("/photos/{id}".into()))
        .peer(|_| Some(IpAddr::from([192, 0, 2, 1])));
    ask(&audit, service_fn(|_: Request<()>| ready(done())), request()).await.unwrap();
    let event = kept.only().await;
    assert_eq!((&event["type"], &event["resource"]), (&"photo.request".into(), &"photos".into()));
    assert_eq!((&event["request"]["route"], &event["source"]["ip"]), (&"/photos/{id}".into(), &"127.0.0.1".into()));
}

#[tokio::test]
async fn what_the_handler_notes_wins() {
    let kept = Kept::new();
    let audit = Audit::new(kept.clone()).describe(|parts| Described { event_type: Some("photo.request".into()), ..Described::of(parts) });
    let service = service_fn(|request: Request<()>| {
        let note = request.extensions().get::<Note>().unwrap().clone();
        note.event_type("photo.shared");
        note.action("share");
        note.actor(Actor::account("01935a5c-0000-7000-8000-000000000001"));
        note.resource("photo", "42");
        note.reason("asked by its owner");
        note.metadata("albums", 2);
        ready(done())
    });
    let mut request = request();
    request.extensions_mut().insert(Actor::external("photos", "7"));
    ask(&audit, service, request).await.unwrap();
    assert_eq!(
        kept.only().await,
        json!({
            "type": "photo.shared", "action": "share", "outcome": "success", "reason": "asked by its owner",
            "actor": "01935a5c-0000-7000-8000-000000000001", "resource": {"type": "photo", "id": "42"},
            "source": {"user_agent": "test/1"}, "request": {"method": "GET", "status": 200}, "metadata": {"albums": 2},
        })
    );
}

#[tokio::test]
async fn texts_that_are_too_long_are_cut_rather_than_refused() {
    let kept = Kept::new();
    let long = Request::builder().method("A-METHOD-OF-25-CHARACTERS").header("user-agent", "x".repeat(600)).body(()).unwrap();
    ask(&Audit::new(kept.clone()).route(|_| Some("/".repeat(300))), service_fn(|_: Request<()>| ready(done())), long).await.unwrap();
    let event = kept.only().await;
    let bytes = |value: &serde_json::Value| value.as_str().unwrap().len();
    assert_eq!((bytes(&event["request"]["method"]), bytes(&event["request"]["route"]), bytes(&event["source"]["user_agent"])), (16, 256, 512));
}
