//! Sealing and opening: messages, data keys, records, blind indexes.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::SubjectRef;

/// One thing to seal. Exactly one of `plaintext`, `text` and `value` is given.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EncryptItem {
    /// Name or id of the key; the key `default` where absent. Not together with `subject`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub key: Option<String>,
    /// Seals under the key of this data subject, so that erasing them erases it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub subject: Option<SubjectRef>,
    /// What the message is bound to; the same is needed to open it. Not secret, at most 8 KiB.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub context: Option<Context>,
    /// `aes-256-gcm` (default), `chacha20-poly1305`, `aes-256-gcm-siv` (deterministic), `aes-256-gcm-plain` or `chacha20-poly1305-plain`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub algorithm: Option<String>,
    /// The bytes, in base64.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub plaintext: Option<String>,
    /// Text; its UTF-8 bytes are sealed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub text: Option<String>,
    /// Any JSON value; its JSON text is sealed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub value: Option<Value>,
    /// Which of the three equal forms is wanted; `text` where absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub form: Option<Form>,
}

/// What a message is bound to: one text, or names and texts (at most 64, bound in the order of their names).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Context {
    /// One text.
    Text(String),
    /// Names and texts; a name that stands twice is refused.
    #[cfg_attr(feature = "openapi", schema(value_type = std::collections::BTreeMap<String, String>))]
    Pairs(Pairs),
}

/// Names and texts in the order sent, duplicates and all, so that they can be refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pairs(pub Vec<(String, String)>);

/// One of the three equal forms of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Form {
    /// The compact binary form, in base64.
    Binary,
    /// The parts by name.
    Json,
    /// `tut1.` and the binary form in base64url.
    Text,
}

/// A message in one of its forms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Message {
    /// `tut1.…`, or the binary form in base64.
    Text(String),
    /// The parts by name.
    Parts(Box<MessageParts>),
}

/// The JSON form of a message. Bytes are base64.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MessageParts {
    /// Everything but the last chunk's tag.
    pub ciphertext: String,
    /// 12 bytes: the nonce of the first chunk. Derived, except in the plain suites.
    pub nonce: String,
    /// 16 bytes: the tag of the last chunk.
    pub tag: String,
    /// The caller's context, as it was sent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub context: Option<Context>,
    /// The key's id, `tky_` and 32 hexadecimal digits.
    pub key_id: String,
    /// The key's version.
    pub key_version: u32,
    /// The algorithm.
    pub alg: String,
    /// 24 bytes from which the single-use key is derived; absent in the plain suites.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub salt: Option<String>,
    /// 32 bytes that commit to key, salt and context; absent in the plain suites.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub commitment: Option<String>,
}

/// What was sealed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Encrypted {
    /// The message in the form asked for.
    pub message: Message,
    /// The key it is sealed under.
    pub key_id: String,
    /// And its version.
    pub key_version: u32,
}

/// One message to open.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DecryptItem {
    /// The message, in any form.
    pub message: Message,
    /// The context it was sealed with. One that stands in the JSON form is compared with it, never taken for it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub context: Option<Context>,
    /// How the plaintext is wanted; `base64` where absent.
    #[serde(rename = "as", skip_serializing_if = "Option::is_none", default)]
    pub as_: Option<As>,
}

/// How a plaintext is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum As {
    /// `plaintext`: the bytes in base64.
    Base64,
    /// `text`: the bytes as UTF-8.
    Text,
    /// `value`: the bytes as JSON.
    Value,
}

/// What was opened; the member that was asked for.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Decrypted {
    /// The bytes in base64.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub plaintext: Option<String>,
    /// As text.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub text: Option<String>,
    /// As JSON.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub value: Option<Value>,
    /// The key it was sealed under.
    pub key_id: String,
    /// And its version; older than the key's newest where it should be rewrapped.
    pub key_version: u32,
}

/// One message to seal again under its key's newest version, or under another key.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RewrapItem {
    /// The message, in any form.
    pub message: Message,
    /// The context it was sealed with; the new message is bound to the same.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub context: Option<Context>,
    /// Name or id of the key to move to; the same key where absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub to_key: Option<String>,
    /// Form of the new message; `text` where absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub form: Option<Form>,
}

