//! The request of a test, with what its sender adds, and the answer that it asks for.

use super::case::Case;

/// A request, as it would be on the wire.
pub(super) struct Request {
    pub method: Vec<u8>,
    pub target: Vec<u8>,
    pub protocol: Vec<u8>,
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    pub body: Vec<u8>,
}

/// An answer.
pub(super) struct Answer {
    pub status: u16,
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    pub body: Vec<u8>,
}

impl Request {
    pub(super) fn build(case: &Case) -> Option<Self> {
        if let Some(raw) = &case.raw {
            return Self::parse(raw);
        }
        let bytes = |text: &Option<String>, default: &str| text.as_deref().unwrap_or(default).as_bytes().to_vec();
        let mut headers: Vec<(Vec<u8>, Vec<u8>)> =
            case.headers.iter().map(|(name, value)| (name.clone().into_bytes(), value.trim().as_bytes().to_vec())).collect();
        let mut body = case.data.clone().unwrap_or_default();
        let find = |headers: &[(Vec<u8>, Vec<u8>)], name: &str| {
            headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value.clone())
        };
        if case.completes && !body.is_empty() && find(&headers, "content-type").is_none() {
            headers.push((b"Content-Type".to_vec(), b"application/x-www-form-urlencoded".to_vec()));
        }
        match find(&headers, "content-type") {
            Some(kind) if kind == b"application/x-www-form-urlencoded" => body = encode(body),
            Some(kind) if kind.starts_with(b"multipart/") => body = crlf(&body),
            _ => {}
        }
        if case.completes {
            // Who sends nothing where something is expected says so (RFC 9110 §8.6).
            let says = !body.is_empty() || case.method.as_deref().is_some_and(|method| ["PATCH", "POST", "PUT"].contains(&method));
            if says && find(&headers, "content-length").is_none() {
                headers.push((b"Content-Length".to_vec(), body.len().to_string().into_bytes()));
            }
            if find(&headers, "connection").is_none() {
                headers.push((b"Connection".to_vec(), b"close".to_vec()));
            }
        }
        // Without a length there is no body (RFC 9112 §6.3).
        if find(&headers, "content-length").is_none() && find(&headers, "transfer-encoding").is_none() {
            body.clear();
        }
        Some(Self { method: bytes(&case.method, "GET"), target: bytes(&case.uri, "/"), protocol: bytes(&case.version, "HTTP/1.1"), headers, body })
    }

    /// Whether a strict front refuses it before any rule is asked (RFC 9112 §2.2, §6.1; RFC 9110 §5.5, §8.3).
    pub(super) fn is_malformed(&self) -> bool {
        let named = |name: &str| self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name.as_bytes())).count();
        let broken = self.headers.iter().any(|(_, value)| value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)));
        broken || named("content-type") > 1 || (named("content-length") > 0 && named("transfer-encoding") > 0)
    }

    pub(super) fn parse(raw: &[u8]) -> Option<Self> {
        let end = memchr::memmem::find(raw, b"\r\n\r\n").map(|at| (at, at + 4)).or_else(|| memchr::memmem::find(raw, b"\n\n").map(|at| (at, at + 2)));
        let (head, body) = end.map_or((raw, &[][..]), |(end, body)| (&raw[..end], &raw[body..]));
        let mut lines = head.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let mut words = lines.next()?.splitn(3, |byte| *byte == b' ').map(<[u8]>::to_vec);
        let (method, target, protocol) = (words.next()?, words.next()?, words.next().unwrap_or_default());
        let headers = lines.filter_map(|line| {
            let colon = memchr::memchr(b':', line)?;
            Some((line[..colon].to_vec(), line[colon + 1..].trim_ascii().to_vec()))
        });
        Some(Self { method, target, protocol, headers: headers.collect(), body: body.to_vec() })
    }

    /// What `/reflect` answers; any other path answers with nothing.
    pub(super) fn answer(&self) -> Answer {
        let mut answer = Answer { status: 200, headers: Vec::new(), body: Vec::new() };
        let wish = if self.target.starts_with(b"/reflect") { serde_yaml_ng::from_slice::<serde_yaml_ng::Value>(&self.body).ok() } else { None };
        let Some(wish) = wish else { return answer };
        let text = |value: &serde_yaml_ng::Value| value.as_str().map(|text| text.as_bytes().to_vec());
        answer.status = wish.get("status").and_then(serde_yaml_ng::Value::as_u64).and_then(|status| u16::try_from(status).ok()).unwrap_or(200);
        for (name, value) in wish.get("headers").and_then(serde_yaml_ng::Value::as_mapping).into_iter().flatten() {
            answer.headers.extend(text(name).zip(text(value)));
        }
        answer.body = match (wish.get("body").and_then(text), wish.get("encodedBody").and_then(text)) {
            (Some(body), _) => body,
            (None, Some(encoded)) => base64::Engine::decode(&base64::engine::general_purpose::STANDARD, encoded).unwrap_or_default(),
            (None, None) => Vec::new(),
        };
        if !answer.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(b"content-type")) {
            answer.headers.push((b"Content-Type".to_vec(), b"text/plain; charset=utf-8".to_vec()));
        }
        answer
    }
}

/// Lines of a multipart body end as they have to.
fn crlf(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len());
    for (at, byte) in body.iter().enumerate() {
        if *byte == b'\n' && (at == 0 || body[at - 1] != b'\r') {
            out.push(b'\r');
        }
        out.push(*byte);
    }
    out
}

/// A form that nobody has encoded yet is encoded, its fields in the order of their names.
fn encode(body: Vec<u8>) -> Vec<u8> {
    if body.iter().any(|byte| matches!(byte, b'%' | b'+' | b';')) {
        return body;
    }
    let parts = body.split(|byte| *byte == b'&').filter(|part| !part.is_empty());
    let mut fields: Vec<(&[u8], &[u8])> = parts.map(|part| memchr::memchr(b'=', part).map_or((part, &[][..]), |at| (&part[..at], &part[at + 1..]))).collect();
    fields.sort_by(|a, b| a.0.cmp(b.0));
    let mut out = Vec::new();
    for (name, value) in fields {
        if !out.is_empty() {
            out.push(b'&');
        }
        escape(name, &mut out);
        out.push(b'=');
        escape(value, &mut out);
    }
    out
}

fn escape(text: &[u8], out: &mut Vec<u8>) {
    for &byte in text {
        match byte {
            b' ' => out.push(b'+'),
            b'-' | b'_' | b'.' | b'~' => out.push(byte),
            _ if byte.is_ascii_alphanumeric() => out.push(byte),
            _ => out.extend_from_slice(format!("%{byte:02X}").as_bytes()),
        }
    }
}
