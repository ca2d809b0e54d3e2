//! OpenID Connect Core 1.0, code flow only, with PKCE (RFC 7636), the issuer in the answer (RFC 9207) and a nonce.

mod check;

pub use check::AccessHolder;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tutela_core::{Random, Secret, Timestamp, random_bytes};

use super::{
    Arrival, Call, ClientAuth, Metadata, OpenidConfig, OpenidKind, PeopleConfig, ResponseMode, StrengthConfig, arrival,
    encoding::form_encoded,
    preset::{Preset, preset},
    refused, text,
};
use crate::{
    Error,
    jwt::{Algorithm, SigningKey, TokenKeys},
};

/// Life of a statement that proves who this server is, in seconds.
const STATEMENT: i64 = 300;

/// A provider as configured, with its ways filled in.
pub struct OpenidProvider {
    preset: Preset,
    issuer: String,
    client_id: String,
    auth: Auth,
    scopes: Vec<String>,
    response_mode: ResponseMode,
    algorithms: Vec<Algorithm>,
    tenants: Vec<String>,
    api_audience: Option<String>,
    people: PeopleConfig,
    strength: StrengthConfig,
}

enum Auth {
    Basic(Secret<String>),
    Post(Secret<String>),
    None,
    /// With our own keys.
    Signed,
    /// The secret is a statement that the registration's key signs (Sign in with Apple).
    SignedSecret {
        team: String,
        key_id: String,
        key: Box<SigningKey>,
    },
}

/// What is told to nobody before the answer comes: the nonce binds the ID token, the verifier the code.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Kept {
    /// Comes back in the ID token.
    pub nonce: String,
    /// Its hash goes along with the request (RFC 7636 §4.1).
    pub verifier: String,
    /// Whether the person has to prove anew who they are.
    pub anew: bool,
}

/// What came back with the browser (RFC 6749 §4.1.2).
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Returned {
    /// The code.
    pub code: Option<String>,
    /// Our state; SAML calls it `RelayState`.
    #[serde(alias = "RelayState")]
    pub state: Option<String>,
    /// A SAML response, in base64.
    #[serde(rename = "SAMLResponse")]
    pub saml: Option<String>,
    /// Who answers (RFC 9207).
    pub iss: Option<String>,
    /// Why there is no code.
    pub error: Option<String>,
    /// What Apple says about the person, the first time only.
    pub user: Option<String>,
}

/// Tokens that a provider gave.
#[derive(Deserialize)]
pub struct Tokens {
    id_token: Option<String>,
    access_token: Option<String>,
}

impl Kept {
    /// For a new errand.
    pub fn new(anew: bool, rng: &mut dyn Random) -> Self {
        let mut word = || BASE64.encode(random_bytes::<32>(rng));
        Self { nonce: word(), verifier: word(), anew }
    }

    /// What the provider gets of the verifier.
    pub fn challenge(&self) -> String {
        BASE64.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, self.verifier.as_bytes()))
    }
}

