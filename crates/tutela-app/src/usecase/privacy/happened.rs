//! What can happen to consent and to what data is used for.

use serde_json::Value;
use tutela_core::{HoldId, Outcome, Resource, Subject, SubjectRequestId, occurrences};

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

    /// Rows whose time was over are gone.
    DataExpired { place: &'a str, class: &'a str, gone: u64, kept: u64 }
    "data.expired" "Rows of the operator's own data whose time was over went, with what hung on them; what a map or a hold keeps stayed." Low COMPLIANCE ENTITY_UPDATE "expire"
    ["class" = r#""user_data""#, "rows_gone" = "12", "rows_kept" = "1"]
    |this, event| {
        event.resource = Some(Resource::of("collection", this.place)); event.set("class", this.class); event.set("rows_gone", this.gone); event.set("rows_kept", this.kept);
    }

    /// Something of a person is kept though they ask for erasure.
    DataHeld { id: HoldId, place: &'a str, article: &'a str, owner: &'a str, until: String }
    "data.held" "Somebody decided that data of a person is kept though the person asks for erasure." Medium COMPLIANCE ENTITY_UPDATE "hold"
    ["place" = r#""shop.invoice""#, "article" = r#""Art. 17(3)(b) GDPR; § 147 AO""#, "owner" = r#""finance""#, "until" = r#""2036-12-31""#]
    |this, event| {
        event.resource = Some(Resource::of("privacy_hold", this.id)); event.set("place", this.place); event.set("article", this.article);
        event.set("owner", this.owner); event.set("until", this.until);
    }

    /// A store came back from a backup, and was looked through for people who had been erased.
    ErasuresReplayed { store: &'a str, taken_at: &'a str, people: u64 }
    "erasures.replayed" "A store was restored from a backup, and the erasure of those who had been erased since was asked for again." Medium COMPLIANCE ENTITY_UPDATE "replay"
    ["backup_taken_at" = r#""2026-11-01T00:00:00Z""#, "people" = "2"]
    |this, event| { event.resource = Some(Resource::of("data_store", this.store)); event.set("backup_taken_at", this.taken_at); event.set("people", this.people); }

    /// It is kept no more.
    DataReleased { id: HoldId, place: &'a str, why: &'a str }
    "data.released" "A hold on data of a person was released; an erasure that it stopped goes on." Medium COMPLIANCE ENTITY_UPDATE "release" ["place" = r#""shop.invoice""#]
    |this, event| { event.resource = Some(Resource::of("privacy_hold", this.id)); event.set("place", this.place); event.reason = Some(this.why.to_owned()); }

    /// Somebody took the package of a request.
    PackageFetched { id: SubjectRequestId }
    "subject_request.fetched" "The package of a request, with all data of a person, was taken." Medium COMPLIANCE ENTITY_READ "fetch" []
    |this, event| { about(event, this.id); }

    /// A request was approved.
    RequestApproved { id: SubjectRequestId }
    "subject_request.approved" "Somebody approved of the plan of a request: it is carried out." Medium COMPLIANCE ENTITY_UPDATE "approve" []
    |this, event| { about(event, this.id); }

    /// Somebody without an account asks; it counts when they open the link.
    RequestAsked { law: &'a str, kind: &'a str }
    "subject_request.asked" "Somebody asked about their data without signing in; it is a request when the link that was mailed to them is opened." Low COMPLIANCE ENTITY_READ "ask"
    ["law" = r#""gdpr""#, "type" = r#""access""#]
    |this, event| { event.set("law", this.law); event.set("type", this.kind); }

    /// A request was answered.
    RequestCompleted { id: SubjectRequestId, law: &'a str, kind: &'a str, kept: u64, receipt: String }
    "subject_request.completed" "A request of a person was carried out; the hash is that of the signed confirmation." Low COMPLIANCE ENTITY_UPDATE "complete"
    ["law" = r#""gdpr""#, "type" = r#""erasure""#, "kept" = "1", "receipt_sha256" = r#""9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08""#]
    |this, event| {
        about(event, this.id); event.set("law", this.law); event.set("type", this.kind); event.set("kept", this.kept);
        if !this.receipt.is_empty() { event.set("receipt_sha256", this.receipt); }
    }

    /// A request gets more time.
    RequestExtended { id: SubjectRequestId, until: &'a str, why: &'a str }
    "subject_request.extended" "A request takes longer than the law's first time; the person was told why." Medium COMPLIANCE ENTITY_UPDATE "extend" ["until" = r#""2027-02-22""#]
    |this, event| { about(event, this.id); event.set("until", this.until); event.reason = Some(this.why.to_owned()); }

    /// What a request comes to was found out.
    RequestPlanned { id: SubjectRequestId, gone: u64, masked: u64, kept: u64, problems: u64 }
    "subject_request.planned" "What an erasure comes to was found out; with problems nothing is touched." Low COMPLIANCE ENTITY_READ "plan"
    ["rows_deleted" = "46", "rows_masked" = "0", "kept" = "1", "problems" = "0"]
    |this, event| {
        about(event, this.id); event.set("rows_deleted", this.gone); event.set("rows_masked", this.masked); event.set("kept", this.kept); event.set("problems", this.problems);
    }

    /// A person asks for something.
    RequestReceived { id: SubjectRequestId, whose: Subject, law: &'a str, kind: &'a str, by: &'a str, due: &'a str }
    "subject_request.received" "A person asks for something about their data; the clock of the law runs." Low COMPLIANCE ENTITY_UPDATE "receive"
    ["law" = r#""gdpr""#, "type" = r#""erasure""#, "identified_by" = r#""account""#, "answer_by" = r#""2026-12-22""#]
    |this, event| {
        about(event, this.id); event.about = Some(this.whose); event.set("law", this.law); event.set("type", this.kind); event.set("identified_by", this.by);
        event.set("answer_by", this.due);
    }

    /// A request was refused.
    RequestRefused { id: SubjectRequestId, why: &'a str }
    "subject_request.refused" "A request of a person was refused, with the reason that they are told." Medium COMPLIANCE ENTITY_UPDATE "refuse" []
    |this, event| { about(event, this.id); event.outcome = Outcome::Denied; event.reason = Some(this.why.to_owned()); }

    /// Something was done for a request.
    RequestStepDone { id: SubjectRequestId, store: &'a str, changes: u64 }
    "subject_request.step_done" "A step of a request was done in a store." Low COMPLIANCE ENTITY_UPDATE "step" ["store" = r#""shop""#, "changes" = "46"]
    |this, event| { about(event, this.id); event.set("store", this.store); event.set("changes", this.changes); }

    /// A request waits for somebody.
    RequestStopped { id: SubjectRequestId, why: &'a str }
    "subject_request.stopped" "A request cannot be carried out as things are, or waits for approval: somebody has to look." High COMPLIANCE ENTITY_UPDATE "stop" []
    |this, event| { about(event, this.id); event.outcome = Outcome::Failure; event.reason = Some(this.why.to_owned()); }
}

fn about(event: &mut tutela_core::Event, request: SubjectRequestId) {
    event.resource = Some(Resource::of("subject_request", request));
}

fn said(event: &mut tutela_core::Event, whose: Subject, purpose: &str, version: &str, receipt: Value, method: &str) {
    event.resource = Some(Resource::of("purpose", purpose));
    event.about = Some(whose);
    event.set("version", version);
    event.set("method", method);
    event.set_personal("receipt", receipt);
}
