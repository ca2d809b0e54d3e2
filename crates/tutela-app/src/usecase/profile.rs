//! What people change about their own account: the name, the mail address, the phone.

use serde::{Deserialize, Serialize};
use tutela_core::AccountId;
use tutela_identity::{
    Account, AuthenticatorKind, Email, SessionEndReason,
    authenticator::{Code, Phone, SentCode},
    display_name,
    event::{AccountEmailChanged, AccountEmailVerified, AccountPhoneSet, AccountProfileChanged},
};
use tutela_store::Changeset;

use crate::{
    App, Ctx, Error, text,
    usecase::{
        link::{self, Purpose},
        message,
        session::{self, Ending},
        sign_in::{
            self, Needed, Person,
            attempts::{self, Scope},
            send,
        },
    },
};

const PHONE: &[u8] = b"phone";

/// A phone that a code was sent to.
#[derive(Serialize, Deserialize)]
struct Pending {
    account: AccountId,
    phone: String,
    code: SentCode,
}

/// The caller's account.
pub async fn own(app: &App, ctx: &Ctx) -> Result<Account, Error> {
    app.store.account_get(session::own_account(ctx)?).await?.ok_or(Error::NotFound("account"))
}

/// Sets the name the caller shows.
pub async fn rename(app: &App, ctx: &Ctx, name: &str) -> Result<(), Error> {
    let id = session::own_account(ctx)?;
    let name = display_name(name)?;
    app.commit(ctx, AccountProfileChanged::new(id, &name), |c| c.account_set_name(id, &name).announce("account", id)).await?;
    app.forget(id.0);
    Ok(())
}

/// Mails a link to the caller's address, that says mail arrives there.
pub async fn send_verification(app: &App, ctx: &Ctx) -> Result<(), Error> {
    let account = own(app, ctx).await?;
    send::allow(app, ctx, Some(account.id), account.email.as_str(), "mail").await?;
    let change = verification(app, ctx, &account)?;
    Ok(app.store.commit(change(Changeset::sign_in_step())).await?)
}

/// A link for `account`'s address on its way.
pub(crate) fn verification(app: &App, ctx: &Ctx, account: &Account) -> Result<impl FnOnce(Changeset) -> Changeset + use<>, Error> {
    let made = link::make(app, ctx, Purpose::VerifyEmail, Some(account.id), Some(account.email.as_str()))?;
    let mail = message::mail(app, ctx, account.email.as_str(), &text::Mail::Verify { url: &made.url }, Some(made.row.row.expires_at))?;
    Ok(move |changeset: Changeset| mail(changeset.link_insert(&made.row)))
}

/// Whether a link confirms an address; looking uses nothing up.
pub async fn find_verification(app: &App, ctx: &Ctx, token: &str) -> Result<(), Error> {
    link::find(app, ctx, Purpose::VerifyEmail, token).await.map(|_| ())
}

/// Takes the link.
pub async fn verify_email(app: &App, ctx: &Ctx, token: &str) -> Result<(), Error> {
    let (row, payload) = link::find(app, ctx, Purpose::VerifyEmail, token).await?;
    let (Some(id), Some(email)) = (row.account, payload) else { return Err(Error::NotFound("link")) };
    let email = Email::parse(&email)?;
    app.commit(ctx, AccountEmailVerified::new(id), |c| c.link_use(row.id, ctx.now).account_verify_email(id, &email, ctx.now).account_activate(id)).await
}

/// Mails a link to another address; it is the caller's once the link is followed.
pub async fn begin_email_change(app: &App, ctx: &Ctx, email: &str) -> Result<(), Error> {
    sign_in::require_fresh(app, ctx, Needed::Fresh).await?;
    let account = own(app, ctx).await?;
    if app.mail.is_none() {
        return Err(Error::Conflict("this server sends no mail, so a new address cannot be confirmed; ask an administrator".into()));
    }
    let email = Email::parse(email)?;
    // Counted for the account too: it is no machine that sends mail to whomever one likes.
    send::allow(app, ctx, Some(account.id), "another address", "mail").await?;
    send::allow(app, ctx, Some(account.id), email.as_str(), "mail").await?;
    // Whether the address is taken is told to nobody but its owner: the link fails later.
    let made = link::make(app, ctx, Purpose::ChangeEmail, Some(account.id), Some(email.as_str()))?;
    let mail = message::mail(app, ctx, email.as_str(), &text::Mail::ConfirmEmail { url: &made.url }, Some(made.row.row.expires_at))?;
    let change = |c: Changeset| mail(c.link_retire(Purpose::ChangeEmail.as_str(), Some(account.id), ctx.now).link_insert(&made.row));
    Ok(app.store.commit(change(Changeset::sign_in_step())).await?)
}

/// Whether a link confirms a new address; looking uses nothing up.
pub async fn find_email_change(app: &App, ctx: &Ctx, token: &str) -> Result<(), Error> {
    link::find(app, ctx, Purpose::ChangeEmail, token).await.map(|_| ())
}

