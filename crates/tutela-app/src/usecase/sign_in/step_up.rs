//! Proving again who one is: before credentials are changed, and where a route or a call asks for it.

use tutela_core::{AuthStrength, Principal};
use tutela_identity::sign_in::Wanted;

use super::{Flow, Next, Person, Progress, Visitor, begin::REMEMBERED};
use crate::{App, Ctx, Error, usecase::session};

/// What is asked of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needed {
    /// A proof not older than `identity.session.fresh`, as strong as signing in.
    Fresh,
    /// At least this strong, and not older than so many seconds where there are any.
    Strong(AuthStrength, Option<u32>),
}

/// Refuses a session that is too old or too weak, with the way to make it stronger.
pub async fn require_fresh(app: &App, ctx: &Ctx, needed: Needed) -> Result<(), Error> {
    let Principal::Account { session, .. } = &ctx.principal else { return Ok(()) };
    let live = app.store.session_get(*session).await?.filter(|s| s.is_live(ctx.now)).ok_or(Error::Unauthenticated("the session has ended"))?;
    let (aal, age) = match needed {
        Needed::Fresh => (AuthStrength::Aal1, Some(app.identity.session.fresh)),
        Needed::Strong(aal, age) => (aal, age),
    };
    let age = age.map(|seconds| std::time::Duration::from_secs(u64::from(seconds)));
    // A remembered device spares the second factor at the door, not before credentials change (ASVS 7.5.1).
    let spared = live.assurance.amr.iter().any(|method| method == REMEMBERED);
    if live.assurance.aal >= aal && !spared && age.is_none_or(|age| live.is_fresh(age, ctx.now)) {
        return Ok(());
    }
    let challenge = format!("{}/step-up?acr={}", app.urls.public, aal.acr());
    Err(Error::NotFresh { challenge, acr: aal.acr(), max_age: age.map_or(0, |age| age.as_secs()) })
}

/// Permits an act over others: by role or grant, and by a sign-in that is fresh (ASVS 7.5.3). Whoever left a console
/// open did not leave the power to make administrators.
pub(crate) async fn permit_fresh(app: &App, ctx: &Ctx, permission: &'static str) -> Result<(), Error> {
    app.permit(ctx, permission).await?;
    require_fresh(app, ctx, Needed::Fresh).await
}

/// Begins a step-up of the caller's session. Nothing of an earlier sign-in counts for it.
pub async fn step_up(app: &App, ctx: &Ctx, visitor: &Visitor, aal: AuthStrength, factors: u8) -> Result<Progress, Error> {
    let account = session::own_account(ctx)?;
    let session = ctx.principal.session().ok_or(Error::Unauthenticated("nobody is signed in"))?;
    let person = Person::load(app, account, visitor.device.as_deref()).await?.ok_or(Error::NotFound("account"))?;
    let ways = person.ways(app);
    let sign_in = Wanted::to_sign_in(app.identity.mfa.required_factors.max(factors), &ways.has, false);
    let had = app.store.session_get(session).await?.map_or(aal, |live| live.assurance.aal);
    let mut flow = Flow::stronger(app, ctx, visitor, person, session, Wanted { aal: aal.max(had), ..sign_in });
    // As strong as the session already is, where the account still can.
    if !matches!(flow.standing().next, Next::Challenge(_)) {
        flow.row.sign_in.wanted.aal = aal;
    }
    flow.advance().await
}
