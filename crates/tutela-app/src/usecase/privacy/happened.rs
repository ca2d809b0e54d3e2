//! What can happen to consent and to what data is used for.

use serde_json::Value;
use tutela_core::{Resource, Subject, occurrences};

occurrences! {
    /// Event types of privacy.
    TYPES

    /// Somebody has said yes.
    ConsentGiven { whose: Subject, purpose: &'a str, version: &'a str, receipt: Value, method: &'a str }
    "consent.given" "A person has said yes to a purpose, in the version of its notice that they saw; the receipt is in the event." Low COMPLIANCE ENTITY_UPDATE "give"
    ["version" = r#""2026-11""#, "method" = r#""form""#; "receipt" = r#"{"receipt_id": "019ab3a4-7c00-7000-8000-000000000009"}"#]
    |this, event| { said(event, this.whose, this.purpose, this.version, this.receipt, this.method); }

    /// Somebody has said no, or objects.
    ConsentRefused { whose: Subject, purpose: &'a str, version: &'a str, receipt: Value, method: &'a str }
    "consent.refused" "A person has said no to a purpose, or objects to it." Low COMPLIANCE ENTITY_UPDATE "refuse"
    ["version" = r#""2026-11""#, "method" = r#""form""#; "receipt" = r#"{"receipt_id": "019ab3a4-7c00-7000-8000-000000000009"}"#]
    |this, event| { said(event, this.whose, this.purpose, this.version, this.receipt, this.method); }

    /// Somebody has taken their yes back.
    ConsentWithdrawn { whose: Subject, purpose: &'a str, version: &'a str, receipt: Value, method: &'a str }
    "consent.withdrawn" "A person has taken their consent to a purpose back; from now on nothing may be done on it." Medium COMPLIANCE ENTITY_UPDATE "withdraw"
    ["version" = r#""2026-11""#, "method" = r#""form""#; "receipt" = r#"{"receipt_id": "019ab3a4-7c00-7000-8000-000000000009"}"#]
    |this, event| { said(event, this.whose, this.purpose, this.version, this.receipt, this.method); }

    /// A purpose is new, or says something else.
    PurposeChanged { name: &'a str, basis: &'a str, version: &'a str, hash: &'a str }
    "purpose.changed" "What personal data is used for was set: its ground, and the notice that people see." Medium COMPLIANCE ENTITY_UPDATE "set"
    ["basis" = r#""consent""#, "version" = r#""2026-11""#, "notice_sha256" = r#""9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08""#]
    |this, event| {
        event.resource = Some(Resource::of("purpose", this.name)); event.set("basis", this.basis); event.set("version", this.version);
        event.set("notice_sha256", this.hash);
    }

    /// A purpose is out of use.
    PurposeRetired { name: &'a str, why: &'a str }
    "purpose.retired" "Personal data is used for a purpose no more." Medium COMPLIANCE ENTITY_DISABLE "retire" []
    |this, event| { event.resource = Some(Resource::of("purpose", this.name)); event.reason = Some(this.why.to_owned()); }
}

fn said(event: &mut tutela_core::Event, whose: Subject, purpose: &str, version: &str, receipt: Value, method: &str) {
    event.resource = Some(Resource::of("purpose", purpose));
    event.about = Some(whose);
    event.set("version", version);
    event.set("method", method);
    event.set_personal("receipt", receipt);
}