/// Takes the link: the account has the new address, the old one is told, and every session ends.
pub async fn change_email(app: &App, ctx: &Ctx, token: &str) -> Result<(), Error> {
    let (row, payload) = link::find(app, ctx, Purpose::ChangeEmail, token).await?;
    let (Some(id), Some(email)) = (row.account, payload) else { return Err(Error::NotFound("link")) };
    let account = app.store.account_get(id).await?.ok_or(Error::NotFound("account"))?;
    let email = Email::parse(&email)?;
    let mail = message::mail(app, ctx, account.email.as_str(), &text::Mail::EmailChanged { new: email.as_str() }, None)?;
    let (_, ending) = session::ending(app, ctx, id, Ending::AllBut(None), SessionEndReason::EmailChanged).await?;
    app.commit(ctx, AccountEmailChanged::new(id, account.email.as_str(), email.as_str()), |c| {
        let changeset = ending(c).link_use(row.id, ctx.now).account_set_email(id, &email, Some(ctx.now));
        mail(changeset.device_forget_all(id).sign_in_end_by_account(id))
    })
    .await?;
    app.forget(id.0);
    Ok(())
}

/// Sends a code to a phone. What comes back with the code is sealed, and holds no row.
pub async fn begin_phone(app: &App, ctx: &Ctx, phone: &str) -> Result<String, Error> {
    sign_in::require_fresh(app, ctx, Needed::Fresh).await?;
    let id = session::own_account(ctx)?;
    let mfa = &app.identity.mfa;
    if !app.offers(AuthenticatorKind::Sms) {
        return Err(Error::Conflict("this server sends no text messages (`identity.mfa.providers`, `channels.sms`)".into()));
    }
    let phone = Phone::parse(phone)?;
    if !mfa.sms_prefixes.is_empty() && !phone.is_allowed(&mfa.sms_prefixes) {
        return Err(Error::invalid("phone", format!("text messages go to numbers that begin with {} only", mfa.sms_prefixes.join(", "))));
    }
    send::allow(app, ctx, Some(id), phone.as_str(), "sms").await?;
    let code = Code::new(&mut { app.env() });
    let sent = SentCode::new(code.hash(&app.sign_in_key, &[&id.to_string(), phone.as_str()]), ctx.now);
    let on_its_way = message::sms(app, ctx, phone.as_str(), text::sms_code(code.text().open(), app.own_host()), Some(sent.expires_at))?;
    let sealed = app.seal_as(PHONE, &Pending { account: id, phone: phone.as_str().to_owned(), code: sent })?;
    app.store.commit(on_its_way(Changeset::sign_in_step())).await?;
    Ok(sealed)
}

/// Takes the code that arrived: the phone is the caller's.
pub async fn verify_phone(app: &App, ctx: &Ctx, sealed: &str, typed: &str) -> Result<(), Error> {
    sign_in::require_fresh(app, ctx, Needed::Fresh).await?;
    let id = session::own_account(ctx)?;
    let stale = || Error::invalid("code", "the code is not right, or too old");
    let mut pending: Pending = app.open_as(PHONE, sealed).ok_or_else(stale)?;
    // The sealed state cannot count; this bucket does.
    let reserved = attempts::reserve_one(app, ctx, Scope::Code(id, AuthenticatorKind::Sms)).await?;
    let taken = pending.code.take(typed, &app.sign_in_key, &[&id.to_string(), &pending.phone], ctx.now);
    if pending.account != id || taken.is_err() {
        return Err(stale());
    }
    let phone = pending.phone.as_str();
    let mail = told(app, ctx, &own(app, ctx).await?, "Codes for signing in to your account now go to another phone.")?;
    let (_, ending) = session::ending(app, ctx, id, Ending::AllBut(ctx.principal.session()), SessionEndReason::AuthenticatorsChanged).await?;
    app.commit(ctx, AccountPhoneSet::new(id, Some(phone)), |c| {
        mail(ending(reserved.clear(app, c)).account_set_phone(id, Some(phone), Some(ctx.now)).device_forget_all(id))
    })
    .await?;
    app.forget(id.0);
    Ok(())
}

/// Takes the phone away.
pub async fn remove_phone(app: &App, ctx: &Ctx) -> Result<(), Error> {
    sign_in::require_fresh(app, ctx, Needed::Fresh).await?;
    let id = session::own_account(ctx)?;
    let person = Person::load(app, id, None).await?.ok_or(Error::NotFound("account"))?;
    person.keeps_a_second(app, None)?;
    let mail = told(app, ctx, &person.account, "Codes for signing in to your account go to no phone any more.")?;
    let (_, ending) = session::ending(app, ctx, id, Ending::AllBut(ctx.principal.session()), SessionEndReason::AuthenticatorsChanged).await?;
    app.commit(ctx, AccountPhoneSet::new(id, None), |c| mail(ending(c).account_set_phone(id, None, None).device_forget_all(id))).await?;
    app.forget(id.0);
    Ok(())
}

/// Mail to the owner that something about signing in has changed.
fn told(app: &App, ctx: &Ctx, account: &Account, what: &str) -> Result<impl FnOnce(Changeset) -> Changeset + use<>, Error> {
    message::mail(app, ctx, account.email.as_str(), &text::Mail::Authenticator { what }, None)
}
