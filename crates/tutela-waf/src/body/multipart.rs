//! Forms with uploads (RFC 7578), read as a strict application and as a lenient one would: what they would read
//! differently is a flag.

use crate::transform::decode;

/// A form, and what is odd about it.
#[derive(Debug, Default)]
pub(crate) struct Form {
    pub fields: Vec<(Vec<u8>, Vec<u8>)>,
    pub files: Vec<File>,
    /// Header lines of parts, by field name.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    pub odd: Odd,
    /// Why it was not read to its end.
    pub fault: Option<&'static str>,
    /// There were more fields than are taken.
    pub more: bool,
}

/// An upload.
#[derive(Debug)]
pub(crate) struct File {
    pub field: Vec<u8>,
    pub name: Vec<u8>,
    pub content: Vec<u8>,
}

/// What different readers may read differently.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Odd {
    pub boundary_quoted: bool,
    pub boundary_whitespace: bool,
    pub crlf_lf_lines: bool,
    pub data_after: bool,
    pub data_before: bool,
    pub file_limit: bool,
    pub header_folding: bool,
    pub invalid_header_folding: bool,
    pub invalid_part: bool,
    pub invalid_quoting: bool,
    pub lf_line: bool,
    pub missing_semicolon: bool,
    pub unmatched_boundary: bool,
}

impl Odd {
    /// Whether strict readers would refuse it.
    pub(crate) fn is_strict_error(&self) -> bool {
        self.boundary_quoted
            || self.boundary_whitespace
            || self.crlf_lf_lines
            || self.data_after
            || self.data_before
            || self.file_limit
            || self.header_folding
            || self.invalid_header_folding
            || self.invalid_part
            || self.invalid_quoting
            || self.lf_line
            || self.missing_semicolon
            || self.unmatched_boundary
    }
}

/// The limits of a form.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Most {
    pub fields: usize,
    pub files: usize,
}

/// The one fault that a form has of which only the beginning was read.
pub(crate) const NO_END: &str = "the last boundary is missing";

const LONGEST_BOUNDARY: usize = 1_024;
const MOST_HEADERS: usize = 64;

/// The boundary that a `Content-Type` names.
fn boundary(content_type: &[u8], odd: &mut Odd) -> Result<Vec<u8>, &'static str> {
    let lower = content_type.to_ascii_lowercase();
    // The word may stand in the boundary itself, as it does in every browser's.
    let mut places = memchr::memmem::find_iter(&lower, b"boundary").filter(|at| lower[at + 8..].trim_ascii_start().starts_with(b"="));
    let at = places.next().ok_or("the boundary is missing")?;
    if places.next().is_some() {
        return Err("there are two boundaries");
    }
    let before = lower[..at].trim_ascii_end();
    if !before.ends_with(b";") {
        if !before.ends_with(b",") && !lower[..at].ends_with(b" ") {
            return Err("the boundary is malformed");
        }
        odd.missing_semicolon = true;
    }
    let rest = &content_type[at + 8..];
    let equals = rest.iter().position(|byte| *byte == b'=').ok_or("the boundary is malformed")?;
    if !rest[..equals].is_empty() {
        odd.boundary_whitespace = true;
        if !rest[..equals].trim_ascii().is_empty() {
            return Err("the boundary is malformed");
        }
    }
    let value = &rest[equals + 1..];
    let value = match value.strip_prefix(b"\"") {
        Some(quoted) => {
            let end = quoted.iter().position(|byte| *byte == b'"').ok_or("the quotes of the boundary are not closed")?;
            odd.boundary_quoted |= !matches!(quoted[end + 1..].trim_ascii_start().first(), None | Some(b';'));
            &quoted[..end]
        }
        None => {
            let end = value.iter().position(|byte| matches!(byte, b';' | b',')).unwrap_or(value.len());
            let value = &value[..end];
            odd.boundary_quoted |= value.contains(&b'"');
            odd.boundary_whitespace |= value.iter().any(u8::is_ascii_whitespace);
            value.trim_ascii()
        }
    };
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(byte) || b"!#$%&*^`{|}~".contains(byte);
    if value.is_empty() || value.len() > LONGEST_BOUNDARY || !value.iter().all(allowed) {
        return Err("the boundary is malformed");
    }
    Ok(value.to_vec())
}

