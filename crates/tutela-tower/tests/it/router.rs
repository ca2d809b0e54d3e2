use axum::{Extension, Router, body::Body, extract::MatchedPath, routing::get};
use http::{Request, StatusCode};
use tower::ServiceExt as _;
use tutela_tower::{Audit, Note};

use crate::kept::Kept;

async fn photo(Extension(note): Extension<Note>) -> &'static str {
    note.resource("photo", "42");
    "a photo"
}

#[tokio::test]
async fn a_router_tells_the_template_of_its_route() {
    let kept = Kept::new();
    let audit = Audit::new(kept.clone()).route(|parts| parts.extensions.get::<MatchedPath>().map(|path| path.as_str().to_owned()));
    let app: Router = Router::new().route("/photos/{id}", get(photo)).layer(audit);
    let answer = app.oneshot(Request::get("/photos/42").body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(axum::body::to_bytes(answer.into_body(), 100).await.unwrap(), "a photo");
    let event = kept.only().await;
    assert_eq!((&event["request"]["route"], &event["resource"]["id"]), (&"/photos/{id}".into(), &"42".into()));
}
