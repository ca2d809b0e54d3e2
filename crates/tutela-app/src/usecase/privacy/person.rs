//! A person under every name that is known of them.

use tutela_api as api;
use tutela_core::Subject;

use crate::{App, Error, usecase::crypto::subject_of};

/// A data subject: an account and what applications call it are one.
pub(crate) struct Person {
    /// The name that new things are kept under: the account where there is one.
    pub subject: Subject,
    /// Every name, this first.
    pub names: Vec<Subject>,
}

impl Person {
    /// From the way an API names one.
    pub(crate) async fn named(app: &App, subject: &api::SubjectRef) -> Result<Self, Error> {
        Self::of(app, subject_of(subject)?).await
    }

    pub(crate) async fn of(app: &App, subject: Subject) -> Result<Self, Error> {
        let account = match &subject {
            Subject::Account(account) => Some(*account),
            Subject::External { namespace, value } => app.store.external_id_get(namespace, value).await?,
            Subject::Unknown(_) => None,
        };
        let Some(account) = account else { return Ok(Self { names: vec![subject.clone()], subject }) };
        let others = app.store.external_id_list(account).await?.into_iter().map(|(namespace, value)| Subject::External { namespace, value });
        let subject = Subject::Account(account);
        Ok(Self { names: std::iter::once(subject.clone()).chain(others).collect(), subject })
    }

    /// The keyed hash that new things are kept under.
    pub(crate) fn tag(&self, app: &App) -> [u8; 32] {
        app.ring.tag(&self.subject)
    }

    /// Those of every name: what was kept before an application's name became an account's is found too.
    pub(crate) fn tags(&self, app: &App) -> Vec<[u8; 32]> {
        self.names.iter().map(|name| app.ring.tag(name)).collect()
    }
}
