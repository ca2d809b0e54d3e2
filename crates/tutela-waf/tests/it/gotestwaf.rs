//! Attacks of gotestwaf, each through the encoders and into the places that its file names, and its harmless texts.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use serde_yaml_ng::Value;
use tutela_waf::{Files as _, RuleSet, Source, Verdict};

use crate::rules::{Disk, Request, SETUP, core_rule_set, judge, load, shared};

const BASE: &str = include_str!("../../../../rules/waf/base.conf");

/// Of so many requests so many were refused.
#[derive(Debug, Default, Clone, Copy)]
struct Count {
    all: u32,
    refused: u32,
}

impl Count {
    fn share(self) -> f64 {
        100.0 * f64::from(self.refused) / f64::from(self.all)
    }
}

struct Case {
    family: String,
    payload: String,
    base64: bool,
    place: String,
    request: Request,
}

/// Every request that the files describe.
fn cases(folder: &Path) -> Vec<Case> {
    let mut cases = Vec::new();
    for set in ["community", "owasp", "owasp-api", "false-pos"] {
        for file in Disk.list(&format!("{}/*.yml", folder.join("testcases").join(set).display())).unwrap() {
            // An escape that only other readers of YAML know.
            let text = std::fs::read_to_string(&file).unwrap().replace("\\'", "'");
            let file: Value = serde_yaml_ng::from_str(&text).unwrap_or_else(|e| panic!("{file}: {e}"));
            let list = |name: &str| file[name].as_sequence().cloned().unwrap_or_default();
            let family = if set == "false-pos" { "harmless".to_owned() } else { format!("{set}: {}", file["type"].as_str().unwrap_or_default()) };
            for payload in list("payload") {
                let payload = payload.as_str().map_or_else(|| format!("{payload:?}"), str::to_owned);
                for encoder in list("encoder") {
                    let encoder = encoder.as_str().unwrap().to_owned();
                    for place in list("placeholder") {
                        let name =
                            place.as_str().map_or_else(|| place.as_mapping().unwrap().keys().next().unwrap().as_str().unwrap().to_owned(), str::to_owned);
                        if name == "gRPC" {
                            continue;
                        }
                        let request = request(&name, &place[name.as_str()], &encode(&encoder, &payload));
                        cases.push(Case {
                            family: family.clone(),
                            payload: payload.clone(),
                            base64: encoder.starts_with("Base64"),
                            place: format!("{encoder} {name}"),
                            request,
                        });
                    }
                }
            }
        }
    }
    cases
}

fn encode(encoder: &str, payload: &str) -> String {
    match encoder {
        "Base64Flat" | "Base64" => STANDARD_NO_PAD.encode(payload),
        "JSUnicode" => payload.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect(),
        "URL" => payload
            .bytes()
            .map(|b| if b.is_ascii_alphanumeric() || b"-_.~$&+:=@".contains(&b) { char::from(b).to_string() } else { format!("%{b:02X}") })
            .collect(),
        "XMLEntity" => payload.chars().map(|c| format!("&#x{:x};", u32::from(c))).collect(),
        _ => payload.to_owned(),
    }
}

