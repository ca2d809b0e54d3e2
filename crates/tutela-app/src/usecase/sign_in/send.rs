//! Sending a code by SMS or mail, bound to one sign-in. How many go to one target, and are asked for from one
//! address, is limited: text messages cost money, and mail annoys.

use tutela_identity::{
    AuthenticatorKind,
    authenticator::{Code, SentCode},
    event::MessageRefused,
};
use tutela_limits::Refused;
use tutela_store::Changeset;

use super::{
    Flow, Visitor,
    attempts::{self, NotReserved, Scope},
};
use crate::{App, Ctx, Error, text, usecase::message};

/// Sends a code, in place of any that was sent before.
pub async fn send_code(app: &App, ctx: &Ctx, visitor: &Visitor, token: &str, kind: AuthenticatorKind) -> Result<(), Error> {
    let mut flow = Flow::asked(app, ctx, visitor, token, kind).await?;
    let account = flow.account().clone();
    let (target, channel) = match kind {
        AuthenticatorKind::Sms => (account.phone.clone().unwrap_or_default(), "sms"),
        AuthenticatorKind::Email => (account.email.as_str().to_owned(), "mail"),
        _ => return Err(Error::Conflict("no code is sent for that".into())),
    };
    allow(app, ctx, Some(account.id), &target, channel).await?;
    let code = Code::new(&mut { app.env() });
    let id = flow.row.sign_in.id.to_string();
    let sent = SentCode::new(code.hash(&app.sign_in_key, &[&id, kind.as_str()]), ctx.now);
    let shown = code.text();
    let on_its_way = match kind {
        AuthenticatorKind::Sms => message::sms(app, ctx, &target, text::sms_code(shown.open(), app.own_host()), Some(sent.expires_at))?,
        _ => message::mail(app, ctx, &target, &text::Mail::Code { code: shown.open() }, Some(sent.expires_at))?,
    };
    flow.row.code = Some((kind, sent));
    Ok(app.store.commit(on_its_way(Changeset::sign_in_step().sign_in_code(&flow.row))).await?)
}

/// Counts a message to `target`; too many are refused, and that is an event.
pub(crate) async fn allow(app: &App, ctx: &Ctx, account: Option<tutela_core::AccountId>, target: &str, channel: &'static str) -> Result<(), Error> {
    // A whole office may sign in from one address; mail to people who have proven a password costs nobody money.
    let from = ctx.ip.as_ref().filter(|_| account.is_none() || channel == "sms").map(|ip| Scope::MessagesFrom(*ip.open()));
    let scopes: Vec<Scope> = [Scope::MessagesTo(account, target.to_owned())].into_iter().chain(from).collect();
    match attempts::reserve(app, ctx, scopes).await {
        Ok(_) => Ok(()),
        Err(NotReserved::Failed(e)) => Err(e),
        Err(NotReserved::Full(scope, refused)) => {
            let limit = if matches!(scope, Scope::MessagesTo(..)) { "target" } else { "address" };
            app.commit(ctx, MessageRefused::new(account, channel, limit), |c| c).await?;
            let after = match refused {
                Refused::Locked { until } => until.since(ctx.now),
                Refused::Exhausted => app.limits.messages.lockout.duration(),
            };
            Err(Error::TooMany { after })
        }
    }
}
