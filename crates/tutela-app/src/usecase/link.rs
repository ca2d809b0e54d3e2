//! One-time links: what each is for, how long it is good, and that it works once.

use std::time::Duration;

use tutela_core::{AccountId, LinkId};
use tutela_identity::{Token, TokenKind};
use tutela_kms::{open_token, seal_token};
use tutela_store::{LinkRow, NewLink};

use crate::{App, Ctx, Error};

/// What a link does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Confirms what somebody without an account asks for about their data.
    AskForData,
    /// Sets another mail address, which is in the link.
    ChangeEmail,
    /// Says that a sign-in with the device in the link was not one's own.
    NotMe,
    /// Sets a new password.
    Reset,
    /// Sets an account up: the first administrator's, or an invited person's.
    SetUp,
    /// Lifts the locks of an account.
    Unlock,
    /// Says that mail arrives.
    VerifyEmail,
}

impl Purpose {
    /// As stored.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::AskForData => "ask_for_data",
            Self::ChangeEmail => "change_email",
            Self::NotMe => "not_me",
            Self::Reset => "reset",
            Self::SetUp => "set_up",
            Self::Unlock => "unlock",
            Self::VerifyEmail => "verify_email",
        }
    }

    /// The page it leads to, before the token.
    fn path(self) -> &'static str {
        match self {
            Self::AskForData => "privacy/confirm",
            Self::ChangeEmail => "change-email",
            Self::NotMe => "not-me",
            Self::Reset => "reset",
            Self::SetUp => "set-up",
            Self::Unlock => "unlock",
            Self::VerifyEmail => "verify-email",
        }
    }

    /// How long it is good. Set-up and reset: ASVS 6.4.1 and 6.4.3.
    pub fn life(self) -> Duration {
        const MINUTE: u64 = 60;
        const DAY: u64 = 86_400;
        Duration::from_secs(match self {
            Self::Reset | Self::SetUp => 30 * MINUTE,
            Self::AskForData | Self::ChangeEmail | Self::Unlock | Self::VerifyEmail => DAY,
            Self::NotMe => 7 * DAY,
        })
    }
}

/// A new link, and its address.
pub(crate) struct Made {
    pub row: NewLink,
    pub url: String,
}

/// Makes a link; `payload` is what it confirms.
pub(crate) fn make(app: &App, ctx: &Ctx, purpose: Purpose, account: Option<AccountId>, payload: Option<&str>) -> Result<Made, Error> {
    let rng = &mut { app.env() };
    let (id, token) = (LinkId::new(ctx.now, rng), Token::new(TokenKind::Link, rng));
    let sealed = payload.map(|text| seal_token(app.sealer.root(), purpose.as_str().as_bytes(), text.as_bytes(), rng)).transpose()?;
    let row = LinkRow { id, account, sealed, expires_at: ctx.now + purpose.life() };
    let url = format!("{}/{}/{}", app.urls.public, purpose.path(), token.open());
    Ok(Made { row: NewLink { row, purpose: purpose.as_str(), token: token.hash() }, url })
}

/// A link that can still be used, and what it confirms. Used, expired, unknown and for something else look alike.
pub(crate) async fn find(app: &App, ctx: &Ctx, purpose: Purpose, token: &str) -> Result<(LinkRow, Option<String>), Error> {
    let gone = || Error::NotFound("link: it was used already, is too old, or was replaced by a newer one");
    let token = Token::parse(TokenKind::Link, token).ok_or_else(gone)?;
    let row = app.store.link_get(purpose.as_str(), token.hash(), ctx.now).await?.ok_or_else(gone)?;
    let payload = match &row.sealed {
        None => None,
        Some(sealed) => Some(String::from_utf8(open_token(app.sealer.root(), purpose.as_str().as_bytes(), sealed)?).map_err(|_| gone())?),
    };
    Ok((row, payload))
}
