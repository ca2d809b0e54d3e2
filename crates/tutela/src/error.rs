use tutela_core::ErrorKind;

/// Why a command failed, and its exit code.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// From the API client.
    #[error(transparent)]
    Client(#[from] tutela_client::Error),
    /// From a use case.
    #[error(transparent)]
    App(#[from] tutela_app::Error),
    /// From the store.
    #[error(transparent)]
    Store(#[from] tutela_store::Error),
    /// A configuration, argument or file is wrong; the text names the fix.
    #[error("{0}")]
    Usage(String),
    /// It did not succeed.
    #[error("{0}")]
    Failed(String),
}

impl Error {
    /// 1 failed, 2 usage, 3 not found, 4 denied, 5 unavailable.
    pub fn exit_code(&self) -> u8 {
        let kind = match self {
            Self::Client(e) => e.kind(),
            Self::App(e) => e.kind(),
            Self::Store(e) => e.kind(),
            Self::Usage(_) => ErrorKind::Invalid,
            Self::Failed(_) => ErrorKind::Internal,
        };
        match kind {
            ErrorKind::Invalid => 2,
            ErrorKind::NotFound => 3,
            ErrorKind::Unauthenticated | ErrorKind::Forbidden => 4,
            ErrorKind::Unavailable | ErrorKind::RateLimited | ErrorKind::Exhausted => 5,
            ErrorKind::Conflict | ErrorKind::Corrupt | ErrorKind::Internal => 1,
        }
    }
}

/// An I/O error with the file it is about.
pub fn at(path: &std::path::Path, e: &std::io::Error) -> Error {
    Error::Usage(format!("`{}`: {e}", path.display()))
}
