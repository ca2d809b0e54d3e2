//! Values that both engines understand, and rows of them.

use serde_json::Value as Json;
use tutela_core::Timestamp;
use uuid::Uuid;

use crate::Error;

/// The types a column or parameter can have. SQLite keeps ids and bytes as BLOB, times as
/// microseconds, JSON as text; PostgreSQL has its own type for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    Bytes,
    Id,
    Int,
    Ints,
    Json,
    Text,
    Time,
    // PostgreSQL only: columns of a bulk insert.
    Blobs,
    Ids,
    Texts,
    Times,
}

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Null,
    Bytes(Vec<u8>),
    Id(Uuid),
    Int(i64),
    Ints(Vec<i64>),
    Json(Json),
    Text(String),
    Time(Timestamp),
    Blobs(Vec<Vec<u8>>),
    Ids(Vec<Uuid>),
    Texts(Vec<String>),
    Times(Vec<Timestamp>),
}

/// One row, columns in the order of the statement.
#[derive(Debug, Clone)]
pub struct Row(pub Vec<Value>);

impl Row {
    /// The column at `index`.
    pub fn get<T: FromValue>(&self, index: usize) -> Result<T, Error> {
        let value = self.0.get(index).ok_or_else(|| Error::Decode(format!("column {index} is missing")))?;
        T::from_value(value).ok_or_else(|| Error::Decode(format!("column {index} has another type than expected")))
    }
}

/// What a column can be read as. SQLite's integers serve as times and its blobs as ids.
pub trait FromValue: Sized {
    fn from_value(value: &Value) -> Option<Self>;
}

impl FromValue for i64 {
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Int(n) = value { Some(*n) } else { None }
    }
}

impl FromValue for u64 {
    fn from_value(value: &Value) -> Option<Self> {
        i64::from_value(value).and_then(|n| n.try_into().ok())
    }
}

impl FromValue for String {
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Text(text) = value { Some(text.clone()) } else { None }
    }
}

impl FromValue for Vec<u8> {
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Bytes(bytes) = value { Some(bytes.clone()) } else { None }
    }
}

impl<const N: usize> FromValue for [u8; N] {
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Bytes(bytes) = value { bytes.as_slice().try_into().ok() } else { None }
    }
}

impl FromValue for Uuid {
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Id(id) => Some(*id),
            Value::Bytes(bytes) => Self::from_slice(bytes).ok(),
            _ => None,
        }
    }
}

impl FromValue for Timestamp {
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Time(time) => Some(*time),
            Value::Int(micros) => Some(Self::from_micros(*micros)),
            _ => None,
        }
    }
}

impl FromValue for Json {
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Json(json) => Some(json.clone()),
            Value::Text(text) => serde_json::from_str(text).ok(),
            _ => None,
        }
    }
}

impl FromValue for Vec<String> {
    fn from_value(value: &Value) -> Option<Self> {
        serde_json::from_value(Json::from_value(value)?).ok()
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: &Value) -> Option<Self> {
        if *value == Value::Null { Some(None) } else { T::from_value(value).map(Some) }
    }
}

macro_rules! into_value {
    ($($from:ty => $make:expr,)*) => {$(
        impl From<$from> for Value {
            fn from(value: $from) -> Self {
                $make(value)
            }
        }
    )*};
}

into_value! {
    i64 => Value::Int,
    u64 => |n| Value::Int(i64::try_from(n).unwrap_or(i64::MAX)),
    String => Value::Text,
    &str => |text: &str| Value::Text(text.to_owned()),
    &String => |text: &String| Value::Text(text.clone()),
    Vec<u8> => Value::Bytes,
    [u8; 32] => |bytes: [u8; 32]| Value::Bytes(bytes.to_vec()),
    Uuid => Value::Id,
    Timestamp => Value::Time,
    Json => Value::Json,
    &[String] => |list: &[String]| Value::Json(list.into()),
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A parameter list: each argument becomes a [`Value`].
macro_rules! params {
    ($($value:expr),* $(,)?) => { vec![$($crate::value::Value::from($value)),*] };
}
pub(crate) use params;

/// As `params`, as an array, for statements that run at once.
macro_rules! values {
    ($($value:expr),* $(,)?) => { [$($crate::value::Value::from($value)),*] };
}
pub(crate) use values;
