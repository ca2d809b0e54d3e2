use std::fmt;

use tutela_core::ErrorKind;

/// Why the ledger refuses.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// Canonical JSON holds numbers as IEEE doubles (RFC 8785 §3.2.2.3).
    #[error("a number cannot be written exactly in canonical JSON: `{0}`")]
    InexactNumber(String),
    /// A text does not have the form its specification asks for.
    #[error("malformed {what}: {why}")]
    Malformed {
        /// What was read, for example `checkpoint`.
        what: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// C2SP log entries end at 65,535 bytes; ours earlier, so that every sink can take them.
    #[error("an event may have at most {MAX} bytes in canonical form, this one has {0}", MAX = crate::MAX_BODY)]
    TooLarge(usize),
    /// A signature, root or hash does not fit.
    #[error("{0}")]
    Flawed(Flaw),
}

impl Error {
    /// The kind of failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::InexactNumber(_) | Self::Malformed { .. } | Self::TooLarge(_) => ErrorKind::Invalid,
            Self::Flawed(_) => ErrorKind::Corrupt,
        }
    }
}

/// What the verifier found wrong, and where. Positions count from zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flaw {
    /// The stored bytes do not hash to the stored leaf.
    BodyChanged(u64),
    /// A checkpoint that is always kept is gone.
    CheckpointMissing(u64),
    /// The log holds another tree than the checkpoint, so something up to `size` was rewritten.
    CheckpointDiffers {
        /// Size of the checkpoint.
        size: u64,
        /// Everything before this position agrees with an earlier checkpoint.
        good_up_to: u64,
    },
    /// A record of a batch is missing, or differs from what its leaf commits to.
    ItemChanged {
        /// Position of the batch.
        position: u64,
        /// Number of the record in it, or its count where one is missing.
        item: u16,
    },
    /// No entry at this position.
    Missing(u64),
    /// The entry is stored under an id that its bytes do not carry.
    IdChanged(u64),
    /// A stored inner hash differs from the one its leaves give.
    NodeChanged {
        /// First position under it.
        from: u64,
        /// Last position under it.
        to: u64,
    },
    /// Entries or their bodies are gone, and no event of the log says that retention took them out.
    Removed {
        /// First position.
        from: u64,
        /// Last position.
        to: u64,
    },
    /// A proof leads to another root than the checkpoint's.
    ProofDiffers,
    /// The log is shorter than a checkpoint signed for it.
    Shorter {
        /// Entries found.
        found: u64,
        /// Entries signed.
        signed: u64,
    },
    /// A signature does not verify, or none is by the expected key.
    Signature,
    /// Records, tree hashes or checkpoints stand beyond the end of the log.
    Stray(u64),
    /// There are entries that no checkpoint covers.
    Unsigned {
        /// Size of the last checkpoint.
        signed: u64,
        /// Entries found.
        found: u64,
    },
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BodyChanged(at) => write!(f, "position {at}: the stored event was changed, its bytes do not match their leaf hash"),
            Self::CheckpointMissing(size) => write!(f, "position {}: the checkpoint kept at {size} entries is missing", size.saturating_sub(1)),
            Self::CheckpointDiffers { size, good_up_to } => {
                write!(f, "position {good_up_to} to {}: the entries do not match the checkpoint of size {size}", size.saturating_sub(1))
            }
            Self::IdChanged(at) => write!(f, "position {at}: the event is stored under another id than its own"),
            Self::ItemChanged { position, item } => write!(f, "position {position}.{item}: a record of this batch is missing or was changed"),
            Self::Missing(at) => write!(f, "position {at}: the entry is missing"),
            Self::NodeChanged { from, to } => write!(f, "position {from} to {to}: a stored tree hash does not match the entries under it"),
            Self::Removed { from, to } => write!(f, "position {from} to {to}: events were taken out, and the log does not say that retention did it"),
            Self::ProofDiffers => f.write_str("the proof leads to another root than the checkpoint's"),
            Self::Shorter { found, signed } => write!(f, "position {found}: entries are missing from here on, a checkpoint was signed over {signed}"),
            Self::Signature => f.write_str("the checkpoint's signature does not verify under the expected key"),
            Self::Stray(size) => write!(f, "position {size}: rows stand beyond the end of the log"),
            Self::Unsigned { signed, found } => write!(f, "position {signed}: no checkpoint covers the entries from here to {}", found.saturating_sub(1)),
        }
    }
}
