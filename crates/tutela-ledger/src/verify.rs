//! The verifier: reads a whole log from the storage's own bytes and believes nothing else.
//!
//! It is fed in order: every entry with the leaf hash stored beside it, every stored tile
//! node, every kept checkpoint when its size is reached. The first thing that does not fit
//! ends it with the position.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use memchr::memmem::Finder;
use tutela_core::EventId;

use crate::{Batch, Checkpoint, Error, Flaw, Frontier, Hash, TileNode, leaf_hash, removal::Removals};

/// A running verification.
#[derive(Debug)]
pub struct Verifier {
    edge: Frontier,
    nodes: Vec<TileNode>,
    agreed: u64,
    first: u64,
    removals: Removals,
    /// Made once: preparing a search costs more than running it over one body.
    id_key: Finder<'static>,
    items_key: Finder<'static>,
}

impl Default for Verifier {
    fn default() -> Self {
        Self::beginning(Frontier::default())
    }
}

impl Verifier {
    /// Begins behind entries that retention has deleted. `edge` is the tree over them, put together from
    /// stored tile nodes: whether it is the right one shows at the next checkpoint.
    pub fn beginning(edge: Frontier) -> Self {
        let (id_key, items_key) = (Finder::new(br#""id":""#), Finder::new(br#""items":{"#));
        let first = edge.size();
        Self { edge, nodes: Vec::new(), agreed: first, first, removals: Removals::default(), id_key, items_key }
    }

    /// Entries so far whose bodies retention took out.
    pub fn removed(&self) -> u64 {
        self.removals.count()
    }

    /// The entry at `position` has no body any more; its leaf still counts.
    pub fn without_body(&mut self, position: u64, stored: &Hash) -> Result<(), Flaw> {
        if position != self.size() {
            return Err(Flaw::Missing(self.size()));
        }
        self.removals.found(position);
        self.edge.append(*stored, &mut self.nodes);
        Ok(())
    }

    /// Entries read so far.
    pub fn size(&self) -> u64 {
        self.edge.size()
    }

    /// The right edge over the entries read so far.
    pub fn edge(&self) -> &Frontier {
        &self.edge
    }

    /// Root over the entries read so far.
    pub fn root(&self) -> Hash {
        self.edge.root()
    }

    /// The entry at `position`: its bytes must hash to `stored`, and nothing may be left out before it.
    pub fn entry(&mut self, position: u64, body: &[u8], stored: &Hash) -> Result<(), Flaw> {
        if position != self.size() {
            return Err(Flaw::Missing(self.size()));
        }
        let leaf = leaf_hash(body);
        if leaf != *stored {
            return Err(Flaw::BodyChanged(position));
        }
        self.edge.append(leaf, &mut self.nodes);
        self.removals.read(body);
        Ok(())
    }

    /// The id the entry at `position` is stored under must be the one in its bytes.
    pub fn id(&self, position: u64, body: &[u8], id: EventId) -> Result<(), Flaw> {
        let mut text = [0; 36];
        let named = id.0.hyphenated().encode_lower(&mut text).as_bytes();
        let found = self.id_key.find_iter(body).any(|at| body.get(at + self.id_key.needle().len()..).is_some_and(|rest| rest.starts_with(named)));
        if found { Ok(()) } else { Err(Flaw::IdChanged(position)) }
    }

    /// The records under the batch leaf `body` at `position`.
    pub fn items(&self, position: u64, body: &[u8], items: Vec<Vec<u8>>) -> Result<(), Flaw> {
        let (count, root) = self.committed(body);
        let found = items.len() as u64;
        if found != count {
            return Err(Flaw::ItemChanged { position, item: found as u16 });
        }
        let (batch, _) = Batch::new(items);
        if root.is_some_and(|root| root == batch.root()) || (count == 0 && root.is_none()) {
            return Ok(());
        }
        Err(Flaw::ItemChanged { position, item: 0 })
    }

    /// Tile nodes that the entries read so far complete, oldest first.
    pub fn completed(&mut self) -> std::vec::Drain<'_, TileNode> {
        self.nodes.drain(..)
    }

    /// A stored tile node against the one just completed.
    pub fn node(&self, computed: &TileNode, stored: Option<&Hash>) -> Result<(), Flaw> {
        let width = 1 << (8 * u32::from(computed.level));
        let from = computed.index * width;
        if stored == Some(&computed.hash) { Ok(()) } else { Err(Flaw::NodeChanged { from, to: from + width - 1 }) }
    }

    /// A checkpoint whose size has just been reached.
    pub fn checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<(), Flaw> {
        if checkpoint.size > self.size() {
            return Err(Flaw::Shorter { found: self.size(), signed: checkpoint.size });
        }
        if checkpoint.size != self.size() || checkpoint.root != self.root() {
            return Err(Flaw::CheckpointDiffers { size: checkpoint.size, good_up_to: self.agreed });
        }
        self.agreed = checkpoint.size;
        Ok(())
    }

    /// What a batch leaf says of its records; zero for an ordinary entry.
    fn committed(&self, body: &[u8]) -> (u64, Option<Hash>) {
        // Almost every entry is an ordinary one and need not be parsed: only a batch leaf has this key.
        if self.items_key.find(body).is_none() {
            return (0, None);
        }
        let json: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
        let count = json["items"]["count"].as_u64().unwrap_or(0);
        let root = json["items"]["root"].as_str().and_then(|r| BASE64.decode(r).ok()?.try_into().ok());
        (count, root)
    }

    /// The end of the log: the last checkpoint must cover it all.
    pub fn finish(self) -> Result<u64, Flaw> {
        let size = self.size();
        if self.agreed != size {
            return Err(Flaw::Unsigned { signed: self.agreed, found: size });
        }
        self.removals.check(self.first).map(|()| size)
    }
}

impl From<Flaw> for Error {
    fn from(flaw: Flaw) -> Self {
        Self::Flawed(flaw)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Signer;

    fn bodies(n: u64) -> Vec<Vec<u8>> {
        (0..n).map(|i| format!("{{\"n\":{i}}}").into_bytes()).collect()
    }

    fn check(stored: &[(u64, Vec<u8>, Hash)], checkpoints: &[Checkpoint]) -> Result<u64, Flaw> {
        let mut verifier = Verifier::default();
        for (position, body, leaf) in stored {
            verifier.entry(*position, body, leaf)?;
            let size = verifier.size();
            for checkpoint in checkpoints.iter().filter(|c| c.size == size) {
                verifier.checkpoint(checkpoint)?;
            }
        }
        if let Some(last) = checkpoints.iter().max_by_key(|c| c.size)
            && last.size > verifier.size()
        {
            verifier.checkpoint(last)?;
        }
        verifier.finish()
    }

    fn good() -> (Vec<(u64, Vec<u8>, Hash)>, Vec<Checkpoint>) {
        let signer = Signer::new("example.com/log", &[1; 32]).unwrap();
        let (mut edge, mut stored, mut checkpoints) = (Frontier::default(), Vec::new(), Vec::new());
        for (i, body) in bodies(10).into_iter().enumerate() {
            let leaf = leaf_hash(&body);
            edge.append(leaf, &mut Vec::new());
            stored.push((i as u64, body, leaf));
            if [4, 10].contains(&edge.size()) {
                checkpoints.push(Checkpoint::open(&signer.sign(edge.size(), edge.root()), signer.key()).unwrap());
            }
        }
        (stored, checkpoints)
    }

    #[test]
    fn an_honest_log_passes() {
        let (stored, checkpoints) = good();
        assert_eq!(check(&stored, &checkpoints), Ok(10));
    }

    #[test]
    fn each_kind_of_tampering_is_named_with_its_position() {
        let (mut stored, checkpoints) = good();
        stored[6].1[0] ^= 1;
        assert_eq!(check(&stored, &checkpoints), Err(Flaw::BodyChanged(6)));
        // Body and leaf rewritten together: only the checkpoint can tell.
        stored[6].2 = leaf_hash(&stored[6].1);
        assert_eq!(check(&stored, &checkpoints), Err(Flaw::CheckpointDiffers { size: 10, good_up_to: 4 }));

        let (mut stored, checkpoints) = good();
        stored.remove(6);
        assert_eq!(check(&stored, &checkpoints), Err(Flaw::Missing(6)));

        let (mut stored, checkpoints) = good();
        stored.truncate(8);
        assert_eq!(check(&stored, &checkpoints), Err(Flaw::Shorter { found: 8, signed: 10 }));

        let (mut stored, checkpoints) = good();
        stored.push((10, b"{}".to_vec(), leaf_hash(b"{}")));
        assert_eq!(check(&stored, &checkpoints), Err(Flaw::Unsigned { signed: 10, found: 11 }));
    }

    #[test]
    fn a_batch_with_a_missing_or_changed_record_is_named() {
        let records = bodies(3);
        let (batch, _) = Batch::new(records.clone());
        let leaf = format!("{{\"items\":{{\"count\":3,\"root\":\"{}\"}}}}", BASE64.encode(batch.root())).into_bytes();
        let verifier = Verifier::default();
        assert_eq!(verifier.items(0, &leaf, records.clone()), Ok(()));
        assert_eq!(verifier.items(0, &leaf, records[..2].to_vec()), Err(Flaw::ItemChanged { position: 0, item: 2 }));
        let mut changed = records;
        changed[1].push(b' ');
        assert_eq!(verifier.items(0, &leaf, changed), Err(Flaw::ItemChanged { position: 0, item: 0 }));
    }
}
