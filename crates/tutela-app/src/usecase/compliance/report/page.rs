//! A page that prints well: every control with why, nothing from elsewhere.

use std::fmt::Write as _;

use tutela_api as api;

use crate::html::escaped;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color:#111;background:#fff}\
    table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.35rem .5rem;border-bottom:1px solid #bbb;overflow-wrap:anywhere}\
    .fail{font-weight:600}@media print{body{margin:0;max-width:none}tr{break-inside:avoid}h2{break-before:page}}";

pub(super) fn page(found: &api::Compliance, controller: &str) -> String {
    let of = if controller.is_empty() { String::new() } else { format!(" of {}", escaped(controller)) };
    let mut html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>Controls{of}</title><style>{STYLE}</style></head><body><h1>Controls{of}</h1><p>Collected {}; the ledger had {} entries. What nobody can say is never counted as holding.</p>",
        escaped(&found.collected_at),
        escaped(&found.checkpoint)
    );
    if !found.conflicts.is_empty() {
        html += "<h2>Settings that contradict a framework</h2><ul>";
        for of in &found.conflicts {
            let _ = write!(html, "<li>{} {}: {}: {}</li>", escaped(&of.framework), escaped(&of.number), escaped(&of.setting), escaped(&of.why));
        }
        html += "</ul>";
    }
    for of in &found.frameworks {
        let _ = write!(
            html,
            "<h2>{}</h2><p>{}. {} hold, {} do not, {} without data, {} attested or to attest, {} not applicable.</p><table><thead><tr><th scope=\"col\">Number</th><th scope=\"col\">What it comes to</th><th scope=\"col\">State</th><th scope=\"col\">Why</th><th scope=\"col\">To see the same</th></tr></thead><tbody>",
            escaped(&of.title),
            escaped(&of.source),
            of.passed,
            of.failed,
            of.without_data,
            of.manual,
            of.not_applicable
        );
        for control in &of.controls {
            let sources: Vec<String> = control.findings.iter().map(|finding| escaped(&finding.source)).collect();
            let _ = write!(
                html,
                "<tr><td>{}</td><td>{}</td><td class=\"{}\">{}</td><td>{}</td><td>{}</td></tr>",
                escaped(&control.number),
                escaped(&control.title),
                escaped(&control.outcome),
                word(&control.outcome),
                escaped(&control.why),
                sources.join("<br>")
            );
        }
        html += "</tbody></table>";
    }
    html + "</body></html>\n"
}

fn word(outcome: &str) -> &'static str {
    match outcome {
        "pass" => "holds",
        "fail" => "does not hold",
        "no_data" => "no data",
        "not_applicable" => "not applicable",
        _ => "attested, or to attest",
    }
}
