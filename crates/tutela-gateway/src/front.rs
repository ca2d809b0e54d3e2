//! The strict front: only what can be read in one way reaches the parser (RFC 9112).
//!
//! Servers differ in what they forgive, and an attacker lives on the difference: a request that this server reads as
//! one and the application as two passes as one and arrives as two. So every byte of an HTTP/1 connection goes through
//! this reader, which follows the framing by itself and forgives nothing:
//!
//! ```text
//!   Line --(request line, fields)--> blank line --no body--> Line
//!                                        |--Content-Length--> Body(n) ------------------------> Line
//!                                        +--chunked--> Size --n--> Data(n) --> DataEnd --> Size
//!                                                        +--0--> Trailer --(blank line)------> Line
//! ```
//! Where something is wrong, the rest is replaced by zero bytes, at which the parser behind gives 400 and closes.
//! Nothing is buffered, so nothing grows. A connection that begins with the preface of HTTP/2 is left alone: its
//! framing has lengths.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Sleep,
};

/// Most fields of a request, and its longest method.
pub(crate) const MOST_FIELDS: u32 = 100;
pub(crate) const LONGEST_METHOD: usize = 32;
/// Longest line of a chunk's size, with its extensions, and longest trailer section.
const LONGEST_SIZE: u32 = 256;
const LONGEST_TRAILER: u32 = 8_192;

/// A connection whose requests are read strictly.
pub(crate) struct Strict<S> {
    inner: S,
    reader: Reader,
    ended: bool,
    /// Until when the first head, or the preface of HTTP/2, has to be there. The parser behind counts from then on.
    first: Option<Pin<Box<Sleep>>>,
    /// Set once the connection is a WebSocket's.
    upgraded: Arc<AtomicBool>,
}

