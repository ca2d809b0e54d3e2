use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tutela_core::Span;
use tutela_limits::{Algorithm, Lockout, Rate};

/// `[limits]`: how often something may be tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Requests of an account, or of an address where nobody is signed in, on routes with `limits = ["api"]`.
    pub api: Rate,
    /// Addresses and networks whose requests no limit of a route counts, for example monitors: `["192.0.2.0/24"]`. Wrong passwords from there count all the same.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exempt: Vec<String>,
    /// Wrong passwords: for an account and all devices it does not know together, and for each device it knows.
    pub login: Lockout,
    /// Wrong passwords and codes from one address (IPv4 whole, IPv6 its /64).
    pub login_address: Lockout,
    /// Wrong codes of one account and kind of authenticator.
    pub login_code: Lockout,
    /// Codes and links sent to one mailbox or phone.
    pub messages: Lockout,
    /// Codes and links asked for from one address.
    pub messages_address: Lockout,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        let rule = |attempts, window, lockout| Lockout { attempts, window, lockout };
        Self {
            api: Rate { requests: 100, window: Span::minutes(1), burst: Some(20), algorithm: Algorithm::Gcra },
            exempt: Vec::new(),
            login: Lockout::LOGIN,
            login_address: rule(50, Span::hours(1), Span::hours(1)),
            login_code: rule(5, Span::minutes(15), Span::minutes(15)),
            messages: rule(3, Span::hours(1), Span::hours(1)),
            messages_address: rule(10, Span::hours(1), Span::hours(1)),
        }
    }
}

impl LimitsConfig {
    /// Refuses values out of range.
    pub fn check(&self) -> Result<(), String> {
        let all = [
            ("login", &self.login),
            ("login_address", &self.login_address),
            ("login_code", &self.login_code),
            ("messages", &self.messages),
            ("messages_address", &self.messages_address),
        ];
        self.api.check().map_err(|e| format!("limits.api: {e}"))?;
        all.iter().try_for_each(|(name, rule)| rule.check().map_err(|e| format!("limits.{name}: {e}")))?;
        if self.login_code.attempts > 10 {
            return Err("limits.login_code: a code of six digits stands at most 10 tries".into());
        }
        Ok(())
    }
}
