//! The map of customers' data: datasets in the YAML that Fides writes, read unchanged.
//!
//! What is ours stands under `tutela_meta` only, at a collection or at a field. A key that is unknown or stands in the
//! wrong place is a warning and not an error: files of others hold such keys, and the text itself is kept as it is.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_yaml_ng::{Mapping, Value};

use crate::{
    own::{CollectionOwn, FieldOwn},
    taxonomy::is_personal,
};

/// Most bytes of one file, and most fields of one dataset.
const LONGEST_FILE: usize = 4 << 20;
const MOST_FIELDS: usize = 20_000;
/// How deep fields may be nested.
const DEEPEST: usize = 16;

/// A store of a customer, as it is mapped.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// By which it is known (`fides_key`).
    pub key: String,
    /// For people.
    pub name: String,
    /// For people.
    pub description: String,
    /// Tables, folders, resources.
    pub collections: Vec<Collection>,
}

/// A table, a folder of objects, a resource of an API.
#[derive(Debug, Clone, PartialEq)]
pub struct Collection {
    /// Its name there.
    pub name: String,
    /// Its columns.
    pub fields: Vec<Field>,
    /// Collections that are read before it.
    pub after: Vec<String>,
    /// Collections that are erased before it.
    pub erase_after: Vec<String>,
    /// Left out of every request.
    pub skip: bool,
    /// How its rows are masked, where it says so.
    pub masking: Option<Masking>,
    /// What we add.
    pub own: CollectionOwn,
}

/// A column.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Field {
    /// Its name there.
    pub name: String,
    /// Categories of what stands in it, in Fideslang's words.
    pub categories: Vec<String>,
    /// `string`, `integer`, `object[]` …, as it is written.
    pub data_type: Option<String>,
    /// Most characters.
    pub length: Option<u32>,
    /// Which identity of a person it holds: `email`, `user_id` …
    pub identity: Option<String>,
    /// Whether it is (a part of) the key of a row.
    pub primary_key: bool,
    /// Where its values come from or lead to.
    pub references: Vec<Reference>,
    /// Never written.
    pub read_only: bool,
    /// How it is masked, where it says so.
    pub masking: Option<Masking>,
    /// Fields inside it.
    pub fields: Vec<Self>,
    /// What we add.
    pub own: FieldOwn,
}

/// A field that holds the same values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The dataset.
    pub dataset: String,
    /// The collection in it.
    pub collection: String,
    /// The field of it, with those that it is nested in.
    pub field: String,
    /// Which way rows are found.
    pub direction: Direction,
}

/// Which way rows are found along a reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// This collection's rows are found by the other's.
    From,
    /// The other's rows are found by this collection's.
    To,
    /// Both.
    Either,
}

/// A way to mask, and its settings.
#[derive(Debug, Clone, PartialEq)]
pub struct Masking {
    /// `null_rewrite`, `string_rewrite`, `hash`, `random_string_rewrite` …
    pub strategy: String,
    /// As they are written.
    pub configuration: Mapping,
}

/// What reading a file gave.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Read {
    /// Its datasets.
    pub datasets: Vec<Dataset>,
    /// Keys that nothing is made of, with where they stand.
    pub warnings: Vec<String>,
}

/// Reads a file of datasets. One that has none gives none.
pub fn read(yaml: &str) -> Result<Read, String> {
    if yaml.len() > LONGEST_FILE {
        return Err(format!("it is longer than {LONGEST_FILE} bytes"));
    }
    let value: Value = serde_yaml_ng::from_str(yaml).map_err(|e| e.to_string())?;
    let mut reader = Reader { at: Vec::new(), warnings: Vec::new(), fields: 0 };
    let list = match value.get("dataset") {
        Some(Value::Sequence(list)) => list.as_slice(),
        Some(_) => return Err("`dataset` is a list".into()),
        None => &[],
    };
    let datasets = list.iter().map(|item| reader.dataset(item)).collect::<Result<Vec<_>, _>>()?;
    Ok(Read { datasets, warnings: reader.warnings })
}

impl Dataset {
    /// The collection of a name.
    pub fn collection(&self, name: &str) -> Option<&Collection> {
        self.collections.iter().find(|collection| collection.name == name)
    }
}

