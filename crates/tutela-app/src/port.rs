//! Ports: what other people's systems do for us. `tutela-connect` implements them.

use tutela_core::{Secret, seam::BoxFuture};

/// A key provider: it keeps one key for each epoch and never shows it.
///
/// Every name of a key that it gives is exact: it names one version for good, and what was wrapped
/// by it is unwrapped by it and no other.
pub trait KeyProvider: Send + Sync {
    /// `local`, `vault` or `azure-keyvault`.
    fn name(&self) -> &'static str;

    /// Makes a key; `label` is a hint for its name. The answer names its exact version.
    fn create<'a>(&'a self, label: &'a str) -> BoxFuture<'a, Result<String, ProviderError>>;

    /// Wraps 32 bytes. Where the provider can bind a context to them, it does.
    fn wrap<'a>(&'a self, key: &'a str, clear: &'a [u8; 32], context: &'a [u8]) -> BoxFuture<'a, Result<Vec<u8>, ProviderError>>;

    /// Unwraps what [`KeyProvider::wrap`] gave. The caller checks that they are the right bytes.
    fn unwrap<'a>(&'a self, key: &'a str, wrapped: &'a [u8], context: &'a [u8]) -> BoxFuture<'a, Result<Secret<[u8; 32]>, ProviderError>>;

    /// Destroys a key for good. A key that is gone already counts as destroyed.
    fn destroy<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), ProviderError>>;

    /// What in the provider's own settings would destroy or rotate this key behind our back.
    fn warnings<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Vec<String>, ProviderError>>;
}

/// Why a provider did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// The key is destroyed or disabled there.
    #[error("the key provider no longer has the key: {0}")]
    Gone(String),
    /// It answered that we may not, or that the request is wrong.
    #[error("the key provider refused: {0}")]
    Refused(String),
    /// It does not answer, or not in time.
    #[error("the key provider does not answer: {0}")]
    Unavailable(String),
}
