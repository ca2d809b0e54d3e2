//! What came, taken apart into variables.

use super::{Connection, Mark, Transaction};
use crate::{
    body::{json, multipart, urlencoded, xml},
    seclang::Switch,
    variable::Variable,
};

/// Most bytes of one argument's name.
const LONGEST_NAME: usize = 8_192;

impl Transaction {
    pub(super) fn begin(&mut self, connection: &Connection<'_>) {
        let Connection { id, client, client_port, server, server_port, now } = *connection;
        let moment = calendar(now);
        let webapp = self.rules.settings().webapp.clone();
        for (variable, text) in [
            (Variable::UniqueId, id.to_owned()),
            (Variable::RemoteAddr, client.to_string()),
            (Variable::RemoteHost, client.to_string()),
            (Variable::RemotePort, client_port.to_string()),
            (Variable::ServerAddr, server.to_string()),
            (Variable::ServerPort, server_port.to_string()),
            (Variable::Time, format!("{:02}:{:02}:{:02}", moment.hour(), moment.minute(), moment.second())),
            (Variable::TimeEpoch, now.to_string()),
            (Variable::TimeHour, moment.hour().to_string()),
            (Variable::TimeMin, moment.minute().to_string()),
            (Variable::TimeSec, moment.second().to_string()),
            (Variable::TimeDay, moment.day().to_string()),
            (Variable::TimeMon, (moment.month() - 1).to_string()),
            (Variable::TimeYear, moment.year().to_string()),
            (Variable::TimeWday, moment.weekday().to_sunday_zero_offset().to_string()),
            (Variable::Duration, "0".into()),
            (Variable::ModsecBuild, "030000000".into()),
            (Variable::HighestSeverity, "255".into()),
            (Variable::WebappId, webapp),
        ] {
            self.put(variable, text.as_bytes());
        }
        for variable in [
            Variable::InboundDataError,
            Variable::OutboundDataError,
            Variable::ReqbodyError,
            Variable::ReqbodyProcessorError,
            Variable::UrlencodedError,
            Variable::MultipartStrictError,
            Variable::MultipartUnmatchedBoundary,
            Variable::RequestBodyLength,
            Variable::ArgsCombinedSize,
            Variable::FilesCombinedSize,
        ] {
            self.put(variable, b"0");
        }
        for variable in [Variable::ReqbodyErrorMsg, Variable::ReqbodyProcessor, Variable::RequestBody, Variable::PathInfo] {
            self.put(variable, b"");
        }
    }

    /// The request line, as it came.
    pub fn request_line(&mut self, method: &[u8], target: &[u8], protocol: &[u8]) {
        if self.engine == Switch::Off {
            return;
        }
        let uri = origin(target);
        let (path, query) = memchr::memchr(b'?', uri).map_or((uri, &[][..]), |at| (&uri[..at], &uri[at + 1..]));
        let path = memchr::memchr(b'#', path).map_or(path, |at| &path[..at]);
        self.put(Variable::RequestMethod, method);
        self.put(Variable::RequestProtocol, protocol);
        self.put(Variable::RequestLine, &[method, b" ", target, b" ", protocol].concat());
        self.put(Variable::RequestUriRaw, target);
        self.put(Variable::RequestUri, uri);
        let path = unescaped(path);
        self.put(Variable::RequestFilename, &path);
        self.put(Variable::RequestBasename, path.rsplit(|byte| matches!(byte, b'/' | b'\\')).next().unwrap_or_default());
        self.put(Variable::QueryString, query);
        let form = urlencoded::read(query, self.rules.settings().separator, self.rules.settings().arguments as usize);
        self.take(Variable::ArgsGet, form);
    }

    /// A header of the request.
    pub fn request_header(&mut self, name: &[u8], value: &[u8]) {
        if self.engine == Switch::Off {
            return;
        }
        self.push(Variable::RequestHeaders, name, value);
        if name.eq_ignore_ascii_case(b"cookie") {
            for part in value.split(|byte| *byte == b';').map(<[u8]>::trim_ascii_start).filter(|part| !part.is_empty()) {
                let (name, value) = memchr::memchr(b'=', part).map_or((part, &[][..]), |at| (&part[..at], &part[at + 1..]));
                self.push(Variable::RequestCookies, name, value);
            }
        } else if name.eq_ignore_ascii_case(b"host") {
            let host = if value.starts_with(b"[") { value } else { value.split(|byte| *byte == b':').next().unwrap_or_default() };
            self.put(Variable::ServerName, host);
        } else if name.eq_ignore_ascii_case(b"authorization") {
            self.put(Variable::AuthType, value.split(|byte| *byte == b' ').next().unwrap_or_default());
        }
    }

    /// The status line of the answer.
    pub fn response_line(&mut self, protocol: &[u8], status: u16) {
        if self.engine == Switch::Off {
            return;
        }
        self.put(Variable::ResponseProtocol, protocol);
        self.put(Variable::ResponseStatus, status.to_string().as_bytes());
        self.put(Variable::StatusLine, &[protocol, b" ", status.to_string().as_bytes()].concat());
    }

