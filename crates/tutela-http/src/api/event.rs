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
use tutela_api::{BatchAnswer, ItemAnswer, NewEvents, Page, Problem, Recorded, StoredEvent};
use tutela_app::{
    Position,
    event::{self, Filter},
};
use tutela_core::{Outcome, Timestamp};

use super::{Body, id};
use crate::{
    caller::Caller,
    problem::{Answer, Failure, problem_of},
    web::Web,
};

#[utoipa::path(post, path = "/v1/events", request_body = NewEvents, responses(
    (status = 201, body = Recorded, description = "one event, durable"), (status = 200, body = BatchAnswer, description = "a batch, item by item"), (status = "default", body = Problem)))]
pub(crate) async fn record(State(web): State<Web>, caller: Caller, Body(new): Body<NewEvents>) -> Answer<Response> {
    match new {
        NewEvents::One(one) => Ok((StatusCode::CREATED, Json(event::record(&web.app, &caller.ctx, one).await?)).into_response()),
        NewEvents::Batch(many) => {
            let answers = event::record_batch(&web.app, &caller.ctx, many).await?;
            let results = answers.into_iter().map(|answer| match answer {
                Ok(id) => ItemAnswer { status: 201, id: Some(id), problem: None },
                Err(e) => {
                    let problem = problem_of(&e);
                    ItemAnswer { status: problem.status, id: None, problem: Some(problem) }
                }
            });
            Ok(Json(BatchAnswer { results: results.collect() }).into_response())
        }
    }
}

/// What to look for; every field that is there must fit.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct Search {
    /// Account id, client id, or `namespace:value`.
    pub actor: Option<String>,
    /// Event type.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Name or id of the resource, or `type/id`.
    pub resource: Option<String>,
    /// `success`, `failure`, `denied` or `unknown`.
    pub outcome: Option<String>,
    /// Events from this time on (RFC 3339).
    pub since: Option<String>,
    /// Events before this time (RFC 3339).
    pub until: Option<String>,
    /// Address, or its network: /8, /16, /24 of IPv4; /32, /48, /64 of IPv6.
    pub ip: Option<String>,
    /// Session id.
    pub session: Option<String>,
    /// Name of a gateway route.
    pub route: Option<String>,
    /// Words that all occur in action, reason or metadata.
    pub words: Option<String>,
    /// Continue below this position.
    pub cursor: Option<String>,
    /// Events of a page, 1 to 1,000.
    pub limit: Option<u32>,
}

impl Search {
    pub(crate) fn filter(&self) -> Answer<Filter> {
        let given = |text: &Option<String>| text.clone().map(|t| t.trim().to_owned()).filter(|t| !t.is_empty());
        let outcome = given(&self.outcome).map(|word| {
            Outcome::parse(&word)
                .ok_or_else(|| Failure::field("outcome", format!("`{word}` is not an outcome; use `success`, `failure`, `denied` or `unknown`")))
        });
        let kind = given(&self.kind);
        if kind.as_ref().is_some_and(|k| k.len() > 128 || !k.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))) {
            return Err(Failure::field("type", "a type has 1 to 128 characters of `a-z 0-9 . _ -`"));
        }
        Ok(Filter {
            actor: given(&self.actor),
            kind,
            resource: given(&self.resource),
            outcome: outcome.transpose()?,
            since: time("since", given(&self.since))?,
            until: time("until", given(&self.until))?,
            ip: given(&self.ip),
            session: given(&self.session),
            route: given(&self.route),
            words: given(&self.words),
        })
    }

    pub(crate) fn before(&self) -> Answer<Option<Position>> {
        self.cursor
            .as_deref()
            .filter(|c| !c.is_empty())
            .map(|c| c.parse().map_err(|_| Failure::field("cursor", "this is not a cursor of this list")))
            .transpose()
    }
}

fn time(field: &'static str, text: Option<String>) -> Answer<Option<Timestamp>> {
    let Some(text) = text else { return Ok(None) };
    // A form's `datetime-local` has no zone; the page says that it is UTC.
    let parsed = text.parse().or_else(|_| format!("{text}Z").parse()).or_else(|_| format!("{text}:00Z").parse());
    parsed.map(Some).map_err(|_| Failure::field(field, format!("`{text}` is not an RFC 3339 time such as 2026-11-22T09:30:00Z")))
}

#[utoipa::path(get, path = "/v1/events", params(Search), responses((status = 200, body = Page<StoredEvent>), (status = "default", body = Problem)))]
pub(crate) async fn search(State(web): State<Web>, caller: Caller, Query(search): Query<Search>) -> Answer<Json<Page<StoredEvent>>> {
    let found = event::search(&web.app, &caller.ctx, &search.filter()?, search.before()?, search.limit.unwrap_or(50)).await?;
    Ok(Json(Page { items: found.items, next: found.next.map(|p| p.to_string()) }))
}

#[utoipa::path(get, path = "/v1/events/{id}", params(("id" = String, Path)), responses((status = 200, body = StoredEvent), (status = "default", body = Problem)))]
pub(crate) async fn read(State(web): State<Web>, caller: Caller, Path(text): Path<String>) -> Answer<Response> {
    let (event, sealed) = event::get(&web.app, &caller.ctx, id(&text, "event")?).await?;
    let mut json = serde_json::to_value(event).unwrap_or_default();
    // The bytes the leaf commits to, for whoever checks a proof.
    json["sealed"] = String::from_utf8_lossy(&sealed).into_owned().into();
    Ok(Json(json).into_response())
}

#[utoipa::path(get, path = "/v1/events/stream", params(Search), responses((status = 200, body = StoredEvent, content_type = "text/event-stream"), (status = "default", body = Problem)))]
pub(crate) async fn stream(State(web): State<Web>, caller: Caller, headers: HeaderMap, Query(search): Query<Search>) -> Answer<Response> {
    let filter = search.filter()?;
    let events = follow(&web, &caller, filter, &headers).await?.map(|event| SseEvent::default().id(event.position.clone()).json_data(&event));
    Ok(Sse::new(events.map(|e| Ok::<_, Infallible>(e.unwrap_or_default()))).keep_alive(KeepAlive::default()).into_response())
}

/// New events that fit, from now on, or from after `Last-Event-ID`. Ends when the server stops or the caller's session or key does.
pub(crate) async fn follow(web: &Web, caller: &Caller, filter: Filter, headers: &HeaderMap) -> Answer<impl Stream<Item = StoredEvent> + use<>> {
    web.app.permit(&caller.ctx, "ledger:read").await?;
    let seen = headers.get("last-event-id").and_then(|v| v.to_str().ok()).and_then(|v| v.parse::<Position>().ok());
    // A record of a batch has later ones beside it: begin at its entry again and leave out what was seen.
    let from = seen.map_or_else(|| event::size(&web.app), |p| if p.item.is_some() { p.entry } else { p.entry + 1 });
    let (app, ctx) = (web.app.clone(), caller.ctx.clone());
    let batches = stream::unfold(from, move |from| {
        let (app, ctx, filter) = (app.clone(), ctx.clone(), filter.clone());
        async move {
            let (events, next) = event::follow(&app, &ctx, &filter, from).await.ok()?;
            Some((stream::iter(events), next))
        }
    });
    Ok(batches.flatten().filter(move |event| std::future::ready(seen.is_none_or(|seen| event.position.parse::<Position>().is_ok_and(|p| p > seen)))))
}
