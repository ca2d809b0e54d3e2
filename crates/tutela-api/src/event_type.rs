use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A declared event type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EventTypeBody {
    /// Its name: 1 to 128 characters of `a-z 0-9 . _ -`, in the past tense, for example `photo.shared`.
    #[serde(default)]
    pub name: String,
    /// What it means, for an auditor; one sentence.
    pub sentence: String,
    /// 1 (for the record) to 5 (act now), as OCSF `severity_id`.
    pub severity: u8,
    /// Class of retention, for example `audit`.
    #[serde(default = "audit")]
    pub class: String,
    /// Fields taken out of `metadata`: declared ones are kept one by one, the rest is sealed as a whole.
    #[serde(default)]
    pub fields: Vec<TypeField>,
    /// What it is in OCSF; API Activity, other, where absent.
    #[serde(default)]
    pub ocsf: OcsfNames,
    /// What it is in the Elastic Common Schema; `web` and `info` where absent.
    #[serde(default)]
    pub ecs: EcsNames,
}

/// A declared field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TypeField {
    /// Its name: 1 to 64 characters of `a-z 0-9 _ -`.
    pub name: String,
    /// Whether it is about a person; such fields are sealed with the person's key.
    #[serde(default)]
    pub personal: bool,
    /// A value it could have; it says the field's shape too.
    pub example: Value,
}

/// Class and activity of OCSF.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OcsfNames {
    /// `class_uid`, for example 6003.
    pub class_uid: u32,
    /// `activity_id` within the class; 99 is "other".
    pub activity_id: u8,
}

/// Category and type of the Elastic Common Schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EcsNames {
    /// `event.category`, for example `web`.
    pub category: Vec<String>,
    /// `event.type`, for example `access`.
    pub r#type: Vec<String>,
}

impl Default for OcsfNames {
    fn default() -> Self {
        Self { class_uid: 6003, activity_id: 99 }
    }
}

impl Default for EcsNames {
    fn default() -> Self {
        Self { category: vec!["web".into()], r#type: vec!["info".into()] }
    }
}

fn audit() -> String {
    "audit".into()
}

/// A declared event type and who declared it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EventType {
    /// The declaration.
    #[serde(flatten)]
    pub declaration: EventTypeBody,
    /// `tutela`, `configuration` or `api`.
    pub origin: String,
}
