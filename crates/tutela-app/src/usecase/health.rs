//! Whether all is well, for people and for probes.

use tutela_core::Timestamp;
use tutela_ledger::Checkpoint;

use crate::{App, Ctx, Error};

/// The state of the parts that a request needs.
#[derive(Debug, Clone)]
pub struct Health {
    /// `sqlite` or `postgresql`.
    pub storage: &'static str,
    /// What is wrong with the storage, where something is.
    pub storage_error: Option<String>,
    /// The last signed checkpoint, where its signature verifies.
    pub checkpoint: Option<Checkpoint>,
    /// When the server started.
    pub started_at: Timestamp,
}

impl Health {
    /// Whether requests can be served.
    pub fn is_ready(&self) -> bool {
        self.storage_error.is_none() && self.checkpoint.is_some()
    }
}

/// Looks at the parts, for probes; says nothing secret.
pub async fn probe(app: &App) -> Health {
    let (storage_error, checkpoint) = match app.store.log_head().await {
        Ok((_, note)) => (None, Checkpoint::open(&note, &app.ledger_key).ok()),
        Err(e) => (Some(e.to_string()), None),
    };
    Health { storage: app.store.engine_name(), storage_error, checkpoint, started_at: app.started_at }
}

/// Live sessions of everybody.
pub async fn live_sessions(app: &App, ctx: &Ctx) -> Result<u64, Error> {
    app.permit(ctx, "sessions:read").await?;
    Ok(app.store.session_count_live(ctx.now).await?)
}

/// Events by the hour they were recorded in (hours since 1970), from `hour` on.
pub async fn event_hours(app: &App, ctx: &Ctx, hour: i64) -> Result<Vec<(i64, u64)>, Error> {
    app.permit(ctx, "ledger:read").await?;
    Ok(app.store.event_hours(hour).await?)
}

/// Requests through the gateway that were counted but have no record, since the start.
pub fn requests_lost(app: &App) -> u64 {
    app.sink.lost_since_start()
}

/// Bytes that the database takes on disk.
pub async fn ledger_bytes(app: &App) -> Result<u64, Error> {
    Ok(app.store.size_on_disk().await?)
}
