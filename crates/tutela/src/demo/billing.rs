//! The service that the photo app's subscriptions are paid at: another company's, asked over HTTP.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Json, Router,
    extract::{Path as At, Query, State},
    http::StatusCode,
    routing::get,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tutela_app::{StoreConfig, StoreType};

use crate::{
    config::Config,
    error::{Error, at},
};

/// How it is spoken to.
const API: &str = "resources:\n  subscriptions:\n    find: {customer: \"/v1/subscriptions?customer={value}\"}\n    rows: /data\n    cancel: {method: DELETE, path: \"/v1/subscriptions/{id}\"}\n";
/// What it keeps.
const MAP: &str = "dataset:\n  - fides_key: billing\n    name: The service for subscriptions\n    collections:\n      - name: subscriptions\n        tutela_meta: {section: profile}\n        fields:\n          - {name: id, fides_meta: {primary_key: true}}\n          - {name: customer, data_categories: [user.unique_id], fides_meta: {identity: account}}\n          - {name: plan, data_categories: [user.payment]}\n";

#[derive(Clone, Serialize, Deserialize)]
struct Subscription {
    id: String,
    /// The account that it is for.
    customer: String,
    plan: String,
}

/// The running service.
#[derive(Clone)]
pub struct Billing {
    file: PathBuf,
    all: Arc<Mutex<Vec<Subscription>>>,
    stop: CancellationToken,
}

impl Billing {
    /// Starts it, and has tutela know it beside the photo app's own data.
    pub async fn start(config: &mut Config, data: &Path) -> Result<Self, Error> {
        let failed = |e: std::io::Error| Error::Failed(format!("the sample billing service could not be started: {e}"));
        let file = data.join("billing.json");
        let all = std::fs::read_to_string(&file).ok().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        let billing = Self { file, all: Arc::new(Mutex::new(all)), stop: CancellationToken::new() };
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.map_err(failed)?;
        let url = format!("http://{}", listener.local_addr().map_err(failed)?);
        let router =
            Router::new().route("/v1/subscriptions", get(list)).route("/v1/subscriptions/{id}", axum::routing::delete(cancel)).with_state(billing.clone());
        let stop = billing.stop.clone();
        tokio::spawn(async move {
            if let Err(e) = axum::serve(listener, router).with_graceful_shutdown(async move { stop.cancelled().await }).await {
                tracing::warn!(error = %e, "the sample billing service has ended");
            }
        });
        let write = |name: &str, text: &str| {
            let path = data.join(name);
            std::fs::write(&path, text).map(|()| path.clone()).map_err(|e| at(&path, &e))
        };
        let stores = [
            (
                "photos",
                StoreConfig {
                    map: Some(write("photos.yml", ::photos::PRIVACY_MAP)?),
                    path: Some(data.join("photos/photos.db")),
                    ..StoreConfig::of(StoreType::Sqlite)
                },
            ),
            ("pictures", StoreConfig { path: Some(data.join("photos/pictures")), ..StoreConfig::of(StoreType::Files) }),
            (
                "billing",
                StoreConfig {
                    map: Some(write("billing.yml", MAP)?),
                    url: Some(url),
                    api: Some(write("billing-api.yml", API)?),
                    ..StoreConfig::of(StoreType::Service)
                },
            ),
        ];
        config.privacy.stores = stores.into_iter().map(|(name, store)| (name.to_owned(), store)).collect();
        config.privacy.controller = "Sample Photos Ltd".into();
        config.privacy.contact = "privacy@photos.example".into();
        Ok(billing)
    }

    /// Somebody subscribes, once.
    pub fn subscribe(&self, account: &str) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.file.exists() {
            all.push(Subscription { id: "sub-1".into(), customer: account.to_owned(), plan: "plus".into() });
            self.keep(&all);
        }
    }

    /// Ends it.
    pub fn stop(self) {
        self.stop.cancel();
    }

    fn keep(&self, all: &[Subscription]) {
        if let Err(e) = std::fs::write(&self.file, json!(all).to_string()) {
            tracing::warn!(error = %e, "the sample subscriptions could not be kept");
        }
    }
}

#[derive(Deserialize)]
struct Whose {
    customer: String,
}

async fn list(State(billing): State<Billing>, Query(whose): Query<Whose>) -> Json<Value> {
    let all = billing.all.lock().unwrap_or_else(PoisonError::into_inner);
    Json(json!({"data": all.iter().filter(|of| of.customer == whose.customer).collect::<Vec<_>>()}))
}

async fn cancel(State(billing): State<Billing>, At(id): At<String>) -> StatusCode {
    let mut all = billing.all.lock().unwrap_or_else(PoisonError::into_inner);
    let before = all.len();
    all.retain(|of| of.id != id);
    billing.keep(&all);
    if all.len() < before { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND }
}
