//! Somebody who puts their name under what two people have to agree on.

use serde::{Deserialize, Serialize};
use tutela_core::Principal;

use super::grant::approver;
use crate::{App, Ctx, Error};

/// A person, known by what stays the same when they change their name.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Signer {
    pub id: String,
    /// What they were called then.
    pub name: String,
}

impl Signer {
    /// Whoever asks. A program is nobody who signs: whoever holds its key would sign twice.
    pub(crate) async fn of(app: &App, ctx: &Ctx) -> Result<Self, Error> {
        let id = match &ctx.principal {
            Principal::Account { id, .. } => format!("account/{id}"),
            Principal::Operator { .. } => "operator".to_owned(),
            Principal::Anonymous | Principal::Client { .. } | Principal::System(_) => {
                return Err(Error::Conflict("two people have to agree on this, and a program is none: sign in, or use the host's socket".into()));
            }
        };
        Ok(Self { id, name: approver(app, ctx).await? })
    }
}
