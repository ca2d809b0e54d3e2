use tutela_core::{EventId, Timestamp};

use crate::{Error, Frontier, Hash, leaf_hash};

/// Largest canonical event, in bytes. C2SP entries end at 65,535.
pub const MAX_BODY: usize = 60 * 1024;

/// An event as the ledger keeps it: canonical bytes with personal fields sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The event's id.
    pub id: EventId,
    /// When it happened.
    pub time: Timestamp,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// Canonical bytes.
    pub body: Vec<u8>,
    /// Leaf hash of `body`.
    pub leaf: Hash,
    /// The records under this leaf, where it is a batch.
    pub items: Option<Batch>,
}

impl Entry {
    /// Hashes `body`; refuses one that is too large.
    pub fn new(id: EventId, time: Timestamp, recorded_at: Timestamp, body: Vec<u8>) -> Result<Self, Error> {
        if body.len() > MAX_BODY {
            return Err(Error::TooLarge(body.len()));
        }
        let leaf = leaf_hash(&body);
        Ok(Self { id, time, recorded_at, body, leaf, items: None })
    }
}

/// The records that one leaf commits to: at most 1,024 canonical bodies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    bodies: Vec<Vec<u8>>,
}

impl Batch {
    /// A batch of records; those beyond 1,024 do not fit and are returned.
    pub fn new(mut bodies: Vec<Vec<u8>>) -> (Self, Vec<Vec<u8>>) {
        let rest = bodies.split_off(bodies.len().min(EventId::ITEMS as usize));
        (Self { bodies }, rest)
    }

    /// The records, in order.
    pub fn bodies(&self) -> &[Vec<u8>] {
        &self.bodies
    }

    /// Merkle root over the records (RFC 6962 §2.1).
    pub fn root(&self) -> Hash {
        let mut edge = Frontier::default();
        for body in &self.bodies {
            edge.append(leaf_hash(body), &mut Vec::new());
        }
        edge.root()
    }
}
