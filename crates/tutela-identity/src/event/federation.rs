//! What can happen with outside providers, with clients that sign people in here, and with the keys of tokens.

use tutela_core::{AccountId, Event, Outcome, OutsideId, Resource, Subject, occurrences};

fn about(event: &mut Event, account: AccountId) {
    event.about = Some(Subject::Account(account));
    event.resource = Some(Resource::of("account", account));
}

occurrences! {
    /// Event types about federation.
    TYPES

    /// An account was connected with an identity at an outside provider.
    OutsideConnected { account: AccountId, identity: OutsideId, provider: &'a str, how: &'static str, subject: &'a str }
    "outside.connected" "An account was connected with an identity at an outside provider; whoever proves that identity there signs in to the account here." Medium AUDIT ACCOUNT_CHANGE "connect" ["identity" = r#""019ab3a4-7c00-7000-8000-000000000006""#, "provider" = r#""corp""#, "how" = r#""connected""#; "subject" = r#""248289761001""#]
    |this, event| { about(event, this.account); event.set("identity", this.identity.to_string()); event.set("provider", this.provider); event.set("how", this.how); event.set_personal("subject", this.subject); }

    /// An account was disconnected from an outside identity.
    OutsideDisconnected { account: AccountId, identity: OutsideId, provider: &'a str, why: Option<&'a str> }
    "outside.disconnected" "An account was disconnected from an identity at an outside provider." Medium AUDIT ACCOUNT_CHANGE "disconnect" ["identity" = r#""019ab3a4-7c00-7000-8000-000000000006""#, "provider" = r#""corp""#]
    |this, event| { about(event, this.account); event.reason = this.why.map(str::to_owned); event.set("identity", this.identity.to_string()); event.set("provider", this.provider); }

    /// An outside provider's answer was refused.
    OutsideRefused { provider: &'a str, what: &'a str }
    "outside.refused" "An answer from an outside provider was refused: it was forged, replayed, too old, for somebody else, or not what was asked for." Medium AUDIT LOGON "sign_in" ["provider" = r#""corp""#]
    |this, event| { event.outcome = Outcome::Failure; event.reason = Some(this.what.to_owned()); event.set("provider", this.provider); }

    /// A key that tokens are signed with was made.
    SigningKeyMade { id: &'a str, algorithm: &'static str, from: String }
    "signing_key.made" "A key was made that tokens are signed with; it is published before it signs." Low AUDIT ENTITY_CREATE "make" ["algorithm" = r#""EdDSA""#, "signs_from" = r#""2026-11-23T09:30:00.000000Z""#]
    |this, event| { event.resource = Some(Resource::of("signing_key", this.id)); event.set("algorithm", this.algorithm); event.set("signs_from", this.from); }

    /// A key that tokens were signed with was revoked.
    SigningKeyRevoked { id: &'a str, algorithm: &'static str }
    "signing_key.revoked" "A key that tokens were signed with was revoked: whatever it has signed is refused from now on." High AUDIT ENTITY_DELETE "revoke" ["algorithm" = r#""EdDSA""#]
    |this, event| { event.resource = Some(Resource::of("signing_key", this.id)); event.set("algorithm", this.algorithm); }
}
