//! The request for a code (RFC 6749 §4.1.1, OpenID Connect Core §3.1.2.1).

use std::{collections::BTreeSet, time::Duration};

use serde::{Deserialize, Serialize};
use tutela_core::AuthStrength;

use super::{Code, GrantKind, Refused, Registration, refuse, words};

const LONGEST: usize = 1_024;

/// The fields of a request as they came; one that comes twice is refused before this (RFC 6749 §3.1).
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Raw {
    /// `response_type`.
    pub response_type: Option<String>,
    /// `response_mode`.
    pub response_mode: Option<String>,
    /// `client_id`.
    pub client_id: Option<String>,
    /// `redirect_uri`.
    pub redirect_uri: Option<String>,
    /// `scope`.
    pub scope: Option<String>,
    /// `state`.
    pub state: Option<String>,
    /// `nonce`.
    pub nonce: Option<String>,
    /// `code_challenge`.
    pub code_challenge: Option<String>,
    /// `code_challenge_method`.
    pub code_challenge_method: Option<String>,
    /// `prompt`.
    pub prompt: Option<String>,
    /// `max_age`.
    pub max_age: Option<String>,
    /// `acr_values`.
    pub acr_values: Option<String>,
    /// `login_hint`.
    pub login_hint: Option<String>,
    /// `id_token_hint`: who it has to be.
    pub id_token_hint: Option<String>,
    /// `resource` (RFC 8707).
    pub resource: Option<String>,
    /// `request`: not taken.
    pub request: Option<String>,
    /// `request_uri`: not taken.
    pub request_uri: Option<String>,
}

/// What a client may want of the person's sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Prompt {
    /// They are asked again what the client may learn.
    Consent,
    /// They sign in anew.
    Login,
    /// They are asked nothing.
    None,
    /// They may choose another account; here that is to sign in anew.
    SelectAccount,
}

/// A request that fits its client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authorize {
    /// The client, by its id.
    pub client_id: String,
    /// Where the answer goes, exactly as asked.
    pub redirect_uri: String,
    /// Comes back with the answer.
    pub state: Option<String>,
    /// What is asked for, of what the client may have.
    pub scopes: BTreeSet<String>,
    /// Comes back in the ID token.
    pub nonce: Option<String>,
    /// Hash of the verifier (RFC 7636 §4.2).
    pub challenge: String,
    /// Whom the access token is for.
    pub audience: Option<String>,
    /// What the client wants of the sign-in.
    pub prompts: BTreeSet<Prompt>,
    /// Oldest proof that is enough.
    pub max_age: Option<Duration>,
    /// Weakest sign-in that is enough.
    pub strength: AuthStrength,
    /// Mail address to begin with.
    pub login_hint: Option<String>,
}

/// What a checked request leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// It fits.
    Fits(Box<Authorize>),
    /// It does not, and the client is told so at its own address.
    Tell {
        /// Where.
        redirect_uri: String,
        /// With its own word.
        state: Option<String>,
        /// Why.
        refused: Refused,
    },
}

impl Authorize {
    /// Checks a request of a known client. `Err` is for the person's eyes: nobody is sent to an address that is not the
    /// client's own.
    pub fn check(raw: &Raw, client_id: &str, registration: &Registration) -> Result<Asked, Refused> {
        let invalid = |why: &str| refuse(Code::InvalidRequest, why);
        let asked = raw.redirect_uri.as_deref().ok_or_else(|| invalid("`redirect_uri` is missing"))?;
        if !registration.redirect_uris.iter().any(|uri| uri.is(asked)) {
            return Err(invalid("`redirect_uri` is not one that this client has registered; it has to be the same, character by character"));
        }
        let state = raw.state.clone().filter(|state| state.len() <= LONGEST);
        let fits = Self::fits(raw, client_id, asked, state.clone(), registration);
        Ok(match fits {
            Ok(request) => Asked::Fits(Box::new(request)),
            Err(refused) => Asked::Tell { redirect_uri: asked.to_owned(), state, refused },
        })
    }

