//! The HTTP face: the REST API, the hosted pages, the console.
//!
//! A handler parses, calls one use case, and renders; it decides nothing. The whole API is one
//! table in `router.rs`; the only bridge from errors to status codes is `problem.rs`.
//!
//! Three fronts serve parts of the same table: the own host behind the gateway ([`Front::Own`]),
//! the admin listener ([`Front::Admin`]) and the admin socket ([`Front::Socket`]).

mod api;
mod caller;
mod idempotency;
mod oauth;
mod page;
mod problem;
mod router;
mod security;
pub mod view;
mod web;

pub use router::{Needs, Route, openapi, route_table, router};
pub use web::{Front, PeerUid, Web};
