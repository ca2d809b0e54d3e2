//! Every statement of the house, for the test that prepares them all.

use crate::{sql::Sql, table};

/// Every statement of the house.
pub fn registered() -> impl Iterator<Item = &'static Sql> {
    [
        table::account::STATEMENTS,
        table::change::STATEMENTS,
        table::client::STATEMENTS,
        table::counter::STATEMENTS,
        table::epoch::STATEMENTS,
        table::field_policy::STATEMENTS,
        table::idempotency::STATEMENTS,
        table::instance::STATEMENTS,
        table::job::STATEMENTS,
        table::key::STATEMENTS,
        table::key_backup::STATEMENTS,
        table::key_job::STATEMENTS,
        table::key_version::STATEMENTS,
        table::ledger::STATEMENTS,
        table::outbox::STATEMENTS,
        table::role::STATEMENTS,
        table::search::STATEMENTS,
        table::session::STATEMENTS,
        table::setup::STATEMENTS,
        table::subject_key::STATEMENTS,
        crate::migrate::STATEMENTS,
    ]
    .into_iter()
    .flatten()
    .copied()
}