    fn fits(raw: &Raw, client_id: &str, redirect_uri: &str, state: Option<String>, registration: &Registration) -> Result<Self, Refused> {
        let invalid = |why: &str| refuse(Code::InvalidRequest, why);
        if raw.request.is_some() {
            return Err(refuse(Code::RequestNotSupported, "send the request's own fields"));
        }
        if raw.request_uri.is_some() {
            return Err(refuse(Code::RequestUriNotSupported, "send the request's own fields"));
        }
        if !registration.grants.contains(&GrantKind::AuthorizationCode) {
            return Err(refuse(Code::UnauthorizedClient, "this client does not sign people in"));
        }
        match raw.response_type.as_deref() {
            Some("code") => {}
            None => return Err(invalid("`response_type` is missing; it is `code`")),
            Some(_) => return Err(refuse(Code::UnsupportedResponseType, "`response_type` is `code`")),
        }
        if raw.response_mode.as_deref().is_some_and(|mode| mode != "query") {
            return Err(invalid("`response_mode` is `query`"));
        }
        let challenge = match (raw.code_challenge.as_deref(), raw.code_challenge_method.as_deref()) {
            (Some(challenge), Some("S256")) if is_challenge(challenge) => challenge.to_owned(),
            (Some(_), Some("S256")) => return Err(invalid("`code_challenge` is the base64url of a SHA-256 (RFC 7636 §4.2)")),
            (Some(_), _) => return Err(invalid("`code_challenge_method` is `S256`; `plain` protects nobody (RFC 9700 §2.1.1)")),
            (None, _) => return Err(invalid("`code_challenge` is missing: every client proves with PKCE that the code is its own (RFC 9700 §2.1.1)")),
        };
        if raw.nonce.as_ref().is_some_and(|nonce| nonce.len() > LONGEST) || raw.state.as_ref().is_some_and(|state| state.len() > LONGEST) {
            return Err(invalid("`nonce` and `state` have at most 1,024 bytes"));
        }
        // Scopes that are not known, or not for this client, are left out, and the answer says which were given (RFC 6749 §3.3).
        let wanted = words(raw.scope.as_deref().unwrap_or_default());
        let mut scopes: BTreeSet<String> = wanted.filter(|scope| registration.scopes.contains(*scope)).map(str::to_owned).collect();
        if scopes.is_empty() {
            return Err(refuse(Code::InvalidScope, "none of these scopes is one that this client may have"));
        }
        if !registration.grants.contains(&GrantKind::RefreshToken) {
            scopes.remove("offline_access");
        }
        let audience = match raw.resource.as_deref() {
            None => registration.audiences.first().cloned(),
            Some(resource) if registration.audiences.iter().any(|known| known == resource) => Some(resource.to_owned()),
            Some(_) => return Err(refuse(Code::InvalidTarget, "`resource` is not one that this client may have tokens for")),
        };
        let prompts = prompts(raw.prompt.as_deref())?;
        let max_age = match raw.max_age.as_deref() {
            None => None,
            Some(text) => Some(Duration::from_secs(text.parse::<u32>().map_err(|_| invalid("`max_age` is a number of seconds"))?.into())),
        };
        // The weakest of those named is enough; what is not known here asks for nothing (Core §3.1.2.1: voluntary).
        let levels = words(raw.acr_values.as_deref().unwrap_or_default()).filter(|word| ["aal1", "aal2", "aal3"].contains(word));
        let strength = levels.map(AuthStrength::parse).min().unwrap_or(AuthStrength::Aal1);
        Ok(Self {
            client_id: client_id.to_owned(),
            redirect_uri: redirect_uri.to_owned(),
            state,
            scopes,
            nonce: raw.nonce.clone(),
            challenge,
            audience,
            prompts,
            max_age,
            strength,
            login_hint: raw.login_hint.clone().filter(|hint| hint.len() <= 254),
        })
    }

    /// Whether the person has to sign in anew, whatever session there is.
    pub fn wants_login(&self) -> bool {
        self.prompts.contains(&Prompt::Login) || self.prompts.contains(&Prompt::SelectAccount)
    }

    /// Whether nobody may be asked anything.
    pub fn is_silent(&self) -> bool {
        self.prompts.contains(&Prompt::None)
    }
}

fn is_challenge(text: &str) -> bool {
    text.len() == 43 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
}

