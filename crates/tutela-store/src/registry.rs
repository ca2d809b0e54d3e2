//! Every statement of the house, for the test that prepares them all.

use crate::{sql::Sql, table};

/// Every statement of the house.
pub fn registered() -> impl Iterator<Item = &'static Sql> {
    [
        table::account::STATEMENTS,
        table::attempt::STATEMENTS,
        table::assessment::STATEMENTS,
        table::authenticator::STATEMENTS,
        table::breach::STATEMENTS,
        table::change::STATEMENTS,
        table::client::STATEMENTS,
        table::control::STATEMENTS,
        table::counter::STATEMENTS,
        table::data_use::STATEMENTS,
        table::device::STATEMENTS,
        table::epoch::STATEMENTS,
        table::erasure_task::STATEMENTS,
        table::event_type::STATEMENTS,
        table::field_policy::STATEMENTS,
        table::grant::STATEMENTS,
        table::group::STATEMENTS,
        table::block::STATEMENTS,
        table::detection::STATEMENTS,
        table::detection_rule::STATEMENTS,
        table::erased_name::STATEMENTS,
        table::exclusion::STATEMENTS,
        table::hold::STATEMENTS,
        table::idempotency::STATEMENTS,
        table::incident::STATEMENTS,
        table::instance::STATEMENTS,
        table::job::STATEMENTS,
        table::key::STATEMENTS,
        table::key_backup::STATEMENTS,
        table::key_job::STATEMENTS,
        table::key_version::STATEMENTS,
        table::ledger::STATEMENTS,
        table::link::STATEMENTS,
        table::message::STATEMENTS,
        table::outbox::STATEMENTS,
        table::oauth::STATEMENTS,
        table::outside::STATEMENTS,
        table::privacy::STATEMENTS,
        table::subject_request::STATEMENTS,
        table::refresh::STATEMENTS,
        table::retention::STATEMENTS,
        table::role::STATEMENTS,
        table::saml_key::STATEMENTS,
        table::search::STATEMENTS,
        table::session::STATEMENTS,
        table::setting::STATEMENTS,
        table::sign_in::STATEMENTS,
        table::signing_key::STATEMENTS,
        table::sink::STATEMENTS,
        table::strike::STATEMENTS,
        table::subject_key::STATEMENTS,
        crate::migrate::STATEMENTS,
    ]
    .into_iter()
    .flatten()
    .copied()
}
