//! Records: the sensitive fields of one record under one single-use key.
//!
//! The key is derived from a salt that is new at every write, the record's id, and the ordered list
//! of sealed fields with the deterministic texts and indexes among them. So a field does not open in
//! another record, in another place, or beside fields of an earlier write; and a list cannot be cut.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use serde_json::{Map, Value};
use tutela_core::{Random, Secret, random_bytes};

use crate::{
    Binding, COMMITMENT, DataKey, Error, Header, Message, Mode, Policy, SALT, Suite,
    chunk::Chunks,
    data_key::{MessageKey, mac},
    message::HEADER,
    policy::{HEADER_MEMBER, KEY_ID, Rule, get, index_path, parent},
    seal::{committed, open, seal},
};

const HEADER_PREFIX: &str = "tutr1.";
const FIELD_PREFIX: &str = "tutf1.";

/// RFC 8785 bytes of a value; equal values must give equal bytes.
pub type Canonical<'a> = &'a dyn Fn(&Value) -> Result<Vec<u8>, Error>;

/// Seals the fields of `record` that `policy` names.
pub fn seal_record(
    key: &DataKey,
    suite: Suite,
    policy: &Policy,
    id: &str,
    mut record: Map<String, Value>,
    canonical: Canonical<'_>,
    rng: &mut dyn Random,
) -> Result<Map<String, Value>, Error> {
    for member in [KEY_ID, HEADER_MEMBER] {
        if record.contains_key(member) {
            return Err(at(member, "the record has this member already; it is sealed, or the name must change"));
        }
    }
    let mut sealed: Vec<(&Rule, Option<String>)> = Vec::with_capacity(policy.rules().len());
    for rule in policy.rules() {
        let Some(value) = get(&record, &rule.path) else {
            if rule.optional {
                continue;
            }
            return Err(at(&rule.path, "the policy names this field, and the record does not have it"));
        };
        let stored = match rule.mode {
            Mode::Random => None,
            Mode::Deterministic => Some(deterministic(key, &rule.path, &canonical(value)?, rng)?),
            Mode::Equality => Some(blind_index(key, rule, &canonical(value)?)),
        };
        sealed.push((rule, stored));
    }
    let fields: Vec<(&str, Option<&str>)> = sealed.iter().map(|(rule, stored)| (rule.path.as_str(), stored.as_deref())).collect();
    let context = Binding::Record { id, fields: &fields }.canonical(suite, key.id, key.version);
    let hidden = sealed.iter().filter(|(rule, _)| rule.mode != Mode::Deterministic).filter_map(|(rule, _)| get(&record, &rule.path));
    // Each text with its length, so that no two lists of values read the same.
    let hedge = Secret::new(hidden.map(Value::to_string).map(|text| format!("{}:{text}", text.len())).collect::<String>());
    let salt: [u8; SALT] = key.hedged_salt(&random_bytes(rng), &context, hedge.open().as_bytes());
    let once = key.message_key(suite, &salt, &context);
    let header = header_text(key, suite, &salt, &once, &sealed);
    let mut chunks = Chunks::new(suite, &once)?;
    for (rule, stored) in sealed {
        let Some((object, name)) = parent(&mut record, &rule.path) else { continue };
        let text = match (rule.mode, stored) {
            (Mode::Deterministic, Some(stored)) => stored,
            (_, stored) => {
                if let Some(index) = stored {
                    let name = index_path(name);
                    if object.insert(name, Value::String(index)).is_some() {
                        return Err(at(&index_path(&rule.path), "the blind index would stand here, and the record has this member already"));
                    }
                }
                let mut bytes = object.get(name).map(Value::to_string).unwrap_or_default().into_bytes();
                chunks.seal(&mut bytes, 0)?;
                format!("{FIELD_PREFIX}{}", BASE64.encode(&bytes))
            }
        };
        object.insert(name.to_owned(), Value::String(text));
    }
    record.insert(KEY_ID.into(), Value::String(key.id.to_string()));
    record.insert(HEADER_MEMBER.into(), Value::String(header));
    Ok(record)
}

/// The key a sealed record needs.
pub fn record_header(record: &Map<String, Value>) -> Result<Header, Error> {
    Sealed::parse(record).map(|sealed| sealed.header)
}

/// Opens what [`seal_record`] sealed.
pub fn open_record(key: &DataKey, policy: &Policy, id: &str, mut record: Map<String, Value>) -> Result<Map<String, Value>, Error> {
    let sealed = Sealed::parse(&record)?;
    if (sealed.header.key, sealed.header.version) != (key.id, key.version) || record.get(KEY_ID).and_then(Value::as_str) != Some(&key.id.to_string()) {
        return Err(Error::DoesNotOpen("key"));
    }
    if let Some(rule) = policy.rules().iter().find(|rule| get(&record, &rule.path).is_some() && !sealed.fields.iter().any(|(_, path)| *path == rule.path)) {
        return Err(at(&rule.path, "the policy names this field, and in this record it is not sealed; seal the record again"));
    }
    let text_at = |path: &str| get(&record, path).and_then(Value::as_str);
    let mut fields = Vec::with_capacity(sealed.fields.len());
    for (mode, path) in &sealed.fields {
        let index = index_path(path);
        let stored = match mode {
            Mode::Random => None,
            Mode::Deterministic => Some(text_at(path).ok_or(Error::DoesNotOpen("field"))?.to_owned()),
            Mode::Equality => Some(text_at(&index).ok_or(Error::DoesNotOpen("field"))?.to_owned()),
        };
        fields.push((path.clone(), *mode, stored));
    }
    let bound: Vec<(&str, Option<&str>)> = fields.iter().map(|(path, _, stored)| (path.as_str(), stored.as_deref())).collect();
    let context = Binding::Record { id, fields: &bound }.canonical(sealed.header.suite, key.id, key.version);
    let (_, mut chunks) = committed(key, sealed.header.suite, &context, Some(&sealed.salt), Some(&sealed.commitment))?;
    for (path, mode, _) in &fields {
        let Some((object, name)) = parent(&mut record, path) else { return Err(Error::DoesNotOpen("field")) };
        let text = object.get(name).and_then(Value::as_str).ok_or(Error::DoesNotOpen("field"))?;
        let value = if *mode == Mode::Deterministic {
            let message = Message::from_text(text)?;
            parse_json(&open(key, &Binding::Field { path }, &message)?)?
        } else {
            let mut bytes = text.strip_prefix(FIELD_PREFIX).and_then(|b| BASE64.decode(b).ok()).ok_or(Error::DoesNotOpen("field"))?;
            parse_json(chunks.open(&mut bytes)?)?
        };
        if *mode == Mode::Equality {
            // The commitment has bound it already.
            object.remove(&index_path(name));
        }
        object.insert(name.to_owned(), value);
    }
    record.remove(KEY_ID);
    record.remove(HEADER_MEMBER);
    Ok(record)
}