impl OpenidProvider {
    /// Checks the configuration. `secret` is what stands in `client_secret_file`.
    pub fn new(name: &str, config: &OpenidConfig, secret: Option<Secret<String>>) -> Result<Self, String> {
        let bad = |why: &str| Err(format!("identity.openid.{name}: {why}"));
        let preset = preset(config.kind);
        let issuer = match (&config.issuer, preset.issuer, config.kind, &config.tenant) {
            (None, None, Some(OpenidKind::Entra), Some(tenant)) => format!("https://login.microsoftonline.com/{tenant}/v2.0"),
            (Some(issuer), None, ..) => issuer.clone(),
            (Some(issuer), Some(_), Some(OpenidKind::Gitlab), _) => issuer.clone(),
            (None, Some(issuer), ..) => issuer.to_owned(),
            (Some(_), Some(issuer), ..) => return bad(&format!("`issuer` is always `{issuer}` for this kind; leave it out")),
            (None, None, Some(OpenidKind::Entra), None) => return bad("`tenant` is missing: the id of your directory, or `organizations` with `tenants`"),
            (None, None, ..) => return bad("`issuer` is missing"),
        };
        let shared = preset.many_issuers && config.tenant.as_deref().is_some_and(|tenant| !is_directory(tenant));
        if shared && config.tenants.is_empty() {
            return bad("`tenants` is missing: with more than one directory, name those whose people may sign in, or everybody with a Microsoft account may");
        }
        if !shared && !config.tenants.is_empty() {
            return bad("`tenants` goes with `kind = \"entra\"` and a `tenant` such as `organizations`");
        }
        if config.client_id.is_empty() {
            return bad("`client_id` is empty");
        }
        if config.api_audience.as_deref().is_some_and(|audience| audience.is_empty() || audience == config.client_id) {
            return bad("`api_audience` names an API; tokens for `client_id` say who signed in, and open nothing");
        }
        if shared && config.api_audience.is_some() {
            return bad("`api_audience` needs a `tenant` that is one directory: whose tokens would count otherwise?");
        }
        let auth = if preset.signed_secret {
            let (Some(team), Some(key_id), Some(pem)) = (&config.team_id, &config.key_id, &secret) else {
                return bad("`team_id`, `key_id` and `client_secret_file` (the private key, PEM) are needed");
            };
            let key = p256_of_pem(pem.open()).ok_or(format!("identity.openid.{name}: `client_secret_file` is no PKCS#8 key for P-256"))?;
            Auth::SignedSecret { team: team.clone(), key_id: key_id.clone(), key: Box::new(key) }
        } else {
            match (config.client_auth, secret) {
                (None | Some(ClientAuth::ClientSecretBasic), Some(secret)) => Auth::Basic(secret),
                (Some(ClientAuth::ClientSecretPost), Some(secret)) => Auth::Post(secret),
                (None | Some(ClientAuth::None), None) => Auth::None,
                (Some(ClientAuth::PrivateKeyJwt), None) => Auth::Signed,
                (Some(ClientAuth::None | ClientAuth::PrivateKeyJwt), Some(_)) => return bad("`client_secret_file` is of no use with this `client_auth`"),
                (Some(ClientAuth::ClientSecretBasic | ClientAuth::ClientSecretPost), None) => return bad("`client_secret_file` is missing"),
            }
        };
        let scopes = if config.scopes.is_empty() { preset.scopes.iter().map(|s| (*s).to_owned()).collect() } else { config.scopes.clone() };
        if !scopes.iter().any(|scope| scope == "openid") {
            return bad("`scopes` has to contain `openid`; for a provider that does not know it, use `identity.oauth2`");
        }
        if preset.email_is_hearsay && config.people.trust_email {
            return bad("mail addresses of this provider are what administrators of its directories typed; `people.trust_email` cannot be set");
        }
        let mut people = config.people.clone();
        people.claims.groups = people.claims.groups.or_else(|| preset.groups.map(str::to_owned));
        Ok(Self {
            issuer,
            client_id: config.client_id.clone(),
            auth,
            scopes,
            response_mode: config.response_mode.unwrap_or(preset.response_mode),
            algorithms: if config.algorithms.is_empty() { Algorithm::ALL.to_vec() } else { config.algorithms.clone() },
            tenants: config.tenants.clone(),
            api_audience: config.api_audience.clone(),
            people,
            strength: config.strength.clone(),
            preset,
        })
    }

