//! Opening what the ledger holds, for somebody who may read it.

use serde_json::{Map, Value};
use tutela_kms::{Binding, Message};
use tutela_store::LogRow;

use crate::{App, Error, ring::KeyError};

impl App {
    /// The event as JSON with its personal fields opened for a reader. What belonged to somebody who
    /// was erased is named in `erased`.
    pub(crate) async fn open_event(&self, row: &LogRow) -> Result<Value, Error> {
        let mut event: Value = serde_json::from_slice(&row.body).map_err(|_| Error::Internal("a stored event is not JSON"))?;
        let Some(Value::Array(sealed)) = event.as_object_mut().and_then(|map| map.remove("sealed")) else { return Ok(event) };
        let mut erased = Vec::new();
        for part in sealed {
            let names: Vec<&str> = part["for"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let message = Message::from_text(part["message"].as_str().unwrap_or_default()).map_err(|_| corrupt())?;
            let header = message.header();
            match self.ring.data_key(header.key, header.version).await {
                Ok(key) => {
                    let binding = Binding::Event { id: row.id.0.as_bytes(), members: &names };
                    let clear = tutela_kms::open(&key, &binding, &message).map_err(|_| corrupt())?;
                    let members: Map<String, Value> = serde_json::from_slice(&clear).map_err(|_| corrupt())?;
                    members.into_iter().for_each(|(name, value)| put_member(&mut event, &name, value));
                }
                Err(KeyError::Destroyed) => erased.extend(names.iter().map(|name| Value::from(*name))),
                // A destroyed key leaves a tombstone; one without any was never here, or its row was taken away.
                Err(KeyError::Unknown) => return Err(corrupt()),
                Err(e) => return Err(e.into()),
            }
        }
        if let (false, Value::Object(map)) = (erased.is_empty(), &mut event) {
            map.insert("erased".into(), Value::Array(erased));
        }
        Ok(event)
    }
}

fn put_member(event: &mut Value, name: &str, value: Value) {
    match name.split_once('.') {
        Some((outer, inner)) => event[outer][inner] = value,
        None => event[name] = value,
    }
}

fn corrupt() -> Error {
    Error::Key(KeyError::Corrupt)
}