/// A line without its end, and how it ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Crlf,
    Lf,
    None,
}

fn line(bytes: &[u8]) -> (&[u8], End, usize) {
    match memchr::memchr(b'\n', bytes) {
        Some(at) if at > 0 && bytes[at - 1] == b'\r' => (&bytes[..at - 1], End::Crlf, at + 1),
        Some(at) => (&bytes[..at], End::Lf, at + 1),
        None => (bytes, End::None, bytes.len()),
    }
}

/// Reads a form.
pub(crate) fn read(content_type: &[u8], bytes: &[u8], most: Most) -> Form {
    let mut form = Form::default();
    let boundary = match boundary(content_type, &mut form.odd) {
        Ok(boundary) => boundary,
        Err(why) => {
            form.fault = Some(why);
            return form;
        }
    };
    let mark = [b"--", boundary.as_slice()].concat();
    let (mut at, mut part, mut ended) = (0, None::<Part>, false);
    let (mut crlf, mut lf) = (false, false);
    while at < bytes.len() {
        let (text, end, length) = line(&bytes[at..]);
        let begin = at;
        at += length;
        let after = text.strip_prefix(mark.as_slice()).map(<[u8]>::trim_ascii_end);
        match after {
            Some(b"" | b"--") if !ended => {
                crlf |= end == End::Crlf;
                lf |= end == End::Lf;
                if let Some(part) = part.take() {
                    form.finish(part, bytes, begin, most);
                }
                if after == Some(b"--") {
                    ended = true;
                    form.odd.data_after |= !bytes[at..].trim_ascii().is_empty();
                    continue;
                }
                let (headers, content) = form.headers(bytes, at, &mut crlf, &mut lf);
                (part, at) = (Some(Part { headers, begin: content }), content);
            }
            Some(_) => form.odd.unmatched_boundary = true,
            None => {
                if ended {
                    continue;
                }
                match &part {
                    None => form.odd.data_before |= !text.is_empty(),
                    // Another reader may have read another boundary out of the header.
                    Some(_) if text.starts_with(b"--") && !text.contains(&b' ') && begins(&bytes[at..], b"content-disposition") => {
                        form.odd.unmatched_boundary = true;
                    }
                    Some(_) => {}
                }
            }
        }
    }
    form.odd.lf_line |= lf;
    form.odd.crlf_lf_lines |= lf && crlf;
    if !ended {
        form.fault = form.fault.or(Some(NO_END));
        if let Some(part) = part {
            form.finish(part, bytes, bytes.len(), most);
        }
    }
    form
}

/// A part whose end is not known yet.
struct Part {
    headers: Vec<Vec<u8>>,
    begin: usize,
}

/// Whether it begins so, in any case.
fn begins(bytes: &[u8], prefix: &[u8]) -> bool {
    bytes.get(..prefix.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(prefix))
}

impl Form {
    /// The header lines of a part, and where its content begins.
    fn headers(&mut self, bytes: &[u8], mut at: usize, crlf: &mut bool, lf: &mut bool) -> (Vec<Vec<u8>>, usize) {
        let mut lines: Vec<Vec<u8>> = Vec::new();
        while at < bytes.len() {
            let (text, end, length) = line(&bytes[at..]);
            at += length;
            *crlf |= end == End::Crlf;
            *lf |= end == End::Lf;
            if text.is_empty() {
                return (lines, at);
            }
            if lines.len() == MOST_HEADERS {
                self.odd.invalid_part = true;
                continue;
            }
            match (text.first(), lines.last_mut()) {
                (Some(b' ' | b'\t'), Some(last)) => {
                    self.odd.header_folding = true;
                    last.push(b' ');
                    last.extend_from_slice(text.trim_ascii());
                }
                (Some(b' ' | b'\t'), None) => self.odd.invalid_header_folding = true,
                _ => lines.push(text.to_vec()),
            }
        }
        self.odd.invalid_part = true;
        (lines, at)
    }

