//! `[identity.openid.NAME]` and `[identity.oauth2.NAME]`: outside providers that people sign in with.

use std::{collections::BTreeMap, path::PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tutela_core::AuthStrength;

use crate::jwt::Algorithm;

/// `[identity.openid.NAME]`: an OpenID Connect provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenidConfig {
    /// Which provider it is, where it has ways of its own: `apple`, `entra`, `gitlab`, `google` or `keycloak`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<OpenidKind>,
    /// What the button says; the name of the kind, or this section's name, where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Issuer, exactly as the provider writes it; its discovery document is found from it. `apple`, `google` and `gitlab` (gitlab.com) have their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// For `entra`: `organizations`, `common`, or the id of one directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// For `entra` with more than one directory: the ids of those whose people may sign in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tenants: Vec<String>,
    /// The id that this server is registered with there.
    pub client_id: String,
    /// File with the secret that it got with it. For `apple`: the private key (PEM) that signs one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret_file: Option<PathBuf>,
    /// How this server proves who it is there. `client_secret_basic` where there is a secret; without one `none`, and then PKCE alone protects the code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_auth: Option<ClientAuth>,
    /// For `apple`: the team id and the key's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team_id: Option<String>,
    /// As `team_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
    /// Scopes asked for; `openid`, `email` and `profile` where absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// How the answer comes back: `query` or `form_post`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_mode: Option<ResponseMode>,
    /// With which algorithms its tokens may be signed; all but HMAC and `none` where absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub algorithms: Vec<Algorithm>,
    /// Audience of those of its access tokens that routes may take which name this provider among their `issuers`; none are taken where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_audience: Option<String>,
    /// Whether signing out here signs out there too, where the provider offers that.
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

/// OpenID Connect providers with ways of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OpenidKind {
    /// Sign in with Apple.
    Apple,
    /// Microsoft Entra ID.
    Entra,
    /// GitLab.
    Gitlab,
    /// Google.
    Google,
    /// Keycloak.
    Keycloak,
}

/// `[identity.oauth2.NAME]`: a provider that speaks plain OAuth 2.0 and tells who somebody is at an address of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Oauth2Config {
    /// Which provider it is, where its addresses are known: `github`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Oauth2Kind>,
    /// What the button says; the name of the kind, or this section's name, where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Authorization endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization_url: Option<String>,
    /// Token endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_url: Option<String>,
    /// Where it tells who the holder of an access token is, as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_url: Option<String>,
    /// Where it lists the person's mail addresses, as `[{"email", "primary", "verified"}]`; the verified primary one is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emails_url: Option<String>,
    /// Its issuer, where it sends one back (RFC 9207); then an answer without it is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// The id that this server is registered with there.
    pub client_id: String,
    /// File with the secret that it got with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret_file: Option<PathBuf>,
    /// How this server proves who it is there: `client_secret_basic`, `client_secret_post` or `none`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_auth: Option<ClientAuth>,
    /// Scopes asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// Who its people are here.
    #[serde(default)]
    pub people: PeopleConfig,
    /// How it is reached.
    #[serde(default)]
    pub network: NetworkConfig,
}

/// Plain OAuth 2.0 providers whose addresses are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Oauth2Kind {
    /// GitHub.
    Github,
}

/// How this server proves to a provider who it is (OpenID Connect Core §9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuth {
    /// The secret in the `Authorization` header.
    ClientSecretBasic,
    /// The secret in the form.
    ClientSecretPost,
    /// Not at all.
    None,
    /// A statement signed with one of the keys that this server publishes; there is no secret then.
    PrivateKeyJwt,
}

/// How a provider's answer comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ResponseMode {
    /// As a form that the browser posts. Needs cookies that are sent from other sites, and so TLS.
    FormPost,
    /// In the query.
    Query,
}

/// `people` of a provider: who somebody is here who signs in there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PeopleConfig {
    /// Whether somebody who has no account here gets one at their first sign-in. Needs a mail address that the provider vouches for (`trust_email`).
    pub create: bool,
    /// Whether a mail address that the provider calls verified counts as verified here. An address never connects anybody to an account that is there already.
    pub trust_email: bool,
    /// Which claims say what.
    pub claims: ClaimNames,
    /// Groups there, and the groups here that their members are in: joined and left at every sign-in.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub groups: BTreeMap<String, String>,
    /// Claims that have to be there with this value, or among these, for example `hd = "example.com"`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub require: BTreeMap<String, String>,
}

/// `people.claims`: names of claims or attributes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ClaimNames {
    /// What names the person for good; `sub`, or `id` for OAuth 2.0. For SAML the NameID where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Mail address; `email`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Whether mail arrives there; `email_verified`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_verified: Option<String>,
    /// Name; `name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Groups; `groups`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<String>,
}

impl ClaimNames {
    pub(crate) fn email(&self) -> &str {
        self.email.as_deref().unwrap_or("email")
    }

    pub(crate) fn email_verified(&self) -> &str {
        self.email_verified.as_deref().unwrap_or("email_verified")
    }

    pub(crate) fn name(&self) -> &str {
        self.name.as_deref().unwrap_or("name")
    }

    pub(crate) fn groups(&self) -> &str {
        self.groups.as_deref().unwrap_or("groups")
    }
}

/// `strength` of a provider: what its own proofs count for here. One factor, where nothing is said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StrengthConfig {
    /// Values of `acr` (in SAML of `AuthnContextClassRef`) that count as two factors.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub acr_aal2: Vec<String>,
    /// Values of `amr` that count as two factors, for example `mfa`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub amr_aal2: Vec<String>,
}

impl StrengthConfig {
    /// What a provider's own words about its proof count for (ASVS 6.8.4).
    pub(crate) fn of(&self, acr: Option<&str>, amr: &[&str]) -> AuthStrength {
        let by_acr = acr.is_some_and(|acr| self.acr_aal2.iter().any(|known| known == acr));
        let by_amr = amr.iter().any(|method| self.amr_aal2.iter().any(|known| known == method));
        if by_acr || by_amr { AuthStrength::Aal2 } else { AuthStrength::Aal1 }
    }
}

/// `network` of a provider.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkConfig {
    /// Whether it may be reached at private, loopback and link-local addresses, loopback without TLS too. A provider inside your own network needs it.
    pub allow_private: bool,
    /// File with the certificate authorities (PEM) that are trusted for it, in place of the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
}