fn prompts(text: Option<&str>) -> Result<BTreeSet<Prompt>, Refused> {
    let mut prompts = BTreeSet::new();
    for word in words(text.unwrap_or_default()) {
        prompts.insert(match word {
            "consent" => Prompt::Consent,
            "login" => Prompt::Login,
            "none" => Prompt::None,
            "select_account" => Prompt::SelectAccount,
            _ => return Err(refuse(Code::InvalidRequest, "`prompt` is `none`, `login`, `consent` or `select_account`")),
        });
    }
    if prompts.contains(&Prompt::None) && prompts.len() > 1 {
        return Err(refuse(Code::InvalidRequest, "`prompt=none` goes with no other (Core §3.1.2.1)"));
    }
    Ok(prompts)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{Algorithm, oauth::RedirectUri};

    pub(crate) fn registration() -> Registration {
        Registration {
            redirect_uris: vec![RedirectUri::parse("https://app.example.com/cb").unwrap()],
            post_logout_redirect_uris: Vec::new(),
            backchannel_logout_uri: None,
            grants: [GrantKind::AuthorizationCode].into(),
            confidential: true,
            jwks: None,
            scopes: ["openid", "email", "offline_access"].map(str::to_owned).into(),
            audiences: vec!["photos".into(), "https://api.example.com".into()],
            algorithm: Algorithm::Es256,
            asks_consent: true,
        }
    }

    fn good() -> Raw {
        Raw {
            response_type: Some("code".into()),
            client_id: Some("c".into()),
            redirect_uri: Some("https://app.example.com/cb".into()),
            scope: Some("openid email profile something".into()),
            state: Some("s".into()),
            nonce: Some("n".into()),
            code_challenge: Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM".into()),
            code_challenge_method: Some("S256".into()),
            ..Raw::default()
        }
    }

    fn refused(change: impl FnOnce(&mut Raw)) -> Code {
        let mut raw = good();
        change(&mut raw);
        match Authorize::check(&raw, "c", &registration()).unwrap() {
            Asked::Tell { refused, state, .. } => {
                assert_eq!(state, raw.state.filter(|state| state.len() <= LONGEST));
                refused.code
            }
            Asked::Fits(found) => panic!("taken: {found:?}"),
        }
    }

    #[test]
    fn a_good_request_has_what_its_client_may_have() {
        let Asked::Fits(found) = Authorize::check(&good(), "c", &registration()).unwrap() else { panic!() };
        assert_eq!(found.scopes, ["email", "openid"].map(str::to_owned).into());
        assert_eq!((found.audience.as_deref(), found.strength, found.wants_login()), (Some("photos"), AuthStrength::Aal1, false));
        let mut raw = good();
        (raw.acr_values, raw.max_age, raw.prompt) = (Some("urn:x aal2".into()), Some("60".into()), Some("login consent".into()));
        let Asked::Fits(found) = Authorize::check(&raw, "c", &registration()).unwrap() else { panic!() };
        assert_eq!((found.strength, found.max_age, found.wants_login(), found.is_silent()), (AuthStrength::Aal2, Some(Duration::from_secs(60)), true, false));
    }

    #[test]
    fn nobody_is_sent_to_an_address_that_is_not_the_clients_own() {
        for address in [None, Some("https://evil.example/cb"), Some("https://app.example.com/cb?x"), Some("")] {
            let raw = Raw { redirect_uri: address.map(str::to_owned), ..good() };
            assert!(Authorize::check(&raw, "c", &registration()).is_err(), "{address:?}");
        }
    }

    #[test]
    fn what_does_not_fit_is_told_to_the_client() {
        let text = |value: &str| Some(value.to_owned());
        assert_eq!(refused(|r| r.response_type = text("token")), Code::UnsupportedResponseType);
        assert_eq!(refused(|r| r.response_type = text("code id_token")), Code::UnsupportedResponseType);
        assert_eq!(refused(|r| r.response_type = None), Code::InvalidRequest);
        assert_eq!(refused(|r| r.response_mode = text("fragment")), Code::InvalidRequest);
        assert_eq!(refused(|r| r.code_challenge = None), Code::InvalidRequest);
        assert_eq!(refused(|r| r.code_challenge_method = text("plain")), Code::InvalidRequest);
        assert_eq!(refused(|r| r.code_challenge_method = None), Code::InvalidRequest);
        assert_eq!(refused(|r| r.code_challenge = text("short")), Code::InvalidRequest);
        assert_eq!(refused(|r| r.scope = text("profile")), Code::InvalidScope);
        assert_eq!(refused(|r| r.scope = None), Code::InvalidScope);
        assert_eq!(refused(|r| r.prompt = text("none login")), Code::InvalidRequest);
        assert_eq!(refused(|r| r.prompt = text("create")), Code::InvalidRequest);
        assert_eq!(refused(|r| r.max_age = text("-1")), Code::InvalidRequest);
        assert_eq!(refused(|r| r.resource = text("https://other.example")), Code::InvalidTarget);
        assert_eq!(refused(|r| r.request = text("eyJ")), Code::RequestNotSupported);
        assert_eq!(refused(|r| r.request_uri = text("https://evil.example")), Code::RequestUriNotSupported);
        assert_eq!(refused(|r| r.state = text(&"s".repeat(1_025))), Code::InvalidRequest);
    }
}
