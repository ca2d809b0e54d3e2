//! Making an account for oneself, where the configuration lets everybody.
//!
//! The answer is the same for an address that has an account already: then its owner is told by mail, and
//! nothing is made. A new account can be signed in with once its address is verified.

use tutela_core::{AccountId, Secret};
use tutela_identity::{Account, AccountState, Email, event::AccountSignedUp};
use tutela_store::Changeset;

use crate::{
    App, Ctx, Error, SignUp, text,
    usecase::{
        link::{self, Purpose},
        message, password, profile,
        sign_in::send,
    },
};

/// What somebody typed.
pub struct Wish {
    /// Mail address.
    pub email: String,
    /// Name shown to people.
    pub name: String,
    /// The password.
    pub password: Secret<String>,
}

/// Whether everybody may make an account.
pub fn is_open(app: &App) -> bool {
    app.identity.sign_up == SignUp::Open && app.mail.is_some()
}

/// Makes an account, or tells whoever has one with this address.
pub async fn sign_up(app: &App, ctx: &Ctx, wish: Wish) -> Result<(), Error> {
    if !is_open(app) {
        return Err(Error::Conflict("accounts are made by administrators here (`identity.sign_up`)".into()));
    }
    let account = Account::new(AccountId::new(ctx.now, &mut { app.env() }), Email::parse(&wish.email)?, &wish.name, ctx.now)?;
    let account = Account { state: AccountState::Unverified, ..account };
    // Hashed in any case: whether there is an account takes no other time.
    let hash = password::accept(app, ctx, &account, wish.password).await?;
    send::allow(app, ctx, None, account.email.as_str(), "mail").await?;
    if let Some((known, _)) = app.store.account_get_by_email(&account.email).await? {
        let made = link::make(app, ctx, Purpose::Reset, Some(known.id), None)?;
        let mail = message::mail(app, ctx, known.email.as_str(), &text::Mail::Exists { reset_url: &made.url }, Some(made.row.row.expires_at))?;
        return Ok(app.store.commit(mail(Changeset::sign_in_step().link_insert(&made.row))).await?);
    }
    let verification = profile::verification(app, ctx, &account)?;
    let signed_up = AccountSignedUp::new(account.id, account.email.as_str());
    match app.commit(ctx, signed_up, |c| verification(c.account_insert(&account, Some(&hash)))).await {
        // The same address, a moment earlier.
        Err(Error::Store(tutela_store::Error::Conflict(_))) => Ok(()),
        done => done,
    }
}