/// The collection of a place, in whichever dataset it is.
pub fn collection<'a>(datasets: &'a [Dataset], place: &(String, String)) -> Option<&'a Collection> {
    datasets.iter().find(|dataset| dataset.key == place.0)?.collection(&place.1)
}

impl Collection {
    /// Every plain field, those inside others with their names joined by dots.
    pub fn flat(&self) -> Vec<(String, &Field)> {
        fn add<'a>(prefix: &str, fields: &'a [Field], out: &mut Vec<(String, &'a Field)>) {
            for field in fields {
                let name = if prefix.is_empty() { field.name.clone() } else { format!("{prefix}.{}", field.name) };
                add(&name, &field.fields, out);
                if field.fields.is_empty() {
                    out.push((name, field));
                }
            }
        }
        let mut out = Vec::new();
        add("", &self.fields, &mut out);
        out
    }

    /// The names of the fields that tell its rows apart.
    pub fn key(&self) -> Vec<&str> {
        self.fields.iter().filter(|field| field.primary_key).map(|field| field.name.as_str()).collect()
    }
}

impl Field {
    /// One that is only known by its name.
    pub fn of(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// Whether what stands in it is about a person.
    pub fn is_personal(&self) -> bool {
        self.categories.iter().any(|category| is_personal(category))
    }
}

/// Goes through a file, and knows where it is.
struct Reader {
    at: Vec<String>,
    warnings: Vec<String>,
    fields: usize,
}

impl Reader {
    fn dataset(&mut self, value: &Value) -> Result<Dataset, String> {
        let map = self.map(value, "a dataset")?;
        let key = text(map, "fides_key").ok_or("a dataset has a `fides_key`")?;
        self.at = vec![key.clone()];
        self.know(
            map,
            &[
                "fides_key",
                "organization_fides_key",
                "name",
                "description",
                "collections",
                "fides_meta",
                "fidesops_meta",
                "data_categories",
                "data_purposes",
                "meta",
                "tags",
            ],
        );
        let collections = self.list(map, "collections")?.iter().map(|item| self.collection(item)).collect::<Result<_, _>>()?;
        Ok(Dataset { name: text(map, "name").unwrap_or_else(|| key.clone()), description: text(map, "description").unwrap_or_default(), collections, key })
    }

    fn collection(&mut self, value: &Value) -> Result<Collection, String> {
        let map = self.map(value, "a collection")?;
        let name = text(map, "name").ok_or_else(|| self.here("a collection has a `name`"))?;
        self.at.truncate(1);
        self.at.push(name.clone());
        self.know(map, &["name", "description", "fields", "fides_meta", "fidesops_meta", "tutela_meta", "data_categories", "data_purposes"]);
        let meta = meta(map);
        self.know(&meta, &["after", "erase_after", "skip_processing", "partitioning", "masking_strategy_override"]);
        let names = |name: &str| meta.get(name).and_then(Value::as_sequence).map(|list| list.iter().filter_map(Value::as_str).map(str::to_owned).collect());
        let own = self.own(map)?;
        let fields = self.list(map, "fields")?.iter().map(|item| self.field(item)).collect::<Result<_, _>>()?;
        self.at.truncate(2);
        Ok(Collection {
            fields,
            after: names("after").unwrap_or_default(),
            erase_after: names("erase_after").unwrap_or_default(),
            skip: meta.get("skip_processing").and_then(Value::as_bool).unwrap_or(false),
            masking: masking(&meta),
            own,
            name,
        })
    }

