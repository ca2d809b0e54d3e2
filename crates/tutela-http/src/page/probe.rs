use axum::{extract::State, http::StatusCode};
use tutela_app::health;

use crate::web::Web;

/// The process runs.
pub(crate) async fn live() -> &'static str {
    "ok\n"
}

/// Requests can be served.
pub(crate) async fn ready(State(web): State<Web>) -> (StatusCode, String) {
    if web.app.stopping().is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n".into());
    }
    let health = health::probe(&web.app).await;
    if health.is_ready() { (StatusCode::OK, "ok\n".into()) } else { (StatusCode::SERVICE_UNAVAILABLE, "storage or ledger is not ready\n".into()) }
}

/// Metrics in Prometheus' text format.
pub(crate) async fn metrics(State(web): State<Web>) -> String {
    (web.metrics)()
}
