//! Connections between accounts here and accounts there: made with proof on both sides, shown, ended.

use serde::{Deserialize, Serialize};
use tutela_core::{AccountId, OutsideId, SessionId, Timestamp};
use tutela_identity::{
    SessionEndReason, Token, TokenKind,
    event::{OutsideConnected, OutsideDisconnected},
    federation::Arrival,
};

use super::{arrive, ends};
use crate::{
    App, Ctx, Error, OutsideProvider, text,
    usecase::{
        message,
        session::{self, Ending},
        sign_in::{self, Needed, Person},
    },
};

const OFFER: &[u8] = b"outside offer";
/// Most identities that an account is connected with.
const MOST: usize = 20;

/// An identity that a provider has vouched for, and that nobody here is yet.
#[derive(Serialize, Deserialize)]
struct Sealed {
    provider: String,
    subject: String,
    shown: String,
    to: String,
    cookie: [u8; 32],
    until: Timestamp,
}

/// What can be connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// What the provider's button says.
    pub label: String,
    /// What the person knows the identity by.
    pub shown: String,
    /// Where the person goes afterwards.
    pub to: String,
}

/// An account somewhere else that an account here is connected with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connected {
    /// Its id.
    pub id: OutsideId,
    /// Name of the provider.
    pub provider: String,
    /// What the provider's button says; its name where it is no longer configured.
    pub label: String,
    /// What the person knows the identity by.
    pub shown: String,
    /// When it was connected.
    pub created_at: Timestamp,
    /// When somebody last signed in with it.
    pub last_used_at: Option<Timestamp>,
}

/// Seals what a provider has vouched for, until its owner has proven an account here too. It is bound to the browser:
/// nobody connects what another has proven.
pub(super) fn offer(app: &App, ctx: &Ctx, provider: &OutsideProvider, arrival: &Arrival, shown: &str, to: String, cookie: [u8; 32]) -> Result<String, Error> {
    let sealed = Sealed { provider: provider.name.clone(), subject: arrival.subject.clone(), shown: shown.to_owned(), to, cookie, until: ends(ctx.now) };
    app.seal_as(OFFER, &sealed)
}

fn open(app: &App, ctx: &Ctx, sealed: &str, cookie: Option<&str>) -> Result<Sealed, Error> {
    let cookie = cookie.and_then(|text| Token::parse(TokenKind::Errand, text)).map(|token| token.hash());
    let offer: Option<Sealed> = app.open_as(OFFER, sealed);
    offer
        .filter(|offer| Some(offer.cookie) == cookie && ctx.now < offer.until)
        .ok_or(Error::NotFound("offer: it took longer than 15 minutes, or began in another browser"))
}

/// What an offer is about.
pub fn read_offer(app: &App, ctx: &Ctx, sealed: &str, cookie: Option<&str>) -> Result<Offer, Error> {
    let offer = open(app, ctx, sealed, cookie)?;
    let label = app.outside.get(&offer.provider).map(|provider| provider.label.clone()).ok_or(Error::NotFound("provider"))?;
    Ok(Offer { label, shown: offer.shown, to: offer.to })
}

/// Connects what was offered with the account of the caller, who has just signed in to it. Gives where they go next.
pub async fn connect(app: &App, ctx: &Ctx, sealed: &str, cookie: Option<&str>) -> Result<String, Error> {
    let account = session::own_account(ctx)?;
    sign_in::require_fresh(app, ctx, Needed::Fresh).await?;
    let offer = open(app, ctx, sealed, cookie)?;
    write(app, ctx, account, &offer.provider, &offer.subject, &offer.shown).await?;
    Ok(offer.to)
}

