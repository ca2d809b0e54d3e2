//! What truly differs between the two engines: connecting, locking, committing, searching.

pub(crate) mod postgres;
pub(crate) mod postgres_tls;
pub(crate) mod sequencer;
pub(crate) mod sqlite;
pub(crate) mod sqlite_writer;
