//! What a store of a customer really looks like, as its connector tells it.

use std::collections::BTreeMap;

/// The tables of a store. One that has no schema, such as a folder of objects, has none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Schema {
    /// By name.
    pub tables: BTreeMap<String, Table>,
}

/// A table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    /// Its columns, in order.
    pub columns: Vec<Column>,
    /// The columns of its primary key; none where it has none.
    pub key: Vec<String>,
    /// Where its foreign keys lead.
    pub links: Vec<Link>,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What it takes.
    pub kind: ColumnKind,
    /// Most characters.
    pub length: Option<u32>,
    /// Whether it may be empty.
    pub nullable: bool,
    /// Whether no two rows may have the same.
    pub unique: bool,
    /// Whether the database makes its value itself.
    pub generated: bool,
}

/// What a column takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum ColumnKind {
    Boolean,
    Bytes,
    /// A day, or a moment.
    Date,
    Json,
    Number,
    Text,
    Uuid,
    Other,
}

/// A foreign key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its columns.
    pub columns: Vec<String>,
    /// The table that it leads to.
    pub to: String,
    /// The columns there, in the same order.
    pub to_columns: Vec<String>,
    /// What becomes of a row when the one that it leads to goes.
    pub on_delete: OnDelete,
}

/// What becomes of a row when the one that it leads to goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDelete {
    /// It goes along.
    Cascade,
    /// It keeps the other from going.
    Refuse,
    /// It leads nowhere from then on.
    SetNull,
}

impl Table {
    /// The column of a name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Whether a column is part of a foreign key.
    pub fn links_by(&self, name: &str) -> bool {
        self.links.iter().any(|link| link.columns.iter().any(|column| column == name))
    }
}
