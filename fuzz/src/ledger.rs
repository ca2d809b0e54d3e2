//! What the ledger reads from outside: events, checkpoints, proofs, addresses.

use std::sync::LazyLock;

use serde_json::Value;
use tutela_ledger::{Checkpoint, Query, Signer, TilePath, TlogProof, VerifyingKey, canonical};
use tutela_store::Position;

use crate::{SEED, text};

/// A query that was read is written so that it reads as the same; an error points into it.
pub fn query(data: &[u8]) {
    let Some(text) = text(data) else { return };
    match Query::parse(text) {
        Ok(query) => assert_eq!(Query::parse(&query.to_string()), Ok(query), "`{text}` does not read back"),
        Err(e) => {
            assert!(e.at.start <= e.at.end && e.at.end <= text.chars().count(), "{e} points beyond `{text}`");
            let _ = e.pointing_into(text);
        }
    }
}

/// Canonical bytes are JSON, and their own canonical bytes.
pub fn canonical_json(data: &[u8]) {
    let Ok(value) = serde_json::from_slice::<Value>(data) else { return };
    let Ok(bytes) = canonical(&value) else { return };
    let read = serde_json::from_slice::<Value>(&bytes).map_err(|e| e.to_string());
    let again = read.and_then(|value| canonical(&value).map_err(|e| e.to_string()));
    assert_eq!(again.as_ref(), Ok(&bytes), "not canonical again: `{}`", String::from_utf8_lossy(&bytes));
}

/// A checkpoint that was read can be signed and opened again; its size has one text.
pub fn checkpoint(data: &[u8]) {
    let Some(text) = text(data) else { return };
    if let Ok(opened) = Checkpoint::open(text, LOG.key()) {
        assert_eq!(Checkpoint::parse(text), Ok(opened), "opened and parsed differ");
    }
    let Ok(found) = Checkpoint::parse(text) else { return };
    let size = found.size.to_string();
    assert_eq!(text.lines().nth(1), Some(size.as_str()), "a size has one text (C2SP tlog-checkpoint: decimal, no leading zeros)");
    // Names of signers hold no white space (C2SP signed-note), and no `+` in the text form of a key.
    if found.origin.contains(char::is_whitespace) {
        return;
    }
    let Ok(signer) = Signer::new(&found.origin, &SEED) else { return };
    let note = signer.sign(found.size, found.root);
    assert_eq!(Checkpoint::open(&note, signer.key()), Ok(found.clone()), "signed and opened");
    if !found.origin.contains('+') {
        assert_eq!(VerifyingKey::parse(&signer.key().to_string()).as_ref(), Ok(signer.key()), "a key reads back");
    }
}

/// A position reads back from its own text.
pub fn position(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let Ok(found) = text.parse::<Position>() else { return };
    assert_eq!(found.to_string().parse::<Position>(), Ok(found), "a position reads back");
    assert!(found.entry < 1 << 53 && found.item.is_none_or(|item| item < 1_024), "out of range: {found}");
}

/// A tile has one path.
pub fn tile_path(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let Ok(found) = TilePath::parse(text) else { return };
    assert_eq!(found.to_string(), text, "a tile has one path (C2SP tlog-tiles, Parameters)");
    assert!(found.level <= 5 && (1..=256).contains(&found.width), "out of range: {found}");
}

/// A proof reads back from its own text, its index has one text, and it proves nothing beyond its tree.
pub fn tlog_proof(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let Ok(found) = TlogProof::parse(text) else { return };
    assert_eq!(TlogProof::parse(&found.to_string()).as_ref(), Ok(&found), "a proof reads back");
    let line = format!("\nindex {}\n", found.index);
    assert!(text.replace('\r', "").contains(&line), "an index has one text (C2SP tlog-proof: decimal, no leading zeros)");
    if let Ok(checkpoint) = found.verify(BODY, LOG.key()) {
        assert!(found.index < checkpoint.size, "proven beyond the tree");
    }
}

/// The entry that the proofs of the corpus are about.
const BODY: &[u8] = b"{\"n\":2}";

/// The log that signed the corpus.
#[expect(clippy::expect_used, reason = "the seed is a constant of 32 bytes")]
static LOG: LazyLock<Signer> = LazyLock::new(|| Signer::new("example.com/log", &SEED).expect("a signer"));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_good_inputs_of_the_corpus_are_good() {
        let note = std::str::from_utf8(include_bytes!("../corpus/checkpoint/signed_five")).unwrap();
        assert_eq!(Checkpoint::open(note, LOG.key()).unwrap().size, 5);
        for proof in [&include_bytes!("../corpus/tlog_proof/entry_2_of_5")[..], include_bytes!("../corpus/tlog_proof/record_2_of_3")] {
            let proof = TlogProof::parse(std::str::from_utf8(proof).unwrap()).unwrap();
            assert!(proof.verify(BODY, LOG.key()).is_ok());
        }
    }
}
