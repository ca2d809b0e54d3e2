//! What can happen in this crate's part of the house; one struct each, in the past tense.

mod account;
mod credential;
mod federation;
mod oauth;

use tutela_core::{AccountId, Class, ClientId, DeviceId, Event, EventType, Field, Occurrence, Outcome, Resource, SessionId, Severity, Subject, mapping};

use crate::SessionEndReason;

pub use account::{
    AccountDeleted, AccountDiffers, AccountEmailChanged, AccountEmailVerified, AccountEnabled, AccountPhoneSet, AccountProfileChanged, AccountSignedUp,
    GrantEnded, GrantGiven, GroupChanged, GroupDeleted, GroupMemberChanged,
};
pub use credential::{
    AuthenticatorAdded, AuthenticatorCloned, AuthenticatorRemoved, DeviceDisowned, DeviceForgotten, DeviceSeen, MessageGivenUp, MessageRefused,
    PasswordBreached, PasswordChangeRequired, PasswordChanged, PasswordReminderDismissed, PasswordReset, PasswordResetRequested, RefreshReplayed,
    SessionStrengthened, SignInLocked, SignInUnlocked,
};
pub use federation::{OutsideConnected, OutsideDisconnected, OutsideRefused, SigningKeyMade, SigningKeyRevoked};
pub use oauth::{
    ClientChanged, ClientCodeReplayed, ClientConsentWithdrawn, ClientConsented, ClientKeyRolled, ClientLogoutTold, ClientLogoutUntold, ClientRefused,
    ClientSignedIn, ClientSignedOut, ClientTokenIssued,
};

/// Every event type of identity.
pub fn types() -> impl Iterator<Item = &'static EventType> {
    TYPES.iter().chain(account::TYPES).chain(credential::TYPES).chain(federation::TYPES).chain(oauth::TYPES)
}

const TYPES: &[EventType] = &[
    AccountCreated::TYPE,
    AccountDisabled::TYPE,
    AccountIdentifierSet::TYPE,
    AccountRolesChanged::TYPE,
    ClientCreated::TYPE,
    ClientRevoked::TYPE,
    RoleChanged::TYPE,
    SessionEnded::TYPE,
    SessionExtended::TYPE,
    SessionStarted::TYPE,
    SetupLinkCreated::TYPE,
    SetupLinkUsed::TYPE,
    SignInFailed::TYPE,
];

/// An account was made.
pub struct AccountCreated<'a> {
    /// Which.
    pub account: AccountId,
    /// Its address.
    pub email: &'a str,
    /// Its roles.
    pub roles: &'a [String],
}

impl Occurrence for AccountCreated<'_> {
    const TYPE: EventType = EventType {
        name: "account.created",
        sentence: "An account was created and may sign in from now on.",
        severity: Severity::Low,
        class: Class::AUDIT,
        mapping: mapping::ACCOUNT_CREATE,
        fields: &[Field::personal("email", r#""ada@example.com""#), Field::clear("roles", r#"["admin"]"#)],
    };
    fn fill(self, event: &mut Event) {
        event.about = Some(Subject::Account(self.account));
        event.action = Some("create".into());
        event.resource = Some(Resource::of("account", self.account));
        event.set_personal("email", self.email);
        event.set("roles", self.roles.to_vec());
    }
}

/// An account was disabled.
pub struct AccountDisabled {
    /// Which.
    pub account: AccountId,
    /// How many sessions ended with it.
    pub sessions: u64,
}

impl Occurrence for AccountDisabled {
    const TYPE: EventType = EventType {
        name: "account.disabled",
        sentence: "An account was disabled; its sessions ended in the same commit.",
        severity: Severity::Medium,
        class: Class::AUDIT,
        mapping: mapping::ACCOUNT_DISABLE,
        fields: &[Field::clear("sessions_ended", "2")],
    };
    fn fill(self, event: &mut Event) {
        event.action = Some("disable".into());
        event.resource = Some(Resource::of("account", self.account));
        event.set("sessions_ended", self.sessions);
    }
}

/// An application's own identifier was tied to an account.
pub struct AccountIdentifierSet<'a> {
    /// Which account it means.
    pub account: AccountId,
    /// Whose identifier it is.
    pub namespace: &'a str,
    /// The identifier.
    pub value: &'a str,
}

