//! What can happen to accounts, groups and grants.

use tutela_core::{AccountId, Event, GrantId, Outcome, Resource, Subject, occurrences};

fn about(event: &mut Event, account: AccountId) {
    event.about = Some(Subject::Account(account));
    event.resource = Some(Resource::of("account", account));
}

occurrences! {
    /// Event types about accounts and what they may do.
    TYPES

    /// An account was deleted.
    AccountDeleted { account: AccountId, why: &'a str }
    "account.deleted" "An account was deleted with its credentials, devices and sessions; what it did stays in the ledger." High AUDIT ACCOUNT_DELETE "delete" []
    |this, event| { about(event, this.account); event.reason = Some(this.why.to_owned()); }

    /// The rows of an account are not what the ledger says.
    AccountDiffers { account: AccountId, what: &'static str, which: &'a str, sessions: u64 }
    "account.differs" "The records of an account were changed behind this server's back: they were not what the ledger says. What it contradicts was taken back, the sessions ended, and another password is asked for." Critical AUDIT ACCOUNT_CHANGE "compare" ["what" = r#""roles""#, "which" = r#""admin""#, "sessions_ended" = "1"]
    |this, event| { about(event, this.account); event.outcome = Outcome::Failure; event.set("what", this.what); event.set("which", this.which); event.set("sessions_ended", this.sessions); }

    /// Another mail address was set.
    AccountEmailChanged { account: AccountId, old: &'a str, new: &'a str }
    "account.email_changed" "An account has another mail address; both were told, and the other sessions ended." Medium AUDIT ACCOUNT_CHANGE "set_email" [; "old" = r#""ada@example.com""#, "new" = r#""ada@example.org""#]
    |this, event| { about(event, this.account); event.set_personal("old", this.old); event.set_personal("new", this.new); }

    /// Mail arrives at the address.
    AccountEmailVerified { account: AccountId }
    "account.email_verified" "A link that was mailed to an account's address was followed." Informational AUDIT ACCOUNT_CHANGE "verify_email" []
    |this, event| { about(event, this.account); }

    /// An account may sign in again.
    AccountEnabled { account: AccountId, why: &'a str }
    "account.enabled" "A disabled account may sign in again." Medium AUDIT ACCOUNT_ENABLE "enable" []
    |this, event| { about(event, this.account); event.reason = Some(this.why.to_owned()); }

    /// A phone was verified or removed.
    AccountPhoneSet { account: AccountId, phone: Option<&'a str> }
    "account.phone_set" "A phone number was verified for an account, or taken from it." Medium AUDIT ACCOUNT_CHANGE "set_phone" ["verified" = "true"; "phone" = r#""+41790000000""#]
    |this, event| { about(event, this.account); event.set("verified", this.phone.is_some()); if let Some(phone) = this.phone { event.set_personal("phone", phone); } }

    /// A profile was changed.
    AccountProfileChanged { account: AccountId, name: &'a str }
    "account.profile_changed" "The name that an account shows was changed." Informational AUDIT ACCOUNT_CHANGE "set_name" [; "name" = r#""Ada""#]
    |this, event| { about(event, this.account); event.set_personal("name", this.name); }

    /// Somebody made an account for themselves.
    AccountSignedUp { account: AccountId, email: &'a str }
    "account.signed_up" "Somebody made an account for themselves; it can be used once its mail address is confirmed." Low AUDIT ACCOUNT_CREATE "sign_up" [; "email" = r#""ada@example.com""#]
    |this, event| { about(event, this.account); event.set_personal("email", this.email); }

    /// A permission was given or denied to somebody beside their roles.
    GrantGiven { id: GrantId, account: Option<AccountId>, group: Option<&'a str>, effect: &'static str, permission: &'a str, resource: &'a str, until: Option<String>, why: &'a str }
    "grant.given" "A permission was given or denied to an account or group, beside its roles." Medium AUDIT ROLES_ASSIGN "grant"
    ["grant" = r#""019ab3a4-7c00-7000-8000-000000000003""#, "group" = r#""editors""#, "effect" = r#""allow""#, "permission" = r#""photos:delete""#, "on" = r#""album/7""#, "until" = r#""2026-12-01T00:00:00.000000Z""#]
    |this, event| {
        event.reason = Some(this.why.to_owned()); event.about = this.account.map(Subject::Account);
        event.resource = this.account.map(|id| Resource::of("account", id)).or_else(|| this.group.map(|name| Resource::of("group", name)));
        event.set("grant", this.id.to_string()); event.set("effect", this.effect); event.set("permission", this.permission); event.set("on", this.resource);
        if let Some(group) = this.group { event.set("group", group); }
        if let Some(until) = this.until { event.set("until", until); }
    }

    /// A grant was ended.
    GrantEnded { id: GrantId, account: Option<AccountId>, permission: &'a str, why: &'a str }
    "grant.ended" "A permission that somebody had beside their roles was taken back." Medium AUDIT ROLES_REVOKE "revoke" ["grant" = r#""019ab3a4-7c00-7000-8000-000000000003""#, "permission" = r#""photos:delete""#]
    |this, event| {
        event.reason = Some(this.why.to_owned()); event.about = this.account.map(Subject::Account); event.resource = this.account.map(|id| Resource::of("account", id));
        event.set("grant", this.id.to_string()); event.set("permission", this.permission);
    }

    /// A group was made, or its roles set.
    GroupChanged { name: &'a str, roles: &'a [String] }
    "group.changed" "What the members of a group may do was set." Medium AUDIT ENTITY_UPDATE "set" ["roles" = r#"["editor"]"#]
    |this, event| { event.resource = Some(Resource::of("group", this.name)); event.set("roles", this.roles.to_vec()); }

    /// A group was deleted.
    GroupDeleted { name: &'a str, members: u64 }
    "group.deleted" "A group was deleted; its members no longer have its roles." Medium AUDIT ENTITY_DELETE "delete" ["members" = "3"]
    |this, event| { event.resource = Some(Resource::of("group", this.name)); event.set("members", this.members); }

    /// Somebody joined or left a group.
    GroupMemberChanged { name: &'a str, account: AccountId, joined: bool }
    "group.member_changed" "An account joined or left a group, and with it got or lost the group's roles." Medium AUDIT ROLES_ASSIGN "set_member" ["joined" = "true", "account" = r#""019ab3a4-7c00-7000-8000-000000000001""#]
    |this, event| { event.about = Some(Subject::Account(this.account)); event.resource = Some(Resource::of("group", this.name)); event.set("account", this.account.to_string()); event.set("joined", this.joined); }
}