    fn field(&mut self, value: &Value) -> Result<Field, String> {
        let map = self.map(value, "a field")?;
        let name = text(map, "name").ok_or_else(|| self.here("a field has a `name`"))?;
        self.fields += 1;
        if self.fields > MOST_FIELDS || self.at.len() > DEEPEST {
            return Err(self.here(&format!("a file has at most {MOST_FIELDS} fields, at most {DEEPEST} deep")));
        }
        self.at.push(name.clone());
        self.know(map, &["name", "description", "data_categories", "data_purposes", "fields", "fides_meta", "fidesops_meta", "tutela_meta"]);
        let meta = meta(map);
        let known = [
            "data_type",
            "length",
            "identity",
            "primary_key",
            "references",
            "read_only",
            "return_all_elements",
            "custom_request_field",
            "masking_strategy_override",
            "redact",
            "is_user",
            "is_conditional",
        ];
        self.know(&meta, &known);
        let flag = |name: &str| meta.get(name).and_then(Value::as_bool).unwrap_or(false);
        let references = self.list(&meta, "references")?.iter().map(|item| self.reference(item)).collect::<Result<_, _>>()?;
        let found = Field {
            categories: self.list(map, "data_categories")?.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            data_type: text(&meta, "data_type"),
            length: meta.get("length").and_then(Value::as_u64).and_then(|length| u32::try_from(length).ok()),
            identity: text(&meta, "identity"),
            primary_key: flag("primary_key"),
            read_only: flag("read_only"),
            masking: masking(&meta),
            own: self.own(map)?,
            fields: self.list(map, "fields")?.iter().map(|item| self.field(item)).collect::<Result<_, _>>()?,
            references,
            name,
        };
        self.at.pop();
        Ok(found)
    }

    fn reference(&mut self, value: &Value) -> Result<Reference, String> {
        let map = self.map(value, "a reference")?;
        self.know(map, &["dataset", "field", "direction"]);
        let whole = text(map, "field").ok_or_else(|| self.here("a reference has a `field`"))?;
        let (collection, field) = whole.split_once('.').ok_or_else(|| self.here(&format!("the reference `{whole}` is no `collection.field`")))?;
        let direction = match text(map, "direction").as_deref() {
            None | Some("none") => Direction::Either,
            Some("from") => Direction::From,
            Some("to") => Direction::To,
            Some(other) => return Err(self.here(&format!("the direction `{other}` is none of from, to, none"))),
        };
        let dataset = text(map, "dataset").ok_or_else(|| self.here("a reference has a `dataset`"))?;
        Ok(Reference { dataset, collection: collection.into(), field: field.into(), direction })
    }

    /// What stands under `tutela_meta`: there an unknown key is an error, since it is ours.
    fn own<T: DeserializeOwned + Default>(&self, map: &Mapping) -> Result<T, String> {
        map.get("tutela_meta")
            .cloned()
            .map_or_else(|| Ok(T::default()), |value| serde_yaml_ng::from_value(value).map_err(|e| self.here(&format!("`tutela_meta`: {e}"))))
    }

    fn map<'a>(&self, value: &'a Value, what: &str) -> Result<&'a Mapping, String> {
        value.as_mapping().ok_or_else(|| self.here(&format!("{what} is a map")))
    }

    fn list<'a>(&self, map: &'a Mapping, name: &str) -> Result<&'a [Value], String> {
        match map.get(name) {
            None | Some(Value::Null) => Ok(&[]),
            Some(Value::Sequence(list)) => Ok(list),
            Some(_) => Err(self.here(&format!("`{name}` is a list"))),
        }
    }

    fn know(&mut self, map: &Mapping, known: &[&str]) {
        for key in map.keys().filter_map(Value::as_str).filter(|key| !known.contains(key)) {
            self.warnings.push(format!("{}: nothing is made of `{key}`", self.at.join(".")));
        }
    }

    fn here(&self, why: &str) -> String {
        if self.at.is_empty() { why.to_owned() } else { format!("{}: {why}", self.at.join(".")) }
    }
}

fn text(map: &Mapping, name: &str) -> Option<String> {
    match map.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// `fides_meta`, or the older name of it.
fn meta(map: &Mapping) -> Mapping {
    ["fides_meta", "fidesops_meta"].iter().find_map(|name| map.get(*name)?.as_mapping()).cloned().unwrap_or_default()
}

fn masking(meta: &Mapping) -> Option<Masking> {
    let map = meta.get("masking_strategy_override")?.as_mapping()?;
    let configuration = map.get("configuration").and_then(Value::as_mapping).cloned().unwrap_or_default();
    Some(Masking { strategy: text(map, "strategy")?, configuration })
}

/// Collections by dataset and name.
pub fn by_name(datasets: &[Dataset]) -> BTreeMap<(&str, &str), &Collection> {
    datasets
        .iter()
        .flat_map(|dataset| dataset.collections.iter().map(move |collection| ((dataset.key.as_str(), collection.name.as_str()), collection)))
        .collect()
}