/// A request of a browser, with the payload in its place.
fn request(place: &str, more: &Value, payload: &str) -> Request {
    let line = |bytes: &str| bytes.bytes().map(|b| if b.is_ascii_graphic() { char::from(b).to_string() } else { format!("%{b:02X}") }).collect::<String>();
    let mut request = Request { method: "GET".into(), target: "/".into(), ..Request::default() };
    for (name, value) in [
        ("Host", "localhost"),
        ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"),
        ("Accept", "*/*"),
    ] {
        request.headers.push((name.into(), value.into()));
    }
    let mut body = |kind: &str, body: String| {
        request.method = "POST".into();
        request.headers.push(("Content-Type".into(), kind.into()));
        request.headers.push(("Content-Length".into(), body.len().to_string().into_bytes()));
        request.body = body.into_bytes();
    };
    let form = "application/x-www-form-urlencoded";
    match place {
        "GraphQL" if more["method"] == "POST" => body("application/json", payload.into()),
        "GraphQL" => request.target = format!("/graphql?query={}", line(payload)),
        "HTMLForm" => body(form, format!("a1b2c3={payload}")),
        "HTMLMultipartForm" => {
            body(
                "multipart/form-data; boundary=abcdef0123456789",
                format!("--abcdef0123456789\r\nContent-Disposition: form-data; name=\"a1b2c3\"\r\n\r\n{payload}\r\n--abcdef0123456789--\r\n"),
            );
        }
        "Header" => request.headers.push(("X-A1b2c3".into(), payload.replace(['\r', '\n'], " ").into_bytes())),
        "JSONBody" => body("application/json", payload.into()),
        "JSONRequest" => {
            let text: String = payload
                .chars()
                .map(|c| {
                    if matches!(c, '"' | '\\') {
                        format!("\\{c}")
                    } else if c < ' ' {
                        format!("\\u{:04x}", u32::from(c))
                    } else {
                        c.to_string()
                    }
                })
                .collect();
            body("application/json", format!("{{\"test\": true, \"a1b2c3\": \"{text}\"}}"));
        }
        "RawRequest" => {
            let text = |value: &Value| value.as_str().unwrap_or_default().replace("{{payload}}", payload);
            let kind = more["headers"]["Content-Type"].as_str().unwrap_or("").to_owned();
            body(&kind, text(&more["body"]).replace('\n', if kind.starts_with("multipart") { "\r\n" } else { "\n" }));
            if kind.is_empty() {
                request.headers.retain(|(name, _)| name != "Content-Type");
            }
            (request.method, request.target) = (text(&more["method"]), text(&more["path"]));
        }
        "RequestBody" => body(form, payload.into()),
        "SOAPBody" => {
            let text = payload.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            body(
                "text/xml",
                format!(
                    "<?xml version=\"1.0\"?><soap:Envelope xmlns:soap=\"http://www.w3.org/2003/05/soap-envelope\"><soap:Body><a1b2c3>{text}</a1b2c3></soap:Body></soap:Envelope>"
                ),
            );
        }
        "URLParam" => request.target = format!("/?a1b2c3={}", line(payload)),
        "URLPath" => request.target = format!("/{}", line(payload)),
        "UserAgent" => request.headers[1].1 = payload.into(),
        "XMLBody" => body("text/xml", payload.into()),
        other => panic!("{other}"),
    }
    request
}

/// Detection without and with Base64, false positives, and a table.
fn measure(name: &str, rules: &Arc<RuleSet>, cases: &[Case]) -> (Count, Count, Count, Vec<String>) {
    let (mut plain, mut wrapped, mut harmless, mut table) = (Count::default(), Count::default(), Count::default(), BTreeMap::<&str, Count>::new());
    let mut wrong = Vec::new();
    for case in cases {
        let (verdict, report) = judge(rules, &case.request);
        let refused = verdict != Verdict::Pass;
        let total = if case.family == "harmless" {
            &mut harmless
        } else if case.base64 {
            &mut wrapped
        } else {
            &mut plain
        };
        let mut rows = vec![total];
        if !case.base64 {
            rows.push(table.entry(&case.family).or_default());
        }
        for row in rows {
            row.all += 1;
            row.refused += u32::from(refused);
        }
        if refused == (case.family == "harmless") && !case.base64 {
            let rules: Vec<u64> = report.findings.iter().map(|finding| finding.rule).collect();
            wrong.push(format!("{} | {} | {rules:?} | {}", case.family, case.place, case.payload.chars().take(100).collect::<String>()));
        }
    }
    println!("== {name}");
    for (family, count) in &table {
        println!("{family:<40} {:>3} of {:>3} refused", count.refused, count.all);
    }
    println!(
        "detection {:.1} % of {}, in Base64 {:.1} % of {}; harmless refused {:.1} % of {}",
        plain.share(),
        plain.all,
        wrapped.share(),
        wrapped.all,
        harmless.share(),
        harmless.all
    );
    (plain, wrapped, harmless, wrong)
}

#[test]
fn our_own_rules_stop_attacks_and_let_people_write() {
    let Some(folder) = shared("gotestwaf") else { return };
    let rules = load(&[Source::Text { name: "setup.conf", text: SETUP }, Source::Text { name: "base.conf", text: BASE }]);
    let (plain, _, harmless, wrong) = measure("own rules", &rules, &cases(&folder));
    for case in &wrong {
        println!("  {case}");
    }
    assert!(plain.share() >= 70.0 && harmless.share() <= 3.0, "{plain:?} {harmless:?}");
}

#[test]
fn the_core_rule_set_stops_what_it_stops_elsewhere() {
    let (Some(folder), Some(crs)) = (shared("gotestwaf"), shared("crs")) else { return };
    let rules = core_rule_set(&crs, "On", "");
    let (plain, _, harmless, wrong) = measure("Core Rule Set, paranoia level 1", &rules, &cases(&folder));
    for case in wrong.iter().filter(|case| case.starts_with("harmless")) {
        println!("  {case}");
    }
    // libmodsecurity: 74.3 % and 8.5 %, Coraza: 73.4 % and 8.5 %.
    assert!(plain.share() >= 73.0 && harmless.share() <= 9.3, "{plain:?} {harmless:?}");
}
