//! What can happen to the ways an account is signed in with: passwords, authenticators, devices, locks, sessions.

use tutela_core::{AccountId, AuthenticatorId, DeviceId, Event, Outcome, Resource, SessionId, Subject, occurrences};

fn about(event: &mut Event, account: AccountId) {
    event.about = Some(Subject::Account(account));
    event.resource = Some(Resource::of("account", account));
}

occurrences! {
    /// Event types about credentials.
    TYPES

    /// A way to sign in was set up.
    AuthenticatorAdded { account: AccountId, id: AuthenticatorId, kind: &'static str, name: &'a str }
    "authenticator.added" "A way to sign in was set up for an account; its owner was told by mail." Medium AUDIT MFA_ENABLE "add" ["kind" = r#""totp""#, "authenticator" = r#""019ab3a4-7c00-7000-8000-000000000001""#; "name" = r#""Ada's phone""#]
    |this, event| { about(event, this.account); event.set("kind", this.kind); event.set("authenticator", this.id.to_string()); event.set_personal("name", this.name); }

    /// A way to sign in was removed.
    AuthenticatorRemoved { account: AccountId, id: AuthenticatorId, kind: &'static str, name: &'a str, why: &'a str }
    "authenticator.removed" "A way to sign in was removed from an account; its owner was told by mail." Medium AUDIT MFA_DISABLE "remove" ["kind" = r#""totp""#, "authenticator" = r#""019ab3a4-7c00-7000-8000-000000000001""#; "name" = r#""Ada's phone""#]
    |this, event| { about(event, this.account); event.reason = Some(this.why.to_owned()); event.set("kind", this.kind); event.set("authenticator", this.id.to_string()); event.set_personal("name", this.name); }

    /// A passkey's counter went backwards.
    AuthenticatorCloned { account: AccountId, name: &'a str }
    "authenticator.cloned" "A passkey was presented whose counter went backwards, as that of a copy would; it was refused." High AUDIT LOGON "sign_in" [; "name" = r#""Ada's key""#]
    |this, event| { about(event, this.account); event.outcome = Outcome::Denied; event.set_personal("name", this.name); }

    /// Somebody said that a sign-in was not theirs.
    DeviceDisowned { account: AccountId, device: DeviceId, sessions: u64 }
    "device.disowned" "The owner of an account said that a sign-in was not theirs: its sessions ended, the device was forgotten, and a new password is asked for." High AUDIT ACCOUNT_CHANGE "disown" ["device" = r#""019ab3a4-7c00-7000-8000-000000000002""#, "sessions_ended" = "1"]
    |this, event| { about(event, this.account); event.set("device", this.device.to_string()); event.set("sessions_ended", this.sessions); }

    /// A device was forgotten.
    DeviceForgotten { account: AccountId, device: Option<DeviceId> }
    "device.forgotten" "A device no longer spares the second factor, and is a new one when it comes again." Low AUDIT ACCOUNT_CHANGE "forget" ["device" = r#""019ab3a4-7c00-7000-8000-000000000002""#]
    |this, event| { about(event, this.account); event.set("device", this.device.map_or_else(|| "all".to_owned(), |id| id.to_string())); }

    /// An account was signed in with from a device that was not known.
    DeviceSeen { account: AccountId, device: DeviceId, label: &'a str }
    "device.seen" "An account was signed in with from a device that was new to it; its owner is told by mail, but for the first one." Low AUDIT ACCOUNT_CHANGE "see" ["device" = r#""019ab3a4-7c00-7000-8000-000000000002""#; "label" = r#""Firefox on Linux""#]
    |this, event| { about(event, this.account); event.set("device", this.device.to_string()); event.set_personal("label", this.label); }

    /// A message was given up.
    MessageGivenUp { channel: &'a str, attempts: u64, why: &'a str }
    "message.given_up" "A mail or text message could not be delivered in its time and was dropped." Medium AUDIT LOG_OTHER "send" ["channel" = r#""mail""#, "attempts" = "8"]
    |this, event| { event.outcome = Outcome::Failure; event.reason = Some(this.why.to_owned()); event.set("channel", this.channel); event.set("attempts", this.attempts); }

    /// Messages to one target, or from one address, were too many.
    MessageRefused { account: Option<AccountId>, channel: &'static str, limit: &'static str }
    "message.refused" "A code or link was asked for more often than the limit allows, and was not sent." Medium AUDIT API_DENIED "send" ["channel" = r#""sms""#, "limit" = r#""target""#]
    |this, event| { event.outcome = Outcome::Denied; event.resource = this.account.map(|id| Resource::of("account", id)); event.about = this.account.map(Subject::Account); event.set("channel", this.channel); event.set("limit", this.limit); }

    /// A password was found among those that leaked somewhere.
    PasswordBreached { account: AccountId }
    "password.breached" "A password that was right is on the list of breached ones; the account has to choose another before it goes on." High AUDIT ACCOUNT_CHANGE "check" []
    |this, event| { about(event, this.account); }

    /// An administrator had somebody choose another password.
    PasswordChangeRequired { account: AccountId, why: &'a str }
    "password.change_required" "An administrator has somebody choose another password at the next sign-in, because it may be known to others." Medium AUDIT ACCOUNT_CHANGE "require_change" []
    |this, event| { about(event, this.account); event.reason = Some(this.why.to_owned()); }

    /// A password was changed.
    PasswordChanged { account: AccountId, sessions: u64 }
    "password.changed" "The owner of an account chose another password; other sessions ended and its devices are remembered no more." Medium AUDIT PASSWORD_CHANGE "change" ["sessions_ended" = "2"]
    |this, event| { about(event, this.account); event.set("sessions_ended", this.sessions); }

    /// A change of the password was put off.
    PasswordReminderDismissed { account: AccountId }
    "password.reminder_dismissed" "Somebody was reminded that their password is old, and put the change off." Informational AUDIT ACCOUNT_CHANGE "dismiss" []
    |this, event| { about(event, this.account); }

    /// A password was reset with a mailed link.
    PasswordReset { account: AccountId, sessions: u64 }
    "password.reset" "A password was set with a mailed link; all sessions ended, and every other way to sign in stayed." Medium AUDIT PASSWORD_RESET "reset" ["sessions_ended" = "2"]
    |this, event| { about(event, this.account); event.set("sessions_ended", this.sessions); }

    /// A reset link was asked for.
    PasswordResetRequested { account: Option<AccountId>, email: &'a str }
    "password.reset_requested" "Somebody asked for a link to reset a password; it was mailed if there is such an account." Low AUDIT ACCOUNT_CHANGE "request" [; "email" = r#""ada@example.com""#]
    |this, event| {
        event.resource = this.account.map(|id| Resource::of("account", id)); event.about = this.account.map(Subject::Account);
        event.set_personal("email", this.email);
    }

    /// A refresh token was presented that was used already, or by somebody else.
    RefreshReplayed { account: AccountId, session: SessionId, why: &'static str }
    "refresh_token.replayed" "A refresh token came a second time or from another device; its session ended, because one of the two holders is a thief." High AUDIT LOGON "refresh" []
    |this, event| { event.outcome = Outcome::Denied; event.reason = Some(this.why.to_owned()); event.about = Some(Subject::Account(this.account)); event.resource = Some(Resource::of("session", this.session)); }

    /// A session was made stronger.
    SessionStrengthened { account: AccountId, session: SessionId, amr: &'a [String] }
    "session.strengthened" "A signed-in person proved again, or more strongly, who they are." Informational AUDIT LOGON "prove" ["amr" = r#"["otp", "pwd", "mfa"]"#]
    |this, event| { event.about = Some(Subject::Account(this.account)); event.session = Some(this.session); event.resource = Some(Resource::of("session", this.session)); event.set("amr", this.amr.to_vec()); }

    /// Attempts locked what they were counted for.
    SignInLocked { account: Option<AccountId>, scope: &'static str, until: String }
    "sign_in.locked" "Too many attempts failed: further ones are refused without a look until the lock ends or is lifted." Medium AUDIT ACCOUNT_LOCK "lock" ["scope" = r#""new devices""#, "until" = r#""2026-11-23T09:30:00.000000Z""#]
    |this, event| {
        event.outcome = Outcome::Denied; event.resource = this.account.map(|id| Resource::of("account", id)); event.about = this.account.map(Subject::Account);
        event.set("scope", this.scope); event.set("until", this.until);
    }

    /// A lock was lifted.
    SignInUnlocked { account: AccountId, by: &'static str, why: &'a str }
    "sign_in.unlocked" "The locks of an account were lifted, by its owner or by an administrator with a reason." Medium AUDIT ACCOUNT_UNLOCK "unlock" ["by" = r#""administrator""#]
    |this, event| { about(event, this.account); event.reason = Some(this.why.to_owned()); event.set("by", this.by); }
}
