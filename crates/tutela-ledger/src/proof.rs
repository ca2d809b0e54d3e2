//! Proof files a stranger can check (C2SP tlog-proof), for entries and for records of a batch.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde_json::{Value, json};

use crate::checkpoint::decimal;
use crate::{Batch, Checkpoint, Error, Flaw, Hash, VerifyingKey, inclusion_ranges, leaf_hash, root_from_inclusion};

const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// That an entry stands at `index` in the log of `checkpoint`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlogProof {
    /// Position of the entry.
    pub index: u64,
    /// Inclusion proof.
    pub hashes: Vec<Hash>,
    /// The signed note.
    pub checkpoint: String,
    /// Where the event is a record of a batch leaf: its way to that leaf.
    pub item: Option<ItemProof>,
}

/// That a record stands in the batch leaf `leaf`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemProof {
    /// Number of the record.
    pub item: u16,
    /// Records in the batch.
    pub count: u16,
    /// Inclusion proof in the batch's own tree.
    pub hashes: Vec<Hash>,
    /// Canonical bytes of the batch leaf.
    pub leaf: Vec<u8>,
}

impl ItemProof {
    /// The way of record `item` through its batch.
    pub fn new(batch: &Batch, item: u16, leaf: Vec<u8>) -> Option<Self> {
        let count = batch.bodies().len() as u64;
        if u64::from(item) >= count {
            return None;
        }
        let hashes = inclusion_ranges(u64::from(item), count)
            .into_iter()
            .map(|range| Batch::new(batch.bodies()[range.lo as usize..range.hi as usize].to_vec()).0.root())
            .collect();
        Some(Self { item, count: count as u16, hashes, leaf })
    }

    fn to_extra(&self) -> String {
        let hashes: Vec<String> = self.hashes.iter().map(|h| BASE64.encode(h)).collect();
        BASE64.encode(json!({"item": self.item, "count": self.count, "hashes": hashes, "leaf": BASE64.encode(&self.leaf)}).to_string())
    }

    fn from_extra(text: &str) -> Result<Self, Error> {
        let bad = malformed("the extra line is not the description of a batch record");
        let json: Value = BASE64.decode(text).ok().and_then(|b| serde_json::from_slice(&b).ok()).ok_or(malformed("the extra line is not base64 of JSON"))?;
        let number = |name: &str| json[name].as_u64().and_then(|n| u16::try_from(n).ok());
        let hashes: Option<Vec<Hash>> = json["hashes"].as_array().and_then(|list| list.iter().map(|h| hash(h.as_str()?)).collect());
        let leaf = json["leaf"].as_str().and_then(|l| BASE64.decode(l).ok());
        match (number("item"), number("count"), hashes, leaf) {
            (Some(item), Some(count), Some(hashes), Some(leaf)) => Ok(Self { item, count, hashes, leaf }),
            _ => Err(bad),
        }
    }

    /// Checks that `body` is the record, and gives the leaf hash to go on with.
    fn verify(&self, body: &[u8]) -> Result<Hash, Error> {
        let leaf: Value = serde_json::from_slice(&self.leaf).map_err(|_| malformed("the batch leaf is not JSON"))?;
        let root = leaf["items"]["root"].as_str().and_then(hash).ok_or(malformed("the batch leaf names no root of records"))?;
        let same_count = leaf["items"]["count"].as_u64() == Some(u64::from(self.count));
        let found = root_from_inclusion(u64::from(self.item), u64::from(self.count), leaf_hash(body), &self.hashes)?;
        if same_count && found == root { Ok(leaf_hash(&self.leaf)) } else { Err(Error::Flawed(Flaw::ProofDiffers)) }
    }
}

impl TlogProof {
    /// Reads the text form.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let (head, checkpoint) = text.split_once("\n\n").ok_or(malformed("there is no blank line before the checkpoint"))?;
        let mut lines = head.lines().peekable();
        if lines.next() != Some(HEADER) {
            return Err(malformed("the first line is not `c2sp.org/tlog-proof@v1`"));
        }
        let extra = lines.next_if(|l| l.starts_with("extra ")).and_then(|l| l.strip_prefix("extra "));
        let item = extra.map(ItemProof::from_extra).transpose()?;
        let index = lines.next().and_then(|l| decimal(l.strip_prefix("index ")?)).ok_or(malformed("the index line is missing"))?;
        let hashes: Option<Vec<Hash>> = lines.map(hash).collect();
        Ok(Self { index, hashes: hashes.ok_or(malformed("a hash is not 32 bytes in base64"))?, checkpoint: checkpoint.to_owned(), item })
    }

    /// Checks that `body` stands in the log that `key` signs, and gives the checkpoint it stands under.
    pub fn verify(&self, body: &[u8], key: &VerifyingKey) -> Result<Checkpoint, Error> {
        let checkpoint = Checkpoint::open(&self.checkpoint, key)?;
        let leaf = match &self.item {
            Some(item) => item.verify(body)?,
            None => leaf_hash(body),
        };
        let root = root_from_inclusion(self.index, checkpoint.size, leaf, &self.hashes)?;
        if root == checkpoint.root { Ok(checkpoint) } else { Err(Error::Flawed(Flaw::ProofDiffers)) }
    }
}

impl std::fmt::Display for TlogProof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{HEADER}")?;
        if let Some(item) = &self.item {
            writeln!(f, "extra {}", item.to_extra())?;
        }
        writeln!(f, "index {}", self.index)?;
        for hash in &self.hashes {
            writeln!(f, "{}", BASE64.encode(hash))?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

fn hash(text: &str) -> Option<Hash> {
    BASE64.decode(text).ok()?.try_into().ok()
}

fn malformed(why: &'static str) -> Error {
    Error::Malformed { what: "proof", why }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Frontier, Signer, canonical};

    fn log(bodies: &[Vec<u8>]) -> (Signer, String) {
        let signer = Signer::new("example.com/log", &[1; 32]).unwrap();
        let mut edge = Frontier::default();
        for body in bodies {
            edge.append(leaf_hash(body), &mut Vec::new());
        }
        let note = signer.sign(edge.size(), edge.root());
        (signer, note)
    }

    #[test]
    fn a_record_of_a_batch_is_proven_alone_and_no_other_passes_for_it() {
        let records: Vec<Vec<u8>> = (0..5).map(|i| format!("{{\"n\":{i}}}").into_bytes()).collect();
        let (batch, _) = Batch::new(records.clone());
        let leaf = canonical(&json!({"items": {"count": 5, "root": BASE64.encode(batch.root())}})).unwrap();
        let (signer, checkpoint) = log(std::slice::from_ref(&leaf));
        let item = ItemProof::new(&batch, 3, leaf).unwrap();
        let proof = TlogProof { index: 0, hashes: vec![], checkpoint, item: Some(item) };
        let read = TlogProof::parse(&proof.to_string()).unwrap();
        assert_eq!(read, proof);
        assert_eq!(read.verify(&records[3], signer.key()).unwrap().size, 1);
        assert_eq!(read.verify(&records[2], signer.key()), Err(Error::Flawed(Flaw::ProofDiffers)));
    }
}
