//! Refresh tokens: each is good once, its successor follows from it, and a replay ends the sign-in.
//!
//! ```text
//!   fresh --used, by its holder--> spent, and the successor is fresh
//!   spent --again within 10 s, by its holder--> the same successor (a second tab, an answer that got lost)
//!   spent --again later, or by anybody else--> replayed: the session ends, and with it every token of the family
//!   fresh --used by another--> replayed
//! ```
//! The successor is a keyed hash of the token, so that every node gives the same one and none has to keep it
//! (RFC 9700 §4.14.2, ASVS 10.4.5).

use std::time::Duration;

use tutela_core::{ClientId, DeviceId, Secret, SessionId, Timestamp};

use crate::{Token, TokenHash, TokenKind, keyed_hash};

/// How long a spent token may still ask for the same successor.
pub const REPEAT: Duration = Duration::from_secs(10);

/// Who may use a refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// A client that people sign in to.
    Client(ClientId),
    /// The application that somebody signed in with over the API.
    Device(DeviceId),
}

/// A refresh token as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refresh {
    /// Hash of the token.
    pub hash: TokenHash,
    /// The session that all tokens of the family belong to.
    pub session: SessionId,
    /// Who may use it.
    pub holder: Holder,
    /// Whom its access tokens are for.
    pub audience: String,
    /// What its access tokens are for; nothing where they are the person's own.
    pub scopes: Vec<String>,
    /// When it ends unused.
    pub expires_at: Timestamp,
    /// When it was used.
    pub used_at: Option<Timestamp>,
}

/// What becomes of a token that is presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presented {
    /// It is too old; nobody is harmed.
    Expired,
    /// It was used a moment ago by the same holder: the same answer once more.
    Repeat,
    /// It was stolen, or its successor was: the family ends.
    Replayed,
    /// It is good, and spent from now on.
    Rotate,
}

impl Refresh {
    /// What becomes of it when `holder` presents it.
    pub fn present(&self, holder: Option<Holder>, now: Timestamp) -> Presented {
        if holder != Some(self.holder) {
            return Presented::Replayed;
        }
        match self.used_at {
            // A clock that jumped back gives no second chance.
            Some(used) if now >= used && now.since(used) < REPEAT => Presented::Repeat,
            Some(_) => Presented::Replayed,
            None if now >= self.expires_at => Presented::Expired,
            None => Presented::Rotate,
        }
    }
}

/// The successor of a token, under the instance's key.
pub fn successor(key: &Secret<[u8; 32]>, token: &Token) -> Token {
    Token::derived(TokenKind::Refresh, keyed_hash(key, &[b"successor", token.open().as_bytes()]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tutela_core::{Env, SystemEnv};

    #[test]
    fn a_token_is_good_once_for_one_holder_and_repeated_for_ten_seconds() {
        let env: &dyn Env = &SystemEnv;
        let rng = &mut { env };
        let at = |s: i64| Timestamp::from_secs(1_000 + s);
        let id = DeviceId::new(at(0), rng);
        // A client whose id happens to be a device's is not that device.
        let (mine, other) = (Holder::Device(id), Holder::Client(ClientId(id.0)));
        let session = SessionId::new(at(0), rng);
        let fresh = Refresh { hash: [0; 32], session, holder: mine, audience: "photos".into(), scopes: Vec::new(), expires_at: at(100), used_at: None };
        let spent = Refresh { used_at: Some(at(50)), ..fresh.clone() };
        for (token, holder, now, expected) in [
            (&fresh, Some(mine), 0, Presented::Rotate),
            (&fresh, Some(mine), 100, Presented::Expired),
            (&fresh, Some(other), 0, Presented::Replayed),
            (&fresh, None, 0, Presented::Replayed),
            (&spent, Some(mine), 59, Presented::Repeat),
            (&spent, Some(mine), 60, Presented::Replayed),
            (&spent, Some(mine), 49, Presented::Replayed),
            (&spent, Some(other), 51, Presented::Replayed),
        ] {
            assert_eq!(token.present(holder, at(now)), expected, "{holder:?} at {now}");
        }
    }

    #[test]
    fn a_token_has_one_successor_and_another_key_gives_another() {
        let env: &dyn Env = &SystemEnv;
        let token = Token::new(TokenKind::Refresh, &mut { env });
        let (key, other) = (Secret::new([1; 32]), Secret::new([2; 32]));
        assert_eq!(successor(&key, &token).open(), successor(&key, &token).open());
        assert_ne!(successor(&key, &token).open(), successor(&other, &token).open());
        assert!(Token::parse(TokenKind::Refresh, successor(&key, &token).open()).is_some());
    }
}
