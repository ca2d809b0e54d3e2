//! The own account: sessions, ways to sign in, devices, what happened.

use askama::Template;

use super::{
    hosted::HostedFrame,
    part::{Count, Identifier, Link, When},
};

/// Where an account page is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountTab {
    /// What happened.
    Activity,
    /// Applications that were let in.
    Apps,
    /// What is held, and asking for it.
    Data,
    /// Browsers and applications.
    Devices,
    /// Name, address, sessions.
    Overview,
    /// What data is used for.
    Privacy,
    /// Ways to sign in.
    Security,
}

/// A person's own account and sessions.
#[derive(Clone, Debug, Template)]
#[template(path = "hosted/account.html")]
pub struct AccountPage {
    /// The page around it.
    pub frame: HostedFrame,
    /// Which of the account's pages.
    pub tab: AccountTab,
    /// What was just done, such as "Session ended."
    pub notice: Option<String>,
    /// The person's name.
    pub name: String,
    /// The mail address they sign in with.
    pub email: String,
    /// Whether mail arrives there.
    pub email_verified: bool,
    /// Whether this server sends mail.
    pub can_mail: bool,
    /// Names of their roles.
    pub roles: Vec<String>,
    /// Failed attempts between the last sign-in and this one, if known.
    pub failed_attempts: Option<Count>,
    /// Whether the password is old, and the reminder was not put off.
    pub old_password: bool,
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

/// A person's ways to sign in.
#[derive(Clone, Debug, Template)]
#[template(path = "hosted/security.html")]
pub struct SecurityPage {
    /// The page around it.
    pub frame: HostedFrame,
    /// Which of the account's pages.
    pub tab: AccountTab,
    /// What was just done.
    pub notice: Option<String>,
    /// What could not be done.
    pub error: Option<String>,
    /// What there is beside the password.
    pub authenticators: Vec<OwnAuthenticator>,
    /// Whether only few recovery codes are left.
    pub few_codes: bool,
    /// Whether there is one passkey and no second one.
    pub one_passkey: bool,
    /// What can be added.
    pub can_totp: bool,
    /// As `can_totp`.
    pub can_passkey: bool,
    /// As `can_totp`.
    pub can_phone: bool,
    /// The phone, with most of it left out.
    pub phone: Option<String>,
    /// Accounts elsewhere that this one is connected with.
    pub connected: Vec<OwnConnection>,
    /// Providers that can be connected.
    pub can_connect: Vec<Link>,
}

/// An account elsewhere.
#[derive(Clone, Debug)]
pub struct OwnConnection {
    /// Its id; disconnecting posts to `/account/outside/{id}/disconnect`.
    pub id: String,
    /// The provider.
    pub label: String,
    /// What the person knows it by.
    pub shown: String,
    /// When it was connected.
    pub added: When,
    /// When it was last used.
    pub used: Option<When>,
}

/// One way to sign in.
#[derive(Clone, Debug)]
pub struct OwnAuthenticator {
    /// Its id; removing posts to `/account/authenticators/{id}/remove`.
    pub id: String,
    /// What it is, in words.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// Codes left, where it is a list.
    pub left: Option<i64>,
    /// When it was set up.
    pub added: When,
    /// When it was last used.
    pub used: Option<When>,
}

/// The devices of a person.
#[derive(Clone, Debug, Template)]
#[template(path = "hosted/devices.html")]
pub struct DevicesPage {
    /// The page around it.
    pub frame: HostedFrame,
    /// Which of the account's pages.
    pub tab: AccountTab,
    /// What was just done.
    pub notice: Option<String>,
    /// The devices, the last used first.
    pub devices: Vec<OwnDevice>,
}

/// One device.
#[derive(Clone, Debug)]
pub struct OwnDevice {
    /// Its id; forgetting posts to `/account/devices/{id}/forget`.
    pub id: String,
    /// What it says of itself.
    pub label: String,
    /// When it was first used.
    pub first: When,
    /// When it was last used.
    pub seen: When,
    /// Until when it spares the second step.
    pub remembered: Option<When>,
    /// Whether it is the one that shows this page.
    pub current: bool,
}

/// What happened to an account.
#[derive(Clone, Debug, Template)]
#[template(path = "hosted/activity.html")]
pub struct ActivityPage {
    /// The page around it.
    pub frame: HostedFrame,
    /// Which of the account's pages.
    pub tab: AccountTab,
    /// The events, newest first.
    pub rows: Vec<OwnEvent>,
    /// The next page.
    pub older: Option<String>,
}

/// One event, in an auditor's sentence.
#[derive(Clone, Debug)]
pub struct OwnEvent {
    /// When.
    pub at: When,
    /// What it means.
    pub sentence: String,
    /// From where.
    pub source: String,
}
