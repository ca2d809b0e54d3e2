//! What can happen to controls of laws and standards.

use serde_json::Value;
use tutela_core::{BreachId, Outcome, Resource, StatementId, occurrences};

occurrences! {
    /// Event types of compliance.
    TYPES

    /// A framework was assessed.
    FrameworkAssessed { framework: &'a str, why: &'a str, settings: &'a str, checkpoint: u64, counts: [u64; 5], controls: Value }
    "compliance.assessed" "The controls of a law or standard were assessed; what was found of each is in the event, with the ledger's size by then." Low COMPLIANCE ENTITY_READ "assess"
    ["why" = r#""schedule""#, "settings_sha256" = r#""9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08""#, "checkpoint" = "1024",
     "passed" = "20", "failed" = "3", "without_data" = "4", "manual" = "1", "not_applicable" = "0",
     "controls" = r#"[{"control": "8.3.4", "outcome": "pass", "why": "5 wrong passwords lock for 86400 s", "findings": []}]"#]
    |this, event| {
        event.resource = Some(Resource::of("framework", this.framework)); event.set("why", this.why); event.set("settings_sha256", this.settings);
        event.set("checkpoint", this.checkpoint);
        for (name, count) in ["passed", "failed", "without_data", "manual", "not_applicable"].into_iter().zip(this.counts) { event.set(name, count); }
        event.set("controls", this.controls);
    }

    /// A control stands otherwise than before.
    ControlChanged { framework: &'a str, control: &'a str, number: &'a str, old: &'a str, new: &'a str, why: &'a str }
    "compliance.control_changed" "A control of a law or standard stands otherwise than at the assessment before." Medium COMPLIANCE ENTITY_UPDATE "assess"
    ["framework" = r#""pci-dss""#, "control" = r#""8.3.4""#, "number" = r#""8.3.4""#, "old" = r#""pass""#, "new" = r#""fail""#]
    |this, event| {
        event.resource = Some(Resource::of("control", format!("{}/{}", this.framework, this.control)));
        event.set("framework", this.framework); event.set("control", this.control); event.set("number", this.number);
        event.set("old", this.old); event.set("new", this.new); event.reason = Some(this.why.to_owned());
    }

    /// What the database says of a control is not what was recorded.
    ControlDiffers { framework: &'a str, control: &'a str, stored: &'a str, recorded: &'a str }
    "compliance.control_differs" "How a control stands was changed in the database behind this server's back: the ledger says otherwise." High COMPLIANCE ENTITY_UPDATE "compare"
    ["stored" = r#""pass""#, "recorded" = r#""fail""#]
    |this, event| {
        event.resource = Some(Resource::of("control", format!("{}/{}", this.framework, this.control)));
        event.set("stored", this.stored); event.set("recorded", this.recorded); event.outcome = Outcome::Failure;
    }

    /// Assessments do not happen.
    AssessmentOverdue { framework: &'a str, last: String }
    "compliance.assessment_overdue" "A law or standard has not been assessed for twice as long as configured." High COMPLIANCE ENTITY_READ "assess" ["last" = r#""2026-11-20T12:00:00Z""#]
    |this, event| { event.resource = Some(Resource::of("framework", this.framework)); event.set("last", this.last); event.outcome = Outcome::Failure; }

    /// Somebody states something of a control.
    ControlStated { id: StatementId, framework: &'a str, control: &'a str, kind: &'a str, owner: &'a str, document: &'a str, until: &'a str, why: &'a str }
    "compliance.stated" "Somebody attests to a control, accepts that it does not hold, or says that it does not concern this installation." Medium COMPLIANCE ENTITY_UPDATE "state"
    ["framework" = r#""gdpr""#, "control" = r#""art-24""#, "kind" = r#""attestation""#, "owner" = r#""legal""#, "document" = r#""policies/dpo.pdf""#, "until" = r#""2027-11-22""#]
    |this, event| {
        event.resource = Some(Resource::of("control_statement", this.id)); event.set("framework", this.framework); event.set("control", this.control);
        event.set("kind", this.kind); event.set("owner", this.owner); event.set("document", this.document); event.set("until", this.until);
        if !this.why.is_empty() { event.reason = Some(this.why.to_owned()); }
    }

    /// Somebody else agrees.
    StatementApproved { id: StatementId, framework: &'a str, control: &'a str, kind: &'a str }
    "compliance.statement_approved" "A second person approved what was stated of a control; it counts from now on." Medium COMPLIANCE ENTITY_UPDATE "approve"
    ["framework" = r#""pci-dss""#, "control" = r#""3.4.1""#, "kind" = r#""not_applicable""#]
    |this, event| {
        event.resource = Some(Resource::of("control_statement", this.id)); event.set("framework", this.framework); event.set("control", this.control); event.set("kind", this.kind);
    }

    /// It is taken back.
    StatementWithdrawn { id: StatementId, framework: &'a str, control: &'a str, kind: &'a str, why: &'a str }
    "compliance.statement_withdrawn" "What was stated of a control counts no more." Medium COMPLIANCE ENTITY_UPDATE "withdraw"
    ["framework" = r#""pci-dss""#, "control" = r#""3.4.1""#, "kind" = r#""exception""#]
    |this, event| {
        event.resource = Some(Resource::of("control_statement", this.id)); event.set("framework", this.framework); event.set("control", this.control); event.set("kind", this.kind);
        event.reason = Some(this.why.to_owned());
    }
    /// Card numbers lie in the clear.
    CardNumbersFound { place: &'a str, rows: u64 }
    "compliance.card_numbers_found" "Card numbers lie in the clear where none belong; in how many rows is said, and not which numbers." High COMPLIANCE ENTITY_READ "scan" ["rows" = "3"]
    |this, event| { event.resource = Some(Resource::of("place", this.place)); event.set("rows", this.rows); }

    /// Requests were sent to see what happens.
    InstallationProbed { sent: u64, attacked: u64, passed: &'a [String], unrecorded: &'a [String], unprobed: &'a [String], idle_opened: Option<bool> }
    "compliance.probed" "Requests whose answer is known were sent through the gateway: attacks, and sessions that nobody had used; what came of them is in the event." Low COMPLIANCE ENTITY_READ "probe"
    ["sent" = "12", "attacked" = "9", "passed" = r#"["shop"]"#, "unrecorded" = "[]", "unprobed" = "[]", "idle_opened" = "false"]
    |this, event| {
        event.set("sent", this.sent); event.set("attacked", this.attacked);
        for (name, list) in [("passed", this.passed), ("unrecorded", this.unrecorded), ("unprobed", this.unprobed)] { event.set(name, list.to_vec()); }
        if let Some(opened) = this.idle_opened { event.set("idle_opened", opened); }
        if !(this.passed.is_empty() && this.unrecorded.is_empty()) { event.outcome = Outcome::Failure; }
    }

    /// A breach was entered.
    BreachOpened { id: BreachId, aware_at: String, incident: &'a str }
    "breach.opened" "A breach of personal data was entered in the register; the clocks of the laws run from when it was known." High COMPLIANCE ENTITY_CREATE "open"
    ["aware_at" = r#""2026-11-20T10:00:00Z""#, "incident" = r#""019ab3a4-7c00-7000-8000-000000000009""#]
    |this, event| {
        event.resource = Some(Resource::of("breach", this.id)); event.set("aware_at", this.aware_at);
        if !this.incident.is_empty() { event.set("incident", this.incident); }
    }

    /// More is known.
    BreachChanged { id: BreachId, risk: &'a str }
    "breach.changed" "What is known of a breach was written down anew; whoever had signed signs again." Medium COMPLIANCE ENTITY_UPDATE "change" ["risk" = r#""high""#]
    |this, event| { event.resource = Some(Resource::of("breach", this.id)); event.set("risk", this.risk); }

    /// Somebody signed.
    BreachSigned { id: BreachId, signatures: u64 }
    "breach.signed" "Somebody signed what is known of a breach; two have to before anybody is told." Medium COMPLIANCE ENTITY_UPDATE "sign" ["signatures" = "2"]
    |this, event| { event.resource = Some(Resource::of("breach", this.id)); event.set("signatures", this.signatures); }

    /// Somebody was told.
    BreachTold { id: BreachId, to: &'a str, at: String, late: bool, why: Option<&'a str> }
    "breach.told" "Of a breach somebody was told who has to be." Medium COMPLIANCE ENTITY_UPDATE "tell" ["to" = r#""authority""#, "at" = r#""2026-11-22T10:00:00Z""#, "late" = "false"]
    |this, event| {
        event.resource = Some(Resource::of("breach", this.id)); event.set("to", this.to); event.set("at", this.at); event.set("late", this.late);
        event.reason = this.why.map(str::to_owned);
    }

    /// Somebody has to be told soon.
    BreachReminder { id: BreachId, framework: &'a str, to: &'a str, due: String, late: bool }
    "breach.reminder" "Of a breach somebody is still to be told: a third, two thirds, five sixths and nearly all of the time are over, or all of it." High COMPLIANCE ENTITY_READ "remind"
    ["framework" = r#""gdpr""#, "to" = r#""authority""#, "due" = r#""2026-11-23T10:00:00Z""#, "late" = "false"]
    |this, event| {
        event.resource = Some(Resource::of("breach", this.id)); event.set("framework", this.framework); event.set("to", this.to); event.set("due", this.due);
        event.set("late", this.late);
    }

    /// It is over.
    BreachClosed { id: BreachId, why: &'a str }
    "breach.closed" "A breach was closed: everybody was told who had to be." Medium COMPLIANCE ENTITY_UPDATE "close" []
    |this, event| { event.resource = Some(Resource::of("breach", this.id)); event.reason = Some(this.why.to_owned()); }
}