impl Occurrence for AccountIdentifierSet<'_> {
    const TYPE: EventType = EventType {
        name: "account.identifier_set",
        sentence: "An application's own identifier means this account from now on.",
        severity: Severity::Low,
        class: Class::AUDIT,
        mapping: mapping::ACCOUNT_CHANGE,
        fields: &[Field::clear("namespace", r#""photos""#), Field::personal("value", r#""42""#)],
    };
    fn fill(self, event: &mut Event) {
        event.about = Some(Subject::Account(self.account));
        event.action = Some("set_identifier".into());
        event.resource = Some(Resource::of("account", self.account));
        event.set("namespace", self.namespace);
        event.set_personal("value", self.value);
    }
}

/// The roles of an account were set.
pub struct AccountRolesChanged<'a> {
    /// Whose.
    pub account: AccountId,
    /// Before.
    pub old: &'a [String],
    /// After.
    pub new: &'a [String],
}

impl Occurrence for AccountRolesChanged<'_> {
    const TYPE: EventType = EventType {
        name: "account.roles_changed",
        sentence: "What an account may do was changed by giving or taking roles.",
        severity: Severity::Medium,
        class: Class::AUDIT,
        mapping: mapping::ROLES_ASSIGN,
        fields: &[Field::clear("old", r#"["viewer"]"#), Field::clear("new", r#"["viewer", "editor"]"#)],
    };
    fn fill(self, event: &mut Event) {
        event.action = Some("set_roles".into());
        event.resource = Some(Resource::of("account", self.account));
        event.set("old", self.old.to_vec());
        event.set("new", self.new.to_vec());
    }
}

/// A client and its key were made.
pub struct ClientCreated<'a> {
    /// Which.
    pub client: ClientId,
    /// Its name.
    pub name: &'a str,
    /// What its key allows.
    pub scopes: &'a [String],
    /// Where people are sent back to who sign in to it.
    pub redirect_uris: Vec<String>,
}

