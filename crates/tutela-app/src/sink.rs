//! Request records of the gateway: a bounded queue, batches of up to 1,024 under one leaf, and
//! a count of what did not fit. The gateway never waits here.

use std::{
    borrow::Cow,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::mpsc;
use tutela_core::{
    Actor, Event, EventId, Outcome, Pii, Principal, Request, Severity, Source,
    seam::{EventSink, RequestRecord, UpstreamTurn},
};
use tutela_store::Changeset;

use crate::{
    App, Ctx, Error,
    occurrence::{RequestsLost, UpstreamFailed, UpstreamRecovered},
    registry::{REQUEST, REQUEST_BATCH},
};

/// Records that may wait.
const QUEUE: usize = 16_384;
/// Turns of servers that may wait.
const TURNS: usize = 256;
/// How long a record may wait for company.
const PAUSE: Duration = Duration::from_millis(200);

/// Where the gateway hands its records. Cheap to clone.
#[derive(Clone)]
pub struct RequestSink {
    queue: Arc<Mutex<Option<mpsc::Sender<RequestRecord>>>>,
    turns: mpsc::Sender<UpstreamTurn>,
    /// Not yet recorded as lost.
    lost: Arc<AtomicU64>,
    lost_in_all: Arc<AtomicU64>,
}

/// The other ends of the queues.
pub(crate) struct Handed {
    records: mpsc::Receiver<RequestRecord>,
    turns: mpsc::Receiver<UpstreamTurn>,
}

pub(crate) fn channel() -> (RequestSink, Handed) {
    let ((sender, records), (turns, turned)) = (mpsc::channel(QUEUE), mpsc::channel(TURNS));
    let sink = RequestSink { queue: Arc::new(Mutex::new(Some(sender))), turns, lost: Arc::default(), lost_in_all: Arc::default() };
    (sink, Handed { records, turns: turned })
}

impl EventSink for RequestSink {
    fn record(&self, record: RequestRecord) {
        let queue = self.queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if queue.as_ref().is_none_or(|sender| sender.try_send(record).is_err()) {
            self.lose(1);
            metrics::counter!("tutela_requests_lost_total").increment(1);
        }
    }

    fn upstream(&self, turn: UpstreamTurn) {
        // The log has it too; servers that go up and down faster than the ledger writes are told of there.
        if self.turns.try_send(turn).is_err() {
            metrics::counter!("tutela_upstream_turns_lost_total").increment(1);
        }
    }
}

impl RequestSink {
    pub(crate) fn close(&self) {
        self.queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
    }

    pub(crate) fn lost_since_start(&self) -> u64 {
        self.lost_in_all.load(Ordering::Relaxed)
    }

    fn lose(&self, count: u64) {
        self.lost.fetch_add(count, Ordering::Relaxed);
        self.lost_in_all.fetch_add(count, Ordering::Relaxed);
    }

    fn restore(&self, count: u64) {
        self.lost.fetch_add(count, Ordering::Relaxed);
    }

    fn take_lost(&self) -> u64 {
        self.lost.swap(0, Ordering::Relaxed)
    }
}

/// Writes batches until the queue is closed and empty.
pub(crate) async fn run(app: App, handed: Handed) {
    let Handed { records: mut queue, turns } = handed;
    let turning = tokio::spawn(write_turns(app.clone(), turns));
    let mut batch = Vec::with_capacity(EventId::ITEMS as usize);
    while queue.recv_many(&mut batch, EventId::ITEMS as usize).await > 0 {
        let deadline = tokio::time::Instant::now() + PAUSE;
        while batch.len() < EventId::ITEMS as usize {
            let room = EventId::ITEMS as usize - batch.len();
            match tokio::time::timeout_at(deadline, queue.recv_many(&mut batch, room)).await {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
        }
        if let Err(e) = write(&app, &batch).await {
            tracing::error!(error = %e, records = batch.len(), "request records could not be written and are counted as lost");
            app.sink.lose(batch.len() as u64);
            tokio::time::sleep(PAUSE).await;
        }
        batch.clear();
    }
    if let Err(e) = write_lost(&app).await {
        tracing::error!(error = %e, "the number of lost requests could not be recorded");
    }
    turning.abort();
}

/// Records which servers of upstreams fail, and which are well again.
async fn write_turns(app: App, mut turns: mpsc::Receiver<UpstreamTurn>) {
    while let Some(UpstreamTurn { upstream, server, well, why }) = turns.recv().await {
        let ctx = Ctx::new(app.env(), Principal::System("gateway"));
        let written = if well {
            app.commit(&ctx, UpstreamRecovered::new(&upstream, &server), |c| c).await
        } else {
            app.commit(&ctx, UpstreamFailed::new(&upstream, &server, &why), |c| c).await
        };
        if let Err(e) = written {
            tracing::error!(error = %e, upstream, server, "the turn of a server could not be recorded");
        }
    }
}

/// Records what is counted as lost, where no batch carries it.
async fn write_lost(app: &App) -> Result<(), Error> {
    let ctx = Ctx::new(app.env(), Principal::System("gateway"));
    match app.sink.take_lost() {
        0 => Ok(()),
        count => app.commit(&ctx, RequestsLost::new(count), |c| c).await,
    }
}

async fn write(app: &App, batch: &[RequestRecord]) -> Result<(), Error> {
    let ctx = Ctx::new(app.env(), Principal::System("gateway"));
    let id = EventId::batch(ctx.now, &mut { app.env() });
    let mut leaf = Event::named(Cow::Borrowed(REQUEST_BATCH.name), id, ctx.now);
    leaf.time = batch.first().map_or(ctx.now, |r| r.time);
    leaf.class = REQUEST_BATCH.class;
    leaf.actor = Actor::System("gateway");
    let events: Vec<Event> = batch.iter().enumerate().map(|(item, record)| request(record, id.item(item as u16), ctx.now)).collect();
    let subjects: std::collections::BTreeSet<_> = events.iter().flat_map(crate::record::subjects).collect();
    let keys = app.ring.subject_keys(&subjects.iter().collect::<Vec<_>>(), ctx.now).await?;
    let sealed = app.sealer.seal_batch(leaf, &events, &keys)?;
    let mut changeset = Changeset::of(sealed);
    let lost = app.sink.take_lost();
    if lost > 0 {
        let counted = app.record(&ctx, RequestsLost::new(lost)).await.inspect_err(|_| app.sink.restore(lost))?;
        changeset = changeset.and(counted);
    }
    app.store.commit(changeset).await.inspect_err(|_| app.sink.restore(lost))?;
    Ok(())
}

fn request(record: &RequestRecord, id: EventId, now: tutela_core::Timestamp) -> Event {
    let mut event = Event::named(Cow::Borrowed(REQUEST.name), id, now);
    event.time = record.time;
    event.class = REQUEST.class;
    event.actor = record.actor.clone();
    event.source = Source { ip: Some(Pii::new(record.ip)), user_agent: record.user_agent.clone().map(Pii::new) };
    event.outcome = match record.status {
        401 | 403 | 421 | 429 => Outcome::Denied,
        0 => Outcome::Unknown,
        status if status >= 400 => Outcome::Failure,
        _ => Outcome::Success,
    };
    event.severity = Severity::Informational;
    event.request = Some(Request {
        id: Some(record.id),
        method: Some(record.method.clone()),
        route: record.route.as_deref().map(str::to_owned),
        status: Some(record.status),
    });
    event.set("duration_us", record.duration_us);
    if let Some(bytes) = record.bytes {
        event.set("bytes", bytes);
    }
    event.set_personal("path", record.path.clone());
    decided(record, &mut event);
    event
}

/// How it was decided: what each stage took, which one refused, and what the firewall found.
fn decided(record: &RequestRecord, event: &mut Event) {
    // A list, so that their order is kept.
    let stages: Vec<serde_json::Value> = record.stages.iter().map(|(stage, took)| serde_json::json!({"stage": stage.as_str(), "us": took})).collect();
    event.set("stages", stages);
    if let Some(stage) = record.refused_by {
        event.set("refused_by", stage.as_str());
    }
    if !record.limits.is_empty() {
        let left: serde_json::Map<String, serde_json::Value> = record.limits.iter().map(|count| (count.limit.clone(), count.left.into())).collect();
        event.set("limits_left", left);
        let over = |enforced: bool| record.limits.iter().find(|count| count.refused && count.enforced == enforced).map(|count| count.limit.as_str());
        if let Some(limit) = over(true) {
            event.set("limit_refused", limit);
        }
        if let Some(limit) = over(false) {
            event.set("limit_would_refuse", limit);
        }
    }
    let Some(inspection) = &record.inspection else { return };
    event.set("waf_mode", inspection.mode);
    if inspection.exclusions > 0 {
        event.set("waf_exclusions", inspection.exclusions as u64);
    }
    if !inspection.marks.is_empty() {
        event.set("waf_marks", inspection.marks.clone());
    }
    if inspection.matched.is_empty() && !inspection.would_refuse {
        return;
    }
    event.set(
        "waf_outcome",
        if inspection.refused {
            "refused"
        } else if inspection.would_refuse {
            "would_refuse"
        } else {
            "passed"
        },
    );
    event.set("waf_score", inspection.score);
    event.set("waf_rules", inspection.matched.iter().map(|matched| matched.rule).collect::<Vec<_>>());
    let matched = inspection.matched.iter().map(|matched| format!("{} {}: {}", matched.rule, matched.place, kept(matched)));
    event.set_personal("waf_matched", matched.collect::<Vec<_>>());
}

/// What of a value is kept; of one that is likely a secret, nothing.
fn kept(matched: &tutela_core::seam::MatchedRule) -> &str {
    const SECRET: [&str; 8] = ["authorization", "cookie", "key", "pass", "pin", "secret", "session", "token"];
    let place = matched.place.to_ascii_lowercase();
    if SECRET.iter().any(|word| place.contains(word)) { "(not kept)" } else { &matched.value }
}
