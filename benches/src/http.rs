//! Just enough HTTP/1.1 to ask a server of our own again and again over one connection.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    time::Duration,
};

use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(30);
/// Longest line of a head.
const LINE: u64 = 16 << 10;

/// A connection that stays open between requests.
pub struct Connection<S>(BufReader<S>);

/// An answer, read to its end.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Where it leads.
    pub location: Option<String>,
    /// Cookies that it sets, as they are sent back.
    pub cookies: Vec<String>,
    /// Body.
    pub body: Vec<u8>,
}

/// The bytes of a POST of JSON. `headers` are whole lines without their ends.
pub fn post(host: &str, path: &str, headers: &[&str], body: &str) -> Vec<u8> {
    let more: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    format!("POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{more}\r\n{body}", body.len()).into_bytes()
}

/// The bytes of a POST of a form, as OAuth2 has them (RFC 6749).
pub fn post_form(host: &str, path: &str, form: &str) -> Vec<u8> {
    format!("POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}", form.len())
        .into_bytes()
}

/// The bytes of a GET. `headers` are whole lines without their ends.
pub fn get(host: &str, path: &str, headers: &[&str]) -> Vec<u8> {
    let more: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n").into_bytes()
}

/// A body as JSON.
pub fn json(body: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(body).map_err(|e| format!("the answer is not JSON: {e}"))
}

impl Connection<TcpStream> {
    /// Connects to a port on loopback.
    pub fn open(port: u16) -> Result<Self, String> {
        let stream = TcpStream::connect(("127.0.0.1", port)).map_err(|e| e.to_string())?;
        stream.set_nodelay(true).and_then(|()| stream.set_read_timeout(Some(PATIENCE))).map_err(|e| e.to_string())?;
        Ok(Self::new(stream))
    }
}

impl<S: Read + Write> Connection<S> {
    /// Over any stream.
    pub fn new(stream: S) -> Self {
        Self(BufReader::with_capacity(64 << 10, stream))
    }

    /// Sends a whole request and reads its answer.
    pub fn ask(&mut self, request: &[u8]) -> Result<Answer, String> {
        self.0.get_mut().write_all(request).map_err(|e| format!("sending: {e}"))?;
        read(&mut self.0).map_err(|e| format!("reading the answer: {e}"))
    }

    /// Sends a request whose answer has to be a success.
    pub fn ask_well(&mut self, request: &[u8]) -> Result<Vec<u8>, String> {
        let Answer { status, body, .. } = self.ask(request)?;
        if (200..300).contains(&status) { Ok(body) } else { Err(format!("status {status}: {}", String::from_utf8_lossy(&body))) }
    }
}

fn read(from: &mut impl BufRead) -> std::io::Result<Answer> {
    let status = line(from)?.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(|| broken("no status"))?;
    let (mut length, mut chunked) = (0, false);
    let (mut location, mut cookies) = (None, Vec::new());
    loop {
        let line = line(from)?;
        let Some((name, value)) = line.split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().map_err(|_| broken("no length"))?;
        }
        if name.eq_ignore_ascii_case("location") {
            location = Some(value.trim().to_owned());
        }
        if name.eq_ignore_ascii_case("set-cookie") {
            cookies.push(value.trim().split(';').next().unwrap_or_default().to_owned());
        }
        chunked |= name.eq_ignore_ascii_case("transfer-encoding");
    }
    let mut body = Vec::new();
    if !chunked {
        take(from, length, &mut body)?;
        return Ok(Answer { status, location, cookies, body });
    }
    loop {
        let size = u64::from_str_radix(line(from)?.trim(), 16).map_err(|_| broken("no size of a chunk"))?;
        take(from, size, &mut body)?;
        // Each chunk ends with an empty line, the last one of size zero too.
        line(from)?;
        if size == 0 {
            return Ok(Answer { status, location, cookies, body });
        }
    }
}

fn line(from: &mut impl BufRead) -> std::io::Result<String> {
    let mut text = String::new();
    from.take(LINE).read_line(&mut text)?;
    if text.ends_with('\n') { Ok(text.trim_end().to_owned()) } else { Err(broken("a line without an end")) }
}

fn take(from: &mut impl BufRead, length: u64, body: &mut Vec<u8>) -> std::io::Result<()> {
    if from.take(length).read_to_end(body)? as u64 == length { Ok(()) } else { Err(broken("a body that was cut off")) }
}

fn broken(what: &str) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(text: &str) -> Option<Answer> {
        read(&mut text.as_bytes()).ok()
    }

    #[test]
    fn answers_with_a_length_in_chunks_and_one_after_another() {
        let two =
            "HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{\"a\r\n4\r\n\":1}\r\n0\r\n\r\n";
        let mut from = two.as_bytes();
        assert_eq!(read(&mut from).unwrap(), Answer { status: 201, location: None, cookies: Vec::new(), body: b"{}".to_vec() });
        assert_eq!(read(&mut from).unwrap(), Answer { status: 200, location: None, cookies: Vec::new(), body: b"{\"a\":1}".to_vec() });
        let led = answer("HTTP/1.1 303 See Other\r\nLocation: /a\r\nSet-Cookie: x=1; Path=/\r\nset-cookie: y=2\r\n\r\n").unwrap();
        assert_eq!((led.status, led.location.as_deref(), led.cookies), (303, Some("/a"), vec!["x=1".to_owned(), "y=2".to_owned()]));
    }

    #[test]
    fn an_answer_that_is_cut_off_is_none() {
        for text in [
            "",
            "HTTP/1.1 20",
            "HTTP/1.1 200 OK\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n{}",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{}",
        ] {
            assert_eq!(answer(text), None, "{text}");
        }
    }

    #[test]
    fn a_post_says_how_long_it_is() {
        assert_eq!(post("h", "/p", &["A: b"], "{}"), b"POST /p HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 2\r\nA: b\r\n\r\n{}");
    }
}
