use axum::{
    Json,
    extract::{Path, Query, State},
};
use serde::Deserialize;
use serde_json::{Value, json};
use tutela_api::Problem;
use tutela_app::{TilePath, ledger};
use tutela_core::EventId;

use super::id;
use crate::{
    caller::Caller,
    problem::{Answer, Failure},
    web::Web,
};

#[utoipa::path(get, path = "/v1/ledger/checkpoint", responses((status = 200, body = String, content_type = "text/plain"), (status = "default", body = Problem)))]
pub(crate) async fn checkpoint(State(web): State<Web>, caller: Caller) -> Answer<String> {
    Ok(ledger::checkpoint(&web.app, &caller.ctx).await?)
}

/// The key that checks checkpoints. It is public.
#[utoipa::path(get, path = "/v1/ledger/key", responses((status = 200, body = String, content_type = "text/plain")))]
pub(crate) async fn key(State(web): State<Web>) -> String {
    ledger::key(&web.app)
}

#[derive(Deserialize, utoipa::IntoParams)]
pub(crate) struct Of {
    /// Id of the event.
    event: String,
}

#[utoipa::path(get, path = "/v1/ledger/proof", params(Of), responses((status = 200, body = String, content_type = "text/plain"), (status = "default", body = Problem)))]
pub(crate) async fn proof(State(web): State<Web>, caller: Caller, Query(of): Query<Of>) -> Answer<String> {
    let event: EventId = id(&of.event, "event")?;
    Ok(ledger::proof(&web.app, &caller.ctx, event).await?.to_string())
}

#[utoipa::path(get, path = "/v1/ledger/tile/{path}", params(("path" = String, Path)), responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"), (status = "default", body = Problem)))]
pub(crate) async fn tile(State(web): State<Web>, caller: Caller, Path(path): Path<String>) -> Answer<Vec<u8>> {
    let path = TilePath::parse(&path).map_err(|e| Failure::field("path", e.to_string()))?;
    Ok(ledger::tile(&web.app, &caller.ctx, path).await?)
}

#[derive(Deserialize, utoipa::IntoParams)]
pub(crate) struct From {
    /// First position.
    from: u64,
    /// Entries, 1 to 1,000.
    limit: Option<u64>,
}

/// Entries as they are sealed, oldest first: what `audit export` writes.
#[utoipa::path(get, path = "/v1/ledger/entries", params(From), responses((status = 200, body = Object), (status = "default", body = Problem)))]
pub(crate) async fn entries(State(web): State<Web>, caller: Caller, Query(range): Query<From>) -> Answer<Json<Value>> {
    let rows = ledger::entries(&web.app, &caller.ctx, range.from, range.limit.unwrap_or(1_000)).await?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let items: Vec<Value> = rows
        .iter()
        .map(|entry| {
            let leaf: String = entry.leaf.iter().map(|b| format!("{b:02x}")).collect();
            match &entry.body {
                Some(body) => json!({"position": entry.position, "id": entry.id.to_string(), "leaf": leaf, "body": text(body), "items": entry.items.iter().map(|i| text(i)).collect::<Vec<_>>()}),
                None => json!({"position": entry.position, "id": entry.id.to_string(), "leaf": leaf}),
            }
        })
        .collect();
    Ok(Json(json!({"entries": items})))
}
