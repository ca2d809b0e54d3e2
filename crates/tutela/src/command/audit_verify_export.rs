//! `audit verify --export`: a file that left the ledger, checked by somebody who has only the key.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{BufRead as _, BufReader},
    path::Path,
};

use serde_json::{Map, Value};
use tutela_ledger::{Checkpoint, TlogProof, Verifier, VerifyingKey, leaf_hash};

use crate::error::{Error, at};

/// Members of an opened event that stand sealed in its record: nobody without the keys can compare them.
const OPENED: &[&str] = &["source", "personal", "metadata", "erased", "unreadable"];

/// Checks every line, and the checkpoint at the end.
pub fn run(file: &Path, key: &VerifyingKey) -> Result<(), Error> {
    let reader = BufReader::new(File::open(file).map_err(|e| at(file, &e))?);
    let wrong = |line: usize, why: &str| Error::Failed(format!("`{}` does not verify\n  line {line}: {why}", file.display()));
    let (mut check, mut last, mut end) = (Check::default(), 0, None);
    for (number, line) in reader.lines().enumerate() {
        let (line, number) = (line.map_err(|e| at(file, &e))?, number + 1);
        last = number;
        let json: Value = serde_json::from_str(&line).map_err(|e| wrong(number, &format!("not JSON: {e}")))?;
        if end.is_some() {
            return Err(wrong(number, "there is something behind the checkpoint"));
        }
        if let (Some(note), None) = (json["checkpoint"].as_str(), json.get("event")) {
            end = Some(Checkpoint::open(note, key).map_err(|e| wrong(number, &e.to_string()))?);
            continue;
        }
        let checked = if json["body"].is_string() || json["leaf"].is_string() && json.get("event").is_none() && json.get("position").is_some_and(Value::is_u64)
        {
            check.entry(&json)
        } else {
            check.event(&json, key)
        };
        checked.map_err(|why| wrong(number, &why))?;
    }
    let end = end.ok_or_else(|| wrong(last, "the checkpoint at the end is missing: the file is cut off"))?;
    check.end(&end).map_err(|why| wrong(last, &why))
}

/// What was seen so far.
#[derive(Default)]
struct Check {
    events: u64,
    /// Lines whose readable form is that of another schema, and was not compared.
    unread: u64,
    under: BTreeSet<(u64, [u8; 32])>,
    leaves: BTreeSet<[u8; 32]>,
    /// The whole log, where the file holds sealed entries.
    log: Option<Verifier>,
}

impl Check {
    /// An entry of the sealed form: the tree is built again from all of them.
    fn entry(&mut self, json: &Value) -> Result<(), String> {
        let position = json["position"].as_u64().ok_or("there is no position")?;
        if self.log.is_none() && position != 0 {
            return Err("the file does not begin at position 0, so that the tree cannot be built again; export it with proofs".into());
        }
        let log = self.log.get_or_insert_with(Verifier::default);
        let stored = json["leaf"].as_str().and_then(bytes).ok_or("there is no leaf hash")?;
        let Some(body) = json["body"].as_str() else { return log.without_body(position, &stored).map_err(|e| e.to_string()) };
        let items = json["items"].as_array().into_iter().flatten().filter_map(Value::as_str).map(|item| item.as_bytes().to_vec()).collect();
        log.entry(position, body.as_bytes(), &stored).and_then(|()| log.items(position, body.as_bytes(), items)).map_err(|e| e.to_string())
    }

    /// An event with its own proof.
    fn event(&mut self, json: &Value, key: &VerifyingKey) -> Result<(), String> {
        let place = [json, &json["tutela"], &json["unmapped"]].into_iter().find(|place| place["proof"].is_string());
        let place = place.ok_or("there is no proof; export with --with-proofs")?;
        let (sealed, proof) = (place["sealed"].as_str().ok_or("the sealed bytes are missing")?, place["proof"].as_str().unwrap_or_default());
        let proof = TlogProof::parse(proof).map_err(|e| e.to_string())?;
        let checkpoint = proof.verify(sealed.as_bytes(), key).map_err(|e| e.to_string())?;
        let leaf = leaf_hash(sealed.as_bytes());
        if !self.leaves.insert(leaf) {
            return Err("the event stands in the file twice".into());
        }
        self.under.insert((checkpoint.size, checkpoint.root));
        self.events += 1;
        if !std::ptr::eq(place, json) {
            self.unread += 1;
            return Ok(());
        }
        let position = proof.item.as_ref().map_or_else(|| proof.index.to_string(), |item| format!("{}.{}", proof.index, item.item));
        if json["position"] != position.as_str() || json["leaf"].as_str().and_then(bytes) != Some(leaf) {
            return Err("position or leaf hash are not those of the proof".into());
        }
        let sealed: Value = serde_json::from_str(sealed).map_err(|_| "the sealed bytes are not JSON")?;
        compare(json["event"].as_object().ok_or("there is no event")?, sealed.as_object().ok_or("the sealed bytes are no event")?)
    }