impl<S> Strict<S> {
    pub(crate) fn new(inner: S, patience: Duration, upgraded: Arc<AtomicBool>) -> Self {
        Self { inner, reader: Reader::new(), ended: false, first: Some(Box::pin(tokio::time::sleep(patience))), upgraded }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Strict<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.reader.state == State::Refused {
            // The parser looks at a head once it has an end; this is it, and there is nothing after it.
            let end: &[u8] = if std::mem::replace(&mut self.ended, true) { b"" } else { b"\r\n\r\n" };
            buf.put_slice(&end[..end.len().min(buf.remaining())]);
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(cx, buf);
        if read.is_pending()
            && let Some(first) = &mut self.first
            && first.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        ready!(read)?;
        if self.reader.state == State::Line && !self.reader.begun && self.upgraded.load(Ordering::Acquire) {
            self.reader.state = State::Other;
        }
        let fresh = &mut buf.filled_mut()[before..];
        if let Some(at) = self.reader.read(fresh) {
            fresh[at..].fill(0);
        }
        let within_head = self.reader.state == State::Line && self.reader.begun;
        if !(self.reader.first || within_head) {
            self.first = None;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Strict<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

/// Where in a request the next byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// In the request line or a field.
    Line,
    Body(u64),
    Size,
    Data(u64),
    /// The line end after a chunk.
    DataEnd(u8),
    Trailer(u32),
    /// HTTP/2.
    Other,
    Refused,
}

/// The fields that decide where a request ends, and of which there may be one.
#[derive(Debug, Default, Clone, Copy)]
struct Fields {
    number: u32,
    hosts: u8,
    types: u8,
    length: Option<u64>,
    chunked: bool,
    http_10: bool,
}

/// What is kept of the line that is being read: its beginning, for the few that mean something.
#[derive(Debug)]
struct Reader {
    state: State,
    fields: Fields,
    /// The line so far, as far as it matters.
    line: Vec<u8>,
    length: u32,
    /// Whether the byte before was a carriage return.
    cr: bool,
    first: bool,
    /// Whether the request line was read.
    begun: bool,
}

/// As much of a line as is looked at; longer ones are targets and values that mean nothing here.
const KEPT: usize = 256;

impl Reader {
    fn new() -> Self {
        Self { state: State::Line, fields: Fields::default(), line: Vec::with_capacity(KEPT), length: 0, cr: false, first: true, begun: false }
    }

    /// Follows the bytes; where they go wrong.
    fn read(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        while at < bytes.len() {
            match self.state {
                State::Other => return None,
                State::Refused => return Some(at),
                State::Body(left) | State::Data(left) => {
                    let taken = left.min((bytes.len() - at) as u64);
                    at += taken as usize;
                    self.state = match (self.state, left - taken) {
                        (State::Body(_), 0) => self.next_request(),
                        (State::Body(_), left) => State::Body(left),
                        (_, 0) => State::DataEnd(b'\r'),
                        (_, left) => State::Data(left),
                    };
                }
                State::DataEnd(expected) => {
                    self.state = match (bytes[at] == expected, expected) {
                        (false, _) => State::Refused,
                        (true, b'\r') => State::DataEnd(b'\n'),
                        (true, _) => State::Size,
                    };
                    if self.state == State::Refused {
                        return Some(at);
                    }
                    at += 1;
                }
                State::Line | State::Size | State::Trailer(_) => {
                    if self.byte(bytes[at]).is_none() {
                        self.state = State::Refused;
                        return Some(at);
                    }
                    at += 1;
                }
            }
        }
        None
    }

    fn next_request(&mut self) -> State {
        self.fields = Fields::default();
        self.begun = false;
        State::Line
    }

    /// One byte of a line; `None` where it may not stand there.
    fn byte(&mut self, byte: u8) -> Option<()> {
        match (self.cr, byte) {
            (true, b'\n') => {
                self.cr = false;
                let line = std::mem::take(&mut self.line);
                let length = std::mem::take(&mut self.length);
                self.state = self.end_of_line(&line, length)?;
                self.line = line;
                self.line.clear();
            }
            // A carriage return stands before a line feed and nowhere else, and the other way round.
            (true, _) | (false, b'\n') => return None,
            (false, b'\r') => self.cr = true,
            // Control characters may stand nowhere, but for a tab within a field's value.
            (false, 0..=8 | 10..=31 | 127) => return None,
            (false, _) => {
                self.length = self.length.checked_add(1)?;
                if self.line.len() < KEPT {
                    self.line.push(byte);
                }
                match self.state {
                    State::Size if self.length > LONGEST_SIZE => return None,
                    State::Trailer(left) => self.state = State::Trailer(left.checked_sub(1)?),
                    _ => {}
                }
            }
        }
        Some(())
    }

    fn end_of_line(&mut self, line: &[u8], length: u32) -> Option<State> {
        match self.state {
            State::Size => {
                let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
                let ends = matches!(line.get(digits), None | Some(b';'));
                let size = std::str::from_utf8(&line[..digits]).ok().filter(|text| (1..=15).contains(&text.len()) && ends)?;
                match u64::from_str_radix(size, 16).ok()? {
                    0 => Some(State::Trailer(LONGEST_TRAILER)),
                    size => Some(State::Data(size)),
                }
            }
            State::Trailer(left) if length > 0 => field_name(line).map(|_| State::Trailer(left)),
            State::Trailer(_) => Some(self.next_request()),
            _ if !self.begun => self.request_line(line, length),
            _ if length == 0 => self.end_of_head(),
            _ => {
                self.field(line, length as usize > line.len())?;
                Some(State::Line)
            }
        }
    }

    /// `METHOD SP TARGET SP HTTP/1.1`.
    fn request_line(&mut self, line: &[u8], length: u32) -> Option<State> {
        if std::mem::take(&mut self.first) && line == b"PRI * HTTP/2.0" {
            return Some(State::Other);
        }
        let method = line.iter().position(|byte| *byte == b' ')?;
        if method == 0 || method > LONGEST_METHOD || !line[..method].iter().all(|byte| is_token(*byte)) || line.get(method + 1).is_none_or(|byte| *byte == b' ')
        {
            return None;
        }
        // Of a long line the end was not kept; the parser behind reads the version then, and takes no other than these.
        if length as usize == line.len() {
            let mut words = line.split(|byte| *byte == b' ');
            let version = words.nth(2)?;
            if words.next().is_some() || !(version == b"HTTP/1.1" || version == b"HTTP/1.0") {
                return None;
            }
            self.fields.http_10 = version == b"HTTP/1.0";
        }
        self.begun = true;
        Some(State::Line)
    }

    /// A field; `cut` where its end was not kept, which those that frame a request may not be.
    fn field(&mut self, line: &[u8], cut: bool) -> Option<()> {
        let name = field_name(line)?;
        if cut && [&b"content-length"[..], b"transfer-encoding", b"host"].iter().any(|framing| name.eq_ignore_ascii_case(framing)) {
            return None;
        }
        let value = line[name.len() + 1..].trim_ascii();
        let fields = &mut self.fields;
        fields.number += 1;
        if fields.number > MOST_FIELDS {
            return None;
        }
        let one = |count: &mut u8| {
            *count += 1;
            (*count == 1).then_some(())
        };
        if name.eq_ignore_ascii_case(b"host") {
            one(&mut fields.hosts)?;
        } else if name.eq_ignore_ascii_case(b"content-type") {
            one(&mut fields.types)?;
        } else if name.eq_ignore_ascii_case(b"content-length") {
            let digits = std::str::from_utf8(value).ok().filter(|text| (1..=18).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit()))?;
            let length = digits.parse().ok()?;
            (fields.length.replace(length).is_none() && !fields.chunked).then_some(())?;
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            let fits = value.eq_ignore_ascii_case(b"chunked") && !fields.chunked && fields.length.is_none() && !fields.http_10;
            fits.then(|| fields.chunked = true)?;
        }
        Some(())
    }

    fn end_of_head(&mut self) -> Option<State> {
        let fields = self.fields;
        // HTTP/1.1 names its host, in exactly one way (RFC 9112 §3.2).
        (fields.hosts == 1 || fields.http_10).then_some(())?;
        Some(match fields.length {
            Some(length) if length > 0 => State::Body(length),
            _ if fields.chunked => State::Size,
            _ => self.next_request(),
        })
    }
}

/// The name of a field, which goes right up to its colon.
fn field_name(line: &[u8]) -> Option<&[u8]> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    (colon > 0 && line[..colon].iter().all(|byte| is_token(*byte))).then(|| &line[..colon])
}

/// RFC 9110 §5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether everything may pass, however it is cut into pieces.
    fn passes(text: &[u8]) -> bool {
        let whole = Reader::new().read(text).is_none();
        for size in [1, 2, 7] {
            let mut reader = Reader::new();
            let pieces = text.chunks(size).all(|piece| reader.read(piece).is_none());
            assert_eq!(pieces, whole, "{}", String::from_utf8_lossy(text));
        }
        whole
    }