    /// What its button says, where its kind says it.
    pub fn label(&self) -> &'static str {
        self.preset.label
    }

    /// The issuer that its discovery document is found from.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Whether its answer is a posted form.
    pub fn posts(&self) -> bool {
        self.response_mode == ResponseMode::FormPost
    }

    /// The id that this server has there.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Reads its discovery document. That of a shared Entra endpoint names a pattern in place of an issuer.
    pub fn read_metadata(&self, body: &[u8]) -> Result<Metadata, Error> {
        let expected = if self.tenants.is_empty() { self.issuer.clone() } else { "https://login.microsoftonline.com/{tenantid}/v2.0".to_owned() };
        Metadata::read(body, &expected)
    }

    /// What the browser asks for there.
    pub fn request(&self, redirect_uri: &str, state: &str, kept: &Kept) -> Vec<(String, String)> {
        let mut fields = vec![
            ("response_type", "code".to_owned()),
            ("client_id", self.client_id.clone()),
            ("redirect_uri", redirect_uri.to_owned()),
            ("scope", self.scopes.join(" ")),
            ("state", state.to_owned()),
            ("nonce", kept.nonce.clone()),
            ("code_challenge", kept.challenge()),
            ("code_challenge_method", "S256".to_owned()),
        ];
        if self.posts() {
            fields.push(("response_mode", "form_post".to_owned()));
        }
        if kept.anew {
            fields.push(("prompt", "login".to_owned()));
            fields.push(("max_age", "0".to_owned()));
        }
        fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// The code of an answer, if it is one, and from this provider (RFC 9207 §2.4).
    pub fn read_return<'a>(&self, metadata: &Metadata, returned: &'a Returned) -> Result<&'a str, Error> {
        match &returned.iss {
            Some(iss) if *iss != metadata.issuer && !self.is_one_of_many(iss) => return Err(refused("the answer is from another issuer (RFC 9207)")),
            None if metadata.authorization_response_iss_parameter_supported => return Err(refused("the answer does not say whom it is from (RFC 9207)")),
            _ => {}
        }
        if let Some(error) = &returned.error {
            return Err(refused(format!("the provider answered `{}`", printable(error))));
        }
        returned.code.as_deref().filter(|code| !code.is_empty() && code.len() <= 4_096).ok_or_else(|| refused("the answer has no code"))
    }

    /// Hands the request over beforehand (RFC 9126).
    pub fn push(
        &self,
        endpoint: &str,
        metadata: &Metadata,
        fields: Vec<(String, String)>,
        kept: &Kept,
        ours: &TokenKeys,
        now: Timestamp,
    ) -> Result<Call, Error> {
        let form = fields.into_iter().map(|(name, value)| (name, Secret::new(value))).collect();
        self.authenticated(endpoint, metadata, form, kept, ours, now)
    }

    /// Exchanges a code.
    pub fn redeem(&self, metadata: &Metadata, code: &str, redirect_uri: &str, kept: &Kept, ours: &TokenKeys, now: Timestamp) -> Result<Call, Error> {
        let form = [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", redirect_uri), ("code_verifier", &kept.verifier)];
        let form = form.into_iter().map(|(name, value)| (name.to_owned(), Secret::new(value.to_owned()))).collect();
        self.authenticated(&metadata.token_endpoint, metadata, form, kept, ours, now)
    }

    fn authenticated(
        &self,
        url: &str,
        metadata: &Metadata,
        mut form: Vec<(String, Secret<String>)>,
        kept: &Kept,
        ours: &TokenKeys,
        now: Timestamp,
    ) -> Result<Call, Error> {
        let mut add = |name: &str, value: String| form.push((name.to_owned(), Secret::new(value)));
        let (iat, exp) = (now.secs(), now.secs() + STATEMENT);
        let basic = match &self.auth {
            Auth::Basic(secret) => Some((form_encoded(&self.client_id), Secret::new(form_encoded(secret.open())))),
            Auth::Post(secret) => {
                add("client_id", self.client_id.clone());
                add("client_secret", secret.open().clone());
                None
            }
            Auth::None => {
                add("client_id", self.client_id.clone());
                None
            }
            Auth::Signed => {
                // RFC 7523 §3: who says it, about whom, to whom, until when, once. The issuer is the audience that cannot be mixed up.
                let once = BASE64.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, format!("{url} {}", kept.verifier).as_bytes()));
                let claims = json!({"iss": self.client_id, "sub": self.client_id, "aud": metadata.issuer, "iat": iat, "exp": exp, "jti": once});
                let algorithm = if ours.can_sign(Algorithm::Es256) { Algorithm::Es256 } else { Algorithm::EdDsa };
                add("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer".to_owned());
                add("client_assertion", ours.sign_as(algorithm, "JWT", &claims, now)?);
                None
            }
            Auth::SignedSecret { team, key_id, key } => {
                let claims = json!({"iss": team, "sub": self.client_id, "aud": self.issuer, "iat": iat, "exp": exp});
                add("client_id", self.client_id.clone());
                add("client_secret", signed(key, key_id, &claims)?);
                None
            }
        };
        Ok(Call { basic, ..Call::post(url, form) })
    }

    /// Where more is told about a person, where the ID token does not say enough and the provider has such a place.
    pub fn more(&self, metadata: &Metadata, claims: &Map<String, Value>, tokens: &Tokens) -> Option<Call> {
        let names = &self.people.claims;
        let enough = text(claims, names.email()).is_some()
            && text(claims, names.name()).is_some()
            && (self.people.groups.is_empty() || claims.contains_key(names.groups()));
        let endpoint = metadata.userinfo_endpoint.as_deref().filter(|_| !enough)?;
        tokens.access_token.as_ref().map(|token| Call::get(endpoint).bearer(&Secret::new(token.clone())))
    }

    /// Adds what the user-info endpoint says, if it is about the same person (Core §5.3.2).
    pub fn add(&self, claims: &mut Map<String, Value>, more: &[u8]) -> Result<(), Error> {
        let more: Map<String, Value> = serde_json::from_slice(more).map_err(|_| refused("what the provider tells of the person is not JSON"))?;
        if text(&more, "sub") != text(claims, "sub") {
            return Err(refused("the provider tells of another person than the ID token"));
        }
        for (name, value) in more {
            claims.entry(name).or_insert(value);
        }
        Ok(())
    }

    /// Who the claims are about. `said` is what the browser brought along, which nobody has signed: a name at most.
    pub fn arrive(&self, mut claims: Map<String, Value>, said: Option<&str>, now: Timestamp) -> Result<Arrival, Error> {
        let subject = text(&claims, "sub").ok_or_else(|| refused("the ID token names nobody"))?.to_owned();
        // A subject of one directory may be called like one of another.
        let subject = match text(&claims, "tid").filter(|_| !self.tenants.is_empty()) {
            Some(tid) => format!("{tid}/{subject}"),
            None => subject,
        };
        if let Some(name) = said.and_then(said_name) {
            claims.entry("name").or_insert(Value::String(name));
        }
        let amr: Vec<&str> = claims.get("amr").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        let strength = self.strength.of(text(&claims, "acr"), &amr);
        let auth_time = claims.get("auth_time").and_then(Value::as_i64).map_or(now, |at| Timestamp::from_secs(at).min(now));
        arrival(&claims, &self.people, subject, strength, auth_time)
    }

    fn is_one_of_many(&self, issuer: &str) -> bool {
        self.tenants.iter().any(|tenant| directory_issuer(tenant) == issuer)
    }
}

