//! Looking after the ledger: declared types, retention, holds, projections, exports.

use axum::{
    Json,
    body::{Body as HttpBody, Bytes},
    extract::{Path, Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::stream;
use serde::Deserialize;
use tutela_api::{AuditSettings, DeadLetter, EventType, EventTypeBody, Hold, NewHold, Page, Problem, Reason, Reconciliation, Retention, Retried, Sink, Taken};
use tutela_app::{Export, ExportFormat, Position, backup, event, event_export, event_type, hold, projection, retention};

use super::{Body, event::cursor};
use crate::{
    caller::Caller,
    problem::{Answer, Failure},
    web::Web,
};

#[utoipa::path(get, path = "/v1/audit/settings", responses((status = 200, body = AuditSettings), (status = "default", body = Problem)))]
pub(crate) async fn settings(State(web): State<Web>, caller: Caller) -> Answer<Json<AuditSettings>> {
    Ok(Json(event::settings(&web.app, &caller.ctx).await?))
}

// === Event types ===

#[utoipa::path(get, path = "/v1/event-types", responses((status = 200, body = Page<EventType>), (status = "default", body = Problem)))]
pub(crate) async fn types(State(web): State<Web>, caller: Caller) -> Answer<Json<Page<EventType>>> {
    Ok(Json(Page { items: event_type::list(&web.app, &caller.ctx).await?, next: None }))
}

#[utoipa::path(get, path = "/v1/event-types/{name}", params(("name" = String, Path)), responses((status = 200, body = EventType), (status = "default", body = Problem)))]
pub(crate) async fn one_type(State(web): State<Web>, caller: Caller, Path(name): Path<String>) -> Answer<Json<EventType>> {
    Ok(Json(event_type::get(&web.app, &caller.ctx, &name).await?))
}

#[utoipa::path(put, path = "/v1/event-types/{name}", params(("name" = String, Path)), request_body = EventTypeBody, responses((status = 200, body = EventType), (status = "default", body = Problem)))]
pub(crate) async fn declare(State(web): State<Web>, caller: Caller, Path(name): Path<String>, Body(body): Body<EventTypeBody>) -> Answer<Json<EventType>> {
    Ok(Json(event_type::set(&web.app, &caller.ctx, &name, body).await?))
}

#[utoipa::path(delete, path = "/v1/event-types/{name}", params(("name" = String, Path)), responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn undeclare(State(web): State<Web>, caller: Caller, Path(name): Path<String>) -> Answer<StatusCode> {
    event_type::delete(&web.app, &caller.ctx, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

// === Retention and holds ===

#[utoipa::path(get, path = "/v1/retention", responses((status = 200, body = Retention), (status = "default", body = Problem)))]
pub(crate) async fn retention(State(web): State<Web>, caller: Caller) -> Answer<Json<Retention>> {
    Ok(Json(retention::show(&web.app, &caller.ctx).await?))
}

/// Takes out what has expired now, in place of within the hour.
#[utoipa::path(post, path = "/v1/retention/apply", responses((status = 200, body = Taken), (status = "default", body = Problem)))]
pub(crate) async fn expire(State(web): State<Web>, caller: Caller) -> Answer<Json<Taken>> {
    Ok(Json(Taken { events: retention::apply(&web.app, &caller.ctx).await? }))
}

#[utoipa::path(get, path = "/v1/holds", responses((status = 200, body = Page<Hold>), (status = "default", body = Problem)))]
pub(crate) async fn holds(State(web): State<Web>, caller: Caller) -> Answer<Json<Page<Hold>>> {
    Ok(Json(Page { items: hold::list(&web.app, &caller.ctx).await?, next: None }))
}

#[utoipa::path(post, path = "/v1/holds", request_body = NewHold, responses((status = 201, body = Hold), (status = "default", body = Problem)))]
pub(crate) async fn place(State(web): State<Web>, caller: Caller, Body(new): Body<NewHold>) -> Answer<Response> {
    Ok((StatusCode::CREATED, Json(hold::place(&web.app, &caller.ctx, new).await?)).into_response())
}

#[utoipa::path(post, path = "/v1/holds/{id}/release", params(("id" = String, Path)), request_body = Reason, responses((status = 200, body = Hold), (status = "default", body = Problem)))]
pub(crate) async fn release(State(web): State<Web>, caller: Caller, Path(id): Path<String>, Body(because): Body<Reason>) -> Answer<Json<Hold>> {
    Ok(Json(hold::release(&web.app, &caller.ctx, &id, &because.reason).await?))
}

// === Projections ===

#[utoipa::path(get, path = "/v1/sinks", responses((status = 200, body = Page<Sink>), (status = "default", body = Problem)))]
pub(crate) async fn sinks(State(web): State<Web>, caller: Caller) -> Answer<Json<Page<Sink>>> {
    Ok(Json(Page { items: projection::list(&web.app, &caller.ctx).await?, next: None }))
}

#[utoipa::path(post, path = "/v1/sinks/{name}/rebuild", params(("name" = String, Path)), responses((status = 202), (status = "default", body = Problem)))]
pub(crate) async fn rebuild(State(web): State<Web>, caller: Caller, Path(name): Path<String>) -> Answer<StatusCode> {
    projection::rebuild(&web.app, &caller.ctx, &name).await?;
    Ok(StatusCode::ACCEPTED)
}

#[utoipa::path(post, path = "/v1/sinks/{name}/reconcile", params(("name" = String, Path)), responses((status = 200, body = Reconciliation), (status = "default", body = Problem)))]
pub(crate) async fn reconcile(State(web): State<Web>, caller: Caller, Path(name): Path<String>) -> Answer<Json<Reconciliation>> {
    Ok(Json(projection::reconcile(&web.app, &caller.ctx, &name).await?))
}

#[utoipa::path(post, path = "/v1/sinks/{name}/retry", params(("name" = String, Path)), responses((status = 200, body = Retried), (status = "default", body = Problem)))]
pub(crate) async fn retry(State(web): State<Web>, caller: Caller, Path(name): Path<String>) -> Answer<Json<Retried>> {
    let (taken, refused) = projection::retry(&web.app, &caller.ctx, &name).await?;
    Ok(Json(Retried { taken, refused }))
}

/// A page of dead letters.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct Letters {
    /// Continue behind this position.
    cursor: Option<String>,
    /// Letters of a page, 1 to 1,000.
    limit: Option<u32>,
}

#[utoipa::path(get, path = "/v1/sinks/{name}/dead-letters", params(("name" = String, Path), Letters), responses((status = 200, body = Page<DeadLetter>), (status = "default", body = Problem)))]
pub(crate) async fn dead_letters(
    State(web): State<Web>,
    caller: Caller,
    Path(name): Path<String>,
    Query(page): Query<Letters>,
) -> Answer<Json<Page<DeadLetter>>> {
    let limit = page.limit.unwrap_or(100).clamp(1, 1_000);
    let after: Option<Position> = cursor(page.cursor.as_deref())?;
    let items = projection::dead_letters(&web.app, &caller.ctx, &name, after, limit).await?;
    let next = if items.len() == limit as usize { items.last().map(|letter| letter.position.clone()) } else { None };
    Ok(Json(Page { items, next }))
}

// === Backup ===

/// The whole instance in one file, sealed under its root key. A connection that breaks off leaves no backup.
#[utoipa::path(post, path = "/v1/backups", responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"), (status = "default", body = Problem)))]
pub(crate) async fn back_up(State(web): State<Web>, caller: Caller) -> Answer<Response> {
    let backup = backup::begin(&web.app, &caller.ctx).await?;
    let pieces = stream::try_unfold(backup, |mut backup| async move {
        match backup.next().await {
            None => Ok(None),
            Some(Ok(piece)) => Ok(Some((Bytes::from(piece), backup))),
            Some(Err(_)) => Err(std::io::Error::other("the backup was not finished")),
        }
    });
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], HttpBody::from_stream(pieces)).into_response())
}