    /// A header of the answer.
    pub fn response_header(&mut self, name: &[u8], value: &[u8]) {
        if self.engine == Switch::Off {
            return;
        }
        self.push(Variable::ResponseHeaders, name, value);
        if name.eq_ignore_ascii_case(b"content-type") {
            self.put(Variable::ResponseContentType, value);
        } else if name.eq_ignore_ascii_case(b"content-length") {
            self.put(Variable::ResponseContentLength, value);
        }
    }

    fn content_type(&self) -> Vec<u8> {
        let found = self.known.first(Variable::RequestHeaders, b"content-type", &self.values);
        found.map(|id| self.values.get(id).to_vec()).unwrap_or_default()
    }

    /// Forms are read without any rule saying so.
    pub(super) fn read_content_type(&mut self) {
        let kind = self.content_type();
        let kind = kind.split(|byte| matches!(byte, b';' | b',' | b' ')).next().unwrap_or_default();
        if kind.eq_ignore_ascii_case(b"application/x-www-form-urlencoded") {
            self.put(Variable::ReqbodyProcessor, b"URLENCODED");
        } else if kind.eq_ignore_ascii_case(b"multipart/form-data") {
            self.put(Variable::ReqbodyProcessor, b"MULTIPART");
        }
    }

    fn take(&mut self, variable: Variable, form: urlencoded::Form) {
        if form.broken {
            self.put(Variable::UrlencodedError, b"1");
        }
        if form.more {
            self.too_many();
        }
        self.take_fields(variable, &form.fields);
    }

    fn take_fields(&mut self, variable: Variable, fields: &[(Vec<u8>, Vec<u8>)]) {
        let mut size = crate::operator::number(self.known.single(Variable::ArgsCombinedSize, &self.values)) as usize;
        for (name, value) in fields {
            if name.len() > LONGEST_NAME {
                self.unreadable("the name of an argument is longer than is inspected");
            }
            size += name.len() + value.len();
            self.push(variable, &name[..name.len().min(LONGEST_NAME)], value);
        }
        self.put(Variable::ArgsCombinedSize, size.to_string().as_bytes());
    }

    fn room(&self) -> usize {
        let mut held = 0;
        self.known.each(Variable::Args, |_| held += 1);
        (self.rules.settings().arguments as usize).saturating_sub(held)
    }

    fn too_many(&mut self) {
        self.unreadable("it has more arguments than are inspected");
        self.mark(Mark::Arguments);
    }

    fn unreadable(&mut self, why: &str) {
        self.mark(Mark::Body(why.to_owned()));
        for variable in [Variable::ReqbodyError, Variable::ReqbodyProcessorError] {
            self.put(variable, b"1");
        }
        for variable in [Variable::ReqbodyErrorMsg, Variable::ReqbodyProcessorErrorMsg] {
            self.put(variable, why.as_bytes());
        }
    }

    /// Reads the body as what it is.
    pub(super) fn read_body(&mut self) {
        let body = std::mem::take(&mut self.body);
        self.put(Variable::RequestBodyLength, body.len().to_string().as_bytes());
        let processor = self.known.single(Variable::ReqbodyProcessor, &self.values).to_vec();
        let (room, settings) = (self.room(), self.rules.settings());
        let (separator, depth, files, no_files) =
            (settings.separator, settings.depth as usize, settings.files as usize, settings.request_body_no_files_limit as usize);
        if processor != b"MULTIPART" && body.len() > no_files {
            self.unreadable("it is longer than a body without uploads may be");
        }
        let body = &body[..if processor == b"MULTIPART" { body.len() } else { body.len().min(no_files) }];
        match processor.as_slice() {
            b"URLENCODED" => {
                self.put(Variable::RequestBody, body);
                let form = urlencoded::read(body, separator, room);
                self.take(Variable::ArgsPost, form);
            }
            b"MULTIPART" => {
                let form = multipart::read(&self.content_type(), body, multipart::Most { fields: room, files });
                self.take_parts(form);
            }
            b"JSON" if body.trim_ascii().is_empty() => {}
            b"JSON" => {
                let (document, fault) = json::read(body, room, depth);
                if document.more {
                    self.too_many();
                }
                self.take_fields(Variable::ArgsPost, &document.fields);
                match fault {
                    Some(json::Fault::Depth) => {
                        self.mark(Mark::Depth);
                        self.unreadable("the JSON is deeper than is inspected");
                    }
                    Some(json::Fault::Length) => self.unreadable("the names in the JSON are longer than is inspected"),
                    Some(json::Fault::Syntax(at)) => self.unreadable(&format!("it is no JSON at byte {at}")),
                    None => {}
                }
            }
            b"XML" => {
                let (document, fault) = xml::read(body, self.rules.settings().arguments as usize, depth);
                if document.more {
                    self.too_many();
                }
                document.texts.iter().for_each(|text| self.push(Variable::Xml, b"/*", text));
                document.attributes.iter().for_each(|text| self.push(Variable::Xml, b"//@*", text));
                if let Some(why) = fault {
                    self.unreadable(why);
                }
            }
            _ if self.body_forced => self.put(Variable::RequestBody, body),
            _ => {}
        }
    }

