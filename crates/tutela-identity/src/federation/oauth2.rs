//! Plain OAuth 2.0 (RFC 6749), code flow with PKCE: who somebody is stands behind the access token, at an address
//! that the configuration knows. Nothing is signed, so all of it rests on TLS and on the code's being ours.

use serde::Deserialize;
use serde_json::{Map, Value};
use tutela_core::{AuthStrength, Secret, Timestamp};

use super::{
    Arrival, Call, ClientAuth, Oauth2Config, Oauth2Kind, PeopleConfig, arrival,
    encoding::form_encoded,
    named,
    openid::{Kept, Returned, Tokens, printable},
    refused,
};
use crate::Error;

/// A provider as configured, with its ways filled in.
pub struct Oauth2Provider {
    label: &'static str,
    authorization_url: String,
    token_url: String,
    user_url: String,
    emails_url: Option<String>,
    issuer: Option<String>,
    client_id: String,
    auth: Auth,
    scopes: Vec<String>,
    people: PeopleConfig,
}

enum Auth {
    Basic(Secret<String>),
    Post(Secret<String>),
    None,
}

/// The ways of a known provider.
struct Preset {
    label: &'static str,
    addresses: [&'static str; 3],
    emails: &'static str,
    scopes: &'static [&'static str],
}

const GITHUB: Preset = Preset {
    label: "GitHub",
    addresses: ["https://github.com/login/oauth/authorize", "https://github.com/login/oauth/access_token", "https://api.github.com/user"],
    emails: "https://api.github.com/user/emails",
    scopes: &["read:user", "user:email"],
};

#[derive(Deserialize)]
struct Listed {
    email: String,
    #[serde(default)]
    primary: bool,
    #[serde(default)]
    verified: bool,
}

impl Oauth2Provider {
    /// Checks the configuration. `secret` is what stands in `client_secret_file`.
    pub fn new(name: &str, config: &Oauth2Config, secret: Option<Secret<String>>) -> Result<Self, String> {
        let bad = |why: &str| format!("identity.oauth2.{name}: {why}");
        let preset = config.kind.map(|Oauth2Kind::Github| GITHUB);
        let address = |given: &Option<String>, field: &str, index: usize| {
            let known = preset.as_ref().map(|preset| preset.addresses[index].to_owned());
            given.clone().or(known).ok_or_else(|| bad(&format!("`{field}` is missing")))
        };
        let auth = match (config.client_auth, secret) {
            (None | Some(ClientAuth::ClientSecretPost), Some(secret)) => Auth::Post(secret),
            (Some(ClientAuth::ClientSecretBasic), Some(secret)) => Auth::Basic(secret),
            (None | Some(ClientAuth::None), None) => Auth::None,
            (Some(ClientAuth::PrivateKeyJwt), _) => return Err(bad("`client_auth` is `client_secret_basic`, `client_secret_post` or `none` here")),
            (Some(ClientAuth::None), Some(_)) => return Err(bad("`client_secret_file` is of no use with this `client_auth`")),
            (Some(_), None) => return Err(bad("`client_secret_file` is missing")),
        };
        if config.client_id.is_empty() {
            return Err(bad("`client_id` is empty"));
        }
        let scopes = match &preset {
            Some(preset) if config.scopes.is_empty() => preset.scopes.iter().map(|s| (*s).to_owned()).collect(),
            _ => config.scopes.clone(),
        };
        Ok(Self {
            label: preset.as_ref().map_or("", |preset| preset.label),
            authorization_url: address(&config.authorization_url, "authorization_url", 0)?,
            token_url: address(&config.token_url, "token_url", 1)?,
            user_url: address(&config.user_url, "user_url", 2)?,
            emails_url: config.emails_url.clone().or_else(|| preset.as_ref().filter(|_| config.user_url.is_none()).map(|preset| preset.emails.to_owned())),
            issuer: config.issuer.clone(),
            client_id: config.client_id.clone(),
            auth,
            scopes,
            people: config.people.clone(),
        })
    }