/// What a rehearsed restore found.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rehearsal {
    /// SHA-256 of the backup, in hexadecimal.
    sha256: String,
    /// Rows that were restored.
    rows: u64,
    /// Entries of the ledger that were verified.
    entries: u64,
    /// Why it failed, where it did.
    failure: Option<String>,
}

/// Records the result of `tutela backup drill`.
#[utoipa::path(post, path = "/v1/backups/rehearsals", request_body = Rehearsal, responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn rehearsed(State(web): State<Web>, caller: Caller, Body(rehearsal): Body<Rehearsal>) -> Answer<StatusCode> {
    backup::rehearsed(&web.app, &caller.ctx, rehearsal.sha256, rehearsal.rows, rehearsal.entries, rehearsal.failure.as_deref()).await?;
    Ok(StatusCode::NO_CONTENT)
}

// === Export ===

/// What to export, and how.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exported {
    /// A query; everything where absent.
    #[serde(default)]
    q: String,
    /// `jsonl` (default), `csv`, `ocsf` or `ecs`.
    format: Option<String>,
    /// Whether each line carries its sealed bytes and their proof, and the last line the checkpoint: `true` or `false` (default).
    proofs: Option<String>,
}

#[utoipa::path(get, path = "/v1/events/export", params(Exported), responses((status = 200, body = String, content_type = "application/x-ndjson"), (status = "default", body = Problem)))]
pub(crate) async fn export(State(web): State<Web>, caller: Caller, Query(asked): Query<Exported>) -> Answer<Response> {
    let name = asked.format.as_deref().unwrap_or("jsonl");
    let format = ExportFormat::parse(name).ok_or_else(|| Failure::field("format", format!("`{name}` is no format; use `jsonl`, `csv`, `ocsf` or `ecs`")))?;
    let proofs = match asked.proofs.as_deref() {
        // A form's checkbox says `on`.
        Some("true" | "on") => true,
        None | Some("" | "false") => false,
        Some(other) => return Err(Failure::field("proofs", format!("`{other}` is neither `true` nor `false`"))),
    };
    let export = event_export::begin(&web.app, &caller.ctx, &asked.q, format, proofs).await?;
    let (kind, ending) = if format == ExportFormat::Csv { ("text/csv; charset=utf-8; header=present", "csv") } else { ("application/x-ndjson", "jsonl") };
    let file = format!("ledger-{name}-{}.{ending}", export.size());
    Ok(lines(export, kind, &file))
}

/// An export as it is read, to be kept under a name.
pub(crate) fn lines(export: Export, kind: &str, file: &str) -> Response {
    let file = format!("attachment; filename=\"{file}\"");
    let lines = stream::try_unfold(export, |mut export| async move {
        match export.next().await {
            Ok(Some(text)) => Ok(Some((Bytes::from(text), export))),
            Ok(None) => Ok(None),
            Err(e) => {
                tracing::warn!(error = %e, "an export ended early");
                // The connection breaks off, so that nobody takes a part for the whole.
                Err(std::io::Error::other("the export ended early"))
            }
        }
    });
    ([(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, file.as_str())], HttpBody::from_stream(lines)).into_response()
}
