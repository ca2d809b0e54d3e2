//! JSON (RFC 8259) as arguments: `{"a":[1,{"b":"x"}]}` is `json.a` = `2`, `json.a.0` = `1` and `json.a.1.b` = `x`.
//!
//! It is read as strictly as the RFC says, so that nothing is taken here for something else than by the application;
//! names that come twice are both there. Strings may hold any bytes.

/// What a document says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Document {
    pub fields: Vec<(Vec<u8>, Vec<u8>)>,
    /// There were more values than are taken.
    pub more: bool,
}

/// Why a document is not read to its end; what was read until then is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    Depth,
    /// Names that are too long, one or all together.
    Length,
    Syntax(usize),
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    name: Vec<u8>,
    found: Document,
    most: usize,
    depth: usize,
    size: usize,
}

/// Most bytes of one name, and of all names and values: a long name stands before each value below it.
const LONGEST_NAME: usize = 8_192;
const MOST_BYTES: usize = 8 << 20;

pub(crate) fn read(bytes: &[u8], most: usize, depth: usize) -> (Document, Option<Fault>) {
    let mut reader = Reader { bytes, at: 0, name: b"json".to_vec(), found: Document::default(), most, depth, size: 0 };
    let end = reader.value(0).and_then(|()| {
        reader.space();
        if reader.at == bytes.len() { Ok(()) } else { Err(reader.fault()) }
    });
    (reader.found, end.err())
}

