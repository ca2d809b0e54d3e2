//! Sealed personal fields of an event: `{"$e":1,"k":"instance","n":"…","c":"…"}`.
//!
//! AES-256-GCM under a key derived for the one event, so nonces of different events never meet
//! (SP 800-38D §8.3); the event's id and the field's path are bound in, so an envelope cannot be
//! moved to another place and still open.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use serde_json::{Value, json};
use tutela_core::{EventId, Random, random_bytes};

use crate::{Error, RootKey};

/// Seals `value` as the field at `path` of event `id`.
pub fn seal_value(root: &RootKey, id: EventId, path: &str, value: &Value, rng: &mut dyn Random) -> Result<Value, Error> {
    let nonce: [u8; NONCE_LEN] = random_bytes(rng);
    let mut bytes = value.to_string().into_bytes();
    event_key(root, id)?.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(context(id, path)), &mut bytes).map_err(|_| Error::Library)?;
    Ok(json!({"$e": 1, "k": "instance", "n": BASE64.encode(nonce), "c": BASE64.encode(bytes)}))
}

/// Opens every envelope inside `event`, in place.
pub fn open_fields(root: &RootKey, id: EventId, event: &mut Value) -> Result<(), Error> {
    let key = event_key(root, id)?;
    open_at(&key, id, "", event)
}

fn open_at(key: &LessSafeKey, id: EventId, path: &str, value: &mut Value) -> Result<(), Error> {
    let Value::Object(map) = value else { return Ok(()) };
    if map.contains_key("$e") {
        *value = open_one(key, id, path, map).ok_or(Error::DoesNotOpen)?;
        return Ok(());
    }
    for (name, inner) in map.iter_mut() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        open_at(key, id, &path, inner)?;
    }
    Ok(())
}

fn open_one(key: &LessSafeKey, id: EventId, path: &str, envelope: &serde_json::Map<String, Value>) -> Option<Value> {
    let part = |name: &str| BASE64.decode(envelope.get(name)?.as_str()?).ok();
    let nonce: [u8; NONCE_LEN] = part("n")?.try_into().ok()?;
    let mut bytes = part("c")?;
    let clear = key.open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(context(id, path)), &mut bytes).ok()?;
    serde_json::from_slice(clear).ok()
}

fn event_key(root: &RootKey, id: EventId) -> Result<LessSafeKey, Error> {
    let key = root.derive(&[b"personal fields", id.0.as_bytes()])?;
    UnboundKey::new(&AES_256_GCM, &key).map(LessSafeKey::new).map_err(|_| Error::Library)
}

fn context(id: EventId, path: &str) -> Vec<u8> {
    [id.0.as_bytes(), path.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tutela_core::{Env, SystemEnv, Timestamp};

    #[test]
    fn an_envelope_opens_only_in_its_own_place() {
        let env: &dyn Env = &SystemEnv;
        let root = RootKey::generate(&mut { env });
        let [a, b] = [1, 2].map(|t| EventId::new(Timestamp::from_secs(t), &mut { env }));
        let sealed = seal_value(&root, a, "source.ip", &json!("192.0.2.7"), &mut { env }).unwrap();
        assert!(!sealed.to_string().contains("192.0.2.7"));

        let mut event = json!({"source": {"ip": sealed.clone()}, "n": 1});
        open_fields(&root, a, &mut event).unwrap();
        assert_eq!(event, json!({"source": {"ip": "192.0.2.7"}, "n": 1}));

        for mut moved in [json!({"source": {"user_agent": sealed.clone()}}), json!({"ip": sealed.clone()})] {
            assert_eq!(open_fields(&root, a, &mut moved), Err(Error::DoesNotOpen));
        }
        assert_eq!(open_fields(&root, b, &mut json!({"source": {"ip": sealed}})), Err(Error::DoesNotOpen));
    }
}
