//! What we add to a map, under `tutela_meta`.

use serde::{Deserialize, Serialize};

/// At a collection.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CollectionOwn {
    /// The section of an export that it stands in: `profile`, `activity`.
    pub section: Option<String>,
    /// What becomes of its rows when their person asks for erasure; `erase` where nothing is said.
    pub erase: Option<Erase>,
    /// How long its rows are kept.
    pub retention: Option<Retention>,
    /// Why rows stay though their person asks for erasure.
    pub keep: Option<Keep>,
    /// Objects that belong to each row.
    pub objects: Option<Objects>,
}

/// At a field.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FieldOwn {
    /// What the other end of its references is to the person; of an identity, what whoever it names is to the row's person.
    pub relation: Option<Relation>,
    /// Never leaves in a package: it is named, and that it is held, in place of its value.
    pub withhold: bool,
    /// Why it stays though its person asks for erasure.
    pub keep: Option<Keep>,
}

/// What rows that are found along a reference are to the person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    /// Theirs: read, and erased with them.
    Owns,
    /// Something that theirs point to: read where it is personal, never erased.
    Refers,
    /// Of several people: neither read nor erased.
    Shared,
}

/// What becomes of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Erase {
    /// They go.
    Delete,
    /// They stay, and what is personal in them is masked.
    Mask,
}

/// How long rows are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// The class of `[compliance.data_retention]`: `user_data`, `payment_data`.
    pub class: String,
    /// The field that the time begins with.
    pub anchor: String,
}

/// A reason to keep something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keep {
    /// The law and section that asks for it.
    pub article: String,
    /// In words, for the person.
    pub reason: String,
    /// For how long after the anchor: `10y`; without it until somebody takes this out of the map.
    #[serde(default)]
    pub days: Option<u32>,
    /// The field that the time begins with.
    #[serde(default)]
    pub anchor: Option<String>,
}

/// Objects that belong to each row of a collection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Objects {
    /// The store that they are in: a section of `[privacy.stores]`.
    pub store: String,
    /// Their key, with `{field}` for what stands in the row: `photos/{id}.jpg`; a key that ends with `/` means all below it.
    pub key: String,
}