impl Reader<'_> {
    fn fault(&self) -> Fault {
        Fault::Syntax(self.at)
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), Fault> {
        self.space();
        if self.peek() != Some(byte) {
            return Err(self.fault());
        }
        self.at += 1;
        Ok(())
    }

    fn value(&mut self, level: usize) -> Result<(), Fault> {
        if level > self.depth {
            return Err(Fault::Depth);
        }
        self.space();
        let long = self.name.len();
        match self.peek() {
            Some(b'{') => {
                self.at += 1;
                self.space();
                if self.peek() == Some(b'}') {
                    self.at += 1;
                    return self.push(Vec::new());
                }
                loop {
                    self.space();
                    let key = self.string()?;
                    self.expect(b':')?;
                    self.name.push(b'.');
                    self.name.extend_from_slice(&key);
                    self.value(level + 1)?;
                    self.name.truncate(long);
                    if self.is_last(b'}')? {
                        return Ok(());
                    }
                }
            }
            Some(b'[') => {
                self.at += 1;
                self.space();
                if self.peek() == Some(b']') {
                    self.at += 1;
                    return self.push(b"0".to_vec());
                }
                let (before, mut count) = (self.found.fields.len(), 0);
                for number in 0_usize.. {
                    count = number + 1;
                    self.name.push(b'.');
                    self.name.extend_from_slice(number.to_string().as_bytes());
                    self.value(level + 1)?;
                    self.name.truncate(long);
                    if self.is_last(b']')? {
                        break;
                    }
                }
                // Rules look at names too, and the list's own would not be seen otherwise.
                if self.found.fields.len() < self.most {
                    self.found.fields.insert(before, (self.name.clone(), count.to_string().into_bytes()));
                }
                Ok(())
            }
            Some(b'"') => {
                let text = self.string()?;
                self.push(text)
            }
            Some(b'-' | b'0'..=b'9') => {
                let text = self.number()?;
                self.push(text)
            }
            _ => {
                let word = [&b"true"[..], b"false", b"null"].into_iter().find(|word| self.bytes[self.at..].starts_with(word));
                let word = word.ok_or_else(|| self.fault())?;
                self.at += word.len();
                // `null` is no value, as in every other engine of this language.
                self.push(if word == b"null" { Vec::new() } else { word.to_vec() })
            }
        }
    }

    /// After a member: whether it was the last.
    fn is_last(&mut self, end: u8) -> Result<bool, Fault> {
        self.space();
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                Ok(false)
            }
            Some(byte) if byte == end => {
                self.at += 1;
                Ok(true)
            }
            _ => Err(self.fault()),
        }
    }

    fn push(&mut self, value: Vec<u8>) -> Result<(), Fault> {
        self.size += self.name.len() + value.len();
        if self.name.len() > LONGEST_NAME || self.size > MOST_BYTES {
            return Err(Fault::Length);
        }
        if self.found.fields.len() < self.most {
            self.found.fields.push((self.name.clone(), value));
        } else {
            self.found.more = true;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<Vec<u8>, Fault> {
        let begin = self.at;
        let digits = |reader: &mut Self| {
            let from = reader.at;
            while reader.peek().is_some_and(|byte| byte.is_ascii_digit()) {
                reader.at += 1;
            }
            if reader.at > from { Ok(()) } else { Err(reader.fault()) }
        };
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1
        } else {
            digits(self)?
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            digits(self)?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            digits(self)?;
        }
        Ok(self.bytes[begin..self.at].to_vec())
    }

    fn string(&mut self) -> Result<Vec<u8>, Fault> {
        self.expect(b'"')?;
        let mut text = Vec::new();
        loop {
            let rest = &self.bytes[self.at..];
            let plain = memchr::memchr2(b'"', b'\\', rest).ok_or(Fault::Syntax(self.bytes.len()))?;
            if rest[..plain].iter().any(|byte| *byte < 0x20) {
                return Err(self.fault());
            }
            text.extend_from_slice(&rest[..plain]);
            self.at += plain + 1;
            if rest[plain] == b'"' {
                return Ok(text);
            }
            let escape = self.peek().ok_or_else(|| self.fault())?;
            self.at += 1;
            match escape {
                b'"' | b'\\' | b'/' => text.push(escape),
                b'b' => text.push(8),
                b'f' => text.push(12),
                b'n' => text.push(10),
                b'r' => text.push(13),
                b't' => text.push(9),
                b'u' => {
                    let first = self.hex()?;
                    let code = match first {
                        0xd800..=0xdbff if self.bytes[self.at..].starts_with(b"\\u") => {
                            let before = self.at;
                            self.at += 2;
                            match self.hex()? {
                                second @ 0xdc00..=0xdfff => 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00),
                                _ => {
                                    self.at = before;
                                    first
                                }
                            }
                        }
                        code => code,
                    };
                    let c = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
                    text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                }
                _ => return Err(self.fault()),
            }
        }
    }

    fn hex(&mut self) -> Result<u32, Fault> {
        let digits = self.bytes.get(self.at..self.at + 4).ok_or_else(|| self.fault())?;
        let code = digits.iter().try_fold(0, |code, digit| Some(code << 4 | char::from(*digit).to_digit(16)?)).ok_or_else(|| self.fault())?;
        self.at += 4;
        Ok(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Vec<String> {
        let (document, fault) = read(text.as_bytes(), 100, 10);
        assert_eq!(fault, None, "{text}");
        document.fields.iter().map(|(name, value)| format!("{}={}", String::from_utf8_lossy(name), String::from_utf8_lossy(value))).collect()
    }

    #[test]
    fn every_value_has_a_name() {
        assert_eq!(
            fields(r#"{"a":[1,{"b":"x\u0041\ud83d\ude00\n"}],"a":true,"c":null}"#),
            ["json.a=2", "json.a.0=1", "json.a.1.b=xA😀\n", "json.a=true", "json.c="]
        );
        assert_eq!(fields(r#"{"a":{"$nin":[]},"b":{}}"#), ["json.a.$nin=0", "json.b="]);
        assert_eq!(fields("-1.5e+3"), ["json=-1.5e+3"]);
    }

    #[test]
    fn what_is_no_json_is_a_fault_and_what_came_before_it_is_there() {
        for text in ["", "{", "{\"a\":1", "{\"a\" 1}", "[1,]", "{a:1}", "01", "\"\x01\"", "\"\\x\"", "1 2", "nul", "{\"a\":1}}", "'a'", "\"a"] {
            assert!(matches!(read(text.as_bytes(), 10, 10).1, Some(Fault::Syntax(_))), "{text}");
        }
        assert_eq!(read(br#"{"a":"b","c"}"#, 10, 10).0.fields.len(), 1);
    }

    #[test]
    fn a_long_name_is_not_repeated_before_every_value() {
        for text in [format!("{{\"{}\":[{}1]}}", "a".repeat(1_000_000), "1,".repeat(9_000)), format!("{{\"{}\":[{}1]}}", "a".repeat(8_000), "1,".repeat(9_000))]
        {
            let (document, fault) = read(text.as_bytes(), 10_000, 10);
            assert_eq!(fault, Some(Fault::Length));
            assert!(document.fields.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() <= MOST_BYTES);
        }
    }

    #[test]
    fn what_goes_on_and_on_ends() {
        let deep = [vec![b'['; 100_000], vec![b']'; 100_000]].concat();
        assert_eq!(read(&deep, 10, 512).1, Some(Fault::Depth));
        let wide = format!("[{}1]", "1,".repeat(5_000));
        let (document, fault) = read(wide.as_bytes(), 100, 10);
        assert!(document.more && document.fields.len() == 100 && fault.is_none());
    }
}
