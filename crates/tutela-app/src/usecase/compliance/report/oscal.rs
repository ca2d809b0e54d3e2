//! Assessment results of OSCAL 1.2: a result for each framework, a finding for each control, an observation for each check.
//! What nobody can say, and what somebody only attests to, is never `satisfied`.

use serde_json::{Value, json};
use tutela_api as api;
use uuid::{Builder, Uuid, Version};

use crate::{Error, usecase::search::hex};

/// The version that is written.
const OSCAL: &str = "1.2.1";

/// Everything, as JSON; the same facts of the same moment have the same ids.
pub(super) fn results(found: &api::Compliance, origin: &str, public: &str) -> Result<String, Error> {
    let at = found.collected_at.as_str();
    let id = |parts: &[&str]| id(origin, at, parts);
    let plan = id(&["plan"]);
    let document = json!({
        "assessment-results": {
            "uuid": id(&["document"]),
            "metadata": {
                "title": format!("Controls of {origin}"),
                "last-modified": at,
                "version": found.checkpoint,
                "oscal-version": OSCAL,
                "props": [{"name": "ledger-size", "ns": "urn:tutela", "value": found.checkpoint}],
            },
            "import-ap": {"href": format!("#{plan}")},
            "results": found.frameworks.iter().map(|framework| result(framework, at, public, &id)).collect::<Vec<_>>(),
            "back-matter": {"resources": [{
                "uuid": plan,
                "title": "The plan",
                "description": "What is assessed and how: the frameworks that come with this version, and its configuration.",
            }]},
        }
    });
    serde_json::to_string_pretty(&document).map_err(|_| Error::Internal("a report could not be written down"))
}

fn result(framework: &api::FrameworkStatus, at: &str, public: &str, id: &dyn Fn(&[&str]) -> Uuid) -> Value {
    let key = framework.key.as_str();
    let name = |control: &api::ControlStatus| format!("{key}.{}", control.id);
    let (outside, inside): (Vec<_>, Vec<_>) = framework.controls.iter().partition(|control| control.outcome == "not_applicable");
    let ids = |controls: &[&api::ControlStatus]| controls.iter().map(|control| json!({"control-id": name(control)})).collect::<Vec<_>>();
    let mut selection = json!({"include-controls": ids(&inside)});
    if !outside.is_empty() {
        selection["exclude-controls"] = json!(ids(&outside));
    }
    let mut observations = Vec::new();
    let findings: Vec<Value> = inside
        .iter()
        .map(|control| {
            let related: Vec<Value> = control
                .findings
                .iter()
                .map(|of| {
                    let uuid = id(&[key, &control.id, &of.check]);
                    observations.push(observation(of, uuid, at, public));
                    json!({"observation-uuid": uuid})
                })
                .collect();
            let holds = control.outcome == "pass";
            let reason = match control.outcome.as_str() {
                "pass" => "pass",
                "fail" => "fail",
                _ => "other",
            };
            let mut finding = json!({
                "uuid": id(&[key, &control.id]),
                "title": control.title,
                "description": control.why,
                "props": [
                    {"name": "number", "ns": "urn:tutela", "value": control.number},
                    {"name": "outcome", "ns": "urn:tutela", "value": control.outcome},
                    {"name": "owner", "ns": "urn:tutela", "value": control.owner},
                ],
                "target": {
                    "type": "objective-id",
                    "target-id": name(control),
                    "status": {"state": if holds { "satisfied" } else { "not-satisfied" }, "reason": reason, "remarks": control.why},
                },
            });
            if !related.is_empty() {
                finding["related-observations"] = json!(related);
            }
            finding
        })
        .collect();
    let mut result = json!({
        "uuid": id(&[key]),
        "title": framework.title,
        "description": format!("Each control of {} that is assessed here, by facts of this moment.", framework.source),
        "start": at,
        "end": at,
        "reviewed-controls": {"control-selections": [selection]},
    });
    // Lists of this format are never empty.
    for (field, list) in [("observations", observations), ("findings", findings)] {
        if !list.is_empty() {
            result[field] = json!(list);
        }
    }
    result
}

fn observation(of: &api::ControlFinding, uuid: Uuid, at: &str, public: &str) -> Value {
    let counted = of.counts.iter().map(|(name, count)| format!("{name}: {count}"));
    let samples = of.samples.iter().map(|sample| format!("sample: {sample}"));
    let evidence: Vec<String> = [format!("to see the same: {}", of.source)].into_iter().chain(counted).chain(samples).collect();
    json!({
        "uuid": uuid,
        "title": of.check,
        "description": of.why,
        "methods": ["TEST"],
        "types": ["control-objective"],
        "collected": at,
        "props": [{"name": "outcome", "ns": "urn:tutela", "value": of.outcome}],
        "relevant-evidence": [{"href": public, "description": evidence.join("; ")}],
    })
}

/// An id that follows from what it names.
fn id(origin: &str, at: &str, parts: &[&str]) -> Uuid {
    let name = format!("{origin}\n{at}\n{}", parts.join("\n"));
    let hash = hex(&tutela_ledger::sha256(name.as_bytes()));
    let number = u128::from_str_radix(&hash[..32], 16).unwrap_or_default();
    Builder::from_u128(number).with_version(Version::Sha1).with_variant(uuid::Variant::RFC4122).into_uuid()
}
