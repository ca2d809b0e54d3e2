use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Sign somebody in from an application.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SignInRequest {
    /// Mail address.
    pub email: String,
    /// Password.
    pub password: String,
    /// The device's token from an earlier sign-in (`tde_…`); without it the device is a new one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub device_token: Option<String>,
    /// Whom access tokens are for: the name of a gateway's route, or the public URL (where absent) for this API.
    #[serde(default)]
    pub audience: String,
    /// Where the refresh token goes: `body` (where absent) or `cookie`.
    #[serde(default)]
    pub delivery: Delivery,
}

/// Where a refresh token goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Delivery {
    /// Into the answer.
    #[default]
    Body,
    /// Into a cookie that scripts cannot read, for `/v1/tokens` only.
    Cookie,
}

/// Prove more in a sign-in under way.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SignInProof {
    /// The sign-in (`tsi_…`).
    pub sign_in: String,
    /// `totp`, `sms`, `email`, `recovery` or `new_password`.
    pub method: String,
    /// The code; for `new_password` the new password.
    pub code: String,
    /// Remember the device, so that it spares the second factor for a while.
    #[serde(default)]
    pub remember_device: bool,
    /// As in the first request.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub device_token: Option<String>,
    /// As in the first request.
    #[serde(default)]
    pub audience: String,
    /// As in the first request.
    #[serde(default)]
    pub delivery: Delivery,
}

/// Ask for a code by SMS or mail.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SendCode {
    /// The sign-in (`tsi_…`).
    pub sign_in: String,
    /// `sms` or `email`.
    pub method: String,
}

/// Where a sign-in stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SignInAnswer {
    /// `done`, `challenge` (one of `methods` is asked for), `enrol` (one of them has to be set up, on the hosted
    /// pages), `new_password` (with `reason`), or `stuck`.
    pub state: String,
    /// The sign-in under way; only in the answer that began it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sign_in: Option<String>,
    /// Ways to go on, the best first.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub methods: Vec<String>,
    /// Where codes by mail go, mostly left out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub email: Option<String>,
    /// Where codes by SMS go, mostly left out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub phone: Option<String>,
    /// Why another password has to be chosen.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// The tokens, where it is done.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tokens: Option<Tokens>,
}

/// Access token, and what gets the next one (RFC 6749 §5.1).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Tokens {
    /// Access token (RFC 9068).
    pub access_token: String,
    /// `Bearer`.
    pub token_type: String,
    /// Its life in seconds.
    pub expires_in: u64,
    /// Refresh token, good once; not where it went into a cookie, or where the server gives none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub refresh_token: Option<String>,
    /// The device's token, where it is a new one: keep it, refreshing asks for it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub device_token: Option<String>,
    /// The session they belong to.
    pub session_id: String,
}

/// Ask for the next tokens.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RefreshRequest {
    /// The refresh token; from the cookie where absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub refresh_token: Option<String>,
    /// The device's token; from the cookie where absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub device_token: Option<String>,
}

/// End the session of a token.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RevokeRequest {
    /// A refresh or an access token.
    pub token: String,
}

/// What an application has to know of how people sign in here.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct IdentitySettings {
    /// Whose rules are followed: `nist`, `pci`, `hipaa` or `legacy`.
    pub profile: String,
    /// The own host.
    pub public_url: String,
    /// Protocols of outside providers that are switched on: `oauth2`, `openid`, `saml`.
    pub providers: Vec<String>,
    /// `[identity.session]`: `timeout` (s), `refresh_enabled`, `secure`, `http_only`, `access_token` (such as `15m`).
    pub session: Value,
    /// `[identity.mfa]`: `providers`, `required_factors`, `remember_device`, and whether there are `passkeys`.
    pub mfa: Value,
    /// `[limits]`: `login` with `attempts`, `window`, `lockout`.
    pub limits: Value,
    /// What the configuration allows that standards would not.
    pub weakened: Vec<String>,
}
