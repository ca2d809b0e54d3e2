use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// An event that an application reports.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewEvent {
    /// What happened: 1 to 128 characters of `a-z 0-9 . _ -`, for example `data_access` or `photo.shared`.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it happened (RFC 3339); the time of the request where absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub time: Option<String>,
    /// What was attempted, as a verb, for example `read`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub action: Option<String>,
    /// `success` (default), `failure`, `denied` or `unknown`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub outcome: Option<String>,
    /// Why it ended so.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// Who did it; the calling client where absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub actor: Option<SubjectRef>,
    /// Whom its personal fields and metadata are about, where that is not the actor: they are sealed with this person's key.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub subject: Option<SubjectRef>,
    /// What it was done to.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub resource: Option<ResourceRef>,
    /// Where it came from.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub source: Option<Source>,
    /// The request it belongs to, where the application served one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub request: Option<RequestRef>,
    /// Anything else; `ip`, `ip_address` and `user_agent` in it fill `source`. What the type does not declare is sealed as a whole in the ledger, since its fields are not declared.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub metadata: Option<Map<String, Value>>,
}

/// A person or program: an account id of tutela, or the application's own identifier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum SubjectRef {
    /// The id of an account of tutela.
    Account(String),
    /// The application's own identifier.
    External(ExternalId),
}

/// An identifier that belongs to somebody else, for example an app's integer user id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExternalId {
    /// Whose identifier it is, for example `photos`.
    pub namespace: String,
    /// The identifier; a number is accepted and read as its decimal text.
    #[serde(deserialize_with = "text_or_number")]
    pub value: String,
}

/// What an event is about: a name alone, or a type and an id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum ResourceRef {
    /// A name, for example `sensitive_data` or `photo/42`.
    Name(String),
    /// A type and an id.
    Typed(TypedResource),
}

/// A resource with a type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TypedResource {
    /// What kind of thing it is.
    #[serde(rename = "type")]
    pub kind: String,
    /// Which one.
    pub id: String,
}

/// A request that an application served.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RequestRef {
    /// Method.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub method: Option<String>,
    /// Name or template of the route, never the path with its values.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub route: Option<String>,
    /// Status of the answer.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub status: Option<u16>,
}

/// Where a request came from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Source {
    /// IPv4 or IPv6 address.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ip: Option<String>,
    /// The `User-Agent` header.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub user_agent: Option<String>,
}

/// One event, or many at once.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum NewEvents {
    /// Up to 10,000 events; each item is answered for itself.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<NewEvent>))]
    Batch(Vec<Value>),
    /// One event.
    #[cfg_attr(feature = "openapi", schema(value_type = NewEvent))]
    One(Value),
}

/// The answer to one recorded event. It is durable when this is sent.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Recorded {
    /// The event's id (UUIDv7).
    pub id: String,
    /// Where it stands; with `wait=sequenced` only.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub position: Option<String>,
    /// Its leaf hash in hexadecimal; with `wait=sequenced` only.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub leaf: Option<String>,
}

/// The answer to a batch, item by item in the order sent.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BatchAnswer {
    /// One entry for each item sent.
    pub results: Vec<ItemAnswer>,
}

/// The answer to one item of a batch: `id` where it was stored, `problem` where not.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ItemAnswer {
    /// 201 where stored, else the problem's status.
    pub status: u16,
    /// The event's id.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub id: Option<String>,
    /// Where it stands; with `wait=sequenced` only.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub position: Option<String>,
    /// Its leaf hash in hexadecimal; with `wait=sequenced` only.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub leaf: Option<String>,
    /// Why it was not stored.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub problem: Option<super::Problem>,
}

/// An event as it stands in the ledger, with its personal fields opened for the reader.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StoredEvent {
    /// Position in the ledger: `7`, or `7.3` for the fourth record of the batch at 7.
    pub position: String,
    /// The event with its personal fields opened.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub event: Value,
    /// SHA-256 leaf hash (RFC 6962 §2.1) of the sealed bytes, in hexadecimal.
    pub leaf: String,
}

fn text_or_number<'de, D: serde::Deserializer<'de>>(d: D) -> Result<String, D::Error> {
    match Value::deserialize(d)? {
        Value::String(text) => Ok(text),
        Value::Number(n) if n.is_i64() || n.is_u64() => Ok(n.to_string()),
        _ => Err(serde::de::Error::custom("`value` must be text or a whole number")),
    }
}