    fn finish(&mut self, part: Part, bytes: &[u8], end: usize, most: Most) {
        // The line end before a boundary is the boundary's.
        let content = &bytes[part.begin.min(end)..end];
        let content = content.strip_suffix(b"\r\n").or_else(|| content.strip_suffix(b"\n")).unwrap_or(content);
        // By its exact name, and one: another reader may take another line for it.
        let named = |line: &&Vec<u8>| line.split(|byte| *byte == b':').next().is_some_and(|name| name.eq_ignore_ascii_case(b"content-disposition"));
        let alike = |line: &&Vec<u8>| begins(line, b"content-disposition");
        self.odd.invalid_part |= part.headers.iter().filter(alike).count() > 1;
        let disposition = part.headers.iter().find(named);
        let (name, file) = match disposition.map(|line| self.disposition(line)) {
            Some(Some(found)) => found,
            _ => {
                self.odd.invalid_part = true;
                (Vec::new(), None)
            }
        };
        for line in part.headers {
            self.odd.invalid_part |= !line.contains(&b':');
            self.headers.push((name.clone(), line));
        }
        match file {
            Some(_) if self.files.len() == most.files => self.odd.file_limit = true,
            Some(file) => self.files.push(File { field: name, name: file, content: content.to_vec() }),
            None if self.fields.len() == most.fields => self.more = true,
            None => self.fields.push((name, content.to_vec())),
        }
    }

    /// The names of the field and of its file.
    fn disposition(&mut self, line: &[u8]) -> Option<(Vec<u8>, Option<Vec<u8>>)> {
        let colon = memchr::memchr(b':', line)?;
        let mut rest = line[colon + 1..].trim_ascii();
        if !begins(rest, b"form-data") {
            return None;
        }
        rest = rest[9..].trim_ascii_start();
        let (mut name, mut file, mut starred) = (None, None, None);
        while !rest.is_empty() {
            match rest.strip_prefix(b";") {
                Some(after) => rest = after.trim_ascii_start(),
                None => {
                    self.odd.missing_semicolon = true;
                    rest = rest.strip_prefix(b",").unwrap_or(rest).trim_ascii_start();
                }
            }
            if rest.is_empty() {
                break;
            }
            let equals = memchr::memchr(b'=', rest)?;
            let key = rest[..equals].trim_ascii().to_ascii_lowercase();
            let (value, after) = self.parameter(rest[equals + 1..].trim_ascii_start());
            rest = after.trim_ascii_start();
            let place = match key.as_slice() {
                b"name" => &mut name,
                b"filename" => &mut file,
                // RFC 5987: character set, language, and percent escapes.
                b"filename*" => {
                    let mut out = Vec::new();
                    decode(value.splitn(3, |byte| *byte == b'\'').last().unwrap_or_default(), &mut out);
                    starred = Some(out);
                    continue;
                }
                _ => continue,
            };
            if place.replace(value).is_some() {
                self.odd.invalid_part = true;
            }
        }
        // Not everybody reads the starred one; by itself it makes a field of what is an upload to others.
        self.odd.invalid_part |= starred.is_some() && file.is_none();
        let file = starred.or(file);
        name.map(|name| (name, file)).or_else(|| {
            self.odd.invalid_part = true;
            None
        })
    }

