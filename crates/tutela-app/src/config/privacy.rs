use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tutela_core::Timestamp;

/// `[privacy]`: consent, and what people may ask for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PrivacyConfig {
    /// Whether a person's yes is waited for where consent is the ground of a purpose (GDPR Art. 6(1)(a)). Where it is off nobody is asked, and a no still counts.
    pub consent_required: bool,
    /// Who is responsible for the data (the controller), as receipts and the privacy centre name them.
    pub controller: String,
    /// How they are reached: a mail address or a page.
    pub contact: String,
    /// Since when Global Privacy Control is honoured on these hosts, as a date `2026-11-22`: answered at `/.well-known/gpc.json`. Where absent the address is left to the applications; the signal counts either way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpc_since: Option<String>,
    /// What people may ask for.
    pub data_subject_rights: RightsConfig,
}

/// `[privacy.data_subject_rights]`: what people may ask for. One that is off is answered with 403, and is a fact that reports show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RightsConfig {
    /// What is held about them (GDPR Art. 15).
    pub access: bool,
    /// That it is put right (Art. 16).
    pub rectification: bool,
    /// That it goes (Art. 17).
    pub erasure: bool,
    /// That they get it to take along (Art. 20).
    pub portability: bool,
}

impl Default for PrivacyConfig {
    fn default() -> Self {
        Self {
            consent_required: true,
            controller: "the operator of this service".into(),
            contact: String::new(),
            gpc_since: None,
            data_subject_rights: RightsConfig::default(),
        }
    }
}

impl Default for RightsConfig {
    fn default() -> Self {
        Self { access: true, rectification: true, erasure: true, portability: true }
    }
}

impl PrivacyConfig {
    /// Refuses what makes no sense.
    pub fn check(&self) -> Result<(), String> {
        let date = |text: &String| text.len() == 10 && format!("{text}T00:00:00Z").parse::<Timestamp>().is_ok();
        match self.gpc_since.as_ref().filter(|text| !date(text)) {
            Some(text) => Err(format!("`gpc_since` is `{text}`, and is a date such as `2026-11-22`")),
            None => Ok(()),
        }
    }

    /// What is said of Global Privacy Control.
    pub fn gpc_json(&self) -> Option<String> {
        self.gpc_since.as_ref().map(|date| serde_json::json!({"gpc": true, "lastUpdate": date}).to_string())
    }
}
