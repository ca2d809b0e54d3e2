use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::range;

/// `[gateway.waf]`: what is refused because of what it says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WafConfig {
    /// `block` refuses what the rules refuse, `detect` only records it, `off` inspects nothing. A route may say otherwise.
    pub mode: WafMode,
    /// Rules, in their order: `base` for those that come with tutela, else files of SecLang rules such as `/etc/tutela/crs/rules/*.conf`. `tutela waf install` prints what to write here for the OWASP Core Rule Set.
    pub rules: Vec<String>,
    /// Most milliseconds of the processor's time for one request, 1 to 10000.
    pub budget_ms: u32,
    /// Most mebibytes of bodies that are held at the same time while they are inspected, of all requests together, 16 to 65536; a request for whose body there is no room gets 503.
    pub max_held_mib: u32,
    /// What happens to a request for which that is not enough: `block` answers 503, `pass` lets it through. Either way it is marked in its record.
    pub on_spent: WafSpent,
}

impl Default for WafConfig {
    fn default() -> Self {
        Self { mode: WafMode::Block, rules: vec!["base".into()], budget_ms: 200, max_held_mib: 256, on_spent: WafSpent::Block }
    }
}

/// What the firewall does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WafMode {
    /// Refuses.
    #[default]
    Block,
    /// Records what it would refuse.
    Detect,
    /// Does nothing.
    Off,
}

impl WafMode {
    /// As in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Detect => "detect",
            Self::Off => "off",
        }
    }
}

/// What happens when a request has used up its time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WafSpent {
    /// It is refused.
    #[default]
    Block,
    /// It goes on.
    Pass,
}

impl WafConfig {
    /// Refuses values out of range.
    pub fn check(&self) -> Result<(), String> {
        range("waf.budget_ms", self.budget_ms, 1, 10_000)?;
        range("waf.max_held_mib", self.max_held_mib, 16, 65_536)?;
        if self.rules.is_empty() {
            return Err("`waf.rules` is empty; `mode = \"off\"` turns the firewall off".into());
        }
        Ok(())
    }
}
