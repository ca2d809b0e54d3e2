use tutela_core::ErrorKind;

/// Why sealing or opening failed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// The text is not a root key.
    #[error("the root key must be 64 hexadecimal digits (32 bytes)")]
    BadRootKey,
    /// Wrong key, wrong place, or changed bytes: AEAD does not say which.
    #[error("a sealed field does not open: it was changed, moved, or sealed under another key")]
    DoesNotOpen,
    /// A library call that cannot fail failed.
    #[error("the cryptographic library refused a call")]
    Library,
}

impl Error {
    /// The kind of failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::BadRootKey => ErrorKind::Invalid,
            Self::DoesNotOpen => ErrorKind::Corrupt,
            Self::Library => ErrorKind::Internal,
        }
    }
}