/// A message that was sealed again.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Rewrapped {
    /// The message to keep in place of the old one; the same where nothing had to change.
    pub message: Message,
    /// Whether it is another than before.
    pub changed: bool,
    /// The key it is sealed under.
    pub key_id: String,
    /// And its version.
    pub key_version: u32,
}

/// A new 256-bit data key for an application's own encryption.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewDataKey {
    /// Name or id of the key that wraps it; `default` where absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub key: Option<String>,
    /// What the wrapped key is bound to.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub context: Option<Context>,
    /// Whether the key itself is answered too; otherwise decrypt `wrapped` when it is needed.
    #[serde(default)]
    pub with_plaintext: bool,
}

/// A data key: keep `wrapped`, use `plaintext` and forget it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DataKey {
    /// The key, sealed: a message that `POST /v1/crypto/decrypt` opens.
    pub wrapped: String,
    /// The key itself, 32 bytes in base64, where asked for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub plaintext: Option<String>,
    /// The key that wraps it.
    pub key_id: String,
    /// And its version.
    pub key_version: u32,
}

/// A field policy by its name, or the policy itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum PolicyRef {
    /// A stored policy.
    Name(String),
    /// A policy sent along.
    Inline(FieldPolicy),
}

/// Which fields of a record are sensitive, and how they are sealed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FieldPolicy {
    /// Name or id of the key; `default` where absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub key: Option<String>,
    /// The sensitive fields, 1 to 256.
    pub fields: Vec<FieldRule>,
}

/// How one field is sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FieldRule {
    /// Names from the record down, with dots between: `address.street`.
    pub path: String,
    /// How it is sealed; `random` where absent.
    #[serde(default)]
    pub mode: FieldMode,
    /// Whether a record may lack it.
    #[serde(default)]
    pub optional: bool,
    /// Bits of a blind index, 8 to 64; 32 where absent. Fewer bits mean more false hits and less that leaks.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub index_bits: Option<u8>,
    /// What this mode tells whoever reads the stored record; filled in by answers.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub leaks: Option<String>,
}

/// How a field is sealed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum FieldMode {
    /// Equal values give equal ciphertexts, so the column can be compared and joined.
    Deterministic,
    /// Sealed at random, with a short keyed index beside it (`FIELD_index`) for finding equal values.
    Equality,
    /// Sealed at random; nothing but the length shows.
    #[default]
    Random,
}

/// A stored field policy.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StoredPolicy {
    /// Its name.
    pub name: String,
    /// What it says; each field with the sentence on what its mode leaks.
    pub policy: FieldPolicy,
    /// When it was last set.
    pub changed_at: String,
}

/// A record to seal or to open.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RecordItem {
    /// The policy.
    pub policy: PolicyRef,
    /// The record's own id in the application; the sealed fields open in no other record.
    pub record_id: String,
    /// The record: an object. Sealed records carry `key_id` and `$tutela`.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub record: Map<String, Value>,
}

/// A record that was sealed or opened.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RecordAnswer {
    /// The record; fields that the policy does not name are untouched.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub record: Map<String, Value>,
}

/// A value to look for in an `equality` or `deterministic` field.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct IndexItem {
    /// The policy.
    pub policy: PolicyRef,
    /// The field.
    pub path: String,
    /// The value.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub value: Value,
}

/// What to compare the stored column with.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct IndexAnswer {
    /// One entry for each version of the key that can still open; compare with any of them (`IN (…)`).
    pub tokens: Vec<String>,
}

/// The answer to one item of a batch: what it asked for, or why not.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Item<T> {
    /// 200, or the problem's status.
    pub status: u16,
    /// What was asked for.
    #[serde(flatten)]
    pub answer: Option<T>,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub problem: Option<crate::Problem>,
}

/// The answer to a batch, item by item in the order sent.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Items<T> {
    /// One entry for each item sent.
    pub results: Vec<Item<T>>,
}

impl Serialize for Pairs {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Pairs;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object of texts")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}
