//! Compliance in the console: how the frameworks that are switched on stand.

use axum::{
    extract::{Form, Path, Query, State},
    http::{HeaderMap, Uri},
    response::Response,
};
use serde::Deserialize;
use tutela_api as api;
use tutela_app::{Error, compliance};

use super::{console::desk, console_frame::Desk, console_keys::given, see_other, show::when_text};
use crate::{
    caller::Caller,
    view::{
        console::Room,
        console_compliance::{CompliancePage, ControlPage, ControlView, FindingView, FrameworkView, StatementView},
        part::{Status, Tone},
    },
    web::Web,
};

/// How many assessments are shown of a framework.
const HISTORY: u32 = 20;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    done: String,
}

/// What somebody states in the form.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Stated {
    kind: String,
    owner: String,
    document: String,
    reason: String,
    until: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Which {
    id: String,
}

pub(crate) async fn list(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri, Query(asked): Query<Asked>) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let found = match compliance::status(&desk.web.app, &desk.caller.ctx).await {
        Ok(found) => found,
        Err(e) => return desk.failed(Room::Compliance, &e),
    };
    let mut frameworks = Vec::new();
    for of in found.frameworks {
        match compliance::assessments(&desk.web.app, &desk.caller.ctx, &of.key, HISTORY).await {
            Ok(history) => frameworks.push(framework(of, history)),
            Err(e) => return desk.failed(Room::Compliance, &e),
        }
    }
    let conflict = |of: api::ComplianceConflict| (format!("{} {}", of.framework, of.number), of.setting, of.why, of.change);
    let may_assess = desk.may("compliance:write");
    desk.show(&CompliancePage {
        frame: desk.frame(Room::Compliance),
        collected: when_text(&found.collected_at),
        entries: found.checkpoint,
        frameworks,
        conflicts: found.conflicts.into_iter().map(conflict).collect(),
        weakened: found.weakened,
        may_assess,
        notice: (asked.done == "assess").then(|| "Assessed. What was found is in the ledger.".to_owned()),
    })
}

pub(crate) async fn assess(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri) -> Response {
    let desk = desk!(web, caller, headers, uri);
    match compliance::assess(&desk.web.app, &desk.caller.ctx).await {
        Ok(_) => see_other("/compliance?done=assess"),
        Err(e) => desk.failed(Room::Compliance, &e),
    }
}

pub(crate) async fn show(
    State(web): State<Web>,
    caller: Caller,
    Path((framework, id)): Path<(String, String)>,
    headers: HeaderMap,
    uri: Uri,
    Query(asked): Query<Asked>,
) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let notice = match asked.done.as_str() {
        "state" => Some("Stated.".to_owned()),
        "approve" => Some("Approved. It counts from now on.".to_owned()),
        _ => None,
    };
    control_page(&desk, &framework, &id, notice, None).await
}

pub(crate) async fn state(
    State(web): State<Web>,
    caller: Caller,
    Path((framework, id)): Path<(String, String)>,
    headers: HeaderMap,
    uri: Uri,
    Form(form): Form<Stated>,
) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let new = api::NewControlStatement {
        framework: framework.clone(),
        control: id.clone(),
        kind: form.kind,
        owner: form.owner,
        document: given(&form.document),
        reason: given(&form.reason),
        until: form.until,
    };
    match compliance::state(&desk.web.app, &desk.caller.ctx, new).await {
        Ok(_) => see_other(&format!("/compliance/{framework}/{id}?done=state")),
        Err(e) => control_page(&desk, &framework, &id, None, Some(e.to_string())).await,
    }
}

pub(crate) async fn approve(
    State(web): State<Web>,
    caller: Caller,
    Path((framework, id)): Path<(String, String)>,
    headers: HeaderMap,
    uri: Uri,
    Form(form): Form<Which>,
) -> Response {
    let desk = desk!(web, caller, headers, uri);
    match compliance::approve(&desk.web.app, &desk.caller.ctx, &form.id).await {
        Ok(_) => see_other(&format!("/compliance/{framework}/{id}?done=approve")),
        Err(e) => control_page(&desk, &framework, &id, None, Some(e.to_string())).await,
    }
}

