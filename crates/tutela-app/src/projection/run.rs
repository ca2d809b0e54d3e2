//! Feeding a search cluster.

use std::time::Duration;

use serde_json::json;
use tokio_util::sync::CancellationToken;
use tutela_core::{Principal, Timestamp};
use tutela_store::{Changeset, DeadLetterRow, Housekeeping, LogRow, Position};

use super::{
    Projection,
    document::{document, mappings},
    erase,
};
use crate::{
    App, Ctx, Error,
    occurrence::{SinkRefused, SinkResumed, SinkStalled},
    port::{ClusterDocument, ClusterError, PutAnswer},
    usecase::search::rows,
};

/// Entries of one round. A batch entry has up to 1,024 records.
const STEP: u64 = 512;
/// Documents that are sent together.
const MOST: usize = 2_000;
/// How long a cluster may be silent before it is an alarm.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How often old documents are looked for.
const SWEEP: Duration = Duration::from_secs(3_600);

/// How a projection fares.
struct Fare {
    /// Since when the cluster does not answer.
    silent_since: Option<Timestamp>,
    told: bool,
    pause: Duration,
    prepared: bool,
    swept: Option<Timestamp>,
    refusal_told: Option<Timestamp>,
}

/// Follows the log until told to stop.
pub(crate) async fn run(app: App, stop: CancellationToken) {
    let Some(projection) = &app.projection else { return };
    let name = projection.cluster.name();
    let mut fare = Fare { silent_since: None, told: false, pause: Duration::from_secs(1), prepared: false, swept: None, refusal_told: None };
    let ensure = Changeset::housekeeping(Housekeeping::Projection).sink_ensure(name, app.env.now());
    if let Err(e) = app.store.commit(ensure).await {
        tracing::error!(error = %e, sink = name, "the projection's cursor could not be made");
    }
    // A process before this one may have left it waiting.
    let left = app.store.sink_list().await.unwrap_or_default().into_iter().find(|row| row.name == name && row.state == "waiting");
    fare.silent_since = left.map(|row| row.since);
    let mut size = app.store.watch_size();
    loop {
        let turn = tokio::select! {
            turn = turn(&app, projection, &mut fare) => turn,
            () = stop.cancelled() => return,
        };
        let more = match turn {
            Ok(more) => {
                answered(&app, name, &mut fare).await;
                more
            }
            Err(e) => {
                silent(&app, name, &mut fare, &e).await;
                tokio::select! {
                    () = tokio::time::sleep(fare.pause) => {}
                    () = stop.cancelled() => return,
                }
                fare.pause = (fare.pause * 2).min(LONGEST_PAUSE);
                continue;
            }
        };
        if more {
            continue;
        }
        tokio::select! {
            changed = size.changed() => if changed.is_err() { return },
            () = projection.woken.notified() => fare.prepared = false,
            () = tokio::time::sleep(Duration::from_secs(10)) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// One round: erasures first, then the next events. Says whether there are more.
async fn turn(app: &App, projection: &Projection, fare: &mut Fare) -> Result<bool, Error> {
    let now = app.env.now();
    if !fare.prepared {
        let found = match projection.cluster.prepare(&mappings(app, true)).await {
            // Declared fields whose shapes were changed must not stop everything else.
            Err(ClusterError::Refused(why)) => {
                tracing::warn!(reason = why, "the search cluster refused the mapping of declared fields; they are kept there without being indexed");
                projection.cluster.prepare(&mappings(app, false)).await?
            }
            prepared => prepared?,
        };
        tracing::info!(sink = projection.cluster.name(), found, "the search cluster is ready for the ledger's documents");
        fare.prepared = true;
    }
    forget_lost_future(app, projection).await?;
    erase::run(app, projection).await?;
    if fare.swept.is_none_or(|at| now.since(at) >= SWEEP) {
        let oldest = now.minus(Duration::from_secs(u64::from(projection.retention_days) * 86_400));
        for index in projection.cluster.drop_before(Some(oldest.month())).await? {
            tracing::info!(index, "documents whose retention has ended were dropped from the search cluster");
        }
        fare.swept = Some(now);
    }
    follow(app, projection, fare).await
}

/// After a restore the cluster may hold events that the ledger lost.
async fn forget_lost_future(app: &App, projection: &Projection) -> Result<(), Error> {
    let name = projection.cluster.name();
    let row = app.store.sink_list().await?.into_iter().find(|row| row.name == name && row.state == "restored");
    let Some(row) = row else { return Ok(()) };
    let lost = json!({"bool": {"filter": [{"term": {"tutela.ledger": app.store.instance().origin}}, {"range": {"event.sequence": {"gte": row.position}}}]}});
    let gone = projection.cluster.delete(&lost).await?;
    tracing::info!(sink = name, documents = gone, "documents of events that the restored ledger does not hold were deleted from the search cluster");
    Ok(app.store.commit(Changeset::housekeeping(Housekeeping::Projection).sink_state(name, "following", None, app.env.now())).await?)
}

async fn follow(app: &App, projection: &Projection, fare: &mut Fare) -> Result<bool, Error> {
    let name = projection.cluster.name();
    let from = app.store.sink_list().await?.into_iter().find(|row| row.name == name).map_or(0, |row| row.position);
    let size = app.store.log_head().await?.0;
    let to = size.min(from + STEP);
    if to <= from {
        return Ok(false);
    }
    let events = rows(app, from, to).await?;
    let mut refused = Vec::new();
    for chunk in events.chunks(MOST) {
        refused.extend(send(app, projection, chunk).await?);
    }
    let ours = |letter: &DeadLetterRow| events.iter().any(|row| row.position == letter.position && is_about_sinks(&row.body));
    // Recording each refusal would be refused in its turn; what is kept as dead letters says it all.
    let tell = fare.refusal_told.is_none_or(|at| app.env.now().since(at) >= PATIENCE) && !refused.iter().all(ours);
    let mut changeset = match refused.first().filter(|_| tell) {
        Some(first) => {
            fare.refusal_told = Some(app.env.now());
            let ctx = Ctx::new(app.env(), Principal::System("projection"));
            tracing::error!(
                sink = name,
                events = refused.len(),
                reason = first.reason,
                "the search cluster refused events for good; they are kept as dead letters"
            );
            Changeset::of(app.record(&ctx, SinkRefused::new(name, refused.len() as u64, &first.reason)).await?)
        }
        None => Changeset::housekeeping(Housekeeping::Projection),
    };
    for letter in &refused {
        changeset = changeset.dead_letter_insert(name, letter);
    }
    match app.store.commit(changeset.sink_advance(name, from, to)).await {
        // Another node was faster, or the projection was set back: the next round reads the cursor again.
        Ok(()) | Err(tutela_store::Error::Conflict(_)) => {}
        Err(e) => return Err(e.into()),
    }
    metrics::gauge!("tutela_sink_behind", "sink" => name).set((size - to) as f64);
    Ok(to < size)
}

fn is_about_sinks(body: &[u8]) -> bool {
    let event: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    event["type"].as_str().is_some_and(|kind| kind.starts_with("sink."))
}

/// Sends events until each is there or refused for good. Gives the refused ones.
pub(super) async fn send(app: &App, projection: &Projection, events: &[LogRow]) -> Result<Vec<DeadLetterRow>, Error> {
    let mut refused = Vec::new();
    let mut open: Vec<(Position, ClusterDocument)> = Vec::with_capacity(events.len());
    for row in events {
        match document(app, row).await {
            Ok(document) => open.push((row.position, document)),
            Err(e) if e.kind() == tutela_core::ErrorKind::Corrupt => refused.push(letter(app, row.position, "the event cannot be opened")),
            Err(e) => return Err(e),
        }
    }
    let mut pause = Duration::from_millis(50);
    while !open.is_empty() {
        let documents: Vec<ClusterDocument> = open.iter().map(|(_, document)| document.clone()).collect();
        let answers = projection.cluster.put(&documents).await?;
        let mut busy = None;
        let mut again = Vec::new();
        for ((position, document), answer) in open.into_iter().zip(answers.into_iter().map(Some).chain(std::iter::repeat_with(|| None))) {
            match answer {
                Some(PutAnswer::Stored | PutAnswer::Already) => {}
                Some(PutAnswer::Refused(why)) => refused.push(letter(app, position, &why)),
                Some(PutAnswer::Busy(why)) => {
                    busy = Some(why);
                    again.push((position, document));
                }
                None => again.push((position, document)),
            }
        }
        open = again;
        if !open.is_empty() {
            if pause > LONGEST_PAUSE {
                return Err(Error::Cluster(ClusterError::Unavailable(busy.unwrap_or_else(|| "it answered for fewer events than were sent".into()))));
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
    }
    Ok(refused)
}

fn letter(app: &App, position: Position, reason: &str) -> DeadLetterRow {
    DeadLetterRow { position, reason: reason.chars().take(500).collect(), refused_at: app.env.now() }
}

/// The cluster took what it was sent.
async fn answered(app: &App, name: &'static str, fare: &mut Fare) {
    fare.pause = Duration::from_secs(1);
    if fare.silent_since.take().is_none() {
        return;
    }
    let ctx = Ctx::new(app.env(), Principal::System("projection"));
    let done = if std::mem::take(&mut fare.told) {
        let behind = behind(app, name).await;
        app.commit(&ctx, SinkResumed::new(name, behind), |c| c.sink_state(name, "following", None, ctx.now)).await
    } else {
        app.store.commit(Changeset::housekeeping(Housekeeping::Projection).sink_state(name, "following", None, ctx.now)).await.map_err(Error::from)
    };
    if let Err(e) = done {
        tracing::warn!(error = %e, sink = name, "the projection's state could not be written");
    }
}

/// The cluster did not take what it was sent; after a minute that is an alarm.
async fn silent(app: &App, name: &'static str, fare: &mut Fare, error: &Error) {
    let now = app.env.now();
    let since = *fare.silent_since.get_or_insert(now);
    let text = error.to_string();
    let ctx = Ctx::new(app.env(), Principal::System("projection"));
    let done = if now.since(since) >= PATIENCE && !fare.told {
        fare.told = true;
        tracing::error!(error = %text, sink = name, "the search cluster has not taken events for a minute; the ledger keeps them until it does");
        let behind = behind(app, name).await;
        app.commit(&ctx, SinkStalled::new(name, behind, &text), |c| c.sink_wait(name, &text, since)).await
    } else {
        tracing::warn!(error = %text, sink = name, "the search cluster did not take events; they are sent again");
        app.store.commit(Changeset::housekeeping(Housekeeping::Projection).sink_wait(name, &text, since)).await.map_err(Error::from)
    };
    if let Err(e) = done {
        tracing::warn!(error = %e, sink = name, "the projection's state could not be written");
    }
}

async fn behind(app: &App, name: &str) -> u64 {
    let position = app.store.sink_list().await.ok().and_then(|rows| rows.into_iter().find(|row| row.name == name)).map_or(0, |row| row.position);
    app.store.log_head().await.map_or(0, |(size, _)| size).saturating_sub(position)
}
