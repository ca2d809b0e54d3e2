//! Settings that files of rules give.

use std::collections::BTreeSet;

use crate::seclang::Switch;

/// What happens to a body that is too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnLimit {
    /// Its beginning is inspected, and the request is marked.
    Partial,
    /// The request is refused.
    Reject,
}

/// Status codes that a pattern takes. The stock configuration writes them with look-around, which has no bound on its
/// time; of a thousand short texts that is known here, once, and never at a request.
#[derive(Debug, Clone)]
pub(crate) struct Statuses(BTreeSet<u16>);

impl Statuses {
    pub(crate) fn of(pattern: &str) -> Result<Self, String> {
        let wrong = |e: &dyn std::fmt::Display| format!("`{pattern}` is no regular expression: {e}");
        let regex = fancy_regex::RegexBuilder::new(pattern).backtrack_limit(10_000).build().map_err(|e| wrong(&e))?;
        let codes = (100..1_000_u16).map(|code| Ok(regex.is_match(&code.to_string()).map_err(|e| wrong(&e))?.then_some(code)));
        Ok(Self(codes.filter_map(Result::transpose).collect::<Result<_, String>>()?))
    }

    pub(crate) fn has(&self, code: &[u8]) -> bool {
        std::str::from_utf8(code).ok().and_then(|code| code.parse().ok()).is_some_and(|code| self.0.contains(&code))
    }
}

/// One setting of a file.
#[derive(Debug)]
pub(crate) enum Setting {
    ArgumentSeparator(u8),
    ArgumentsLimit(u64),
    AuditEngine(Option<bool>),
    AuditLogParts(String),
    AuditRelevantStatus(Statuses),
    Engine(Switch),
    FilesLimit(u64),
    JsonDepth(u64),
    OnRequestBodyLimit(OnLimit),
    OnResponseBodyLimit(OnLimit),
    RequestBodyAccess(bool),
    RequestBodyLimit(u64),
    RequestBodyNoFilesLimit(u64),
    ResponseBodyAccess(bool),
    ResponseBodyLimit(u64),
    ResponseTypes(Vec<String>),
    ResponseTypesClear,
    WebappId(String),
}

/// Settings of the files, or what holds where they say nothing.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What the engine does.
    pub engine: Switch,
    /// Whether bodies of requests are inspected.
    pub request_body: bool,
    /// Most bytes of them.
    pub request_body_limit: u64,
    /// Most bytes of them that are no uploads.
    pub request_body_no_files_limit: u64,
    /// What happens to longer ones.
    pub on_request_body_limit: OnLimit,
    /// Whether bodies of answers are inspected.
    pub response_body: bool,
    /// Most bytes of them.
    pub response_body_limit: u64,
    /// What happens to longer ones.
    pub on_response_body_limit: OnLimit,
    /// Types of answers that are inspected.
    pub response_types: Vec<String>,
    /// Most arguments.
    pub arguments: u64,
    /// Most levels of JSON and XML.
    pub depth: u64,
    /// Most uploads.
    pub files: u64,
    /// Parts of a request that are kept when it is logged, as letters.
    pub audit_parts: String,
    pub(crate) audit: Option<bool>,
    pub(crate) audit_status: Option<Statuses>,
    pub(crate) separator: u8,
    pub(crate) webapp: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            engine: Switch::Off,
            request_body: false,
            request_body_limit: 134_217_728,
            request_body_no_files_limit: 1_048_576,
            on_request_body_limit: OnLimit::Reject,
            response_body: false,
            response_body_limit: 524_288,
            on_response_body_limit: OnLimit::Reject,
            response_types: ["text/plain", "text/html"].map(str::to_owned).to_vec(),
            arguments: 1_000,
            depth: 512,
            files: 100,
            audit_parts: "ABCFHZ".into(),
            audit: Some(false),
            audit_status: None,
            separator: b'&',
            webapp: String::new(),
        }
    }
}

impl Settings {
    pub(crate) fn set(&mut self, setting: Setting) {
        match setting {
            Setting::ArgumentSeparator(byte) => self.separator = byte,
            Setting::ArgumentsLimit(most) => self.arguments = most,
            Setting::AuditEngine(audit) => self.audit = audit,
            Setting::AuditLogParts(parts) => self.audit_parts = parts,
            Setting::AuditRelevantStatus(statuses) => self.audit_status = Some(statuses),
            Setting::Engine(engine) => self.engine = engine,
            Setting::FilesLimit(most) => self.files = most,
            Setting::JsonDepth(most) => self.depth = most,
            Setting::OnRequestBodyLimit(on) => self.on_request_body_limit = on,
            Setting::OnResponseBodyLimit(on) => self.on_response_body_limit = on,
            Setting::RequestBodyAccess(on) => self.request_body = on,
            Setting::RequestBodyLimit(most) => self.request_body_limit = most,
            Setting::RequestBodyNoFilesLimit(most) => self.request_body_no_files_limit = most,
            Setting::ResponseBodyAccess(on) => self.response_body = on,
            Setting::ResponseBodyLimit(most) => self.response_body_limit = most,
            Setting::ResponseTypes(types) => self.response_types = types,
            Setting::ResponseTypesClear => self.response_types.clear(),
            Setting::WebappId(id) => self.webapp = id,
        }
    }
}
