use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::federation::{NetworkConfig, PeopleConfig, StrengthConfig};

/// `[identity.saml.NAME]`: a SAML 2.0 identity provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SamlConfig {
    /// What the button says; this section's name where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// File with the provider's metadata.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata_file: Option<PathBuf>,
    /// Address of the provider's metadata, read again every hour. TLS is all that protects it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata_url: Option<String>,
    /// The provider's entity id, where its metadata hold more than one provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_id: Option<String>,
    /// This server's own entity id; the address of its metadata where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity_id: Option<String>,
    /// How requests reach the provider: `redirect` or `post`.
    #[serde(default)]
    pub binding: Binding,
    /// Whether requests are signed.
    #[serde(default = "yes")]
    pub sign_requests: bool,
    /// What has to be signed: `assertion`, `response`, or `either` of them.
    #[serde(default)]
    pub signed: Signed,
    /// Whether the provider may send people who did not ask to sign in. Then nothing ties an answer to the browser: somebody can be signed in to another's account without noticing.
    #[serde(default)]
    pub idp_initiated: bool,
    /// Format of the NameID asked for, such as `urn:oasis:names:tc:SAML:2.0:nameid-format:persistent`; the provider chooses where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_id_format: Option<String>,
    /// Whether signing out here signs out there too.
    #[serde(default)]
    pub sign_out: bool,
    /// Who its people are here.
    #[serde(default)]
    pub people: PeopleConfig,
    /// What its own proofs count for here.
    #[serde(default)]
    pub strength: StrengthConfig,
    /// How it is reached.
    #[serde(default)]
    pub network: NetworkConfig,
}

/// How a message is carried by the browser.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Binding {
    /// As a form.
    Post,
    /// In the address.
    #[default]
    Redirect,
}

/// What of a response has to be signed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Signed {
    /// The assertion.
    Assertion,
    /// One of them at least.
    #[default]
    Either,
    /// The whole response.
    Response,
}

fn yes() -> bool {
    true
}

impl SamlConfig {
    /// Refuses what cannot work.
    pub fn check(&self, name: &str) -> Result<(), String> {
        if self.metadata_file.is_some() == self.metadata_url.is_some() {
            return Err(format!("identity.saml.{name}: one of `metadata_file` and `metadata_url` is needed"));
        }
        Ok(())
    }
}
