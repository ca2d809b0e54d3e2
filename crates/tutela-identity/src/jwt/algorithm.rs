use std::fmt;

use serde::{Deserialize, Serialize};

/// How a token is signed (RFC 7518 §3.1, RFC 8037). Neither `none` nor any HMAC is here: a token under one of
/// them cannot even be asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
pub enum Algorithm {
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
    /// P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// P-384 with SHA-384.
    #[serde(rename = "ES384")]
    Es384,
    /// P-521 with SHA-512.
    #[serde(rename = "ES512")]
    Es512,
    /// RSASSA-PSS with SHA-256.
    #[serde(rename = "PS256")]
    Ps256,
    /// RSASSA-PSS with SHA-384.
    #[serde(rename = "PS384")]
    Ps384,
    /// RSASSA-PSS with SHA-512.
    #[serde(rename = "PS512")]
    Ps512,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    #[serde(rename = "RS256")]
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    #[serde(rename = "RS384")]
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    #[serde(rename = "RS512")]
    Rs512,
}

impl Algorithm {
    /// All that are known.
    pub const ALL: [Self; 10] =
        [Self::EdDsa, Self::Es256, Self::Es384, Self::Es512, Self::Ps256, Self::Ps384, Self::Ps512, Self::Rs256, Self::Rs384, Self::Rs512];
    /// Those that we sign with.
    pub const OURS: [Self; 3] = [Self::EdDsa, Self::Es256, Self::Rs256];

    /// Its name (RFC 7518 §3.1).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
        }
    }

    /// From its name; `Ed25519` is the newer name of what `EdDSA` means here (RFC 9864 §2.2).
    pub fn parse(name: &str) -> Option<Self> {
        if name == "Ed25519" {
            return Some(Self::EdDsa);
        }
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == name)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
