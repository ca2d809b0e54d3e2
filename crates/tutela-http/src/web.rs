use std::sync::Arc;

use tutela_app::{App, handover::host_of};

use crate::view::Assets;

/// Which door a request came through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Front {
    /// The admin listener: console, administrative API, probes.
    Admin,
    /// The own host behind the gateway: hosted pages and the app-facing API.
    Own,
    /// The admin socket: the API for the command line, as an operator of the host.
    Socket,
}

/// User id of the process at the other end of the admin socket; the listener puts it into the request.
#[derive(Debug, Clone, Copy)]
pub struct PeerUid(pub u32);

/// What every handler has at hand. Cheap to clone.
#[derive(Clone)]
pub struct Web {
    pub(crate) app: App,
    pub(crate) front: Front,
    pub(crate) assets: Arc<Assets>,
    /// Renders the metrics of this process.
    pub(crate) metrics: Arc<dyn Fn() -> String + Send + Sync>,
    pub(crate) version: &'static str,
}

impl Web {
    /// For one front.
    pub fn new(app: App, front: Front, metrics: Arc<dyn Fn() -> String + Send + Sync>, version: &'static str) -> Self {
        Self { app, front, assets: Arc::new(crate::page::assets::addresses()), metrics, version }
    }

    /// Origin of this front, for example `http://tutela.localhost:8080`.
    pub(crate) fn origin(&self) -> &str {
        match self.front {
            Front::Admin => &self.app.urls().admin,
            Front::Own | Front::Socket => &self.app.urls().public,
        }
    }

    /// Host name of this front.
    pub(crate) fn host(&self) -> &str {
        host_of(self.origin())
    }
}
