//! Just enough HTTP/1.1 to talk to a server of our own on this machine.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

const PATIENCE: Duration = Duration::from_secs(10);

/// An answer, read to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Body.
    pub body: String,
}

/// Sends one request to `origin` (`http://NAME:PORT`). Names under `localhost` are loopback, which libc does not know.
pub fn send(origin: &str, key: &str, method: &str, path: &str, body: &str) -> Result<Answer, String> {
    let host = origin.strip_prefix("http://").ok_or_else(|| format!("`{origin}` is not an http origin"))?;
    let port: u16 = host.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or(80);
    let io = |e: std::io::Error| format!("{method} {path}: {e}");
    let mut stream = TcpStream::connect(("127.0.0.1", port)).map_err(io)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(io)?;
    stream.set_write_timeout(Some(PATIENCE)).map_err(io)?;
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\nAccept: application/json\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())).map_err(io)?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).map_err(io)?;
    parse(&bytes).ok_or_else(|| format!("{method} {path}: the answer is not complete"))
}

/// `None` where the answer was cut off: then nothing is known of what the server did.
fn parse(bytes: &[u8]) -> Option<Answer> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let field = |name: &str| head.lines().filter_map(|line| line.split_once(':')).find(|(of, _)| of.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim());
    let body = match field("transfer-encoding") {
        Some(_) => unchunked(body)?,
        None => match field("content-length").map(str::parse::<usize>) {
            Some(length) => body.get(..length.ok()?)?.to_owned(),
            None => body.to_owned(),
        },
    };
    Some(Answer { status, body })
}

fn unchunked(mut body: &str) -> Option<String> {
    let mut out = String::new();
    loop {
        let (size, rest) = body.split_once("\r\n")?;
        let size = usize::from_str_radix(size.trim(), 16).ok()?;
        if size == 0 {
            return Some(out);
        }
        out.push_str(rest.get(..size)?);
        body = rest.get(size..)?.strip_prefix("\r\n")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_with_a_length_in_chunks_and_cut_off() {
        let whole = parse(b"HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\n{}").unwrap();
        assert_eq!(whole, Answer { status: 201, body: "{}".into() });
        let chunked = parse(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{\"a\r\n4\r\n\":1}\r\n0\r\n\r\n").unwrap();
        assert_eq!(chunked.body, "{\"a\":1}");
        assert_eq!(parse(b"HTTP/1.1 201 Created\r\ncontent-length: 20\r\n\r\n{}"), None);
        assert_eq!(parse(b"HTTP/1.1 20"), None);
    }
}
