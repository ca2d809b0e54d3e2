//! What somebody proved, and how strong that is (SP 800-63B-4 §2, RFC 8176).

use serde::{Deserialize, Serialize};
use tutela_core::{AuthStrength, Timestamp};

/// The kinds of authenticators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuthenticatorKind {
    /// A code sent by mail. No out-of-band authenticator to NIST (§3.1.3), so it never lifts anybody above AAL1.
    Email,
    /// An account at an outside provider.
    Outside,
    /// A key pair of this site, made by WebAuthn.
    Passkey,
    /// A memorised secret.
    Password,
    /// One of a list of codes, each good once.
    Recovery,
    /// A code sent to a phone (restricted, §3.2.9).
    Sms,
    /// Codes of an app (RFC 6238).
    Totp,
}

impl AuthenticatorKind {
    /// All of them.
    pub const ALL: [Self; 7] = [Self::Email, Self::Outside, Self::Passkey, Self::Password, Self::Recovery, Self::Sms, Self::Totp];

    /// As stored, configured and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Outside => "outside",
            Self::Passkey => "passkey",
            Self::Password => "password",
            Self::Recovery => "recovery",
            Self::Sms => "sms",
            Self::Totp => "totp",
        }
    }

    /// From its word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// One proof within a sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// With what.
    pub kind: AuthenticatorKind,
    /// Whether the authenticator made sure of the person, by a PIN or a fingerprint; of an outside provider, whether it
    /// proved two factors, as far as that counts here.
    #[serde(default)]
    pub user_verified: bool,
    /// Whether its key can be copied to other devices.
    #[serde(default)]
    pub synced: bool,
    /// When.
    pub at: Timestamp,
}

/// The distinct factors behind a proof: something known, held, or of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Distinct {
    Held,
    Known,
    Verified,
}

impl Proof {
    /// A proof by `kind` at `at`.
    pub fn of(kind: AuthenticatorKind, at: Timestamp) -> Self {
        Self { kind, user_verified: false, synced: false, at }
    }

    fn factors(&self) -> &'static [Distinct] {
        match self.kind {
            AuthenticatorKind::Outside if self.user_verified => &[Distinct::Held, Distinct::Known],
            AuthenticatorKind::Outside | AuthenticatorKind::Password => &[Distinct::Known],
            AuthenticatorKind::Passkey if self.user_verified => &[Distinct::Held, Distinct::Verified],
            AuthenticatorKind::Email | AuthenticatorKind::Passkey | AuthenticatorKind::Recovery | AuthenticatorKind::Sms | AuthenticatorKind::Totp => {
                &[Distinct::Held]
            }
        }
    }

    /// Authentication method references (RFC 8176 §2; `email`, `fed` and `recovery` are ours).
    fn references(&self) -> &'static [&'static str] {
        match self.kind {
            AuthenticatorKind::Email => &["email"],
            AuthenticatorKind::Outside => &["fed"],
            AuthenticatorKind::Passkey if self.synced => &["swk"],
            AuthenticatorKind::Passkey => &["hwk"],
            AuthenticatorKind::Password => &["pwd"],
            AuthenticatorKind::Recovery => &["recovery"],
            AuthenticatorKind::Sms => &["sms"],
            AuthenticatorKind::Totp => &["otp"],
        }
    }
}

/// How strongly a person is known: what tokens and events say of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assurance {
    /// Authenticator assurance level.
    pub aal: AuthStrength,
    /// Authentication method references, sorted.
    pub amr: Vec<String>,
    /// When the last proof was given.
    pub auth_time: Timestamp,
}

impl Assurance {
    /// Of these proofs; `now` where there are none.
    pub fn of(proofs: &[Proof], now: Timestamp) -> Self {
        let mut amr: Vec<String> = proofs.iter().flat_map(Proof::references).map(|r| (*r).to_owned()).collect();
        if count(proofs) > 1 {
            amr.push("mfa".into());
        }
        if proofs.iter().any(|p| p.user_verified && p.kind == AuthenticatorKind::Passkey) {
            amr.push("user".into());
        }
        amr.sort_unstable();
        amr.dedup();
        // Mail is left out: it counts as a second step, not as a level.
        let strong: Vec<Proof> = proofs.iter().filter(|p| p.kind != AuthenticatorKind::Email).copied().collect();
        let aal = if count(&strong) > 1 { AuthStrength::Aal2 } else { AuthStrength::Aal1 };
        Self { aal, amr, auth_time: proofs.iter().map(|p| p.at).max().unwrap_or(now) }
    }

    /// Authentication context class reference (OpenID Connect Core §2).
    pub fn acr(&self) -> &'static str {
        self.aal.acr()
    }
}

/// Number of distinct factors in these proofs.
pub fn count(proofs: &[Proof]) -> usize {
    let mut all: Vec<Distinct> = proofs.iter().flat_map(Proof::factors).copied().collect();
    all.sort_unstable();
    all.dedup();
    all.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proofs(kinds: &[AuthenticatorKind]) -> Vec<Proof> {
        kinds.iter().map(|kind| Proof::of(*kind, Timestamp::from_secs(7))).collect()
    }

    #[test]
    fn two_of_a_kind_are_one_factor() {
        use AuthenticatorKind::{Email, Password, Sms, Totp};
        for (kinds, factors, aal) in [
            (&[Password][..], 1, AuthStrength::Aal1),
            (&[Totp, Sms], 1, AuthStrength::Aal1),
            (&[Password, Totp], 2, AuthStrength::Aal2),
            (&[Password, Email], 2, AuthStrength::Aal1),
        ] {
            let proofs = proofs(kinds);
            assert_eq!((count(&proofs), Assurance::of(&proofs, Timestamp::from_secs(0)).aal), (factors, aal), "{kinds:?}");
        }
    }

    #[test]
    fn a_passkey_that_verified_the_person_is_two_factors_and_without_that_one() {
        let mut proof = Proof::of(AuthenticatorKind::Passkey, Timestamp::from_secs(7));
        assert_eq!(count(&[proof]), 1);
        proof.user_verified = true;
        assert_eq!(count(&[proof]), 2);
        let assurance = Assurance::of(&[proof], Timestamp::from_secs(9));
        assert_eq!((assurance.acr(), assurance.amr.join(" ")), ("aal2", "hwk mfa user".into()));
        assert_eq!(assurance.auth_time, Timestamp::from_secs(7));
    }
}
