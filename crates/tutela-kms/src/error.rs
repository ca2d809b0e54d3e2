use tutela_core::ErrorKind;

/// Why sealing or opening failed.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// A key backup or identity has another form.
    #[error("{0}")]
    Backup(&'static str),
    /// The text is not a root key.
    #[error("the root key must be 64 hexadecimal digits (32 bytes)")]
    BadRootKey,
    /// A caller's context cannot be used.
    #[error("the context cannot be used: {0}")]
    Context(&'static str),
    /// Wrong key, wrong place, or changed bytes. The public text does not say which; the word inside is for the ledger.
    #[error("the message does not open: wrong key, wrong context, or changed bytes")]
    DoesNotOpen(&'static str),
    /// A record or field policy does not fit.
    #[error("{text}")]
    Field {
        /// Where.
        path: String,
        /// What is wrong.
        text: String,
    },
    /// A library call that cannot fail failed.
    #[error("the cryptographic library refused a call")]
    Library,
    /// The bytes are no message of ours.
    #[error("the message cannot be read: {0}")]
    Malformed(&'static str),
    /// The suite cannot be streamed.
    #[error("`{0}` has no streams; use `aes-256-gcm` or `chacha20-poly1305`")]
    NoStream(&'static str),
    /// More than 64 TiB.
    #[error("the message is longer than 64 TiB")]
    TooLong,
    /// The state of a key does not allow it.
    #[error("{0}")]
    Transition(&'static str),
    /// No suite has this name.
    #[error("`{0}` is not an algorithm; known are `aes-256-gcm`, `chacha20-poly1305`, `aes-256-gcm-siv`, `aes-256-gcm-plain`, `chacha20-poly1305-plain`")]
    UnknownAlgorithm(String),
}

impl Error {
    /// The kind of failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Backup(_) | Self::BadRootKey | Self::Context(_) | Self::DoesNotOpen(_) | Self::Field { .. } => ErrorKind::Invalid,
            Self::Malformed(_) | Self::NoStream(_) | Self::TooLong | Self::UnknownAlgorithm(_) => ErrorKind::Invalid,
            Self::Transition(_) => ErrorKind::Conflict,
            Self::Library => ErrorKind::Internal,
        }
    }

    /// What went wrong, in a word, for the ledger and nobody else.
    pub fn detail(&self) -> &'static str {
        match self {
            Self::DoesNotOpen(what) => what,
            Self::Malformed(_) => "malformed",
            _ => "invalid",
        }
    }
}