impl Occurrence for ClientCreated<'_> {
    const TYPE: EventType = EventType {
        name: "client.created",
        sentence: "A program got a key for the API, or an application that people can sign in to was registered.",
        severity: Severity::Medium,
        class: Class::AUDIT,
        mapping: mapping::ENTITY_CREATE,
        fields: &[
            Field::clear("name", r#""photos""#),
            Field::clear("scopes", r#"["events:write"]"#),
            Field::clear("redirect_uris", r#"["https://app.example.com/callback"]"#),
        ],
    };
    fn fill(self, event: &mut Event) {
        event.action = Some("create".into());
        event.resource = Some(Resource::of("client", self.client));
        event.set("name", self.name);
        event.set("scopes", self.scopes.to_vec());
        if !self.redirect_uris.is_empty() {
            event.set("redirect_uris", self.redirect_uris);
        }
    }
}

/// A client's key was revoked.
pub struct ClientRevoked {
    /// Which.
    pub client: ClientId,
}

impl Occurrence for ClientRevoked {
    const TYPE: EventType = EventType {
        name: "client.revoked",
        sentence: "A client was revoked: its keys stopped working, and the sessions that people had at it ended.",
        severity: Severity::Medium,
        class: Class::AUDIT,
        mapping: mapping::ENTITY_DISABLE,
        fields: &[],
    };
    fn fill(self, event: &mut Event) {
        event.action = Some("revoke".into());
        event.resource = Some(Resource::of("client", self.client));
    }
}

/// A role was made or changed.
pub struct RoleChanged<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it allows now.
    pub permissions: &'a [String],
}

impl Occurrence for RoleChanged<'_> {
    const TYPE: EventType = EventType {
        name: "role.changed",
        sentence: "What a role allows was set; every account that holds it is affected at once.",
        severity: Severity::Medium,
        class: Class::AUDIT,
        mapping: mapping::ENTITY_UPDATE,
        fields: &[Field::clear("permissions", r#"["ledger:read"]"#)],
    };
    fn fill(self, event: &mut Event) {
        event.action = Some("set".into());
        event.resource = Some(Resource::of("role", self.name));
        event.set("permissions", self.permissions.to_vec());
    }
}

/// A session ended before its time.
pub struct SessionEnded {
    /// Which login session.
    pub session: SessionId,
    /// Whose.
    pub account: AccountId,
    /// Why.
    pub reason: SessionEndReason,
    /// What the person who ended it wrote.
    pub note: Option<String>,
}

impl Occurrence for SessionEnded {
    const TYPE: EventType = EventType {
        name: "session.ended",
        sentence: "A session was ended on every host it was signed in to.",
        severity: Severity::Informational,
        class: Class::AUDIT,
        mapping: mapping::LOGOFF,
        fields: &[Field::clear("account", r#""019ab3a4-7c00-7000-8000-000000000001""#), Field::clear("note", r#""device lost""#)],
    };
    fn fill(self, event: &mut Event) {
        event.action = Some("sign_out".into());
        event.reason = Some(self.reason.as_str().into());
        event.resource = Some(Resource::of("session", self.session));
        event.set("account", self.account.to_string());
        if let Some(note) = self.note {
            event.set("note", note);
        }
    }
}

/// A session was extended to another host.
pub struct SessionExtended<'a> {
    /// The login session.
    pub session: SessionId,
    /// The host.
    pub host: &'a str,
}

impl Occurrence for SessionExtended<'_> {
    const TYPE: EventType = EventType {
        name: "session.extended",
        sentence: "A signed-in person was let into another guarded host with a single-use code.",
        severity: Severity::Informational,
        class: Class::AUDIT,
        mapping: mapping::TICKET,
        fields: &[Field::clear("host", r#""photos.localhost""#)],
    };
    fn fill(self, event: &mut Event) {
        event.action = Some("extend".into());
        event.resource = Some(Resource::of("session", self.session));
        event.set("host", self.host);
    }
}

/// Somebody signed in.
pub struct SessionStarted<'a> {
    /// The new session.
    pub session: SessionId,
    /// Whose.
    pub account: AccountId,
    /// How the person proved who they are (RFC 8176).
    pub amr: &'a [String],
    /// How strongly.
    pub acr: &'static str,
    /// The device it was begun with.
    pub device: Option<DeviceId>,
}

impl Occurrence for SessionStarted<'_> {
    const TYPE: EventType = EventType {
        name: "session.started",
        sentence: "A person signed in and got a session.",
        severity: Severity::Informational,
        class: Class::AUDIT,
        mapping: mapping::LOGON,
        fields: &[
            Field::clear("account", r#""019ab3a4-7c00-7000-8000-000000000001""#),
            Field::clear("amr", r#"["mfa", "otp", "pwd"]"#),
            Field::clear("acr", r#""aal2""#),
            Field::clear("device", r#""019ab3a4-7c00-7000-8000-000000000002""#),
        ],
    };
    fn fill(self, event: &mut Event) {
        event.action = Some("sign_in".into());
        event.session = Some(self.session);
        event.resource = Some(Resource::of("session", self.session));
        event.about = Some(Subject::Account(self.account));
        event.set("account", self.account.to_string());
        event.set("amr", self.amr.to_vec());
        event.set("acr", self.acr);
        if let Some(device) = self.device {
            event.set("device", device.to_string());
        }
    }
}

/// A one-time link for choosing a password was made.
pub struct SetupLinkCreated<'a> {
    /// For whom: account and address; none for the first administrator.
    pub who: Option<(AccountId, &'a str)>,
}

impl Occurrence for SetupLinkCreated<'_> {
    const TYPE: EventType = EventType {
        name: "setup_link.created",
        sentence: "A one-time link was made with which an account can be set up.",
        severity: Severity::Medium,
        class: Class::AUDIT,
        mapping: mapping::ACCOUNT_CHANGE,
        fields: &[Field::personal("email", r#""ada@example.com""#)],
    };
    fn fill(self, event: &mut Event) {
        event.action = Some("create".into());
        event.resource = Some(Resource { kind: None, id: "setup_link".into() });
        if let Some((account, email)) = self.who {
            event.about = Some(Subject::Account(account));
            event.set_personal("email", email);
        }
    }
}

/// A one-time link was used.
pub struct SetupLinkUsed {
    /// The account that has a password now.
    pub account: AccountId,
}

impl Occurrence for SetupLinkUsed {
    const TYPE: EventType = EventType {
        name: "setup_link.used",
        sentence: "A one-time link was used up and a password was set with it.",
        severity: Severity::Medium,
        class: Class::AUDIT,
        mapping: mapping::PASSWORD_RESET,
        fields: &[],
    };
    fn fill(self, event: &mut Event) {
        event.action = Some("set_password".into());
        event.resource = Some(Resource::of("account", self.account));
    }
}

/// A sign-in did not succeed.
pub struct SignInFailed<'a> {
    /// The account it was for, where there is one.
    pub account: Option<AccountId>,
    /// The address that was typed.
    pub email: &'a str,
    /// Why: for the ledger only, the person is not told.
    pub reason: &'static str,
}

impl Occurrence for SignInFailed<'_> {
    const TYPE: EventType = EventType {
        name: "sign_in.failed",
        sentence: "Somebody tried to sign in and was refused.",
        severity: Severity::Low,
        class: Class::AUDIT,
        mapping: mapping::LOGON,
        fields: &[Field::personal("email", r#""ada@example.com""#)],
    };
    fn fill(self, event: &mut Event) {
        event.action = Some("sign_in".into());
        event.outcome = Outcome::Failure;
        event.reason = Some(self.reason.into());
        event.resource = self.account.map(|id| Resource::of("account", id));
        event.about = self.account.map(Subject::Account);
        event.set_personal("email", self.email);
    }
}
