//! The monitor: follows the log, asks the rules, and commits what follows together with how far it has come.
//!
//! State, alerts, blocks and the cursor move in one changeset, so a process that is killed loses nothing and repeats
//! nothing. Where several nodes share a database all of them read, and the cursor lets one of them write; the others
//! take up what it has left.

pub(crate) mod backtest;
mod follow;
pub(crate) mod gather;
pub(crate) mod notify;
mod read;
pub(crate) mod settings;

use std::{sync::Arc, time::Duration};

use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tutela_core::{Principal, Timestamp};
use tutela_detection::{Alert, Change, Engine};
use tutela_store::{Changeset, DetectionState, Housekeeping, LogRow};

use self::{read::Read, settings::Running};
use crate::{
    App, Ctx, Error,
    usecase::{block, search},
};

/// Entries of one round. A batch entry has up to 1,024 records.
const STEP: u64 = 256;
/// States that are read together.
const STATES: u32 = 2_000;
/// How many events, or how long, may pass before what the rules remember is written though nothing was found.
const EVENTS: usize = 10_000;
const PAUSE: Duration = Duration::from_secs(10);
/// How long a node waits whose cursor another one has moved.
const STAND_BY: Duration = Duration::from_secs(5);

/// Where the monitor stands.
struct Monitor {
    engine: Engine,
    /// The rules that it runs.
    running: Arc<Running>,
    /// Everything before it was taken in.
    position: u64,
    /// Up to where it is written.
    written: u64,
    written_at: Timestamp,
    events: usize,
}

/// Watches until told to stop.
pub(crate) async fn run(app: App, stop: CancellationToken) {
    let mut size = app.store.watch_size();
    let mut pause = Duration::from_secs(1);
    let mut monitor: Option<Monitor> = None;
    loop {
        let turn = async {
            let mut running = match monitor.take() {
                Some(running) if Arc::ptr_eq(&running.running, &app.detection.running()) => running,
                Some(mut changed) => {
                    // Somebody has changed a rule: what the others remember goes on.
                    changed.write(&app, Vec::new()).await?;
                    Monitor::begin(&app).await?
                }
                None => Monitor::begin(&app).await?,
            };
            let more = running.turn(&app).await?;
            Ok::<_, Error>((running, more))
        };
        let wait = tokio::select! {
            turn = turn => match turn {
                Ok((running, more)) => {
                    monitor = Some(running);
                    pause = Duration::from_secs(1);
                    if more { continue }
                    PAUSE
                }
                Err(Error::Store(tutela_store::Error::Conflict(_))) => STAND_BY,
                Err(e) => {
                    tracing::error!(error = %e, "the rules of detection could not go on and will try again");
                    pause = (pause * 2).min(Duration::from_secs(60));
                    pause
                }
            },
            () = stop.cancelled() => break,
        };
        let follows = monitor.is_some();
        tokio::select! {
            changed = size.changed(), if follows => if changed.is_err() { break },
            () = tokio::time::sleep(wait) => {}
            () = stop.cancelled() => break,
        }
    }
    // What is remembered is written, so that the next start has little to read again.
    if let Some(mut monitor) = monitor
        && let Err(e) = monitor.write(&app, Vec::new()).await
    {
        tracing::debug!(error = %e, "what the rules of detection remember was not written; the log is read again from before");
    }
}

impl Monitor {
    /// Takes up what was written last; at the very first start the log begins to be watched from here on.
    async fn begin(app: &App) -> Result<Self, Error> {
        let position = match app.store.detection_cursor().await? {
            Some(position) => position,
            None => {
                let (size, _) = app.store.log_head().await?;
                app.store.commit(Changeset::housekeeping(Housekeeping::Cursor).detection_cursor_ensure(size)).await?;
                app.store.detection_cursor().await?.unwrap_or(size)
            }
        };
        let running = app.detection.running();
        let mut engine = read::engine(app, &running.rules);
        let mut after: Option<DetectionState> = None;
        let mut old = Vec::new();
        loop {
            let states = app.store.detection_state_list(after.as_ref(), STATES).await?;
            for state in &states {
                if !engine.restore(&state.rule, state.version, state.key, &state.state) {
                    old.push((state.rule.clone(), state.key));
                }
            }
            after = states.last().cloned();
            if (states.len() as u64) < u64::from(STATES) {
                break;
            }
        }
        // Rules that are gone, or say something else now.
        for chunk in old.chunks(1_000) {
            let drop = chunk.iter().fold(Changeset::housekeeping(Housekeeping::Cursor), |set, (rule, key)| set.detection_state_delete(rule, *key));
            app.store.commit(drop).await?;
        }
        Ok(Self { engine, running, position, written: position, written_at: app.env.now(), events: 0 })
    }

    /// Takes in the next entries. Says whether there are more.
    async fn turn(&mut self, app: &App) -> Result<bool, Error> {
        let (size, _) = app.store.log_head().await?;
        // Retention may have deleted what nobody has looked at yet.
        let first = app.store.log_first().await?.max(self.position);
        let to = size.min(first + STEP);
        let mut alerts = Vec::new();
        for row in search::rows(app, first, to).await? {
            self.take(app, &row, &mut alerts).await;
        }
        self.position = to;
        let due = app.env.now().since(self.written_at) >= PAUSE && self.events > 0;
        if !alerts.is_empty() || due || self.events >= EVENTS {
            self.write(app, alerts).await?;
        }
        if self.position == size {
            block::tell(app, &Ctx::new(app.env(), Principal::System("detection"))).await?;
        }
        Ok(self.position < size)
    }

    async fn take(&mut self, app: &App, row: &LogRow, alerts: &mut Vec<Alert>) {
        self.events += 1;
        if serde_json::from_slice(&row.body).is_ok_and(|sealed: Value| !self.engine.may_take(&sealed)) {
            return;
        }
        match Read::open(app, row).await {
            Ok(read) => alerts.extend(read.iter().flat_map(|read| self.engine.take(&read.event()))),
            Err(e) => tracing::warn!(error = %e, position = %row.position, "an event could not be opened for the rules of detection"),
        }
    }

    /// Writes what the rules remember, what they have found, what follows, and how far they have come: all or nothing.
    async fn write(&mut self, app: &App, alerts: Vec<Alert>) -> Result<(), Error> {
        if self.position == self.written {
            return Ok(());
        }
        let ctx = Ctx::new(app.env(), Principal::System("detection"));
        let mut changeset = match follow::follow(app, &ctx, &alerts).await? {
            Some(changeset) => changeset,
            None => Changeset::housekeeping(Housekeeping::Cursor),
        };
        for change in self.engine.changes() {
            let Change { rule, version, key, state } = change;
            changeset = match state {
                Some(state) => changeset.detection_state_set(&DetectionState { rule: rule.to_string(), key, version, state }),
                None => changeset.detection_state_delete(&rule, key),
            };
        }
        app.store.commit(changeset.detection_cursor_advance(self.written, self.position)).await?;
        for (rule, forgotten) in self.engine.overflowing() {
            metrics::gauge!("tutela_detection_forgotten_keys", "rule" => rule.to_string()).set(forgotten as f64);
        }
        (self.written, self.written_at, self.events) = (self.position, ctx.now, 0);
        Ok(())
    }
}
