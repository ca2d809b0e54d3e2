//! An event as a document of a search cluster.

use serde_json::Value;
use tutela_store::LogRow;

use crate::{
    App, Error,
    export::{Outgoing, ecs, properties},
    port::ClusterDocument,
    ring::KeyError,
    usecase::{search::shown, unindex::keys_of},
};

/// The document of an event. It names the keys of everybody whose data it holds, so that an erasure
/// finds it.
pub(super) async fn document(app: &App, row: &LogRow) -> Result<ClusterDocument, Error> {
    let stored = shown(app, row).await?;
    let declared = app.types.body(stored.event["type"].as_str().unwrap_or_default());
    let mut source = ecs(&Outgoing { stored: &stored, declared: &declared, origin: &app.store.instance().origin });
    let mut subjects = Vec::new();
    for (key, version) in keys_of(&row.body) {
        if !matches!(app.ring.data_key(key, version).await, Err(KeyError::Destroyed)) {
            subjects.push(key.to_string());
        }
    }
    if !subjects.is_empty() {
        source["tutela"]["subjects"] = subjects.into();
    }
    let source = serde_json::to_vec(&source).map_err(|_| Error::Internal("a document is not JSON"))?;
    Ok(ClusterDocument { id: row.id.to_string(), month: row.id.time().month(), source })
}

/// The mapping of all documents, with that of declared fields or without.
pub(super) fn mappings(app: &App, declared: bool) -> Value {
    let types = app.types.list();
    properties(types.iter().filter(|_| declared).map(|declared| &declared.body))
}
