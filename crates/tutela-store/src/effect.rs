//! What the guard wants done in the commit of an event, as statements.

use tutela_core::seam::{CommitGuard, Effect};

use crate::{
    Record,
    changeset::Op,
    table::{counter, strike},
};

/// What the guard wants done for `records`, in the order of their keys, so that two transactions never wait for each
/// other.
pub(crate) fn effect_ops(guard: &dyn CommitGuard, records: &[Record]) -> Vec<Op> {
    let mut effects: Vec<Effect> = records.iter().flat_map(|record| guard.effects(&record.facts)).collect();
    effects.sort();
    effects.iter().flat_map(ops).collect()
}

fn ops(effect: &Effect) -> Vec<Op> {
    match effect {
        Effect::CounterAdd { key, by } => counter::add(key, *by),
        Effect::CounterMove { key, into } => counter::keep(key, into),
        Effect::Strike(offence) => strike::strike(offence),
    }
}
