//! What can happen to the server, the ledger and its projections; one struct each, in the past tense.

use serde_json::Value;
use tutela_core::{AccountId, AlertId, BlockId, Event, ExclusionId, HoldId, IncidentId, Outcome, Resource, Severity, Subject, occurrences};

fn because(event: &mut Event, reason: &str) {
    event.reason = Some(reason.to_owned());
}

fn failed(event: &mut Event, failure: Option<&str>) {
    if let Some(failure) = failure {
        event.outcome = Outcome::Failure;
        event.severity = Severity::High;
        because(event, failure);
    }
}

occurrences! {
    /// Every event type of this crate that tutela itself emits.
    TYPES

    /// Somebody known asked for something they may not do.
    AccessDenied { permission: &'static str }
    "access.denied" "Somebody asked for something that their roles or scopes do not allow." Low AUDIT API_DENIED "authorize" ["permission" = r#""keys:destroy""#]
    |this, event| { event.outcome = Outcome::Denied; event.set("permission", this.permission); }

    /// A rule found something, and may not do what it would.
    ActionRefused { alert: AlertId, rule: &'a str, act: &'a str, why: &'a str }
    "action.refused" "A rule of detection would have acted and was not let: a guardrail stood in its way." Medium AUDIT ENTITY_READ "refuse"
    ["rule" = r#""brute_force_detection""#, "action" = r#""block_ip""#]
    |this, event| {
        event.outcome = Outcome::Denied; event.resource = Some(Resource::of("alert", this.alert)); event.set("rule", this.rule); event.set("action", this.act);
        because(event, this.why);
    }

    /// An address or network is refused from now on.
    AddressBlocked { id: BlockId, network: String, until: String, rule: Option<&'a str>, alert: Option<AlertId>, why: &'a str }
    "address.blocked" "An address or network is refused by the gateway from the next request on, until a time comes or somebody lifts it." High AUDIT ENTITY_DISABLE "block"
    ["until" = r#""2026-11-22T10:30:00.000000Z""#, "rule" = r#""brute_force_detection""#, "alert" = r#""019ab3a4-7c00-7000-8000-000000000009""#; "network" = r#""192.0.2.7/32""#]
    |this, event| {
        event.resource = Some(Resource::of("block", this.id)); event.set("until", this.until); event.set_personal("network", this.network);
        if let Some(rule) = this.rule { event.set("rule", rule); }
        if let Some(alert) = this.alert { event.set("alert", alert.to_string()); }
        because(event, this.why);
    }

    /// An address or network may come again.
    AddressUnblocked { id: BlockId, network: String, why: &'a str }
    "address.unblocked" "Somebody lifted a block: the address or network may come again." Medium AUDIT ENTITY_ENABLE "unblock" [; "network" = r#""192.0.2.7/32""#]
    |this, event| { event.resource = Some(Resource::of("block", this.id)); event.set_personal("network", this.network); because(event, this.why); }

    /// A rule of detection found something.
    AlertRaised {
        id: AlertId, rule: &'a str, level: &'a str, title: &'a str, mode: &'a str, count: u32, estimated: bool, evidence: Vec<String>, actions: Vec<String>,
        credit: Option<String>, about: Value, reasons: Vec<String>, incident: Option<IncidentId>,
    }
    "alert.raised" "A rule of detection found something; its evidence is named by position." High AUDIT FINDING "detect"
    ["rule" = r#""brute_force_detection""#, "level" = r#""high""#, "title" = r#""Many failed sign-ins from one address""#, "mode" = r#""act""#, "count" = "6",
     "estimated" = "false", "evidence" = r#"["4705", "4711"]"#, "actions" = r#"["block_ip"]"#, "incident" = r#""019ab3a4-7c00-7000-8000-00000000000a""#, "credit" = r#""SigmaHQ (5f0657d2)""#;
     "about" = r#"{"ip": "192.0.2.7"}"#, "reasons" = r#"["country `CH` is new: the 2nd in 90 days"]"#]
    |this, event| {
        event.severity = match this.level {
            "critical" => Severity::Critical, "high" => Severity::High, "medium" => Severity::Medium, "low" => Severity::Low, _ => Severity::Informational,
        };
        event.resource = Some(Resource::of("alert", this.id)); event.set("rule", this.rule); event.set("level", this.level); event.set("title", this.title);
        event.set("mode", this.mode); event.set("count", this.count); event.set("estimated", this.estimated); event.set("evidence", this.evidence);
        event.set("actions", this.actions); event.set_personal("about", this.about);
        if let Some(credit) = this.credit { event.set("credit", credit); }
        if let Some(incident) = this.incident { event.set("incident", incident.to_string()); }
        if !this.reasons.is_empty() { event.set_personal("reasons", this.reasons); }
    }

    /// A test alert was sent.
    AlertTested { id: AlertId, to: Vec<String> }
    "alert.tested" "Somebody sent a test alert to everybody who is told of alerts." Low AUDIT ENTITY_READ "test" [; "to" = r##"["#security-alerts", "security-team"]"##]
    |this, event| { event.resource = Some(Resource::of("alert", this.id)); event.set_personal("to", this.to); }

    /// The whole instance was backed up.
    BackupMade { rows: u64, bytes: u64, sha256: String, position: u64, failure: Option<&'a str> }
    "backup.made" "The whole instance was written to a backup that opens with its root key." Low COMPLIANCE LOG_ARCHIVE "back_up"
    ["rows" = "4096", "bytes" = "1048576", "sha256" = r#""9f86d081884c7d65""#, "position" = "4000"]
    |this, event| {
        event.set("rows", this.rows); event.set("bytes", this.bytes); event.set("sha256", this.sha256); event.set("position", this.position);
        failed(event, this.failure);
    }

    /// A restore was rehearsed.
    BackupRehearsed { rows: u64, entries: u64, backup_sha256: String, failure: Option<&'a str> }
    "backup.rehearsed" "A backup was restored into a scratch instance, its ledger verified there, and the result recorded." Low COMPLIANCE LOG_ARCHIVE "rehearse"
    ["rows" = "4096", "entries" = "4000", "sha256" = r#""9f86d081884c7d65""#]
    |this, event| { event.set("rows", this.rows); event.set("entries", this.entries); event.set("sha256", this.backup_sha256); failed(event, this.failure); }

    /// The instance was restored.
    BackupRestored { rows: u64, backup_position: u64, erasures: u64 }
    "backup.restored" "The instance was restored from a backup; erasures made since were carried out again before it served." High COMPLIANCE LOG_ARCHIVE "restore"
    ["rows" = "4096", "position" = "4000", "erasures" = "2"]
    |this, event| { event.set("rows", this.rows); event.set("position", this.backup_position); event.set("erasures", this.erasures); }

    /// An event type was declared.
    EventTypeDeclared { name: &'a str, class: &'a str, fields: Vec<String> }
    "event_type.declared" "An application's event type was declared, or declared anew." Low AUDIT ENTITY_UPDATE "declare" ["class" = r#""audit""#, "fields" = r#"["album", "owner"]"#]
    |this, event| { event.resource = Some(Resource::of("event_type", this.name)); event.set("class", this.class); event.set("fields", this.fields); }

    /// The declaration of an event type was taken back.
    EventTypeRemoved { name: &'a str }
    "event_type.removed" "The declaration of an application's event type was taken back; the name is an undeclared one again." Low AUDIT ENTITY_DELETE "remove" []
    |this, event| { event.resource = Some(Resource::of("event_type", this.name)); }

    /// Bodies of one class were taken out.
    LedgerExpired { class: &'a str, from: u64, to: u64, entries: u64, removed: String }
    "ledger.expired" "Events of one class between two positions had reached the end of their retention and were deleted; their hashes stay." Low COMPLIANCE LOG_DELETE "expire"
    ["class" = r#""traffic""#, "from" = "0", "to" = "2048", "entries" = "812", "removed" = r#""AQ==""#]
    |this, event| { event.set("class", this.class); event.set("from", this.from); event.set("to", this.to); event.set("entries", this.entries); event.set("removed", this.removed); }

    /// Events were exported.
    LedgerExported { format: &'a str, query: &'a str, proofs: bool, from: u64, to: u64 }
    "ledger.exported" "Somebody took events out of the ledger in bulk." Medium COMPLIANCE LOG_EXPORT "export"
    ["format" = r#""jsonl""#, "proofs" = "true", "from" = "0", "to" = "4000"; "query" = r#""actor:photos:7""#]
    |this, event| {
        event.set("format", this.format); event.set("proofs", this.proofs); event.set("from", this.from); event.set("to", this.to);
        // A query may name a person, so it is sealed.
        event.set_personal("query", this.query);
    }

    /// A hold on events was placed.
    LedgerHoldPlaced { id: HoldId, case: &'a str, reason: &'a str, query: &'a str }
    "ledger.hold_placed" "Events that match are kept from now on, whatever their retention says." Medium COMPLIANCE ENTITY_CREATE "hold" ["case" = r#""2026-117""#; "query" = r#""actor:photos:7""#]
    |this, event| { event.resource = Some(Resource::of("hold", this.id)); event.set("case", this.case); event.set_personal("query", this.query); because(event, this.reason); }

    /// A hold on events ended.
    LedgerHoldReleased { id: HoldId, case: &'a str, reason: &'a str }
    "ledger.hold_released" "A hold on events ended; what has expired meanwhile is deleted with the next round." Medium COMPLIANCE ENTITY_DELETE "release" ["case" = r#""2026-117""#]
    |this, event| { event.resource = Some(Resource::of("hold", this.id)); event.set("case", this.case); because(event, this.reason); }

    /// The beginning of the ledger was deleted.
    LedgerPruned { first: u64 }
    "ledger.pruned" "Everything before a position had reached the end of its retention and was deleted with its hashes; proofs of later events hold." Low COMPLIANCE LOG_DELETE "prune" ["first" = "2048"]
    |this, event| { event.set("first", this.first); }

    /// What used to be recorded is no more.
    LedgerSilent { kind: &'a str, hours: usize, usual: u64 }
    "ledger.silent" "Events of a type that were recorded in every hour of a day have stopped coming: an application that died, a route that goes round the gateway, or somebody who does not want to be seen." High AUDIT LOG_OTHER "miss"
    ["hours" = "2", "usual" = "120"]
    |this, event| { event.resource = Some(Resource::of("event_type", this.kind)); event.set("hours", this.hours); event.set("usual", this.usual); }

    /// Retention had to keep something.
    LedgerRetentionRefused { class: &'a str, held: u64 }
    "ledger.retention_refused" "Events had reached the end of their retention and were kept because of a hold." Low COMPLIANCE LOG_OTHER "expire" ["class" = r#""audit""#, "held" = "3"]
    |this, event| { event.outcome = Outcome::Denied; event.set("class", this.class); event.set("held", this.held); }

    /// The configuration was read again.
    ConfigurationReloaded { changed: &'a [String], failure: Option<&'a str> }
    "configuration.reloaded" "The configuration was read again; routes, upstreams, rules, limits, certificates and listeners that it changes are in force." Medium AUDIT ENTITY_UPDATE "reload" ["changed" = r#"["gateway"]"#]
    |this, event| { event.set("changed", this.changed.to_vec()); failed(event, this.failure); }

    /// Somebody was let in again.
    LimitLifted { limit: &'a str, who: &'a str, why: &'a str }
    "limit.lifted" "Somebody whom a limit of requests refused was let in again." Medium AUDIT ENTITY_UPDATE "lift" ["limit" = r#""api""#; "who" = r#""address 192.0.2.7""#]
    |this, event| { event.set("limit", this.limit); event.set_personal("who", this.who); because(event, this.why); }

    /// Requests were not recorded because the queue was full.
    RequestsLost { count: u64 }
    "gateway.requests_lost" "More requests came than could be recorded; this is how many have no record." High AUDIT LOG_OTHER "drop" ["count" = "17"]
    |this, event| { event.outcome = Outcome::Failure; event.set("count", this.count); }

    /// The clock of this host was set.
    ServerClockChanged { seconds: i64 }
    "server.clock_changed" "The clock of this host was set by more than a few seconds while tutela ran; times of events before and after do not fit together." High AUDIT LOG_OTHER "set" ["seconds" = "-3600"]
    |this, event| { event.set("seconds", this.seconds); }

    /// The server is ready.
    ServerStarted { version: &'static str, storage: &'static str }
    "server.started" "tutela started on this host and is ready to serve." Informational AUDIT APP_START "start" ["version" = r#""0.1.0""#, "storage" = r#""sqlite""#]
    |this, event| { event.set("version", this.version); event.set("storage", this.storage); }

    /// The server stops in good order.
    ServerStopped { }
    "server.stopped" "tutela was asked to stop and finished what it was doing." Informational AUDIT APP_STOP "stop" []
    |_this, event| { }

    /// A projection refused events for good.
    SinkRefused { sink: &'a str, events: u64, said: &'a str }
    "sink.refused" "A search cluster refused events for good; they are kept as dead letters until somebody sends them again." High AUDIT LOG_OTHER "project" ["events" = "1"]
    |this, event| { event.outcome = Outcome::Failure; event.resource = Some(Resource::of("sink", this.sink)); event.set("events", this.events); because(event, this.said); }

    /// A projection is built again.
    SinkRebuilt { sink: &'a str }
    "sink.rebuilt" "A search cluster's documents were dropped; all events are sent there again." Medium AUDIT ENTITY_UPDATE "rebuild" []
    |this, event| { event.resource = Some(Resource::of("sink", this.sink)); }

    /// A projection was compared with the ledger.
    SinkReconciled { sink: &'a str, up_to: u64, missing: u64, extra: u64, changed: u64 }
    "sink.reconciled" "A search cluster was compared with the ledger, event by event." Low COMPLIANCE ENTITY_READ "reconcile" ["up_to" = "4000", "missing" = "0", "extra" = "0", "changed" = "0"]
    |this, event| {
        event.resource = Some(Resource::of("sink", this.sink));
        event.set("up_to", this.up_to); event.set("missing", this.missing); event.set("extra", this.extra); event.set("changed", this.changed);
        if this.missing + this.extra + this.changed > 0 { event.outcome = Outcome::Failure; event.severity = Severity::High; }
    }

    /// A projection follows again.
    SinkResumed { sink: &'a str, behind: u64 }
    "sink.resumed" "A search cluster answers again; what it missed is being sent." Low AUDIT LOG_OTHER "resume" ["behind" = "120"]
    |this, event| { event.resource = Some(Resource::of("sink", this.sink)); event.set("behind", this.behind); }

    /// A projection stopped.
    SinkStalled { sink: &'a str, behind: u64, why: &'a str }
    "sink.stalled" "A search cluster has not taken events for a minute; nothing is lost, the ledger keeps them until it does." High AUDIT LOG_OTHER "wait" ["behind" = "120"]
    |this, event| { event.outcome = Outcome::Failure; event.resource = Some(Resource::of("sink", this.sink)); event.set("behind", this.behind); because(event, this.why); }

    /// A rule of detection was written, or goes further or less far than before.
    RuleChanged { name: &'a str, mode: &'a str, text: Option<&'a str>, why: &'a str }
    "rule.changed" "A rule of detection was written, or somebody set how far it goes." High AUDIT ENTITY_UPDATE "change"
    ["mode" = r#""act""#, "text" = r#""name: coupon_guessing""#]
    |this, event| {
        event.resource = Some(Resource::of("rule", this.name)); event.set("mode", this.mode); because(event, this.why);
        if let Some(text) = this.text { event.set("text", text); }
    }

    /// What was written over a rule of detection was taken back.
    RuleReset { name: &'a str, why: &'a str }
    "rule.reset" "What somebody had written over a rule of detection was taken back: it is as the configuration has it, or gone." High AUDIT ENTITY_DELETE "reset" []
    |this, event| { event.resource = Some(Resource::of("rule", this.name)); because(event, this.why); }

    /// Something was done about an incident by a button.
    IncidentContained { id: IncidentId, act: &'a str, targets: u64, refused: Vec<String>, why: &'a str }
    "incident.contained" "Somebody had something done about an incident: addresses blocked, sessions ended, accounts locked." High AUDIT ENTITY_UPDATE "contain"
    ["action" = r#""revoke_sessions""#, "targets" = "1", "refused" = r#"["it is the last active administrator, who could undo it"]"#]
    |this, event| {
        event.resource = Some(Resource::of("incident", this.id)); event.set("action", this.act); event.set("targets", this.targets);
        if !this.refused.is_empty() { event.set("refused", this.refused); }
        because(event, this.why);
    }

    /// An incident came a step further.
    IncidentMoved { id: IncidentId, from: &'a str, to: &'a str, why: &'a str }
    "incident.moved" "An incident was acknowledged, contained, resolved or reviewed." Medium AUDIT ENTITY_UPDATE "move" ["from" = r#""open""#, "to" = r#""acknowledged""#]
    |this, event| { event.resource = Some(Resource::of("incident", this.id)); event.set("from", this.from); event.set("to", this.to); because(event, this.why); }

    /// Alerts about somebody or something began.
    IncidentOpened { id: IncidentId, level: &'a str, title: &'a str, playbook: Option<&'a str> }
    "incident.opened" "The first of alerts that belong together was raised; those that follow about the same people and things join it." High AUDIT ENTITY_CREATE "open"
    ["level" = r#""high""#, "title" = r#""Many failed sign-ins from one address""#, "playbook" = r#""account_takeover""#]
    |this, event| {
        event.resource = Some(Resource::of("incident", this.id)); event.set("level", this.level); event.set("title", this.title);
        if let Some(playbook) = this.playbook { event.set("playbook", playbook); }
    }

    /// A step of an incident's playbook was checked off, or is to be done again.
    IncidentStepSet { id: IncidentId, step: &'a str, done: bool, note: Option<&'a str> }
    "incident.step_set" "A step of what is to be done about an incident was checked off, or is to be done again." Low AUDIT ENTITY_UPDATE "check" ["step" = r#""scope""#, "done" = "true"]
    |this, event| {
        event.resource = Some(Resource::of("incident", this.id)); event.set("step", this.step); event.set("done", this.done);
        if let Some(note) = this.note { because(event, note); }
    }

    /// What an account has proven counts no more.
    StepUpAsked { account: AccountId }
    "account.step_up_asked" "What was proven in the account's sessions counts no more: the next thing that matters asks for it again, on remembered devices too." Medium AUDIT ENTITY_UPDATE "doubt" []
    |this, event| { event.resource = Some(Resource::of("account", this.account)); event.about = Some(Subject::Account(this.account)); }

    /// A server of an upstream is not well.
    UpstreamFailed { upstream: &'a str, server: &'a str, why: &'a str }
    "upstream.failed" "A server of an application does not answer, or says itself that it is not well; it gets no requests for now." High AUDIT LOG_OTHER "rest" ["server" = r#""http://10.0.0.1:3000""#]
    |this, event| { event.outcome = Outcome::Failure; event.resource = Some(Resource::of("upstream", this.upstream)); event.set("server", this.server); because(event, this.why); }

    /// A server of an upstream is well again.
    UpstreamRecovered { upstream: &'a str, server: &'a str }
    "upstream.recovered" "A server of an application answers again and gets requests." Low AUDIT LOG_OTHER "resume" ["server" = r#""http://10.0.0.1:3000""#]
    |this, event| { event.resource = Some(Resource::of("upstream", this.upstream)); event.set("server", this.server); }

    /// A rule of the firewall was excepted.
    RuleExcluded { id: ExclusionId, route: &'a str, rule: u64, place: Option<&'a str>, until: String, from: Option<String>, why: &'a str }
    "waf.rule_excluded" "A rule of the firewall does not look at a place, or at nothing, on a route until a day; requests that it refused pass." High AUDIT ENTITY_CREATE "exclude"
    ["route" = r#""photos""#, "rule" = "942100", "place" = r#""ARGS:comment""#, "until" = r#""2027-01-22T00:00:00Z""#, "event" = r#""01890a5d-ac96-774b-bcce-b302099a8057""#]
    |this, event| {
        event.resource = Some(Resource::of("exclusion", this.id)); event.set("route", this.route); event.set("rule", this.rule); event.set("until", this.until);
        if let Some(place) = this.place { event.set("place", place); }
        if let Some(from) = this.from { event.set("event", from); }
        because(event, this.why);
    }

    /// An exclusion ended before its day.
    RuleExclusionEnded { id: ExclusionId, route: &'a str, rule: u64, why: &'a str }
    "waf.exclusion_ended" "A rule of the firewall looks at everything on a route again." Medium AUDIT ENTITY_DELETE "end" ["route" = r#""photos""#, "rule" = "942100"]
    |this, event| { event.resource = Some(Resource::of("exclusion", this.id)); event.set("route", this.route); event.set("rule", this.rule); because(event, this.why); }
}
