//! Bytes of a file, and where in it records begin and end.

use std::io::{self, BufRead};

use super::MAX_RECORD;

/// Bytes, and the line they are on. It finds where records end and leaves all else to the parser.
pub(super) struct Input<R> {
    reader: R,
    line: u64,
}

impl<R: BufRead> Input<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, line: 1 }
    }

    /// The line that the next byte is on.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    fn peek(&mut self) -> io::Result<Option<u8>> {
        loop {
            match self.reader.fill_buf() {
                Ok(bytes) => return Ok(bytes.first().copied()),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }

    /// Goes behind the byte that was looked at.
    pub(super) fn bump(&mut self, byte: u8) {
        self.reader.consume(1);
        self.line += u64::from(byte == b'\n');
    }

    pub(super) fn skip_space(&mut self) -> io::Result<Option<u8>> {
        loop {
            match self.peek()? {
                Some(byte) if byte.is_ascii_whitespace() => self.bump(byte),
                other => return Ok(other),
            }
        }
    }

    /// Goes behind `{"Records": [`. Where something else stands there, `text` has what was read of it.
    pub(super) fn wrapper(&mut self, text: &mut Vec<u8>) -> io::Result<bool> {
        for token in ["{", "\"Records\"", ":", "["] {
            while let Some(byte) = self.peek()?.filter(u8::is_ascii_whitespace) {
                self.bump(byte);
                keep(text, byte);
            }
            for expected in token.bytes() {
                if self.peek()? != Some(expected) {
                    return Ok(false);
                }
                self.bump(expected);
                keep(text, expected);
            }
        }
        Ok(true)
    }

    pub(super) fn rest_of_line(&mut self, text: &mut Vec<u8>) -> io::Result<()> {
        while let Some(byte) = self.peek()? {
            self.bump(byte);
            if byte == b'\n' {
                return Ok(());
            }
            keep(text, byte);
        }
        Ok(())
    }

    /// One value of an array, up to the `,` or bracket behind it.
    pub(super) fn value(&mut self, text: &mut Vec<u8>) -> io::Result<()> {
        let (mut depth, mut quoted, mut escaped) = (0_u64, false, false);
        while let Some(byte) = self.peek()? {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if quoted => escaped = true,
                b'"' => quoted = !quoted,
                _ if quoted => {}
                b'[' | b'{' => depth += 1,
                b',' | b']' | b'}' if depth == 0 => return Ok(()),
                b']' | b'}' => depth -= 1,
                _ => {}
            }
            self.bump(byte);
            keep(text, byte);
        }
        Ok(())
    }

    /// Whatever else stands in the object behind its records.
    pub(super) fn rest_of_object(&mut self) -> io::Result<()> {
        loop {
            self.value(&mut Vec::new())?;
            match self.peek()? {
                // Between members, or astray.
                Some(byte @ (b',' | b']')) => self.bump(byte),
                Some(byte) => {
                    self.bump(byte);
                    return Ok(());
                }
                None => return Ok(()),
            }
        }
    }
}

/// Keeps a byte, but never more than one beyond the limit: enough to know that it was passed.
fn keep(text: &mut Vec<u8>, byte: u8) {
    if text.len() <= MAX_RECORD {
        text.push(byte);
    }
}
