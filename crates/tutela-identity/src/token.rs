//! Bearer tokens: 32 random bytes behind a typed prefix, stored only as their hash.

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use tutela_core::{Random, Secret, random_bytes};

/// What a token is for; the prefix keeps one kind from being used as another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// API key of a client.
    ApiKey,
    /// Single-use code from the own host to another one.
    Code,
    /// Browser session.
    Session,
    /// One-time link.
    Setup,
    /// Ties a sign-in to the browser that began it.
    Transaction,
}

impl TokenKind {
    fn prefix(self) -> &'static str {
        match self {
            Self::ApiKey => "tck_",
            Self::Code => "tco_",
            Self::Session => "tse_",
            Self::Setup => "tsu_",
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