pub(super) async fn write(app: &App, ctx: &Ctx, account: AccountId, provider: &str, subject: &str, shown: &str) -> Result<(), Error> {
    let label = app.outside.get(provider).map(|provider| provider.label.clone()).ok_or(Error::NotFound("provider"))?;
    if app.store.outside_list(account).await?.len() >= MOST {
        return Err(Error::Conflict(format!("an account is connected with at most {MOST} others; disconnect one first")));
    }
    let row = arrive::row(app, ctx.now, account, provider, subject, shown, false)?;
    let tell = arrive::tell(app, ctx, account, &label).await?;
    let connected = OutsideConnected::new(account, row.id, provider, "connected", subject);
    match app.commit(ctx, connected, |c| tell(c.outside_insert(&row))).await {
        Err(Error::Store(tutela_store::Error::Conflict(_))) => {
            Err(Error::Conflict(format!("this account at {label} is connected with an account here already")))
        }
        done => done,
    }
}

/// The caller's connections, oldest first.
pub async fn list(app: &App, ctx: &Ctx) -> Result<Vec<Connected>, Error> {
    of(app, session::own_account(ctx)?).await
}

/// The connections of an account, oldest first.
pub async fn list_for(app: &App, ctx: &Ctx, account: AccountId) -> Result<Vec<Connected>, Error> {
    app.permit(ctx, "accounts:read").await?;
    of(app, account).await
}

async fn of(app: &App, account: AccountId) -> Result<Vec<Connected>, Error> {
    let shown = |row: tutela_store::OutsideRow| {
        let label = app.outside.get(&row.provider).map_or_else(|| row.provider.clone(), |provider| provider.label.clone());
        let shown = arrive::open_row(app, &row).map_or_else(|| "…".to_owned(), |kept| kept.shown);
        Connected { id: row.id, label, shown, provider: row.provider, created_at: row.created_at, last_used_at: row.last_used_at }
    };
    Ok(app.store.outside_list(account).await?.into_iter().map(shown).collect())
}

/// Disconnects one of the caller's, if another way to sign in is left.
pub async fn disconnect(app: &App, ctx: &Ctx, id: OutsideId) -> Result<(), Error> {
    let account = session::own_account(ctx)?;
    sign_in::require_fresh(app, ctx, Needed::Fresh).await?;
    let person = Person::load(app, account, None).await?.ok_or(Error::NotFound("account"))?;
    if !person.can_begin_without(app, id) {
        return Err(Error::Conflict("this is the only way into your account; set a password or a passkey first".into()));
    }
    take_away(app, ctx, &person, id, None, ctx.principal.session()).await
}

/// Disconnects one of somebody's, with a reason.
pub async fn disconnect_for(app: &App, ctx: &Ctx, account: AccountId, id: OutsideId, why: &str) -> Result<(), Error> {
    super::super::account::not_own(ctx, account)?;
    sign_in::permit_fresh(app, ctx, "authenticators:write").await?;
    let person = Person::load(app, account, None).await?.ok_or(Error::NotFound("account"))?;
    super::super::role::must_be_over(app, ctx, account).await?;
    let why = super::super::account::reason(why)?;
    take_away(app, ctx, &person, id, Some(&why), None).await
}

/// What the identity was used for ends with it: every session but the one that asks.
async fn take_away(app: &App, ctx: &Ctx, person: &Person, id: OutsideId, why: Option<&str>, keep: Option<SessionId>) -> Result<(), Error> {
    let account = person.account.id;
    let row = person.outsides.iter().find(|row| row.id == id).ok_or(Error::NotFound("connection"))?;
    let label = app.outside.get(&row.provider).map_or(row.provider.as_str(), |provider| &provider.label);
    let what = format!("Your account is no longer connected with an account at {label}.");
    let mail = message::mail(app, ctx, person.account.email.as_str(), &text::Mail::Authenticator { what: &what }, None)?;
    let (_, ending) = session::ending(app, ctx, account, Ending::AllBut(keep), SessionEndReason::AuthenticatorsChanged).await?;
    let disconnected = OutsideDisconnected::new(account, id, &row.provider, why);
    app.commit(ctx, disconnected, |c| mail(ending(c.outside_delete(id, account)))).await?;
    app.forget(account.0);
    Ok(())
}
