use tutela_core::ErrorKind;

use crate::port::ProviderError;

/// Why a key cannot be had.
#[derive(Debug, Clone, thiserror::Error)]
pub enum KeyError {
    /// What is stored does not unwrap.
    #[error("a stored key does not unwrap: it was changed, or belongs to another epoch")]
    Corrupt,
    /// It was destroyed.
    #[error("the key was destroyed")]
    Destroyed,
    /// Its provider has not answered for too long.
    #[error("keys cannot be used: the key provider `{provider}` has not answered since {since}, and cached keys serve no longer than `kms.cache_max_age`")]
    Expired {
        /// Which provider.
        provider: String,
        /// Since when.
        since: String,
    },
    /// The provider did not do it.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// The configuration lacks the provider of an epoch that is still in use.
    #[error("keys of an earlier epoch are held by `{0}`, which is not configured: add its section, or restore its settings, until they are rewrapped")]
    ProviderMissing(String),
    /// From the store.
    #[error(transparent)]
    Store(#[from] tutela_store::Error),
    /// There is none.
    #[error("there is no such key")]
    Unknown,
}

impl KeyError {
    /// The kind of failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Corrupt => ErrorKind::Corrupt,
            Self::Destroyed | Self::Unknown => ErrorKind::Invalid,
            Self::Expired { .. } | Self::Provider(_) | Self::ProviderMissing(_) => ErrorKind::Unavailable,
            Self::Store(e) => e.kind(),
        }
    }

    /// Whether the caller may read the text although the kind is `Unavailable`.
    pub fn is_about_provider(&self) -> bool {
        matches!(self, Self::Expired { .. } | Self::Provider(_) | Self::ProviderMissing(_))
    }
}
