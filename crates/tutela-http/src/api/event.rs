use std::convert::Infallible;

use axum::{
    Json,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode},
    response::{
        IntoResponse, Response,
        sse::{Event as SseEvent, KeepAlive, Sse},
    },
};
use futures_util::stream::{self, Stream, StreamExt as _};
use serde::Deserialize;
use tutela_api::{BatchAnswer, Counts, ItemAnswer, NewEvents, Page, Problem, Recorded, StoredEvent};
use tutela_app::{
    Position, Query as LedgerQuery,
    event::{self, Wait},
    projection,
    search::{self, By},
};

use super::{Body, id};
use crate::{
    caller::Caller,
    problem::{Answer, Failure, problem_of},
    web::Web,
};

/// How to record.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct Recording {
    /// `durable` (default), or `sequenced`: then the answer has the position and leaf hash too.
    wait: Option<String>,
}

#[utoipa::path(post, path = "/v1/events", params(Recording), request_body = NewEvents, responses(
    (status = 201, body = Recorded, description = "one event, durable"), (status = 200, body = BatchAnswer, description = "a batch, item by item"), (status = "default", body = Problem)))]
pub(crate) async fn record(State(web): State<Web>, caller: Caller, Query(recording): Query<Recording>, Body(new): Body<NewEvents>) -> Answer<Response> {
    let wait = match recording.wait.as_deref() {
        None | Some("durable") => Wait::Durable,
        Some("sequenced") => Wait::Sequenced,
        Some(other) => return Err(Failure::field("wait", format!("`{other}` is nothing to wait for; use `durable` or `sequenced`"))),
    };
    match new {
        NewEvents::One(one) => Ok((StatusCode::CREATED, Json(event::record(&web.app, &caller.ctx, one, wait).await?)).into_response()),
        NewEvents::Batch(many) => {
            let answers = event::record_batch(&web.app, &caller.ctx, many, wait).await?;
            let results = answers.into_iter().map(|answer| match answer {
                Ok(Recorded { id, position, leaf }) => ItemAnswer { status: 201, id: Some(id), position, leaf, problem: None },
                Err(e) => {
                    let problem = problem_of(&e);
                    ItemAnswer { status: problem.status, id: None, position: None, leaf: None, problem: Some(problem) }
                }
            });
            Ok(Json(BatchAnswer { results: results.collect() }).into_response())
        }
    }
}

/// What to look for.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct Search {
    /// A query such as `type:session.* outcome:failure "some words" after:2026-11-01`; everything where absent.
    #[serde(default)]
    pub q: String,
    /// Continue below this position.
    pub cursor: Option<String>,
    /// Events of a page, 1 to 1,000.
    pub limit: Option<u32>,
    /// Where to look: `ledger` (default), or `cluster` where `audit.storage` names one.
    pub via: Option<String>,
}

impl Search {
    pub(crate) fn before(&self) -> Answer<Option<Position>> {
        cursor(self.cursor.as_deref())
    }
}

pub(crate) fn cursor(text: Option<&str>) -> Answer<Option<Position>> {
    text.filter(|c| !c.is_empty()).map(|c| c.parse().map_err(|_| Failure::field("cursor", "this is not a cursor of this list"))).transpose()
}

#[utoipa::path(get, path = "/v1/events", params(Search), responses((status = 200, body = Page<StoredEvent>), (status = "default", body = Problem)))]
pub(crate) async fn search(State(web): State<Web>, caller: Caller, Query(asked): Query<Search>) -> Answer<Json<Page<StoredEvent>>> {
    let (query, limit) = (search::query(&asked.q)?, asked.limit.unwrap_or(50));
    let found = match asked.via.as_deref() {
        None | Some("ledger") => search::search(&web.app, &caller.ctx, &query, asked.before()?, limit).await?,
        Some("cluster") => projection::search(&web.app, &caller.ctx, &query, asked.before()?, limit).await?,
        Some(other) => return Err(Failure::field("via", format!("`{other}` is no place to look; use `ledger` or `cluster`"))),
    };
    Ok(Json(Page { items: found.items, next: found.next.map(|p| p.to_string()) }))
}

