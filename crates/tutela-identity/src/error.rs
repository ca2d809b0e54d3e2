use tutela_core::ErrorKind;

/// Why a rule of identity refuses.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// A field of the request is wrong.
    #[error("{message}")]
    Invalid {
        /// Which field.
        field: &'static str,
        /// What is wrong and what would be right.
        message: String,
    },
    /// The stored password hash cannot be read.
    #[error("the stored password hash is not a PHC string of Argon2id")]
    BadHash,
    /// What an outside provider answered is not believed; the text says why, for the ledger.
    #[error("{0}")]
    Outside(String),
    /// A library call that cannot fail failed.
    #[error("the cryptographic library refused a call")]
    Library,
    /// A signed token is malformed, forged, expired or meant for somebody else.
    #[error("the identity token is not valid: {0}")]
    Token(&'static str),
}

/// A token that is not in three parts that can be read.
pub(crate) const NOT_A_TOKEN: &str = "it is not a signed token";
/// A token under another algorithm, type or key.
pub(crate) const NOT_OURS: &str = "its algorithm, type or key is not ours";

impl Error {
    /// The kind of failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Invalid { .. } => ErrorKind::Invalid,
            Self::BadHash => ErrorKind::Corrupt,
            Self::Library => ErrorKind::Internal,
            Self::Outside(_) | Self::Token(_) => ErrorKind::Unauthenticated,
        }
    }

    /// Whether a token was refused before its signature was looked at, as one of somebody else's would be.
    pub fn is_about_another_signer(&self) -> bool {
        matches!(self, Self::Token(why) if *why == NOT_OURS || *why == NOT_A_TOKEN)
    }

    pub(crate) fn invalid(field: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid { field, message: message.into() }
    }
}
