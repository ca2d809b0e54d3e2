//! The gateway: the public listener in front of guarded applications and of our own pages.
//!
//! A request is matched to a route by host and path, its caller is looked up through the
//! [`RequestPolicy`] seam, what the route requires is checked, and only then is it passed on to a
//! server of its upstream, streaming both ways. The gateway sees snapshots and caches, never the
//! store; every request leaves a record at the [`EventSink`] seam. Start with `handle.rs`.

mod banner;
mod body;
mod client;
mod config;
mod error;
mod forward;
mod front;
mod gateway;
mod handle;
mod headers;
mod held;
mod identity;
mod leash;
mod limits;
mod mask;
mod names;
mod open;
mod pages;
mod path;
mod patient;
mod probe;
mod redirect;
mod routes;
mod serve;
mod snapshot;
mod tls;
mod trail;
mod tunnel;
mod upstream;
mod waf;

pub use body::Body;
pub use config::{Acr, CardNumbers, Config, Require, RouteConfig};
pub use error::Error;
pub use gateway::{Gateway, OwnPages, Parts, RouteStatus, Status, UpstreamStatus};
pub use held::Held;
pub use limits::{By, LimitConfig, LimitMode, Limited, OnBackendDown, SharedLimitsConfig};
pub use probe::{Answer, ask};
pub use redirect::redirect_to_tls;
pub use snapshot::Settings;
pub use tls::{CertificateConfig, Certificates};
pub use upstream::{Balance, HealthConfig, ServerConfig, ServerEntry, ServerStatus, Sticky, UpstreamConfig, UpstreamTls};
pub use waf::{RuleFiles, WafConfig, WafMode, WafSpent, load_rules};

#[doc(no_inline)]
pub use tutela_core::seam::{EventSink, RequestPolicy};
