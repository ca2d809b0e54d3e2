//! What has to happen in the very commit of an event. Failed sign-ins are counted per account where they are recorded,
//! so that the person is told of them at the next sign-in; and rules that [can](tutela_detection::Rule::bounded) block an
//! address in the commit of its offence.

use std::sync::{Arc, OnceLock, Weak};

use tutela_core::{
    AccountId, Occurrence as _,
    seam::{CommitGuard, Effect, Facts},
};
use tutela_identity::event::{SessionStarted, SignInFailed};

use crate::{App, app::Inner, usecase::block};

/// The guard that the binary wires into the store. It blocks nobody before it was given the application it is a part of.
#[derive(Clone, Default)]
pub struct Guard(Arc<OnceLock<Weak<Inner>>>);

impl Guard {
    /// Gives it the application.
    pub(crate) fn arm(&self, app: &App) {
        let _ = self.0.set(app.downgrade());
    }

    /// What rules do at once.
    fn strikes(&self, facts: &Facts) -> Vec<Effect> {
        let (Some(inner), Some(address), Some(at)) = (self.0.get().and_then(Weak::upgrade), facts.ip, facts.time) else { return Vec::new() };
        let app = App::from(inner);
        let running = app.detection.running();
        running.at_once(&facts.kind).iter().filter_map(|rule| block::strike(&app, rule, address, at).map(Effect::Strike)).collect()
    }
}

impl CommitGuard for Guard {
    fn effects(&self, facts: &Facts) -> Vec<Effect> {
        let mut effects = self.strikes(facts);
        let Some(account) = facts.account else { return effects };
        if facts.kind == SignInFailed::TYPE.name {
            effects.push(Effect::CounterAdd { key: failing(account), by: 1 });
        } else if facts.kind == SessionStarted::TYPE.name {
            effects.push(Effect::CounterMove { key: failing(account), into: failed_before(account) });
        }
        effects
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