    fn take_parts(&mut self, form: multipart::Form) {
        // A form that is longer than is inspected has no end here, and its mark says so.
        let cut = self.report.marks.contains(&Mark::BodyLength);
        self.take_fields(Variable::ArgsPost, &form.fields);
        let (mut size, keeps_content) = (0, self.rules.uses(Variable::FilesTmpContent));
        for file in &form.files {
            size += file.content.len();
            self.push(Variable::Files, &file.field, &file.name);
            self.push(Variable::FilesNames, &file.field, &file.field);
            self.push(Variable::FilesSizes, &file.field, file.content.len().to_string().as_bytes());
            self.put(Variable::MultipartFilename, &file.name);
            self.put(Variable::MultipartName, &file.field);
            if keeps_content {
                self.push(Variable::FilesTmpContent, &file.field, &file.content);
            }
        }
        self.put(Variable::FilesCombinedSize, size.to_string().as_bytes());
        for (name, line) in &form.headers {
            self.push(Variable::MultipartPartHeaders, name, line);
        }
        let odd = &form.odd;
        for (variable, flag) in [
            (Variable::MultipartBoundaryQuoted, odd.boundary_quoted),
            (Variable::MultipartBoundaryWhitespace, odd.boundary_whitespace),
            (Variable::MultipartCrlfLfLines, odd.crlf_lf_lines),
            (Variable::MultipartDataAfter, odd.data_after),
            (Variable::MultipartDataBefore, odd.data_before),
            (Variable::MultipartFileLimitExceeded, odd.file_limit),
            (Variable::MultipartHeaderFolding, odd.header_folding),
            (Variable::MultipartInvalidHeaderFolding, odd.invalid_header_folding),
            (Variable::MultipartInvalidPart, odd.invalid_part),
            (Variable::MultipartInvalidQuoting, odd.invalid_quoting),
            (Variable::MultipartLfLine, odd.lf_line),
            (Variable::MultipartMissingSemicolon, odd.missing_semicolon),
            (Variable::MultipartSemicolonMissing, odd.missing_semicolon),
            (Variable::MultipartUnmatchedBoundary, odd.unmatched_boundary),
            (Variable::MultipartStrictError, odd.is_strict_error() || form.fault.is_some_and(|why| !cut || why != multipart::NO_END)),
        ] {
            self.put(variable, if flag { b"1" } else { b"0" });
        }
        if odd.file_limit {
            self.mark(Mark::Files);
            self.unreadable("it has more uploads than are inspected");
        }
        if form.more {
            self.too_many();
        }
        if let Some(why) = form.fault.filter(|why| !cut || *why != multipart::NO_END) {
            self.unreadable(why);
        }
    }
}

/// A path as the application sees it: escapes decoded once, a plus sign being one.
fn unescaped(path: &[u8]) -> Vec<u8> {
    let (mut out, mut decoded) = (Vec::with_capacity(path.len()), Vec::new());
    for (number, part) in path.split(|byte| *byte == b'+').enumerate() {
        if number > 0 {
            out.push(b'+');
        }
        decoded.clear();
        crate::transform::decode(part, &mut decoded);
        out.extend_from_slice(&decoded);
    }
    out
}

/// A target without scheme and host.
fn origin(target: &[u8]) -> &[u8] {
    match memchr::memmem::find(target, b"://") {
        Some(at) if !target.starts_with(b"/") && target[..at].iter().all(u8::is_ascii_alphanumeric) => {
            let rest = &target[at + 3..];
            rest.iter().position(|byte| matches!(byte, b'/' | b'?')).map_or(b"/", |at| &rest[at..])
        }
        _ => target,
    }
}

/// Seconds since 1970 as date and time of day, in UTC.
fn calendar(seconds: i64) -> jiff::civil::DateTime {
    jiff::tz::Offset::UTC.to_datetime(jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::UNIX_EPOCH))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_their_dates_and_targets_their_paths() {
        for (days, expected) in [(0, (1970, 1, 1)), (19_782, (2024, 2, 29)), (20_780, (2026, 11, 23))] {
            let moment = calendar(days * 86_400);
            assert_eq!((moment.year(), moment.month(), moment.day()), expected);
        }
        for (target, expected) in [("/a?b=http://c", "/a?b=http://c"), ("http://h/a", "/a"), ("http://h", "/"), ("*", "*"), ("http://h?x", "?x")] {
            assert_eq!(origin(target.as_bytes()), expected.as_bytes());
        }
    }
}
