//! Other people's systems, behind the ports of `tutela-app`: key providers, search clusters, mail servers and carriers.
//!
//! Thin clients of our own over one HTTP stack: a vendor's kit costs two hundred crates for six calls.
//! Every call is bounded in time and in what it reads; TLS is verified always, with the system's roots
//! or the one CA file that the configuration names. Nothing here knows the store.

mod cluster;
mod data;
mod geo;
mod http;
mod message;
mod outside;
mod provider;
mod text;

pub use cluster::{Cluster, ClusterSettings};
pub use data::data_store;
pub use geo::GeoConfig;
pub use http::read_secret;
pub use message::{ChannelsConfig, LogFile, PagerDutyConfig, Senders, SlackConfig, SmtpConfig, SmtpTls, TwilioConfig, WebhookConfig};
pub use outside::Outside;
pub use provider::{AzureConfig, LocalConfig, VaultConfig, azure::AzureKeyVault, local::Local, vault::Vault};
