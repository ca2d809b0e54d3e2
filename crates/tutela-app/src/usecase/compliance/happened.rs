//! What can happen to controls of laws and standards.

use serde_json::Value;
use tutela_core::{Outcome, Resource, StatementId, occurrences};

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
}
