//! What mails and text messages say: the half of the catalogue that is not on pages.

use std::fmt::Write as _;

/// A mail, by what it tells.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Mail<'a> {
    /// A rule of detection found something.
    Alert { title: &'a str, details: &'a str },
    /// A way to sign in was added or removed.
    Authenticator { what: &'a str },
    /// A code for signing in.
    Code { code: &'a str },
    /// A link that confirms what somebody asks for about their data.
    ConfirmRequest { what: &'a str, url: &'a str },
    /// Another mail address is to be set: to the new one.
    ConfirmEmail { url: &'a str },
    /// Another mail address was set: to the old one.
    EmailChanged { new: &'a str },
    /// Somebody signed up with an address that has an account.
    Exists { reset_url: &'a str },
    /// Codes were wrong too often.
    CodesWrong { until: &'a str },
    /// An account was made for somebody.
    Invited { name: &'a str, url: &'a str },
    /// Sign-ins are locked.
    Locked { until: &'a str, unlock_url: Option<&'a str> },
    /// Signed in from a new device.
    NewDevice { device: &'a str, when: &'a str, url: &'a str },
    /// The account was connected with one somewhere else.
    OutsideConnected { label: &'a str, when: &'a str },
    /// The password was changed.
    PasswordChanged { when: &'a str },
    /// A request about one's data was answered.
    RequestAnswered { what: &'a str, url: &'a str, until: Option<&'a str> },
    /// It takes longer.
    RequestExtended { until: &'a str, why: &'a str },
    /// It came.
    RequestReceived { what: &'a str, due: &'a str, url: &'a str },
    /// It was refused.
    RequestRefused { what: &'a str, why: &'a str },
    /// A link to reset the password.
    Reset { url: &'a str },
    /// A link to verify the address.
    Verify { url: &'a str },
}

/// Subject and body of a mail from the service at `host`.
pub(crate) fn mail(what: &Mail<'_>, host: &str) -> (String, String) {
    let not_you = "If that was not you, sign in, look at your account, and change your password.";
    let (subject, text) = match *what {
        Mail::Alert { title, details } => (title.to_owned(), details.to_owned()),
        Mail::Authenticator { what } => ("A way to sign in was changed".into(), format!("{what}\n\n{not_you}")),
        Mail::Code { code } => (
            format!("{code} is your code"),
            format!(
                "Your code is\n\n    {code}\n\nIt is good for 5 minutes, in the window where you asked for it and nowhere else. Nobody will ever ask you for it.\n\nIf you did not ask for it, somebody knows your password: change it."
            ),
        ),
        Mail::ConfirmRequest { what, url } => (
            "Confirm what you asked for".into(),
            format!(
                "Somebody with this address asked about their data ({what}). If that was you, open this link and confirm it:\n\n{url}\n\nIt works once, for a day. If it was not you, do nothing."
            ),
        ),
        Mail::ConfirmEmail { url } => (
            "Confirm your new mail address".into(),
            format!(
                "Open this link and confirm that this is your address from now on:\n\n{url}\n\nIt works once, for a day. If you did not ask for it, do nothing."
            ),
        ),
        Mail::EmailChanged { new } => (
            "Your mail address was changed".into(),
            format!("Your account has the address {new} from now on.\n\nIf you did not do this, tell whoever runs this service at once."),
        ),
        Mail::Exists { reset_url } => (
            "You have an account already".into(),
            format!(
                "Somebody tried to make an account with this address. You have one already. If you forgot the password, set a new one:\n\n{reset_url}\n\nIt works once, for 30 minutes. If it was not you, do nothing."
            ),
        ),
        Mail::CodesWrong { until } => (
            "Wrong codes for your account".into(),
            format!(
                "Wrong codes were entered for your account too often, by somebody who knows your password or has a link from this mailbox. That kind of code is refused until {until}.\n\nIf that was not you, sign in in another way and change your password."
            ),
        ),
        Mail::Invited { name, url } => (
            "Set up your account".into(),
            format!("Hello {name},\n\nan account was made for you. Open this link and choose a password:\n\n{url}\n\nIt works once, for 30 minutes."),
        ),
        Mail::Locked { until, unlock_url } => {
            let mut text = format!(
                "Somebody entered a wrong password for your account too often. Sign-ins from devices that you have not used before are refused until {until}.\n\nYou can still sign in from a device you have used before, and with a passkey from any."
            );
            if let Some(url) = unlock_url {
                let _ = write!(text, "\n\nTo lift the lock now, open this link:\n\n{url}\n\nIt works once, for a day.");
            }
            ("Sign-ins from new devices are locked".into(), text)
        }
        Mail::NewDevice { device, when, url } => (
            format!("New sign-in: {device}"),
            format!(
                "Your account was signed in with from a device it had not seen before.\n\n    {device}\n    {when}\n\nIf that was you, there is nothing to do.\n\nIf it was not, open this link. It ends that session and asks for a new password at the next sign-in:\n\n{url}"
            ),
        ),
        Mail::OutsideConnected { label, when } => (
            format!("Connected with {label}"),
            format!("Your account was connected with an account at {label} at {when}. Whoever can sign in to that one can sign in to yours.\n\n{not_you}"),
        ),
        Mail::PasswordChanged { when } => ("Your password was changed".into(), format!("The password of your account was changed at {when}.\n\n{not_you}")),
        Mail::RequestAnswered { what, url, until } => (
            "Your request was answered".into(),
            match until {
                Some(until) => format!("Your request ({what}) was answered. Your package is here until {until}:\n\n{url}"),
                None => format!("Your request ({what}) was carried out. What was done, and the signed confirmation, stand here:\n\n{url}"),
            },
        ),
        Mail::RequestExtended { until, why } => ("Your request takes longer".into(), format!("Your request will be answered by {until}.\n\nThe reason: {why}")),
        Mail::RequestReceived { what, due, url } => (
            "Your request has come".into(),
            format!("Your request ({what}) has come. It will be answered by {due}. How far it is stands here, also when your account is gone:\n\n{url}"),
        ),
        Mail::RequestRefused { what, why } => (
            "Your request was refused".into(),
            format!("Your request ({what}) was refused.\n\nThe reason: {why}\n\nYou may complain to a supervisory authority, and go to a court."),
        ),
        Mail::Reset { url } => (
            "Reset your password".into(),
            format!(
                "Open this link and choose a new password:\n\n{url}\n\nIt works once, for 30 minutes. Every other way to sign in that you have set up stays as it is.\n\nIf you did not ask for it, do nothing: your password stays as it is."
            ),
        ),
        Mail::Verify { url } => {
            ("Confirm your mail address".into(), format!("Open this link and confirm that this is your address:\n\n{url}\n\nIt works once, for a day."))
        }
    };
    let why = if matches!(what, Mail::Alert { .. }) { "its configuration names this address for alerts" } else { "an account there has this address" };
    (subject, format!("{text}\n\n--\nSent by {host}, because {why}.\n"))
}

/// A code by text message. The last line ties it to the site, so that browsers fill it in there only (origin-bound one-time codes).
pub(crate) fn sms_code(code: &str, host: &str) -> String {
    let plain: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    format!("{code} is your code for {host}. It is good for 5 minutes. Nobody will ever ask you for it.\n\n@{host} #{plain}")
}