async fn control_page(desk: &Desk, framework: &str, id: &str, notice: Option<String>, error: Option<String>) -> Response {
    let found = match compliance::status(&desk.web.app, &desk.caller.ctx).await {
        Ok(found) => found,
        Err(e) => return desk.failed(Room::Compliance, &e),
    };
    let collected = when_text(&found.collected_at);
    let address = format!("/compliance/{framework}/{id}");
    let control = found.frameworks.into_iter().find(|of| of.key == framework).and_then(|of| Some((of.title, of.controls.into_iter().find(|of| of.id == id)?)));
    let Some((framework, control)) = control else { return desk.failed(Room::Compliance, &Error::NotFound("control")) };
    let finding = |of: &api::ControlFinding| FindingView {
        check: of.check.clone(),
        state: outcome(&of.outcome),
        why: of.why.clone(),
        counts: of.counts.iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", "),
        samples: of.samples.clone(),
        source: of.source.clone(),
    };
    desk.show(&ControlPage {
        frame: desk.frame(Room::Compliance),
        framework,
        kind: match control.kind.as_str() {
            "automatic" => "by checks alone".into(),
            "half" => "by checks, and by somebody who attests to the rest".into(),
            _ => "by somebody who attests".into(),
        },
        attests: control.attests.clone(),
        collected,
        since: control.since.as_deref().map(when_text),
        findings: control.findings.iter().map(finding).collect(),
        statements: control.statements.iter().map(statement).collect(),
        may_state: desk.may("compliance:write"),
        address,
        notice,
        error,
        control: row(control),
    })
}

fn statement(of: &api::ControlStatement) -> StatementView {
    let waits = of.state == "waits";
    StatementView {
        id: of.id.clone(),
        kind: match of.kind.as_str() {
            "attestation" => "attested".into(),
            "exception" => "accepted as it is".into(),
            _ => "not applicable".into(),
        },
        state: if waits { Status::new(Tone::Attention, "to approve") } else { Status::new(Tone::Good, "counts") },
        waits,
        owner: of.owner.clone(),
        says: [&of.document, &of.reason].into_iter().flatten().cloned().collect::<Vec<_>>().join(": "),
        by: of.approved_by.as_ref().map_or_else(|| of.made_by.clone(), |by| format!("{}, approved by {by}", of.made_by)),
        until: of.until.clone(),
    }
}

fn framework(of: api::FrameworkStatus, history: Vec<api::Assessment>) -> FrameworkView {
    let mut controls = of.controls;
    // What fails first, then what nobody can say; otherwise as the law has it.
    controls.sort_by_key(|control| match control.outcome.as_str() {
        "fail" => 0,
        "no_data" => 1,
        "manual" => 2,
        _ => 3,
    });
    let assessment = |of: api::Assessment| {
        let counts = counts([of.passed, of.failed, of.without_data, of.manual, of.not_applicable]);
        (when_text(&of.made_at), of.why, counts, of.event)
    };
    // Day and minute are enough to tell them apart.
    let point = |of: &api::Assessment| (of.made_at.get(5..16).unwrap_or_default().replace('T', " "), of.passed);
    FrameworkView {
        trend: history.iter().rev().map(point).collect(),
        counts: counts([of.passed, of.failed, of.without_data, of.manual, of.not_applicable]),
        key: of.key,
        title: of.title,
        source: of.source,
        controls: controls.into_iter().map(row).collect(),
        history: history.into_iter().map(assessment).collect(),
    }
}

fn counts([passed, failed, without_data, manual, not_applicable]: [u64; 5]) -> String {
    format!("{passed} hold, {failed} do not, {without_data} without data, {manual} to attest, {not_applicable} not applicable")
}

fn row(of: api::ControlStatus) -> ControlView {
    ControlView { state: outcome(&of.outcome), id: of.id, number: of.number, title: of.title, owner: of.owner, why: of.why }
}

fn outcome(outcome: &str) -> Status {
    match outcome {
        "pass" => Status::new(Tone::Good, "holds"),
        "fail" => Status::new(Tone::Danger, "does not hold"),
        "no_data" => Status::new(Tone::Attention, "no data"),
        "not_applicable" => Status::new(Tone::Information, "not applicable"),
        _ => Status::new(Tone::Information, "to attest"),
    }
}
