//! The real program, as a process, on both engines: what a person or an application meets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test code")]

/// Recording, searching and proving over the API.
mod api;
/// What a hostile visitor or a hostile person with an account tries.
mod attacks;
/// Who may call which route: one golden table.
mod authorization;
/// Backup of the whole instance, restore, drill.
mod backup;
/// Controls of laws and standards, by facts.
mod breach;
/// PostgreSQL and sequencers that stop, pause and come back.
mod chaos;
mod compliance;
/// Kills, full disks, tampering.
mod crash;
/// Kills, and what detection makes of them.
mod crash_detection;
/// Rules over the ledger, and what follows: blocks that hold from the next request.
mod detection;
/// Configuration and start-up that cannot work.
mod faults;
/// Outside providers: signing in with an account somewhere else.
mod federation;
/// The sample database of Fides with its own map.
mod fides;
/// Guarded applications: sign-in, headers, cookies, bodies.
mod gateway;
/// Framing tricks, floods and slowness.
mod hostile;
/// Events written by others: imported, searched, exported, verified.
mod import;
/// Incidents: who is told, what people do, and the file they take along.
mod incident;
/// Encryption, keys, erasure, key backups, providers.
mod keys;
/// How many requests pass.
mod limits;
/// Mail through a real server, and a process that dies while it sends.
mod mail;
/// Being a provider: applications that people sign in to, with the certified client of npm.
mod oauth;
/// OCSF exports against the schema's own files.
mod ocsf;
/// A person with a browser, a mailbox and an app.
mod people;
/// What personal data is used for, and what people say to it.
mod privacy;
/// The ledger in real search clusters: following, faults, erasure, rebuilding.
mod projection;
/// Pages of the reference that are written from the code.
mod reference;
/// Reading the configuration again while requests go on.
mod reload;
/// What comes back from a backup without those who were erased since.
mod replay;
/// SAML providers: sign-in by both bindings, forged and replayed responses, single logout.
mod saml;
/// Apps, codes by mail, recovery codes, remembered devices.
mod second_factor;
/// A server in a temporary folder, and a browser-like client.
mod server;
/// The first administrator, passwords, sessions.
mod sign_in;
/// What people ask for about their data, over real databases of somebody else's.
mod subject_request;
/// TLS on the public listener, and proxies in front of it.
mod tls;
/// The layer of Rust applications, against a real server.
mod tower;
/// Several servers of an application: balance, health, retries, TLS.
mod upstreams;
/// The firewall, in front of an application and of our own pages.
mod waf;
/// WebSockets: who may open them, and what ends them.
mod websocket;
