//! What tests and benchmarks share. Never a dependency of the product.
//!
//! `TUTELA_REQUIRE_ALL=1` turns every skip into a failure.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test code")]

mod authenticator;
mod cluster;
mod env;
mod fault_proxy;
pub mod gotestwaf;
mod keycloak;
mod openid_peer;
mod peers;
mod post_office;
mod postgres;
mod redis;
mod s3;
mod saml_peer;
mod shared;
mod store;

pub use authenticator::SoftKey;
pub use cluster::SearchServer;
pub use env::TestEnv;
pub use fault_proxy::{Fault, FaultProxy};
pub use keycloak::KeycloakServer;
pub use openid_peer::{ClientPeer, OPENID_PEER_SECRET, OpenidPeer};
pub use peers::{AZURE_CLIENT, AZURE_TENANT, AzureDouble, OpenBao, free_address};
pub use post_office::PostOffice;
pub use postgres::{PostgresServer, shared_postgres};
pub use redis::RedisServer;
pub use s3::S3Server;
pub use saml_peer::SamlPeer;
pub use shared::{files, shared};
pub use store::{Engine, NoGuard, World, engines, record, root_key};
pub use tokio_postgres;

/// Says that a test cannot run here, and why; a failure where everything is required.
pub fn skip(why: &str) {
    assert!(std::env::var_os("TUTELA_REQUIRE_ALL").is_none(), "required, but skipped: {why}");
    eprintln!("SKIPPED: {why}");
}
