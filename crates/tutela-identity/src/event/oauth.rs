//! What can happen between clients, the people who sign in to them, and the tokens they get.

use tutela_core::{AccountId, ClientId, Event, Outcome, Resource, SessionId, Subject, occurrences};

fn client(event: &mut Event, client: ClientId) {
    event.resource = Some(Resource::of("client", client));
}

fn person(event: &mut Event, account: AccountId, of: ClientId) {
    event.about = Some(Subject::Account(account));
    client(event, of);
}

occurrences! {
    /// Event types about clients.
    TYPES

    /// A client's registration was changed.
    ClientChanged { client: ClientId, redirect_uris: Vec<String> }
    "client.changed" "What a client may ask for, or where people are sent back to from here, was changed." Medium AUDIT ENTITY_UPDATE "change" ["redirect_uris" = r#"["https://app.example.com/callback"]"#]
    |this, event| { client(event, this.client); event.set("redirect_uris", this.redirect_uris); }

    /// A code was brought a second time.
    ClientCodeReplayed { account: AccountId, client: ClientId, session: Option<SessionId> }
    "client.code_replayed" "A code was brought to the token endpoint a second time: somebody may have stolen it, so what it had given ended." High AUDIT LOGON "exchange" []
    |this, event| { event.outcome = Outcome::Failure; person(event, this.account, this.client); event.session = this.session; }

    /// Somebody lets a client learn of them.
    ClientConsented { account: AccountId, client: ClientId, scopes: Vec<String> }
    "client.consent_given" "A person agreed that an application learns of them what it asked for." Low AUDIT ACCOUNT_CHANGE "consent" ["scopes" = r#"["email", "openid"]"#]
    |this, event| { person(event, this.account, this.client); event.set("scopes", this.scopes); }

    /// Somebody does not let a client learn of them any more.
    ClientConsentWithdrawn { account: AccountId, client: ClientId, sessions: u64 }
    "client.consent_withdrawn" "A person withdrew what they had agreed to for an application; its sessions of theirs ended in the same commit." Low AUDIT ACCOUNT_CHANGE "withdraw" ["sessions_ended" = "1"]
    |this, event| { person(event, this.account, this.client); event.set("sessions_ended", this.sessions); }

    /// A client got another key.
    ClientKeyRolled { client: ClientId, old_until: String }
    "client.key_rolled" "A client got another key; the ones so far end when it says." Medium AUDIT ENTITY_UPDATE "roll" ["old_until" = r#""2026-11-23T09:30:00.000000Z""#]
    |this, event| { client(event, this.client); event.set("old_until", this.old_until); }

    /// A client was told that a session ended.
    ClientLogoutTold { account: AccountId, client: ClientId, session: SessionId, attempts: u64 }
    "client.logout_told" "An application was told that a session at it has ended, and said that it heard." Low AUDIT LOGOFF "tell" ["attempts" = "1"]
    |this, event| { person(event, this.account, this.client); event.session = Some(this.session); event.set("attempts", this.attempts); }

    /// A client could not be told.
    ClientLogoutUntold { account: AccountId, client: ClientId, session: SessionId, attempts: u64, why: &'a str }
    "client.logout_untold" "An application could not be told that a session at it has ended; it may still let the person in." High AUDIT LOGOFF "tell" ["attempts" = "20"]
    |this, event| { event.outcome = Outcome::Failure; event.reason = Some(this.why.to_owned()); person(event, this.account, this.client); event.session = Some(this.session); event.set("attempts", this.attempts); }

    /// A client's request was refused.
    ClientRefused { client: ClientId, code: &'static str, why: &'a str }
    "client.refused" "A client did not prove who it is, or asked for what it may not have." Medium AUDIT LOGON "authenticate" ["error" = r#""invalid_client""#]
    |this, event| { event.outcome = Outcome::Failure; event.reason = Some(this.why.to_owned()); client(event, this.client); event.set("error", this.code); }

    /// Somebody signed in to a client.
    ClientSignedIn { account: AccountId, client: ClientId, login: SessionId, session: SessionId, scopes: Vec<String>, offline: bool }
    "client.signed_in" "A person who is signed in here was signed in to an application, which got tokens for what is named." Low AUDIT TICKET "sign_in" ["session" = r#""019ab3a4-7c00-7000-8000-000000000007""#, "scopes" = r#"["email", "openid"]"#, "offline" = "false"]
    |this, event| { person(event, this.account, this.client); event.session = Some(this.login); event.set("session", this.session.to_string()); event.set("scopes", this.scopes); event.set("offline", this.offline); }

    /// Somebody's session at a client ended.
    ClientSignedOut { account: AccountId, client: ClientId, session: SessionId, why: &'static str }
    "client.signed_out" "A person's session at an application ended, and the tokens that it had; their session here goes on." Low AUDIT LOGOFF "end" []
    |this, event| { event.reason = Some(this.why.to_owned()); person(event, this.account, this.client); event.session = Some(this.session); }

    /// A client got a token for itself.
    ClientTokenIssued { client: ClientId, audience: &'a str, scopes: Vec<String> }
    "client.token_issued" "A client got an access token that is its own, about no person." Low AUDIT TICKET "issue" ["audience" = r#""https://api.example.com""#, "scopes" = r#"["photos:read"]"#]
    |this, event| { client(event, this.client); event.set("audience", this.audience); event.set("scopes", this.scopes); }
}
