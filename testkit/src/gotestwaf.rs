//! The attacks and harmless texts of gotestwaf, as requests: each through the encoders and into the places that its file names.

use std::path::Path;

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use serde_yaml_ng::Value;

/// An attack, or a harmless text, in one place of one request.
#[derive(Debug, Clone, Default)]
pub struct Case {
    pub family: String,
    pub payload: String,
    /// Whether the payload is hidden in Base64.
    pub base64: bool,
    /// Encoder and place.
    pub place: String,
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
}

/// Every request that the files describe.
pub fn cases(folder: &Path) -> Vec<Case> {
    let mut cases = Vec::new();
    for set in ["community", "owasp", "owasp-api", "false-pos"] {
        let mut files: Vec<_> = std::fs::read_dir(folder.join("testcases").join(set)).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.retain(|file| file.extension().is_some_and(|end| end == "yml"));
        files.sort();
        for file in files {
            // An escape that only other readers of YAML know.
            let text = std::fs::read_to_string(&file).unwrap().replace("\\'", "'");
            let file: Value = serde_yaml_ng::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
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
                        cases.push(Case {
                            family: family.clone(),
                            payload: payload.clone(),
                            base64: encoder.starts_with("Base64"),
                            place: format!("{encoder} {name}"),
                            ..request(&name, &place[name.as_str()], &encode(&encoder, &payload))
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
fn request(place: &str, more: &Value, payload: &str) -> Case {
    let line = |bytes: &str| bytes.bytes().map(|b| if b.is_ascii_graphic() { char::from(b).to_string() } else { format!("%{b:02X}") }).collect::<String>();
    let mut request = Case { method: "GET".into(), target: "/".into(), ..Case::default() };
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
