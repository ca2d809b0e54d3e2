//! What has to happen in the very commit of an event. First use of the seam: failed sign-ins are
//! counted per account where they are recorded, so that the person is told of them at the next
//! sign-in. Bounded detection rules join here.

use tutela_core::{
    AccountId, Occurrence as _,
    seam::{CommitGuard, Effect, Facts},
};
use tutela_identity::event::{SessionStarted, SignInFailed};

/// The guard that the binary wires into the store.
pub struct Guard;

impl CommitGuard for Guard {
    fn effects(&self, facts: &Facts) -> Vec<Effect> {
        let Some(account) = facts.account else { return Vec::new() };
        if facts.kind == SignInFailed::TYPE.name {
            vec![Effect::CounterAdd { key: failing(account), by: 1 }]
        } else if facts.kind == SessionStarted::TYPE.name {
            vec![Effect::CounterMove { key: failing(account), into: failed_before(account) }]
        } else {
            Vec::new()
        }
    }
}

/// Failed sign-ins since the last one that succeeded.
fn failing(account: AccountId) -> String {
    format!("sign-in-failed/{account}")
}

/// Failed sign-ins between the last two that succeeded.
pub fn failed_before(account: AccountId) -> String {
    format!("sign-in-failed-before/{account}")
}
