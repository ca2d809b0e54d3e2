//! Projections: the ledger as documents in a search cluster, fed by a cursor.
//!
//! The ledger is the truth and never waits for a cluster; the cursor moves over what the cluster
//! took, in order, so that nothing is missing and, since a document is written under its event's id,
//! nothing is there twice:
//!
//! ```text
//!   following --does not answer--> waiting (again after 1 s, 2 s, … 30 s; an alarm after a minute)
//!       ^------answers again----------'
//!   an event that the cluster refuses for good becomes a dead letter, and the cursor goes on
//! ```

mod document;
mod erase;
mod manage;
mod query;
mod reconcile;
mod run;

pub use manage::{dead_letters, list, rebuild, retry, search};
pub use reconcile::reconcile;
pub(crate) use run::run;

use std::sync::Arc;

use tokio::sync::Notify;

use crate::port::SearchCluster;

/// A cluster and how long documents stay there.
pub(crate) struct Projection {
    pub cluster: Arc<dyn SearchCluster>,
    pub retention_days: u32,
    /// Something outside of the log changed: an erasure, a declaration, a rebuild.
    pub woken: Notify,
}
