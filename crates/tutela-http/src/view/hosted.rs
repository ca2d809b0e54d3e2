//! The hosted pages: what a person meets when signing in, and messages. Their own account is in `own.rs`.
//!
//! One quiet column, usable without scripts but for passkeys. None of them tells whether an account
//! exists. All words come from [`Words`].

use askama::Template;

use super::Assets;
use super::part::{Identifier, Link};
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