#[utoipa::path(get, path = "/v1/events/{id}", params(("id" = String, Path)), responses((status = 200, body = StoredEvent), (status = "default", body = Problem)))]
pub(crate) async fn read(State(web): State<Web>, caller: Caller, Path(text): Path<String>) -> Answer<Response> {
    let (event, sealed) = search::get(&web.app, &caller.ctx, id(&text, "event")?).await?;
    let mut json = serde_json::to_value(event).unwrap_or_default();
    // The bytes the leaf commits to, for whoever checks a proof.
    json["sealed"] = String::from_utf8_lossy(&sealed).into_owned().into();
    Ok(Json(json).into_response())
}

/// Which totals.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct Counted {
    /// A query that names types, outcomes and times only.
    #[serde(default)]
    q: String,
    /// `hour`, `day`, `type` (default) or `outcome`.
    by: Option<String>,
}

#[utoipa::path(get, path = "/v1/events/counts", params(Counted), responses((status = 200, body = Counts), (status = "default", body = Problem)))]
pub(crate) async fn counts(State(web): State<Web>, caller: Caller, Query(counted): Query<Counted>) -> Answer<Json<Counts>> {
    let by = match counted.by.as_deref() {
        None | Some("type") => By::Type,
        Some("outcome") => By::Outcome,
        Some("hour") => By::Hour,
        Some("day") => By::Day,
        Some(other) => return Err(Failure::field("by", format!("`{other}` is nothing to count by; use `hour`, `day`, `type` or `outcome`"))),
    };
    Ok(Json(search::counts(&web.app, &caller.ctx, &search::query(&counted.q)?, by).await?))
}

/// What to follow.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct Followed {
    /// A query; everything where absent.
    #[serde(default)]
    pub q: String,
    /// First position; from now on where absent. `Last-Event-ID` wins over it.
    pub from: Option<u64>,
}

#[utoipa::path(get, path = "/v1/events/stream", params(Followed), responses((status = 200, body = StoredEvent, content_type = "text/event-stream"), (status = "default", body = Problem)))]
pub(crate) async fn stream(State(web): State<Web>, caller: Caller, headers: HeaderMap, Query(followed): Query<Followed>) -> Answer<Response> {
    let query = search::query(&followed.q)?;
    // Where it begins is said at once, so that a stream that breaks before its first event goes on without a gap.
    let begins = if headers.contains_key("last-event-id") { None } else { followed.from.unwrap_or_else(|| search::size(&web.app)).checked_sub(1) };
    let from = begins.map(|last| last + 1).or(followed.from);
    let first = stream::iter(begins.map(|last| Ok(SseEvent::default().id(last.to_string()))));
    let events = follow(&web, &caller, query, from, &headers).await?.map(|event| SseEvent::default().id(event.position.clone()).json_data(&event));
    Ok(Sse::new(first.chain(events.map(|e| Ok::<_, Infallible>(e.unwrap_or_default())))).keep_alive(KeepAlive::default()).into_response())
}

/// Events that fit, from a position, from after `Last-Event-ID`, or from now on. Ends when the server stops or the caller's session or key does.
pub(crate) async fn follow(
    web: &Web,
    caller: &Caller,
    query: LedgerQuery,
    from: Option<u64>,
    headers: &HeaderMap,
) -> Answer<impl Stream<Item = StoredEvent> + use<>> {
    web.app.permit(&caller.ctx, "ledger:read").await?;
    let seen = headers.get("last-event-id").and_then(|v| v.to_str().ok()).and_then(|v| v.parse::<Position>().ok());
    // A record of a batch has later ones beside it: begin at its entry again and leave out what was seen.
    let begin = seen.map(|p| if p.item.is_some() { p.entry } else { p.entry + 1 }).or(from).unwrap_or_else(|| search::size(&web.app));
    let (app, ctx) = (web.app.clone(), caller.ctx.clone());
    let batches = stream::unfold(begin, move |from| {
        let (app, ctx, query) = (app.clone(), ctx.clone(), query.clone());
        async move {
            let (events, next) = search::follow(&app, &ctx, &query, from).await.ok()?;
            Some((stream::iter(events), next))
        }
    });
    Ok(batches.flatten().filter(move |event| std::future::ready(seen.is_none_or(|seen| event.position.parse::<Position>().is_ok_and(|p| p > seen)))))
}
