//! Compliance in the console: how the frameworks that are switched on stand.

use axum::{
    extract::{Path, State},
    http::{HeaderMap, Uri},
    response::Response,
};
use tutela_api as api;
use tutela_app::{Error, compliance};

use super::{console::desk, console_frame::Desk, show::when_text};
use crate::{
    caller::Caller,
    view::{
        console::Room,
        console_compliance::{CompliancePage, ControlPage, ControlView, FindingView, FrameworkView},
        part::{Status, Tone},
    },
    web::Web,
};

pub(crate) async fn list(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let found = match compliance::status(&desk.web.app, &desk.caller.ctx).await {
        Ok(found) => found,
        Err(e) => return desk.failed(Room::Compliance, &e),
    };
    let conflict = |of: api::ComplianceConflict| (format!("{} {}", of.framework, of.number), of.setting, of.why, of.change);
    desk.show(&CompliancePage {
        frame: desk.frame(Room::Compliance),
        collected: when_text(&found.collected_at),
        entries: found.checkpoint,
        frameworks: found.frameworks.into_iter().map(framework).collect(),
        conflicts: found.conflicts.into_iter().map(conflict).collect(),
        weakened: found.weakened,
    })
}

pub(crate) async fn show(State(web): State<Web>, caller: Caller, Path((framework, id)): Path<(String, String)>, headers: HeaderMap, uri: Uri) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let found = match compliance::status(&desk.web.app, &desk.caller.ctx).await {
        Ok(found) => found,
        Err(e) => return desk.failed(Room::Compliance, &e),
    };
    let collected = when_text(&found.collected_at);
    let control = found.frameworks.into_iter().find(|of| of.key == framework).and_then(|of| Some((of.title, of.controls.into_iter().find(|of| of.id == id)?)));
    let Some((framework, control)) = control else { return desk.failed(Room::Compliance, &Error::NotFound("control")) };
    let finding = |of: &api::ControlFinding| FindingView {
        check: of.check.clone(),
        state: state(&of.outcome),
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
        findings: control.findings.iter().map(finding).collect(),
        control: row(control),
    })
}

fn framework(of: api::FrameworkStatus) -> FrameworkView {
    let mut controls = of.controls;
    // What fails first, then what nobody can say; otherwise as the law has it.
    controls.sort_by_key(|control| match control.outcome.as_str() {
        "fail" => 0,
        "no_data" => 1,
        "manual" => 2,
        _ => 3,
    });
    FrameworkView {
        counts: format!("{} hold, {} do not, {} without data, {} to attest", of.passed, of.failed, of.without_data, of.manual),
        key: of.key,
        title: of.title,
        source: of.source,
        controls: controls.into_iter().map(row).collect(),
    }
}

fn row(of: api::ControlStatus) -> ControlView {
    ControlView { state: state(&of.outcome), id: of.id, number: of.number, title: of.title, owner: of.owner, why: of.why }
}

fn state(outcome: &str) -> Status {
    match outcome {
        "pass" => Status::new(Tone::Good, "holds"),
        "fail" => Status::new(Tone::Danger, "does not hold"),
        "no_data" => Status::new(Tone::Attention, "no data"),
        "not_applicable" => Status::new(Tone::Information, "not applicable"),
        _ => Status::new(Tone::Information, "to attest"),
    }
}
