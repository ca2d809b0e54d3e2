//! Card numbers in answers, as most people may see them: the first six and the last four digits (PCI DSS 3.4.1).
//!
//! An answer is masked while it passes, and keeps its length: of what was not yet decided, a few digits at its end, it is
//! held back. What cannot be read is not passed on.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt as _;
use tutela_core::{
    card_numbers,
    seam::{Caller, Identity},
};

use crate::{Body, CardNumbers, Error, RouteConfig};

/// Digits that stay in the clear, at the beginning and at the end.
const CLEAR: (usize, usize) = (6, 4);
/// Bytes of before that are looked at beside what comes: more than the longest number has, in groups.
const BESIDE: usize = 24;
/// Most bytes that are held back. Digits that go on for longer are no number that is still to be decided, but for the last of them.
const MOST: usize = 256;

/// Whether card numbers are masked for whoever asks.
pub(crate) fn is_for(route: &RouteConfig, caller: Option<&Caller>) -> bool {
    match route.card_numbers() {
        CardNumbers::Clear => false,
        CardNumbers::Masked => true,
        CardNumbers::Permission(permission) => {
            let holds = |identity: &Arc<Identity>| identity.grants.allow(permission) || identity.roles.contains(permission);
            !caller.and_then(Caller::person).is_some_and(holds)
        }
    }
}

/// Makes the headers of a request ask for an answer that can be read as a whole.
pub(crate) fn ask(headers: &mut HeaderMap) {
    for name in [header::ACCEPT_ENCODING, header::RANGE, header::IF_RANGE] {
        headers.remove(name);
    }
}

/// An answer without card numbers.
pub(crate) fn answer(response: Response<Body>) -> Result<Response<Body>, Error> {
    let (mut head, body) = response.into_parts();
    let headers = &mut head.headers;
    let kind = Kind::of(headers);
    let encoded = headers.get_all(header::CONTENT_ENCODING).iter().any(|of| !of.as_bytes().eq_ignore_ascii_case(b"identity"));
    match kind {
        Kind::Other => return Ok(Response::from_parts(head, body)),
        Kind::Unread => return Err(Error::Unmasked("it has a character set in which no card numbers are looked for")),
        Kind::Text | Kind::Json if encoded => return Err(Error::Unmasked("it is compressed, which nobody asked for")),
        Kind::Text | Kind::Json if head.status == StatusCode::PARTIAL_CONTENT => return Err(Error::Unmasked("it is a part, which nobody asked for")),
        Kind::Text | Kind::Json => {}
    }
    // What they say is of the answer as it was.
    for name in ["accept-ranges", "content-digest", "content-md5", "digest", "repr-digest"] {
        headers.remove(name);
    }
    let masked = Masked { inner: body, mask: Mask::new(kind == Kind::Json), is_over: false, then: None };
    Ok(Response::from_parts(head, masked.boxed_unsync()))
}

/// What an answer is, to whom looks for numbers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Json,
    Text,
    /// Text that is not written in bytes of ASCII.
    Unread,
    /// Pictures, sound, fonts, archives.
    Other,
}

impl Kind {
    fn of(headers: &HeaderMap) -> Self {
        let mut types = headers.get_all(header::CONTENT_TYPE).iter();
        let (Some(named), None) = (types.next(), types.next()) else { return Self::Text };
        let named = String::from_utf8_lossy(named.as_bytes()).to_ascii_lowercase();
        let (essence, parameters) = named.split_once(';').unwrap_or((&named, ""));
        let essence = essence.trim();
        if ["utf-16", "utf-32", "utf-7", "ucs-2", "utf16", "utf32", "ebcdic", "ibm037"].iter().any(|of| parameters.contains(of)) {
            return Self::Unread;
        }
        let other = match essence.split_once('/') {
            Some(("image", "svg+xml")) => false,
            Some(("audio" | "font" | "image" | "video", _)) => true,
            Some(("application", kind)) => {
                matches!(kind, "gzip" | "pdf" | "wasm" | "x-7z-compressed" | "x-gzip" | "x-tar" | "zip")
                    || kind.starts_with("vnd.openxmlformats-")
                    || kind.starts_with("font-")
            }
            _ => false,
        };
        let is_json = essence.ends_with("/json") || essence.ends_with("+json") || essence.ends_with("json-seq") || essence.ends_with("ndjson");
        if other {
            Self::Other
        } else if is_json {
            Self::Json
        } else {
            Self::Text
        }
    }
}

