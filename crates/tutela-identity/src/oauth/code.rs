//! The code: good once, for a minute, for the client, the address and the verifier it was made for (RFC 6749 §4.1.2,
//! RFC 7636 §4.6).

use std::{collections::BTreeSet, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;
use tutela_core::{ClientId, SessionId, Timestamp};

use super::{Code, Refused, refuse};

/// How long a code is good (ASVS 10.4.3 asks for a minute at level 3).
pub const CODE_LIFE: Duration = Duration::from_secs(60);

/// A code as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizationCode {
    /// The client that it is for.
    pub client: ClientId,
    /// The login that it comes from.
    pub login: SessionId,
    /// Where it was sent.
    pub redirect_uri: String,
    /// What was granted.
    pub scopes: BTreeSet<String>,
    /// For the ID token.
    pub nonce: Option<String>,
    /// Hash of the verifier.
    pub challenge: String,
    /// Whom the access token is for.
    pub audience: Option<String>,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it was used.
    pub used_at: Option<Timestamp>,
}

/// What becomes of a code that is presented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redeem {
    /// It is good, and used up from now on.
    Good,
    /// It is not; the client is told so.
    Refused(Refused),
    /// It was used before: whoever has what it gave may be a thief, so all of that ends (RFC 6749 §4.1.2).
    Replayed,
}

impl AuthorizationCode {
    /// What becomes of it when `client` presents it.
    pub fn redeem(&self, client: ClientId, redirect_uri: Option<&str>, verifier: Option<&str>, now: Timestamp) -> Redeem {
        let no = |why: &str| Redeem::Refused(refuse(Code::InvalidGrant, why));
        // Another client learns nothing of it, and does not use it up.
        if client != self.client {
            return no("the code is not good");
        }
        if self.used_at.is_some() {
            return Redeem::Replayed;
        }
        if now >= self.expires_at {
            return no("the code has expired; it is good for a minute");
        }
        if redirect_uri != Some(self.redirect_uri.as_str()) {
            return no("`redirect_uri` is not the one that the code was sent to");
        }
        match verifier {
            Some(verifier) if verifier_fits(verifier, &self.challenge) => Redeem::Good,
            Some(_) => no("`code_verifier` does not fit the challenge"),
            None => no("`code_verifier` is missing"),
        }
    }
}

/// Whether a verifier is the one behind a challenge (RFC 7636 §4.1, §4.6).
pub fn verifier_fits(verifier: &str, challenge: &str) -> bool {
    let fine = (43..=128).contains(&verifier.len()) && verifier.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b));
    let hash = BASE64.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, verifier.as_bytes()));
    fine && bool::from(hash.as_bytes().ct_eq(challenge.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tutela_core::{Env, SystemEnv};

    /// RFC 7636 appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    #[test]
    fn the_example_of_rfc_7636_fits_and_nothing_else_does() {
        assert!(verifier_fits(VERIFIER, CHALLENGE));
        for (verifier, challenge) in [(CHALLENGE, CHALLENGE), (&VERIFIER[..42], CHALLENGE), (VERIFIER, VERIFIER), ("", ""), (VERIFIER, "")] {
            assert!(!verifier_fits(verifier, challenge), "{verifier} {challenge}");
        }
        assert!(!verifier_fits(&"a".repeat(129), CHALLENGE) && !verifier_fits(&format!("{VERIFIER} "), CHALLENGE));
    }

    #[test]
    fn a_code_is_good_once_for_its_own_client_address_and_verifier() {
        let env: &dyn Env = &SystemEnv;
        let rng = &mut { env };
        let at = |s: i64| Timestamp::from_secs(1_000 + s);
        let (mine, other) = (ClientId::new(at(0), rng), ClientId::new(at(0), rng));
        let code = AuthorizationCode {
            client: mine,
            login: SessionId::new(at(0), rng),
            redirect_uri: "https://app.example.com/cb".into(),
            scopes: BTreeSet::new(),
            nonce: None,
            challenge: CHALLENGE.into(),
            audience: None,
            expires_at: at(60),
            used_at: None,
        };
        let uri = Some("https://app.example.com/cb");
        assert_eq!(code.redeem(mine, uri, Some(VERIFIER), at(59)), Redeem::Good);
        let is_refused = |found: Redeem| matches!(found, Redeem::Refused(Refused { code: Code::InvalidGrant, .. }));
        assert!(is_refused(code.redeem(mine, uri, Some(VERIFIER), at(60))));
        assert!(is_refused(code.redeem(mine, Some("https://app.example.com/cb?"), Some(VERIFIER), at(1))));
        assert!(is_refused(code.redeem(mine, None, Some(VERIFIER), at(1))));
        assert!(is_refused(code.redeem(mine, uri, None, at(1))));
        assert!(is_refused(code.redeem(mine, uri, Some(CHALLENGE), at(1))));
        let used = AuthorizationCode { used_at: Some(at(2)), ..code };
        assert_eq!(used.redeem(mine, uri, None, at(3)), Redeem::Replayed);
        assert!(is_refused(used.redeem(other, uri, Some(VERIFIER), at(3))), "another client ends nobody's session");
    }
}