/// The tokens in the answer of a token endpoint, or why there are none.
pub fn read_tokens(body: &[u8]) -> Result<Tokens, Error> {
    let answer: Map<String, Value> = serde_json::from_slice(body).map_err(|_| refused("the token endpoint's answer is not JSON"))?;
    // Some say what is wrong with status 200.
    if let Some(error) = text(&answer, "error") {
        return Err(refused(format!("the token endpoint answered `{}`", printable(error))));
    }
    serde_json::from_value(Value::Object(answer)).map_err(|_| refused("the token endpoint's answer has tokens of another shape"))
}

impl Tokens {
    /// The ID token, unchecked.
    pub fn id_token(&self) -> Option<&str> {
        self.id_token.as_deref()
    }

    /// The access token.
    pub fn access(&self) -> Option<Secret<String>> {
        self.access_token.clone().filter(|token| !token.is_empty()).map(Secret::new)
    }
}

/// An error code of a provider, cut to what RFC 6749 §4.1.2.1 allows it to be.
pub(super) fn printable(code: &str) -> String {
    code.chars().filter(|c| c.is_ascii_graphic()).take(64).collect()
}

fn is_directory(tenant: &str) -> bool {
    tenant.len() == 36 && tenant.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
}

fn directory_issuer(tenant: &str) -> String {
    format!("https://login.microsoftonline.com/{tenant}/v2.0")
}

/// The name that Apple posts beside the code.
fn said_name(user: &str) -> Option<String> {
    let user: Value = serde_json::from_str(user).ok()?;
    let part = |name: &str| user.get("name")?.get(name)?.as_str().map(str::to_owned);
    let whole = [part("firstName"), part("lastName")].into_iter().flatten().collect::<Vec<_>>().join(" ");
    (!whole.is_empty()).then_some(whole)
}

/// A statement signed with somebody's own key.
fn signed(key: &SigningKey, key_id: &str, claims: &Value) -> Result<String, Error> {
    let header = json!({"alg": key.algorithm().as_str(), "kid": key_id});
    let text = format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(claims.to_string()));
    let signature = BASE64.encode(key.sign(text.as_bytes())?);
    Ok(format!("{text}.{signature}"))
}

/// The P-256 key in a PEM file of PKCS#8.
fn p256_of_pem(pem: &str) -> Option<SigningKey> {
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).map(str::trim).collect();
    let der = zeroize::Zeroizing::new(base64::engine::general_purpose::STANDARD.decode(body).ok()?);
    let pair = aws_lc_rs::signature::EcdsaKeyPair::from_pkcs8(&aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED_SIGNING, &der).ok()?;
    let scalar: aws_lc_rs::encoding::EcPrivateKeyBin<'_> = aws_lc_rs::encoding::AsBigEndian::as_be_bytes(&pair.private_key()).ok()?;
    SigningKey::restore(Algorithm::Es256, scalar.as_ref()).ok()
}