/// A body whose card numbers are masked as it passes.
struct Masked {
    inner: Body,
    mask: Mask,
    is_over: bool,
    /// What comes after the last of it.
    then: Option<Frame<Bytes>>,
}

impl HttpBody for Masked {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        loop {
            if this.is_over {
                return Poll::Ready(this.then.take().map(Ok));
            }
            let passed = match ready!(Pin::new(&mut this.inner).poll_frame(cx)).transpose()?.map(Frame::into_data) {
                Some(Ok(data)) => this.mask.feed(&data, false),
                last => {
                    this.is_over = true;
                    this.then = last.and_then(Result::err);
                    this.mask.feed(&[], true)
                }
            };
            if !passed.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(passed))));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.then.is_none() && self.mask.held() == 0 && (self.is_over || self.inner.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        let (mut hint, held) = (self.inner.size_hint(), self.mask.held() as u64);
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper + held);
        }
        hint.set_lower(hint.lower() + held);
        hint
    }
}

/// Masks a text that comes in pieces.
struct Mask {
    /// The last of what has gone on, as it was, then what is not decided.
    text: Vec<u8>,
    /// How much of it has gone on.
    gone: usize,
    json: Option<Json>,
}

impl Mask {
    fn new(is_json: bool) -> Self {
        Self { text: Vec::new(), gone: 0, json: is_json.then(Json::default) }
    }

    fn held(&self) -> usize {
        self.text.len() - self.gone
    }

    /// What may go on now that this has come.
    fn feed(&mut self, data: &[u8], is_last: bool) -> Bytes {
        self.text.extend_from_slice(data);
        let mut until = if is_last { self.text.len() } else { decided(&self.text, self.gone) };
        let numbers: Vec<_> = card_numbers(&self.text).filter(|at| at.start >= self.gone && at.start < until).collect();
        until = numbers.last().map_or(until, |last| until.max(last.end));
        let mut passed = self.text[self.gone..until].to_vec();
        let mut judged = self.gone;
        for number in &numbers {
            let is_bare = self.json.as_mut().is_some_and(|json| json.is_bare_after(&self.text[judged..number.start]));
            judged = number.start;
            hide(&mut passed[number.start - self.gone..number.end - self.gone], if is_bare { b'0' } else { b'*' });
        }
        if let Some(json) = &mut self.json {
            json.is_bare_after(&self.text[judged..until]);
        }
        if !numbers.is_empty() {
            metrics::counter!("tutela_gateway_card_numbers_masked_total").increment(numbers.len() as u64);
        }
        let beside = until.saturating_sub(BESIDE);
        self.text.drain(..beside);
        self.gone = until - beside;
        passed.into()
    }
}

/// Up to where nothing that is still to come changes what a number is.
fn decided(text: &[u8], gone: usize) -> usize {
    let is_digit = |at: usize| at >= gone && text[at].is_ascii_digit();
    // What follows digits is looked at for two bytes.
    let Some(last) = (text.len().saturating_sub(2)..text.len()).find(|at| is_digit(*at)) else { return text.len() };
    let mut from = last;
    loop {
        if from > 0 && is_digit(from - 1) {
            from -= 1;
        } else if from > 1 && matches!(text[from - 1], b' ' | b'-') && is_digit(from - 2) {
            from -= 2;
        } else {
            break;
        }
    }
    if text.len() - from > MOST { text.len() - 2 * BESIDE } else { from }
}

/// Hides all digits but those that may be seen.
fn hide(number: &mut [u8], by: u8) {
    let digits = number.iter().filter(|byte| byte.is_ascii_digit()).count();
    let hidden = CLEAR.0..digits - CLEAR.1;
    let digits = number.iter_mut().filter(|byte| byte.is_ascii_digit()).enumerate();
    digits.filter(|(at, _)| hidden.contains(at)).for_each(|(_, byte)| *byte = by);
}

/// Whether a place of a JSON text is in a string: a number that is none has to stay one.
#[derive(Default)]
struct Json {
    in_string: bool,
    is_escaped: bool,
}

