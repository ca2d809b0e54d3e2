/// What kind of failure an error is: every `Error` of the house answers `kind()`.
///
/// `tutela-http/src/problem.rs` is the only place that turns it into a status code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The request is wrong; the text names the field and the fix.
    Invalid,
    /// No credentials, or bad ones.
    Unauthenticated,
    /// Known, but not allowed.
    Forbidden,
    /// Not there, or the caller may not know that it is.
    NotFound,
    /// Somebody else changed it first, or it exists already.
    Conflict,
    /// Too many requests; try later.
    RateLimited,
    /// A quota or budget is used up.
    Exhausted,
    /// A part we depend on does not answer; nothing was changed.
    Unavailable,
    /// Stored data does not verify.
    Corrupt,
    /// Our fault; the text stays inside.
    Internal,
}

impl ErrorKind {
    /// The kind in one word, as it stands in problem types and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not-found",
            Self::Conflict => "conflict",
            Self::RateLimited => "rate-limited",
            Self::Exhausted => "exhausted",
            Self::Unavailable => "unavailable",
            Self::Corrupt => "corrupt",
            Self::Internal => "internal",
        }
    }
}
