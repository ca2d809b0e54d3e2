use std::{collections::BTreeMap, path::PathBuf};

use super::limits::LimitsConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tutela_core::Span;
use tutela_identity::{
    AuthenticatorKind, Cost, PasswordPolicy, Profile, SessionConfig,
    federation::{NetworkConfig, Oauth2Config, OpenidConfig, saml::SamlConfig},
    password::tune,
};

/// `[identity]`: how people sign in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct IdentityConfig {
    /// Whose rules passwords and sessions follow: `nist`, `pci`, `hipaa` or `legacy`. The compliance report names it, and what it allows that others do not.
    pub profile: Profile,
    /// What a password may be and what hashing it costs.
    pub password: PasswordConfig,
    /// Sessions, their cookies and tokens.
    pub session: SessionConfig,
    /// The keys that tokens are signed with.
    pub tokens: TokensConfig,
    /// What is asked for beside the password.
    pub mfa: MfaConfig,
    /// Ways to sign in with an account somewhere else: `oauth2`, `openid`, `saml`. Each provider has a section below.
    pub providers: Vec<Protocol>,
    /// OpenID Connect providers, by the name they have in addresses and in the ledger.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub openid: BTreeMap<String, OpenidConfig>,
    /// Providers that speak plain OAuth 2.0.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub oauth2: BTreeMap<String, Oauth2Config>,
    /// SAML 2.0 identity providers.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub saml: BTreeMap<String, SamlConfig>,
    /// How applications that people sign in to are told that a session ended (OpenID Connect Back-Channel Logout).
    pub back_channel: NetworkConfig,
    /// Whether passkeys can be set up and used.
    pub passkeys: bool,
    /// Who may make an account: `off` (administrators invite) or `open` (everybody; the mail address is verified first).
    pub sign_up: SignUp,
}

/// A protocol that outside providers speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// OAuth 2.0.
    Oauth2,
    /// OpenID Connect.
    Openid,
    /// SAML 2.0.
    Saml,
}

impl Protocol {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Oauth2, Self::Openid, Self::Saml];

    /// As configured.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Oauth2 => "oauth2",
            Self::Openid => "openid",
            Self::Saml => "saml",
        }
    }
}

/// Who may make an account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SignUp {
    /// Administrators invite.
    #[default]
    Off,
    /// Everybody.
    Open,
}

/// `[identity.tokens]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TokensConfig {
    /// How long a key signs tokens before the next one does, `2d` to `366d`. The next one is published a day before it signs.
    pub rotation: Span,
}

impl Default for TokensConfig {
    fn default() -> Self {
        Self { rotation: Span::days(30) }
    }
}

/// `[identity.password]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PasswordConfig {
    /// Memory of one hash in KiB, from 47,104 (46 MiB, OWASP ASVS 5.0 appendix C) up. Where absent, the first start measures what takes about 150 ms and keeps it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_kib: Option<u32>,
    /// Passes of one hash over its memory, from 1 up. Measured where absent. Hashes made at another cost are renewed at the next sign-in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passes: Option<u32>,
    /// Allows less than 47,104 KiB. For tests only: the compliance report shows it.
    pub allow_weak_for_tests: bool,
    /// Filter of breached passwords that `tutela breach-list import` made. Beside it the built-in list of common passwords always holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub breach_list: Option<PathBuf>,
    /// Whether nobody may sign in or choose a password while the filter cannot be read.
    pub breach_list_required: bool,
    /// After how many days a person is reminded to choose another password, which can be put off; 0 for never.
    pub reminder_days: u16,
}

/// `[identity.mfa]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MfaConfig {
    /// What can be a second factor beside passkeys: `totp` (an app), `sms`, `email`. Mail never counts as more than AAL1.
    pub providers: Vec<MfaProvider>,
    /// How many distinct factors a sign-in takes, 1 or 2. Whoever has set up a second one is asked for it in any case.
    pub required_factors: u8,
    /// Whether a device can be remembered, so that it spares the second factor. It never spares the first.
    pub remember_device: bool,
    /// How long a device is remembered, at most 90 days.
    pub remember_for: Span,
    /// Prefixes of phone numbers that text messages may go to, such as `+41`; everywhere where empty.
    pub sms_prefixes: Vec<String>,
}

/// A second factor that can be switched on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MfaProvider {
    /// A code sent by mail.
    Email,
    /// A code sent to a phone (restricted, SP 800-63B-4 §3.2.9).
    Sms,
    /// Codes of an app.
    Totp,
}

impl Default for IdentityConfig {
    fn default() -> Self {
        Self {
            profile: Profile::Nist,
            password: PasswordConfig::default(),
            session: SessionConfig::default(),
            tokens: TokensConfig::default(),
            mfa: MfaConfig::default(),
            providers: Vec::new(),
            openid: BTreeMap::new(),
            oauth2: BTreeMap::new(),
            saml: BTreeMap::new(),
            back_channel: NetworkConfig::default(),
            passkeys: true,
            sign_up: SignUp::Off,
        }
    }
}