impl Json {
    fn is_bare_after(&mut self, text: &[u8]) -> bool {
        for byte in text {
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' if self.in_string => self.is_escaped = true,
                b'"' => self.in_string = !self.in_string,
                _ => {}
            }
        }
        !self.in_string
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(text: &str, is_json: bool, piece: usize) -> String {
        let mut mask = Mask::new(is_json);
        let mut out: Vec<u8> = text.as_bytes().chunks(piece).flat_map(|piece| mask.feed(piece, false)).collect();
        out.extend(mask.feed(&[], true));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_same_is_hidden_in_whatever_pieces_it_comes() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../sdk/python/tests/data/cards.json");
        let cases: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        for (list, is_json) in [("text", false), ("json", true)] {
            for case in cases[list].as_array().unwrap() {
                let (text, expected) = (case["text"].as_str().unwrap(), case["masked"].as_str().unwrap());
                for piece in [1, 2, 3, 5, 7, 16, 1_000] {
                    assert_eq!(masked(text, is_json, piece), expected, "in pieces of {piece}");
                }
            }
        }
    }

    #[test]
    fn digits_without_an_end_are_not_held_without_an_end() {
        for (endless, most) in [("7".repeat(40_000), MOST + 2), ("1234 ".repeat(8_000), MOST + 2)] {
            let mut mask = Mask::new(false);
            let mut out = Vec::new();
            for piece in endless.as_bytes().chunks(500) {
                out.extend(mask.feed(piece, false));
                assert!(mask.held() <= most, "{}", mask.held());
            }
            out.extend(mask.feed(b" 4111111111111111", true));
            let out = String::from_utf8(out).unwrap();
            assert!(out.starts_with(&endless) && out.ends_with(" 411111******1111"), "{}", &out[out.len() - 40..]);
        }
        // One that stands where such digits are cut is hidden too.
        for before in 0..60 {
            let text = format!("{}{}4111 1111 1111 1111 {}", "x".repeat(before), "9999 ".repeat(1_000), "9999 ".repeat(1_000));
            assert!(masked(&text, false, 97).contains(" 4111 11** **** 1111 9999"), "{before}");
        }
    }

    #[test]
    fn pieces_at_random_are_as_the_whole() {
        let mut state = 7_u64;
        let mut next = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        const WORDS: [&str; 14] =
            ["4111111111111111", "4111 1111 1111 1111", "3782 822463 10005", "1", "42", " ", "-", ".", ",", "x", "\\n", "%B", "\"", "5555-5555-5555-4444"];
        for _ in 0..2_000 {
            let text: String = (0..next(30)).map(|_| WORDS[next(WORDS.len() as u64) as usize]).collect();
            let whole = masked(&text, true, 100_000);
            assert_eq!(whole.len(), text.len());
            let mut mask = Mask::new(true);
            let (mut out, mut rest) = (Vec::new(), text.as_bytes());
            while !rest.is_empty() {
                let (piece, more) = rest.split_at(rest.len().min(1 + next(20) as usize));
                out.extend(mask.feed(piece, false));
                rest = more;
            }
            out.extend(mask.feed(&[], true));
            assert_eq!(String::from_utf8(out).unwrap(), whole, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_not_passed_on() {
        let tried = |status: u16, fields: &[(&'static str, &'static str)]| {
            let mut response = Response::builder().status(status);
            for (name, value) in fields {
                response = response.header(*name, *value);
            }
            answer(response.body(crate::body::full("4111111111111111")).unwrap()).map(|answer| answer.headers().clone())
        };
        for bad in [
            &[("content-encoding", "gzip")][..],
            &[("content-type", "text/html; charset=UTF-16LE")],
            &[("content-type", "application/json"), ("content-encoding", "br")],
        ] {
            assert!(tried(200, bad).is_err(), "{bad:?}");
        }
        assert!(tried(206, &[("content-type", "text/plain")]).is_err());
        assert!(tried(206, &[("content-type", "video/mp4"), ("content-range", "bytes 0-15/99")]).is_ok());
        let headers = tried(200, &[("content-type", "image/svg+xml"), ("content-digest", "sha-256=:AA==:"), ("content-encoding", "identity")]).unwrap();
        assert!(!headers.contains_key("content-digest"));
    }
}
