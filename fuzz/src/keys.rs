//! Messages, sealed records, key backups and root key files.

use serde_json::Value;
use tutela_kms::{Binding, CallerContext, DataKey, Identity, Message, RootFile, open, open_backup, record_header};

use crate::{SEED, text};

/// A message in its text form: what can be read has one spelling, and does not open under a key it was not made for.
pub fn message(data: &[u8]) {
    let Some(message) = text(data).and_then(|text| Message::from_text(text).ok()) else { return };
    assert!(Message::from_text(&message.to_text()).is_ok_and(|again| again == message), "what was read can be written and read");
    let header = message.header();
    assert!(Message::from_parts(header, &message.parts()).is_ok_and(|again| again == message), "its parts make it again");
    let key = DataKey::from_bytes(header.key, header.version, SEED);
    assert!(open(&key, &Binding::Message(&CallerContext::None), &message).is_err(), "nobody sealed this");
}

/// The header of a sealed record.
pub fn sealed_record(data: &[u8]) {
    if let Ok(Value::Object(record)) = serde_json::from_slice::<Value>(data) {
        let _ = record_header(&record);
    }
}

/// A key backup, opened with an identity it was not made for.
pub fn key_backup(data: &[u8]) {
    assert!(open_backup(&Identity::from_bytes(SEED), data).is_err());
}

/// A root key file: what can be read can be written and read again.
pub fn root_key_file(data: &[u8]) {
    let Some(file) = text(data).and_then(|text| RootFile::parse(text).ok()) else { return };
    let written = file.to_text();
    assert!(RootFile::parse(written.open()).is_ok_and(|again| again.to_text().open() == written.open()), "what was read can be written and read");
}