    /// What its button says, where its kind says it.
    pub fn label(&self) -> &'static str {
        self.label
    }

    /// Where browsers are sent.
    pub fn authorization_url(&self) -> &str {
        &self.authorization_url
    }

    /// Every address that we ask, or send people to.
    pub fn addresses(&self) -> impl Iterator<Item = &str> {
        [&self.authorization_url, &self.token_url, &self.user_url].into_iter().chain(&self.emails_url).map(String::as_str)
    }

    /// What the browser asks for there.
    pub fn request(&self, redirect_uri: &str, state: &str, kept: &Kept) -> Vec<(String, String)> {
        let fields = [
            ("response_type", "code".to_owned()),
            ("client_id", self.client_id.clone()),
            ("redirect_uri", redirect_uri.to_owned()),
            ("scope", self.scopes.join(" ")),
            ("state", state.to_owned()),
            ("code_challenge", kept.challenge()),
            ("code_challenge_method", "S256".to_owned()),
        ];
        fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// The code of an answer, if it is one.
    pub fn read_return<'a>(&self, returned: &'a Returned) -> Result<&'a str, Error> {
        if self.issuer.is_some() && returned.iss != self.issuer {
            return Err(refused("the answer does not say that it is from this issuer (RFC 9207)"));
        }
        if let Some(error) = &returned.error {
            return Err(refused(format!("the provider answered `{}`", printable(error))));
        }
        returned.code.as_deref().filter(|code| !code.is_empty() && code.len() <= 4_096).ok_or_else(|| refused("the answer has no code"))
    }

    /// Exchanges a code.
    pub fn redeem(&self, code: &str, redirect_uri: &str, kept: &Kept) -> Call {
        let form = [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", redirect_uri), ("code_verifier", &kept.verifier)];
        let mut form: Vec<_> = form.into_iter().map(|(name, value)| (name.to_owned(), Secret::new(value.to_owned()))).collect();
        let mut add = |name: &str, value: &str| form.push((name.to_owned(), Secret::new(value.to_owned())));
        let basic = match &self.auth {
            Auth::Basic(secret) => Some((form_encoded(&self.client_id), Secret::new(form_encoded(secret.open())))),
            Auth::Post(secret) => {
                add("client_id", &self.client_id);
                add("client_secret", secret.open());
                None
            }
            Auth::None => {
                add("client_id", &self.client_id);
                None
            }
        };
        Call { basic, ..Call::post(&self.token_url, form) }
    }

    /// Asks who the holder of the token is.
    pub fn who(&self, tokens: &Tokens) -> Result<Call, Error> {
        let token = tokens.access().ok_or_else(|| refused("there is no access token in the answer"))?;
        Ok(Call::get(&self.user_url).bearer(&token))
    }

    /// Asks for the mail addresses, where that is a question of its own.
    pub fn emails(&self, tokens: &Tokens) -> Option<Call> {
        Some(Call::get(self.emails_url.as_ref()?).bearer(&tokens.access()?))
    }

    /// Who somebody is, by what the provider tells of the token's holder.
    pub fn arrive(&self, user: &[u8], emails: Option<&[u8]>, now: Timestamp) -> Result<Arrival, Error> {
        let mut claims: Map<String, Value> = serde_json::from_slice(user).map_err(|_| refused("what the provider tells of the person is not a JSON object"))?;
        let subject =
            named(&claims, self.people.claims.subject.as_deref().unwrap_or("id")).ok_or_else(|| refused("the provider does not say who the person is"))?;
        if let Some(emails) = emails {
            let listed: Vec<Listed> = serde_json::from_slice(emails).map_err(|_| refused("the list of mail addresses cannot be read"))?;
            // What stands in the profile is whatever the person chose to show.
            claims.remove(self.people.claims.email());
            claims.remove(self.people.claims.email_verified());
            if let Some(primary) = listed.into_iter().find(|one| one.primary && one.verified) {
                claims.insert(self.people.claims.email().to_owned(), Value::String(primary.email));
                claims.insert(self.people.claims.email_verified().to_owned(), Value::Bool(true));
            }
        }
        if claims.get(self.people.claims.name()).is_none_or(Value::is_null)
            && let Some(login) = claims.get("login").cloned()
        {
            claims.insert(self.people.claims.name().to_owned(), login);
        }
        arrival(&claims, &self.people, subject, AuthStrength::Aal1, now)
    }
}