/// What a stored column must equal to hold `value`: the index text, or the deterministic message.
pub fn index_token(key: &DataKey, rule: &Rule, value: &Value, canonical: Canonical<'_>, rng: &mut dyn Random) -> Result<String, Error> {
    let bytes = canonical(value)?;
    match rule.mode {
        Mode::Random => Err(at(&rule.path, "the field is sealed at random and cannot be looked for; its mode must be `equality` or `deterministic`")),
        Mode::Deterministic => deterministic(key, &rule.path, &bytes, rng),
        Mode::Equality => Ok(blind_index(key, rule, &bytes)),
    }
}

fn deterministic(key: &DataKey, path: &str, canonical: &[u8], rng: &mut dyn Random) -> Result<String, Error> {
    Ok(seal(key, Suite::Aes256GcmSiv, &Binding::Field { path }, canonical, rng)?.to_text())
}

/// The first `index_bits` bits of a keyed hash, in hexadecimal.
fn blind_index(key: &DataKey, rule: &Rule, canonical: &[u8]) -> String {
    let tag = mac(&key.index_key(&rule.path), &[canonical]);
    let mut first = [0; 8];
    first.copy_from_slice(&tag.as_ref()[..8]);
    let bits = u32::from(rule.index_bits.min(64));
    let kept = u64::from_be_bytes(first) & (u64::MAX << (64 - bits));
    let digits = usize::from(rule.index_bits.div_ceil(4)).min(16);
    format!("{kept:016x}")[..digits].to_owned()
}

fn header_text(key: &DataKey, suite: Suite, salt: &[u8; SALT], once: &MessageKey, sealed: &[(&Rule, Option<String>)]) -> String {
    let mut bytes = Vec::with_capacity(HEADER + SALT + COMMITMENT + 32 * sealed.len());
    Header { suite, key: key.id, version: key.version }.write(&mut bytes);
    bytes.extend_from_slice(salt);
    bytes.extend_from_slice(&once.commitment);
    for (rule, _) in sealed {
        bytes.push(rule.mode as u8);
        // INVARIANT: a policy's paths have at most 256 bytes.
        bytes.extend_from_slice(&(rule.path.len() as u16).to_be_bytes());
        bytes.extend_from_slice(rule.path.as_bytes());
    }
    format!("{HEADER_PREFIX}{}", BASE64.encode(&bytes))
}

/// The header of a sealed record; nothing in it is trusted before the commitment was compared.
struct Sealed {
    header: Header,
    salt: [u8; SALT],
    commitment: [u8; COMMITMENT],
    fields: Vec<(Mode, String)>,
}

impl Sealed {
    fn parse(record: &Map<String, Value>) -> Result<Self, Error> {
        let text = record.get(HEADER_MEMBER).ok_or_else(|| at(HEADER_MEMBER, "the record is not sealed: it has no `$tutela`"))?;
        let bad = || at(HEADER_MEMBER, "the header of the sealed record cannot be read");
        let bytes = text.as_str().and_then(|t| t.strip_prefix(HEADER_PREFIX)).and_then(|t| BASE64.decode(t).ok()).ok_or_else(bad)?;
        let header = Header::parse(&bytes).ok().filter(|h| matches!(h.suite, Suite::Aes256Gcm | Suite::ChaCha20Poly1305)).ok_or_else(bad)?;
        let mut rest = &bytes[HEADER..];
        let mut take = |n: usize| {
            let (now, later) = rest.split_at_checked(n)?;
            rest = later;
            Some(now)
        };
        let salt = take(SALT).and_then(|s| s.try_into().ok()).ok_or_else(bad)?;
        let commitment = take(COMMITMENT).and_then(|s| s.try_into().ok()).ok_or_else(bad)?;
        let mut fields = Vec::new();
        while let Some(mode) = take(1) {
            let mode = Mode::from_number(mode[0]).ok_or_else(bad)?;
            let len = take(2).map(|l| usize::from(u16::from_be_bytes([l[0], l[1]]))).ok_or_else(bad)?;
            let path = take(len).and_then(|p| String::from_utf8(p.to_vec()).ok()).ok_or_else(bad)?;
            fields.push((mode, path));
        }
        Ok(Self { header, salt, commitment, fields })
    }
}

fn parse_json(bytes: &[u8]) -> Result<Value, Error> {
    serde_json::from_slice(bytes).map_err(|_| Error::DoesNotOpen("json"))
}

fn at(path: &str, text: &str) -> Error {
    Error::Field { path: path.to_owned(), text: text.to_owned() }
}