impl Default for PasswordConfig {
    fn default() -> Self {
        Self { memory_kib: None, passes: None, allow_weak_for_tests: false, breach_list: None, breach_list_required: false, reminder_days: 365 }
    }
}

impl Default for MfaConfig {
    fn default() -> Self {
        Self { providers: vec![MfaProvider::Totp], required_factors: 1, remember_device: true, remember_for: Span::days(30), sms_prefixes: Vec::new() }
    }
}

impl MfaConfig {
    /// Whether a kind of authenticator can be set up.
    pub fn offers(&self, kind: AuthenticatorKind) -> bool {
        match kind {
            AuthenticatorKind::Email => self.providers.contains(&MfaProvider::Email),
            AuthenticatorKind::Sms => self.providers.contains(&MfaProvider::Sms),
            AuthenticatorKind::Totp => self.providers.contains(&MfaProvider::Totp),
            AuthenticatorKind::Outside | AuthenticatorKind::Passkey | AuthenticatorKind::Password | AuthenticatorKind::Recovery => false,
        }
    }
}

impl PasswordConfig {
    /// The cost, where the configuration names one.
    pub fn cost(&self) -> Option<Cost> {
        let least = tune::MIN_MEMORY;
        (self.memory_kib.is_some() || self.passes.is_some()).then(|| Cost {
            memory_kib: self.memory_kib.unwrap_or(least),
            passes: self.passes.unwrap_or(1),
            allow_weak_for_tests: self.allow_weak_for_tests,
        })
    }
}

impl IdentityConfig {
    /// The same with a cost that is known already.
    pub(crate) fn at_cost(&self, cost: Cost) -> Self {
        let password = PasswordConfig { memory_kib: Some(cost.memory_kib), passes: Some(cost.passes), ..self.password.clone() };
        Self { password, ..self.clone() }
    }

    /// The rules that passwords follow.
    pub fn password_policy(&self) -> PasswordPolicy {
        let policy = PasswordPolicy::of(self.profile, self.mfa.required_factors);
        let days = self.password.reminder_days;
        // A profile may ask for an earlier reminder, never for a later one.
        let reminder_days = policy.reminder_days.into_iter().chain((days > 0).then_some(days)).min();
        PasswordPolicy { reminder_days, ..policy }
    }

