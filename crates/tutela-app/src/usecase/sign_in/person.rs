//! Everything that a sign-in needs to know of an account, read at once.

use std::collections::BTreeSet;

use tutela_core::{AccountId, AuthenticatorId, OutsideId, Timestamp};
use tutela_identity::{
    Account, AccountState, AuthenticatorKind, Email, PasswordHash, Token,
    authenticator::StoredPasskey,
    device::Device,
    sign_in::{Wanted, Ways},
};
use tutela_store::{AccountWays, AuthenticatorRow, OutsideRow, PasswordRow};

use super::{attempts::Scope, password::TOO_OLD};
use crate::{App, Error, usecase::password};

/// An account with its ways to sign in.
pub(crate) struct Person {
    pub account: Account,
    pub password: PasswordRow,
    /// The password's hash, where there is one of our own making.
    pub hash: Option<PasswordHash>,
    pub authenticators: Vec<AuthenticatorRow>,
    /// Who it is at outside providers.
    pub outsides: Vec<OutsideRow>,
    /// The device it signs in with, where it knows it.
    pub device: Option<Device>,
}

impl Person {
    /// By id; `None` where the account may not be used.
    pub(crate) async fn load(app: &App, id: AccountId, device: Option<&Token>) -> Result<Option<Self>, Error> {
        let found = app.store.account_get_ways(id, device.map(Token::hash)).await?;
        Ok(found.map(|found| Self::of(app, found)).filter(|person| person.account.state == AccountState::Active))
    }

    /// By the name used to sign in, in whatever state.
    pub(crate) async fn find(app: &App, email: &Email, device: Option<&Token>) -> Result<Option<Self>, Error> {
        let found = app.store.account_get_ways_by_email(email, device.map(Token::hash)).await?;
        Ok(found.map(|found| Self::of(app, found)))
    }

    fn of(app: &App, found: AccountWays) -> Self {
        let AccountWays { account, password, authenticators, outsides, device } = found;
        let hash = password::open(app, account.id, &password);
        Self { account, password, hash, authenticators, outsides, device }
    }

    /// Those of one kind.
    pub(crate) fn of_kind(&self, kind: AuthenticatorKind) -> impl Iterator<Item = &AuthenticatorRow> {
        self.authenticators.iter().filter(move |row| row.kind == kind)
    }

    /// Where a wrong password for it counts.
    pub(crate) fn password_scope(&self) -> Scope {
        let known = self.device.as_ref().map(|device| Scope::KnownDevice(self.account.id, device.id));
        known.unwrap_or_else(|| Scope::unknown_devices(&self.account.email))
    }

    /// Refuses to take the last second factor away where one is required, or where there is no password.
    pub(crate) fn keeps_a_second(&self, app: &App, without: Option<AuthenticatorId>) -> Result<(), Error> {
        let second = |row: &&AuthenticatorRow| matches!(row.kind, AuthenticatorKind::Passkey | AuthenticatorKind::Totp) && Some(row.id) != without;
        let needed = app.identity.mfa.required_factors > 1 || self.hash.is_none();
        if needed && !self.authenticators.iter().any(|row| second(&row)) {
            return Err(Error::Conflict("this is the only second factor, and one is required; set up another first".into()));
        }
        Ok(())
    }

    /// Whether there is a way to begin a sign-in beside one outside identity.
    pub(crate) fn can_begin_without(&self, app: &App, outside: OutsideId) -> bool {
        let other = |row: &OutsideRow| row.id != outside && app.outside.get(&row.provider).is_some();
        let passkey = app.passkeys.is_some() && self.of_kind(AuthenticatorKind::Passkey).next().is_some();
        self.hash.is_some() || passkey || self.outsides.iter().any(other)
    }

    /// What it can be asked for, and what it could set up.
    pub(crate) fn ways(&self, app: &App) -> Ways {
        let mut has: BTreeSet<AuthenticatorKind> = self.authenticators.iter().map(|row| row.kind).collect();
        if self.of_kind(AuthenticatorKind::Recovery).all(|row| row.counter == 0) {
            has.remove(&AuthenticatorKind::Recovery);
        }
        if app.passkeys.is_none() {
            has.remove(&AuthenticatorKind::Passkey);
        }
        let can_text = app.offers(AuthenticatorKind::Sms);
        // Whoever reset the password through the mailbox has proven the mailbox already.
        let can_mail = app.offers(AuthenticatorKind::Email) && self.password.mail_reset_at.is_none();
        let has_second = [AuthenticatorKind::Passkey, AuthenticatorKind::Totp].iter().any(|kind| has.contains(kind))
            || (can_text && self.account.phone_verified_at.is_some());
        // Where others may know the password and there is nothing else, the mailbox says who chooses the next one.
        let must_mail = app.mail.is_some() && self.is_compromised() && !has_second;
        let also = [
            (AuthenticatorKind::Outside, self.outsides.iter().any(|row| app.outside.get(&row.provider).is_some())),
            (AuthenticatorKind::Password, self.hash.is_some()),
            (AuthenticatorKind::Sms, can_text && self.account.phone_verified_at.is_some()),
            (AuthenticatorKind::Email, must_mail || (can_mail && self.account.email_verified_at.is_some())),
        ];
        has.extend(also.into_iter().filter_map(|(kind, there)| there.then_some(kind)));
        let offered = [AuthenticatorKind::Passkey, AuthenticatorKind::Totp];
        let offered = offered.into_iter().filter(|kind| app.offers(*kind) && !has.contains(kind)).collect();
        Ways { has, offered }
    }

    /// Whether others may know its password.
    pub(crate) fn is_compromised(&self) -> bool {
        self.password.must_change.as_deref().is_some_and(|why| why != TOO_OLD)
    }

    /// What signing in asks of it at `now`.
    pub(crate) fn wanted(&self, app: &App, ways: &Ways, now: Timestamp) -> Wanted {
        let remembered = app.identity.mfa.remember_device && self.device.as_ref().is_some_and(|device| device.is_remembered(now));
        Wanted::to_sign_in(app.identity.mfa.required_factors, &ways.has, remembered)
    }
}

/// Passkeys as the engine takes them.
pub(crate) fn unseal_passkeys<'a>(app: &App, rows: impl Iterator<Item = &'a AuthenticatorRow>) -> Result<Vec<StoredPasskey>, Error> {
    rows.map(|row| {
        let text = app.unseal_secret(row)?;
        let credential_id = row.handle.clone().unwrap_or_default();
        Ok(StoredPasskey { credential_id, text: String::from_utf8_lossy(text.open()).into_owned(), backed_up: false })
    })
    .collect()
}
