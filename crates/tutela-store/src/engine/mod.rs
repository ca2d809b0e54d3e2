//! What truly differs between the two engines: connecting, locking, committing, searching.

pub(crate) mod postgres;
pub(crate) mod postgres_index;
pub(crate) mod postgres_value;
pub(crate) mod sequencer;
pub(crate) mod sqlite;
pub(crate) mod sqlite_writer;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The value of a mutex, also after a thread died holding it: each one here holds a whole value or none.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
