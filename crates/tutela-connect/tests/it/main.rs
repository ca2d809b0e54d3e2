//! Key providers, stores of people's data, search clusters and senders of messages against real servers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test code")]

mod buckets; // S3 with versions and locks
mod cluster; // search clusters of both products, and clusters that fail
mod contract; // one suite that every provider passes
mod erasure; // plans over any graph of foreign keys, in a real database
mod faults; // servers that are down, lie, or are set up dangerously
mod messages; // a real mail server, a carrier, a webhook
