//! Bearer tokens: 32 random bytes behind a typed prefix, stored only as their hash.

use aws_lc_rs::{
    digest::{SHA256, digest},
    hmac,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use tutela_core::{Random, Secret, random_bytes};

/// What a token is for; the prefix keeps one kind from being used as another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// API key of a client.
    ApiKey,
    /// Single-use code that a client gets tokens for.
    ClientCode,
    /// Single-use code from the own host to another one.
    Code,
    /// Which browser or application somebody signs in with.
    Device,
    /// Ties an errand to an outside provider to a browser.
    Errand,
    /// One-time link.
    Link,
    /// What an application gets its next access token with.
    Refresh,
    /// Browser session.
    Session,
    /// A sign-in under way.
    SignIn,
    /// Ties a sign-in to the browser that began it.
    Transaction,
}

impl TokenKind {
    fn prefix(self) -> &'static str {
        match self {
            Self::ApiKey => "tck_",
            Self::ClientCode => "tac_",
            Self::Code => "tco_",
            Self::Device => "tde_",
            Self::Errand => "ter_",
            Self::Link => "tli_",
            Self::Refresh => "tre_",
            Self::Session => "tse_",
            Self::SignIn => "tsi_",
            Self::Transaction => "ttx_",
        }
    }
}

/// A token in clear; it exists in a response and in its holder's hands, never in storage.
pub struct Token(Secret<String>);

/// SHA-256 of a token: enough to find it, useless to present it.
pub type TokenHash = [u8; 32];

impl Token {
    /// A new token with 256 bits of randomness.
    pub fn new(kind: TokenKind, rng: &mut dyn Random) -> Self {
        let bytes: [u8; 32] = random_bytes(rng);
        Self(Secret::new(format!("{}{}", kind.prefix(), BASE64.encode(bytes))))
    }

    /// The token of this kind that a keyed hash made; whoever has no key cannot tell it from a random one.
    pub fn derived(kind: TokenKind, bytes: [u8; 32]) -> Self {
        Self(Secret::new(format!("{}{}", kind.prefix(), BASE64.encode(bytes))))
    }

    /// Reads what a caller presented; `None` where it is not a token of this kind.
    pub fn parse(kind: TokenKind, text: &str) -> Option<Self> {
        let encoded = text.strip_prefix(kind.prefix())?;
        let bytes = BASE64.decode(encoded).ok()?;
        (bytes.len() == 32).then(|| Self(Secret::new(text.to_owned())))
    }

    /// The text to hand out, once.
    pub fn open(&self) -> &str {
        self.0.open()
    }

    /// What storage keeps. A fast hash is right here: the token is random, not chosen.
    pub fn hash(&self) -> TokenHash {
        let mut out = [0; 32];
        out.copy_from_slice(digest(&SHA256, self.0.open().as_bytes()).as_ref());
        out
    }
}

/// HMAC-SHA-256 over `parts`, each behind its length.
pub fn keyed_hash(key: &Secret<[u8; 32]>, parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key.open()));
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    let mut out = [0; 32];
    out.copy_from_slice(mac.sign().as_ref());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use tutela_core::{Env, SystemEnv};

    #[test]
    fn a_token_of_one_kind_is_no_token_of_another() {
        let env: &dyn Env = &SystemEnv;
        let token = Token::new(TokenKind::Session, &mut { env });
        assert!(Token::parse(TokenKind::Session, token.open()).is_some());
        assert!(Token::parse(TokenKind::ApiKey, token.open()).is_none());
        assert!(Token::parse(TokenKind::Session, "tse_short").is_none());
    }
}