    /// What the configuration allows that the standards would not: told at the start and shown by the compliance report.
    pub fn weakened(&self) -> Vec<&'static str> {
        let facts = [
            (!self.session.secure, "identity.session.secure = false: session cookies are sent without TLS, and anybody on the way can take them"),
            (!self.session.http_only, "identity.session.http_only = false: scripts on the page can read session cookies"),
            (self.profile == Profile::Legacy, "identity.profile = \"legacy\": passwords of 8 characters are accepted, however easy to guess"),
            (
                self.saml.values().any(|provider| provider.idp_initiated),
                "identity.saml has `idp_initiated = true`: somebody can be signed in to another's account without noticing",
            ),
            (self.password.allow_weak_for_tests, "identity.password.allow_weak_for_tests = true: password hashes may be too cheap to protect anybody"),
            (
                self.mfa.providers.contains(&MfaProvider::Sms),
                "identity.mfa.providers has `sms`: codes by text message can be intercepted (SP 800-63B-4 §3.2.9)",
            ),
            (
                self.mfa.providers.contains(&MfaProvider::Email),
                "identity.mfa.providers has `email`: a code in a mailbox is no second factor to NIST and counts as AAL1",
            ),
        ];
        facts.into_iter().filter_map(|(is, text)| is.then_some(text)).collect()
    }

    /// Refuses values out of range, and what the profile does not allow.
    pub fn check(&self) -> Result<(), String> {
        self.password.cost().map_or(Ok(()), |cost| cost.check()).map_err(|e| format!("identity.password: {e}"))?;
        self.session.check().map_err(|e| format!("identity.session: {e}"))?;
        if !(Span::days(2)..=Span::days(366)).contains(&self.tokens.rotation) {
            return Err(format!("identity.tokens.rotation is {}; it goes from 2d to 366d", self.tokens.rotation));
        }
        let mfa = &self.mfa;
        if !(1..=2).contains(&mfa.required_factors) {
            return Err(format!("identity.mfa.required_factors is {}; it is 1 or 2", mfa.required_factors));
        }
        if mfa.required_factors == 2 && mfa.providers.is_empty() && !self.passkeys {
            return Err("identity.mfa: two factors are required and none is offered; name one in `providers` or switch `identity.passkeys` on".into());
        }
        if (1..mfa.providers.len()).any(|i| mfa.providers[..i].contains(&mfa.providers[i])) {
            return Err("identity.mfa.providers: one stands there twice".into());
        }
        if mfa.remember_for > Span::days(90) {
            return Err(format!("identity.mfa.remember_for is {}; it is at most 90d", mfa.remember_for));
        }
        if let Some(bad) = mfa.sms_prefixes.iter().find(|p| p.len() < 2 || !p.starts_with('+') || !p[1..].bytes().all(|b| b.is_ascii_digit())) {
            return Err(format!("identity.mfa.sms_prefixes: `{bad}` is not a prefix such as `+41`"));
        }
        if self.password.breach_list_required && self.password.breach_list.is_none() {
            return Err("identity.password: `breach_list_required` needs `breach_list`".into());
        }
        self.check_providers()?;
        self.check_profile()
    }

    /// The sections of outside providers, by protocol.
    fn sections(&self) -> impl Iterator<Item = (Protocol, &String)> {
        self.openid
            .keys()
            .map(|name| (Protocol::Openid, name))
            .chain(self.oauth2.keys().map(|name| (Protocol::Oauth2, name)))
            .chain(self.saml.keys().map(|name| (Protocol::Saml, name)))
    }

    /// Every path in it, to be made absolute.
    pub fn paths(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let openid = self.openid.values_mut().flat_map(|c| [c.client_secret_file.as_mut(), c.network.ca_file.as_mut()]);
        let oauth2 = self.oauth2.values_mut().flat_map(|c| [c.client_secret_file.as_mut(), c.network.ca_file.as_mut()]);
        let saml = self.saml.values_mut().flat_map(|c| [c.metadata_file.as_mut(), c.network.ca_file.as_mut()]);
        self.password.breach_list.iter_mut().chain(openid.chain(oauth2).chain(saml).flatten())
    }

    /// Protocols that are switched on and that no provider is configured for.
    pub fn idle_protocols(&self) -> Vec<Protocol> {
        self.providers.iter().copied().filter(|on| !self.sections().any(|(of, _)| of == *on)).collect()
    }

    fn check_providers(&self) -> Result<(), String> {
        let mut names = std::collections::BTreeSet::new();
        for (protocol, name) in self.sections() {
            let at = format!("identity.{}.{name}", protocol.as_str());
            if name.is_empty() || name.len() > 32 || !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
                return Err(format!("{at}: a provider's name has 1 to 32 characters of `a-z 0-9 -`"));
            }
            if !names.insert(name) {
                return Err(format!("{at}: another provider has the same name"));
            }
            if !self.providers.contains(&protocol) {
                return Err(format!("{at}: `{}` is not in `identity.providers`; add it, or take this section out", protocol.as_str()));
            }
        }
        for (name, config) in &self.saml {
            config.check(name)?;
        }
        if (1..self.providers.len()).any(|i| self.providers[..i].contains(&self.providers[i])) {
            return Err("identity.providers: one stands there twice".into());
        }
        Ok(())
    }

    /// Refuses limits that the profile does not allow.
    pub fn check_limits(&self, limits: &LimitsConfig) -> Result<(), String> {
        let login = &limits.login;
        if self.profile == Profile::Pci && (login.attempts > 10 || login.lockout < Span::minutes(30)) {
            return Err("limits.login: the profile \"pci\" locks after at most 10 attempts, for 30 minutes or more (PCI DSS 4.0.1 §8.3.4)".into());
        }
        Ok(())
    }

    fn check_profile(&self) -> Result<(), String> {
        let name = self.profile.as_str();
        if self.profile != Profile::Legacy && !(self.session.secure && self.session.http_only) {
            return Err(format!("identity.session: cookies without `secure` and `http_only` need `identity.profile = \"legacy\"`; it is \"{name}\""));
        }
        if !matches!(self.profile, Profile::Hipaa | Profile::Pci) {
            return Ok(());
        }
        if self.mfa.required_factors < 2 {
            return Err(format!("identity.mfa: the profile \"{name}\" asks for `required_factors = 2`"));
        }
        if self.mfa.providers.contains(&MfaProvider::Email) {
            return Err(format!("identity.mfa: a code in a mailbox is no second factor under the profile \"{name}\"; take `email` out of `providers`"));
        }
        if self.profile == Profile::Pci && self.mfa.remember_device {
            return Err(format!(
                "identity.mfa: the profile \"{name}\" asks for two factors at every sign-in (PCI DSS 4.0.1 §8.5.1); set `remember_device = false`"
            ));
        }
        if self.profile == Profile::Pci && self.session.timeout > 900 {
            return Err("identity.session: the profile \"pci\" ends a session that is unused for 15 minutes (PCI DSS 4.0.1 §8.2.8); set `timeout = 900`".into());
        }
        Ok(())
    }
}
