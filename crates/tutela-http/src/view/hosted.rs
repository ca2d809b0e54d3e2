//! The hosted pages: what a person meets when signing in, and their own account.
//!
//! One quiet column, usable without scripts. None of them tells whether an account exists.

use askama::Template;

use super::Assets;
use super::part::{Count, Identifier, Link, When};

/// What every hosted page needs around its own content.
#[derive(Clone, Debug)]
pub struct HostedFrame {
    /// Addresses of styles and scripts.
    pub assets: Assets,
    /// Name shown beside the mark, usually the organisation's or the application's.
    pub brand: String,
    /// Who runs this instance, as named in the foot line.
    pub runner: String,
}

/// Asks for mail address and password; posts `email`, `password` and `to` to `/sign-in`.
#[derive(Clone, Debug, Template)]
#[template(path = "hosted/sign_in.html")]
pub struct SignInPage {
    /// The page around it.
    pub frame: HostedFrame,
    /// Sealed token that says where the person goes afterwards; empty for the account page.
    pub to: String,
    /// The application the person came from, such as `photos.localhost`.
    pub app_name: Option<String>,
    /// What went wrong with the last attempt, and what to do.
    pub error: Option<String>,
    /// The address typed before, so that it need not be typed again.
    pub email: String,
}

/// Sets up an account from a set-up link; posts `name`, `email` and `password` to `action`.
#[derive(Clone, Debug, Template)]
#[template(path = "hosted/set_up.html")]
pub struct SetUpPage {
    /// The page around it.
    pub frame: HostedFrame,
    /// The page's own address, token included.
    pub action: String,
    /// The name typed before.
    pub name: String,
    /// The address typed before, or the one the link was made for.
    pub email: String,
    /// Whether the link was made for this address, which then cannot be changed.
    pub email_fixed: bool,
    /// Fewest characters a password may have.
    pub minimum: u64,
    /// What went wrong with the last attempt, and what to do.
    pub error: Option<String>,
}

/// A person's own account and sessions.
#[derive(Clone, Debug, Template)]
#[template(path = "hosted/account.html")]
pub struct AccountPage {
    /// The page around it.
    pub frame: HostedFrame,
    /// What was just done, such as "Session ended."
    pub notice: Option<String>,
    /// The person's name.
    pub name: String,
    /// The mail address they sign in with.
    pub email: String,
    /// Names of their roles.
    pub roles: Vec<String>,
    /// Failed attempts between the last sign-in and this one, if known.
    pub failed_attempts: Option<Count>,
    /// Their live sessions, this one first.
    pub sessions: Vec<OwnSession>,
    /// Whether the console may be entered.
    pub is_admin: bool,
    /// Address of the console, shown to administrators.
    pub console_url: String,
}

/// One of a person's own sessions.
#[derive(Clone, Debug)]
pub struct OwnSession {
    /// Its id; ending posts to `/account/sessions/{id}/end`.
    pub id: Identifier,
    /// The hosts it is signed in at, separated by commas.
    pub hosts: String,
    /// When it began.
    pub started: When,
    /// When it was last used.
    pub seen: When,
    /// Whether it is the one that shows this page.
    pub current: bool,
}

/// Asks before signing out; posts to `action`.
#[derive(Clone, Debug, Template)]
#[template(path = "hosted/sign_out.html")]
pub struct SignOutPage {
    /// The page around it.
    pub frame: HostedFrame,
    /// Where the form posts to.
    pub action: String,
    /// The application the person came from.
    pub app_name: Option<String>,
}

/// Says that the session is over.
#[derive(Clone, Debug, Template)]
#[template(path = "hosted/signed_out.html")]
pub struct SignedOutPage {
    /// The page around it.
    pub frame: HostedFrame,
    /// Where to sign in again.
    pub sign_in_url: String,
}

/// Any page that says that something did not work.
#[derive(Clone, Debug, Template)]
#[template(path = "hosted/message.html")]
pub struct MessagePage {
    /// The page around it.
    pub frame: HostedFrame,
    /// Short title, such as "Nothing at this address".
    pub title: String,
    /// What failed.
    pub failed: String,
    /// What was kept, if anything was at stake.
    pub kept: Option<String>,
    /// What to do now.
    pub advice: String,
    /// One way on.
    pub link: Option<Link>,
    /// Request id to quote when asking for help.
    pub reference: Option<Identifier>,
}