    fn parameter<'a>(&mut self, text: &'a [u8]) -> (Vec<u8>, &'a [u8]) {
        let Some(quoted) = text.strip_prefix(b"\"") else {
            self.odd.invalid_quoting |= text.first() == Some(&b'\'');
            let end = text.iter().position(|byte| matches!(byte, b';' | b',' | b' ' | b'\t')).unwrap_or(text.len());
            self.odd.invalid_quoting |= text[..end].contains(&b'"');
            return (text[..end].to_vec(), &text[end..]);
        };
        let (mut value, mut at) = (Vec::new(), 0);
        while let Some(&byte) = quoted.get(at) {
            match byte {
                b'"' => return (value, &quoted[at + 1..]),
                b'\\' if matches!(quoted.get(at + 1), Some(b'"' | b'\\')) => {
                    value.push(quoted[at + 1]);
                    at += 2;
                }
                _ => {
                    value.push(byte);
                    at += 1;
                }
            }
        }
        self.odd.invalid_quoting = true;
        (value, &[])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: Most = Most { fields: 10, files: 2 };

    fn read_as(content_type: &str, body: &str) -> Form {
        read(content_type.as_bytes(), body.as_bytes(), MOST)
    }

    const TYPE: &str = "multipart/form-data; boundary=xx";

    #[test]
    fn a_boundary_may_be_called_so() {
        let form = read_as(
            "multipart/form-data; boundary=----WebKitFormBoundaryx",
            "------WebKitFormBoundaryx\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n------WebKitFormBoundaryx--\r\n",
        );
        assert!(form.fault.is_none() && form.fields.len() == 1);
    }

    #[test]
    fn fields_and_files_are_told_apart() {
        let body = "--xx\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n2\r\n--xx\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a\\\"b.txt\"\r\nContent-Type: text/plain\r\n\r\nbytes\r\n--xx--\r\n";
        let form = read_as(TYPE, body);
        assert_eq!(form.fields, [(b"a".to_vec(), b"1\r\n2".to_vec())]);
        assert_eq!((form.files[0].name.as_slice(), form.files[0].content.as_slice()), (&b"a\"b.txt"[..], &b"bytes"[..]));
        assert_eq!(form.headers.len(), 3);
        assert!(!form.odd.is_strict_error() && form.fault.is_none(), "{:?} {:?}", form.odd, form.fault);
    }

    #[test]
    fn what_readers_read_differently_is_a_flag() {
        let part = |disposition: &str| format!("--xx\r\nContent-Disposition: {disposition}\r\n\r\n1\r\n--xx--\r\n");
        let flags: [(&str, String, fn(&Odd) -> bool); 13] = [
            ("multipart/form-data; boundary=xx", part("form-data; name=a; filename=f\r\nContent-Disposition: form-data; name=a"), |odd| odd.invalid_part),
            ("multipart/form-data; boundary=xx", part("form-data; name=a; filename*=UTF-8''f"), |odd| odd.invalid_part),
            ("multipart/form-data; boundary=xx", "x\r\n".to_owned() + &part("form-data; name=a"), |odd| odd.data_before),
            ("multipart/form-data; boundary=xx", part("form-data; name=a") + "x", |odd| odd.data_after),
            ("multipart/form-data; boundary =xx", part("form-data; name=a"), |odd| odd.boundary_whitespace),
            ("multipart/form-data boundary=xx", part("form-data; name=a"), |odd| odd.missing_semicolon),
            ("multipart/form-data; boundary=xx", part("form-data name=a"), |odd| odd.missing_semicolon),
            ("multipart/form-data; boundary=xx", part("form-data; name='a'"), |odd| odd.invalid_quoting),
            ("multipart/form-data; boundary=xx", part("form-data; name=\"a"), |odd| odd.invalid_quoting),
            ("multipart/form-data; boundary=xx", part("form-data;\r\n name=a"), |odd| odd.header_folding),
            ("multipart/form-data; boundary=xx", part("form-data; name=a").replace("\r\n", "\n"), |odd| odd.lf_line),
            ("multipart/form-data; boundary=xx", part("form-data; name=a; name=b"), |odd| odd.invalid_part),
            (
                "multipart/form-data; boundary=xx",
                part("form-data; name=a").replace("1\r\n", "--yy\r\nContent-Disposition: form-data; name=b\r\n\r\n2\r\n"),
                |odd| odd.unmatched_boundary,
            ),
        ];
        for (content_type, body, is_odd) in flags {
            let form = read_as(content_type, &body);
            assert!(is_odd(&form.odd) && form.odd.is_strict_error(), "{content_type} {body:?} {:?}", form.odd);
        }
    }

    #[test]
    fn without_a_boundary_or_an_end_it_is_a_fault() {
        for content_type in
            ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=a; boundary=b", "multipart/form-data; boundary=\"a"]
        {
            assert!(read_as(content_type, "").fault.is_some(), "{content_type}");
        }
        assert_eq!(read_as(TYPE, "--xx\r\nContent-Disposition: form-data; name=a\r\n\r\n1").fault, Some("the last boundary is missing"));
        let many = "--xx\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n".repeat(20) + "--xx--";
        assert!(read_as(TYPE, &many).more);
    }
}
