//! The hosted pages: what a person meets when signing in, and their own account.
//!
//! One quiet column, usable without scripts but for passkeys. None of them tells whether an account
//! exists. All words come from [`Words`].

use askama::Template;

use super::Assets;
use super::part::{Count, Identifier, Link, When};
use super::words::Words;

/// What every hosted page needs around its own content.
#[derive(Clone, Debug)]
pub struct HostedFrame {
    /// Addresses of styles and scripts.
    pub assets: Assets,
    /// Name shown beside the mark, usually the organisation's or the application's.
    pub brand: String,
    /// Who runs this instance, as named in the foot line.
    pub runner: String,
    /// Everything that is said.
    pub t: &'static Words,
}

/// What a passkey button needs: options for the browser, and what comes back with its answer.
#[derive(Clone, Debug)]
pub struct PasskeyPart {
    /// For `navigator.credentials`, as JSON.
    pub options: String,
    /// Sealed; sent back with the answer.
    pub sealed: String,
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
    /// Passkeys, where they are on.
    pub passkey: Option<PasskeyPart>,
    /// Outside providers.
    pub outside: Vec<Link>,
    /// Whether a password can be reset by mail.
    pub can_recover: bool,
    /// Whether everybody may make an account.
    pub can_sign_up: bool,
}

/// Asks for another proof.
#[derive(Clone, Debug, Template)]
#[template(path = "hosted/challenge.html")]
pub struct ChallengePage {
    /// The page around it.
    pub frame: HostedFrame,
    /// Where the person goes afterwards.
    pub to: String,
    /// The way that is asked for: `totp`, `sms`, `email`, `recovery`, `passkey` or `password`.
    pub by: &'static str,
    /// Where a code went, or would go.
    pub target: String,
    /// Whether a code was sent that is still good.
    pub sent: bool,
    /// The other ways, as address and words.
    pub others: Vec<Link>,
    /// Whether the device can be remembered.
    pub can_remember: bool,
    /// Whether a session is there already.
    pub step_up: bool,
    /// Outside providers, where one of them is asked for.
    pub outside: Vec<Link>,
    /// The passkey, where that is asked for.
    pub passkey: Option<PasskeyPart>,
    /// What went wrong with the last attempt.
    pub error: Option<String>,
}

/// Sets up an app or a passkey, in the middle of a sign-in or from the account.
#[derive(Clone, Debug, Template)]
#[template(path = "hosted/enrol.html")]
pub struct EnrolPage {
    /// The page around it.
    pub frame: HostedFrame,
    /// Where the person goes afterwards.
    pub to: String,
    /// Whether it is part of a sign-in.
    pub required: bool,
    /// The app, where one can be set up here.
    pub totp: Option<TotpPart>,
    /// The passkey, where one can be made here.
    pub passkey: Option<PasskeyPart>,
    /// Where the passkey goes.
    pub passkey_action: &'static str,
    /// What went wrong with the last attempt.
    pub error: Option<String>,
}

/// What an app is set up with.
#[derive(Clone, Debug)]
pub struct TotpPart {
    /// Where the first code goes.
    pub action: &'static str,
    /// The QR code; markup of our own making.
    pub svg: String,
    /// To be typed.
    pub secret: String,
    /// To be opened on the device itself.
    pub uri: String,
    /// Sealed; sent back with the code.
    pub sealed: String,
}

/// Recovery codes, shown once.
#[derive(Clone, Debug, Template)]
#[template(path = "hosted/codes.html")]
pub struct CodesPage {
    /// The page around it.
    pub frame: HostedFrame,
    /// The codes.
    pub codes: Vec<String>,
    /// Where the person goes on.
    pub next: String,
}

/// A page with one form: a title, a sentence, a few fields and one button.
#[derive(Clone, Debug, Template)]
#[template(path = "hosted/form.html")]
pub struct FormPage {
    /// The page around it.
    pub frame: HostedFrame,
    /// What is asked.
    pub title: String,
    /// What it does, in a sentence.
    pub lead: Option<String>,
    /// Where it is posted.
    pub action: String,
    /// Values that go along.
    pub hidden: Vec<(&'static str, String)>,
    /// The fields.
    pub fields: Vec<Field>,
    /// The button's words.
    pub button: &'static str,
    /// A way out.
    pub link: Option<Link>,
    /// Why the person is here.
    pub why: &'static str,
    /// What went wrong with the last attempt.
    pub error: Option<String>,
}

impl FormPage {
    /// A form that asks for nothing yet but its button.
    pub fn of(frame: HostedFrame, title: &str, action: String, button: &'static str, why: &'static str) -> Self {
        let (title, lead, hidden, fields) = (title.to_owned(), None, Vec::new(), Vec::new());
        Self { frame, title, lead, action, hidden, fields, button, link: None, why, error: None }
    }
}

/// One field of a form.
#[derive(Clone, Debug)]
pub struct Field {
    /// What it is sent as.
    pub name: &'static str,
    /// What it is called.
    pub label: &'static str,
    /// The kind of input: `text`, `email`, `tel` or `password`.
    pub kind: &'static str,
    /// What a password manager puts in.
    pub autocomplete: &'static str,
    /// The keyboard a phone shows.
    pub inputmode: &'static str,
    /// A hint below it.
    pub hint: Option<String>,
    /// What stands in it.
    pub value: String,
    /// Most characters.
    pub maxlength: u32,
    /// Fewest characters.
    pub minlength: Option<u64>,
    /// Whether it cannot be changed.
    pub readonly: bool,
}

impl Field {
    /// A plain field of text.
    pub fn text(name: &'static str, label: &'static str, autocomplete: &'static str) -> Self {
        Self { name, label, kind: "text", autocomplete, inputmode: "text", hint: None, value: String::new(), maxlength: 128, minlength: None, readonly: false }
    }

    /// A mail address.
    pub fn email(label: &'static str, value: &str) -> Self {
        Self { kind: "email", inputmode: "email", maxlength: 254, value: value.to_owned(), ..Self::text("email", label, "username") }
    }

    /// A password that is there already.
    pub fn password(name: &'static str, label: &'static str) -> Self {
        Self { kind: "password", maxlength: 1_024, ..Self::text(name, label, "current-password") }
    }

    /// A password that is chosen now.
    pub fn new_password(t: &'static Words, minimum: u64) -> Self {
        let hint = Some(format!("{} {minimum}.", t.password_hint));
        Self { kind: "password", maxlength: 1_024, minlength: Some(minimum), hint, ..Self::text("password", t.new_password, "new-password") }
    }

    /// A code of digits.
    pub fn code(label: &'static str) -> Self {
        Self { inputmode: "numeric", maxlength: 32, ..Self::text("code", label, "one-time-code") }
    }
}

/// Where an account page is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountTab {
    /// What happened.
    Activity,
    /// Browsers and applications.
    Devices,
    /// Name, address, sessions.
    Overview,
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

/// Says that something was done, and the way on.
#[derive(Clone, Debug, Template)]
#[template(path = "hosted/done.html")]
pub struct DonePage {
    /// The page around it.
    pub frame: HostedFrame,
    /// What was done.
    pub title: &'static str,
    /// What follows from it.
    pub lead: &'static str,
    /// The way on.
    pub link: Link,
    /// Why the person is here.
    pub why: &'static str,
}
