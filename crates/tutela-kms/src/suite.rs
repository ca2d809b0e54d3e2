use aws_lc_rs::aead::{AES_256_GCM, AES_256_GCM_SIV, Algorithm, CHACHA20_POLY1305};

use crate::Error;

/// How a message is sealed. The number stands in every message and is bound into its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Suite {
    /// AES-256-GCM under a single-use committed key.
    Aes256Gcm = 1,
    /// ChaCha20-Poly1305 under a single-use committed key.
    ChaCha20Poly1305 = 2,
    /// AES-256-GCM under a context's key with a random 12-byte nonce; no commitment, and a budget.
    Aes256GcmPlain = 4,
    /// AES-256-GCM-SIV under a committed key derived from the message itself: equal messages, equal bytes.
    Aes256GcmSiv = 5,
    /// As [`Suite::Aes256GcmPlain`], with ChaCha20-Poly1305.
    ChaCha20Poly1305Plain = 6,
}

impl Suite {
    /// Every suite. Number 3 is kept for a FIPS profile.
    pub const ALL: [Self; 5] = [Self::Aes256Gcm, Self::ChaCha20Poly1305, Self::Aes256GcmPlain, Self::Aes256GcmSiv, Self::ChaCha20Poly1305Plain];

    /// Its name in the API, in configuration and in the `alg` of a message.
    pub fn name(self) -> &'static str {
        match self {
            Self::Aes256Gcm => "aes-256-gcm",
            Self::ChaCha20Poly1305 => "chacha20-poly1305",
            Self::Aes256GcmPlain => "aes-256-gcm-plain",
            Self::Aes256GcmSiv => "aes-256-gcm-siv",
            Self::ChaCha20Poly1305Plain => "chacha20-poly1305-plain",
        }
    }

    /// From its name.
    pub fn parse(name: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|s| s.name() == name).ok_or_else(|| Error::UnknownAlgorithm(name.to_owned()))
    }

    /// From the number in a message.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|s| *s as u8 == number)
    }

    /// Whether it is one of the plain suites, which count their messages.
    pub fn is_plain(self) -> bool {
        matches!(self, Self::Aes256GcmPlain | Self::ChaCha20Poly1305Plain)
    }

    /// Whether equal messages give equal bytes.
    pub fn is_deterministic(self) -> bool {
        self == Self::Aes256GcmSiv
    }

    /// The AEAD's name in the IANA registry, as C2SP chunked-encryption binds it.
    pub(crate) fn aead_name(self) -> &'static str {
        match self {
            Self::Aes256Gcm | Self::Aes256GcmPlain => "AEAD_AES_256_GCM",
            Self::ChaCha20Poly1305 | Self::ChaCha20Poly1305Plain => "AEAD_CHACHA20_POLY1305",
            Self::Aes256GcmSiv => "AEAD_AES_256_GCM_SIV",
        }
    }

    pub(crate) fn algorithm(self) -> &'static Algorithm {
        match self {
            Self::Aes256Gcm | Self::Aes256GcmPlain => &AES_256_GCM,
            Self::ChaCha20Poly1305 | Self::ChaCha20Poly1305Plain => &CHACHA20_POLY1305,
            Self::Aes256GcmSiv => &AES_256_GCM_SIV,
        }
    }
}
