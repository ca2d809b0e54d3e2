//! The ledger as mathematics: canonical event bytes, the Merkle tree over them, signed
//! checkpoints, proofs, and the verifier that trusts none of our own code paths.
//!
//! Formats are those of RFC 8785 (canonical JSON), RFC 6962 §2.1 (tree) and C2SP
//! (tlog-checkpoint, signed-note, tlog-tiles, tlog-proof), so a stranger's tools can check us.
//! Nothing here reads a file, a clock or a database. Start with [`Entry`] and [`Frontier`].

mod canonical;
mod checkpoint;
mod entry;
mod error;
mod merkle;
mod proof;
pub mod query;
mod removal;
mod tile;
mod verify;

pub use canonical::canonical;
pub use checkpoint::{Checkpoint, Signer, VerifyingKey};
pub use entry::{Batch, Entry, MAX_BODY};
pub use error::{Error, Flaw};
pub use merkle::{Frontier, Hash, TileNode, consistency_ranges, inclusion_ranges, leaf_hash, node_hash, root_from_inclusion, sha256, verify_consistency};
pub use proof::{ItemProof, TlogProof};
pub use query::{Query, QueryError};
pub use removal::{EXPIRED, PRUNED};
pub use tile::{Range, Span, TilePath};
pub use verify::Verifier;

/// How often a checkpoint is kept for good: at every multiple of this size.
pub const CHECKPOINT_EVERY: u64 = 1_000;