    #[test]
    fn what_servers_read_differently_does_not_pass() {
        let get = |fields: &str| format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        let post = |fields: &str, body: &str| format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n{body}");
        let te = |value: &str| post(&format!("Transfer-Encoding:{value}"), "0\r\n\r\n");
        for (what, text) in [
            ("both lengths", post("Content-Length: 4\r\nTransfer-Encoding: chunked", "0\r\n\r\n")),
            ("both lengths, the other way round", post("Transfer-Encoding: chunked\r\nContent-Length: 4", "0\r\n\r\n")),
            ("two lengths", post("Content-Length: 3\r\nContent-Length: 3", "abc")),
            ("a list of lengths", post("Content-Length: 3, 3", "abc")),
            ("a length with a sign", post("Content-Length: +3", "abc")),
            ("a hexadecimal length", post("Content-Length: 0x3", "abc")),
            ("a length behind many spaces", post(&format!("Content-Length:{}0099", " ".repeat(300)), "")),
            ("a length of nothing", post("Content-Length:", "")),
            ("a negative length", post("Content-Length: -1", "")),
            ("another coding", te(" xchunked")),
            ("two codings", te(" chunked, identity")),
            ("gzip before it", te(" gzip, chunked")),
            ("a vertical tab", te(" \u{b}chunked")),
            ("two of them", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "0\r\n\r\n")),
            ("a space before the colon", post("Transfer-Encoding : chunked", "0\r\n\r\n")),
            ("chunks in HTTP/1.0", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".into()),
            ("a folded field", get("A: b\r\n c\r\n")),
            ("a zero byte", get("A: b\0c\r\n")),
            ("a bare line feed", "GET / HTTP/1.1\nHost: a\n\n".into()),
            ("a bare line feed in a field", get("A: b\nC: d\r\n")),
            ("a bare carriage return", get("A: b\rc\r\n")),
            ("two hosts", get("Host: b\r\n")),
            ("no host", "GET / HTTP/1.1\r\nA: b\r\n\r\n".into()),
            ("two types", get("Content-Type: a/b\r\nContent-Type: c/d\r\n")),
            ("no name", get(": b\r\n")),
            ("no colon", get("abc\r\n")),
            ("no version", "GET /\r\n\r\n".into()),
            ("another version", "GET / HTTP/1.2\r\nHost: a\r\n\r\n".into()),
            ("two spaces", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n".into()),
            ("a space in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n".into()),
            ("a method that is none", "GE(T / HTTP/1.1\r\nHost: a\r\n\r\n".into()),
            ("a chunk that ends in a bare line feed", post("Transfer-Encoding: chunked", "3\nabc\r\n0\r\n\r\n")),
            ("an extension that ends so", post("Transfer-Encoding: chunked", "3;a\nabc\r\n0\r\n\r\n")),
            ("a size of nothing", post("Transfer-Encoding: chunked", "\r\n\r\n")),
            ("a size with a sign", post("Transfer-Encoding: chunked", "+3\r\nabc\r\n0\r\n\r\n")),
            ("a size too large", post("Transfer-Encoding: chunked", "ffffffffffffffff1\r\n")),
            ("a chunk longer than it says", post("Transfer-Encoding: chunked", "3\r\nabcd\r\n0\r\n\r\n")),
            ("a trailer that is none", post("Transfer-Encoding: chunked", "0\r\na b\r\n\r\n")),
            ("too many fields", get(&"A: b\r\n".repeat(100))),
        ] {
            assert!(!passes(text.as_bytes()), "{what}");
        }
    }

    #[test]
    fn what_everybody_reads_alike_passes_one_after_the_other() {
        let requests = [
            "GET /a?b=c HTTP/1.1\r\nHost: a\r\nAccept: */*\r\nX-Tab: a\tb\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n\r\n\0\r\nGET /\n",
            "POST / HTTP/1.1\r\nHost: a\r\ntransfer-encoding:  Chunked \r\n\r\n5;x=y\r\nab\r\n\0\r\nA\r\n0123456789\r\n0\r\nX: y\r\n\r\n",
            "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
            "GET / HTTP/1.0\r\n\r\n",
            "OPTIONS * HTTP/1.1\r\nHost: a\r\nX-Empty:\r\nX-Latin: \u{e9}\r\n\r\n",
        ];
        let mut reader = Reader::new();
        for request in &requests {
            assert_eq!(reader.read(request.as_bytes()), None, "{request}");
            assert_eq!((reader.state, reader.begun), (State::Line, false), "{request}");
        }
        assert!(passes(requests.concat().as_bytes()));
        assert!(passes(format!("GET /{} HTTP/1.1\r\nHost: a\r\nCookie: {}\r\n\r\n", "x".repeat(4_000), "y".repeat(9_000)).as_bytes()));
        assert!(passes(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\n\r"));
        assert!(!passes(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0"));
    }
}