    fn end(self, end: &Checkpoint) -> Result<(), String> {
        if let Some(log) = self.log {
            if self.events > 0 {
                return Err("sealed entries and events with proofs stand in one file".into());
            }
            let (mut log, size) = (log, end.size);
            log.checkpoint(end).and_then(|()| log.finish().map(|_| ())).map_err(|e| e.to_string())?;
            println!("ok: the file is the whole of {} as it was signed: {size} entries", end.origin);
            return Ok(());
        }
        if self.under.iter().any(|under| *under != (end.size, end.root)) {
            return Err("events stand under other checkpoints than the one at the end".into());
        }
        println!("ok: {} events stand in {} as they were sealed, under a signed checkpoint of {} entries", self.events, end.origin, end.size);
        println!(
            "compared was what stands in clear in the ledger; address, browser, personal fields and metadata were sealed, and whoever exported them vouches for them"
        );
        if self.unread > 0 {
            println!("{} lines are in another schema: of them the member `sealed` was checked, not what the schema makes of it", self.unread);
        }
        println!(
            "that the file holds every event that fits a question only the whole log shows: `audit export --format sealed`, or `audit verify` on the storage"
        );
        Ok(())
    }
}

/// What people read must be what was sealed, member by member, with nothing added.
fn compare(event: &Map<String, Value>, sealed: &Map<String, Value>) -> Result<(), String> {
    for (name, value) in sealed.iter().filter(|(name, _)| *name != "sealed") {
        let same = match (name.as_str(), event.get(name)) {
            // An outside identifier is opened into the actor; everything else of it is clear.
            ("actor", Some(Value::Object(actor))) => {
                let opened = value["type"] == "external";
                actor.iter().filter(|(member, _)| !(opened && *member == "id")).all(|(member, found)| value.get(member) == Some(found))
                    && value.as_object().is_some_and(|clear| clear.keys().all(|member| actor.contains_key(member)))
            }
            (_, found) => found == Some(value),
        };
        if !same {
            return Err(format!("the member `{name}` of the event is not the one that was sealed"));
        }
    }
    match event.keys().find(|name| !sealed.contains_key(*name) && !OPENED.contains(&name.as_str())) {
        Some(name) => Err(format!("the member `{name}` of the event was added; nothing of it was sealed")),
        None => Ok(()),
    }
}

fn bytes(hex: &str) -> Option<[u8; 32]> {
    let digits: Option<Vec<u8>> = hex.as_bytes().chunks(2).map(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok()).collect();
    digits?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_member_that_was_changed_added_or_taken_away_is_named() {
        let sealed =
            json!({"id": "i", "type": "a.b", "outcome": "denied", "recorded_at": "t", "actor": {"type": "external", "namespace": "photos"}, "sealed": []});
        let good = json!({"id": "i", "type": "a.b", "outcome": "denied", "recorded_at": "t", "actor": {"type": "external", "namespace": "photos", "id": "7"}, "source": {"ip": "192.0.2.1"}});
        let check = |event: &Value| compare(event.as_object().unwrap(), sealed.as_object().unwrap());
        assert_eq!(check(&good), Ok(()));
        for (name, value) in [
            ("outcome", json!("success")),
            ("recorded_at", Value::Null),
            ("reason", json!("because")),
            ("actor", json!({"type": "external", "namespace": "other", "id": "7"})),
        ] {
            let mut bad = good.clone();
            if value.is_null() {
                drop(bad.as_object_mut().unwrap().remove(name))
            } else {
                bad[name] = value
            }
            assert!(check(&bad).unwrap_err().contains(name), "{name}");
        }
    }
}
