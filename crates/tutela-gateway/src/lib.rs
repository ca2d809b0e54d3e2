//! The gateway: the public listener in front of guarded applications and of our own pages.
//!
//! A request is matched to a route by host and path, its caller is looked up through the
//! [`RequestPolicy`] seam, what the route requires is checked, and only then is it passed on,
//! streaming both ways. The gateway sees snapshots and caches, never the store; every request
//! leaves a record at the [`EventSink`] seam. Start with `serve.rs`.

mod body;
mod config;
mod error;
mod forward;
mod front;
mod handle;
mod headers;
mod held;
mod identity;
mod limits;
mod names;
mod pages;
mod path;
mod routes;
mod serve;
mod trail;
mod waf;

pub use body::Body;
pub use config::{Acr, Config, Require, RouteConfig};
pub use error::Error;
pub use held::Held;
pub use limits::{By, LimitConfig, LimitMode};
pub use routes::Routes;
pub use serve::{Gateway, OwnPages, Parts};
pub use waf::{RuleFiles, WafConfig, WafMode, WafSpent, load_rules};

#[doc(no_inline)]
pub use tutela_core::seam::{EventSink, RequestPolicy};
