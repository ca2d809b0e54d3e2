//! Is a token what it says, from whom it says, for us, and of this moment?

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use serde_json::{Map, Value};
use tutela_core::Timestamp;

use super::{Kept, OpenidProvider, Tokens, directory_issuer};
use crate::{
    Error,
    federation::{Metadata, refused, text},
    jwt::{JwkSet, Unverified},
    oauth::words,
};

/// Seconds that a provider's clock may differ from ours.
const SKEW: i64 = 60;
/// Oldest ID token that is taken as the answer to a sign-in that has just happened, in seconds.
const OLDEST: i64 = 600;

/// Who holds an access token of an outside issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessHolder {
    /// What the issuer calls them.
    pub subject: String,
    /// What the token is for.
    pub scopes: Vec<String>,
    /// The client it was made for, as the issuer calls it.
    pub client: Option<String>,
}

impl OpenidProvider {
    /// Checks the ID token (OpenID Connect Core §3.1.3.7) and gives its claims.
    pub fn check(&self, metadata: &Metadata, keys: &JwkSet, tokens: &Tokens, kept: &Kept, now: Timestamp) -> Result<Map<String, Value>, Error> {
        let token = tokens.id_token.as_deref().ok_or_else(|| refused("there is no ID token in the answer"))?;
        let read = Unverified::parse(token).map_err(|e| refused(e.to_string()))?;
        if read.token_type().is_some_and(|kind| !kind.eq_ignore_ascii_case("jwt")) {
            return Err(refused("the ID token is a token of another type"));
        }
        let claims = read.verify(keys, &self.algorithms).map_err(|e| refused(format!("the ID token: {e}")))?;
        let issuer = text(&claims, "iss").ok_or_else(|| refused("the ID token names no issuer"))?;
        if issuer != metadata.issuer && !self.is_one_of_many(issuer) {
            return Err(refused("the ID token is from another issuer"));
        }
        if !self.tenants.is_empty() && text(&claims, "tid").is_none_or(|tid| issuer != directory_issuer(tid)) {
            return Err(refused("the ID token's directory is not that of its issuer"));
        }
        check_audience(&claims, &self.client_id)?;
        let number = |name: &str| claims.get(name).and_then(Value::as_i64);
        let (expires, issued) =
            (number("exp").ok_or_else(|| refused("the ID token has no `exp`"))?, number("iat").ok_or_else(|| refused("the ID token has no `iat`"))?);
        if now.secs() >= expires.saturating_add(SKEW) || issued > now.secs() + SKEW || issued < now.secs() - OLDEST {
            return Err(refused("the ID token has expired, is too old, or is from the future"));
        }
        if number("nbf").is_some_and(|from| from > now.secs() + SKEW) {
            return Err(refused("the ID token is not valid yet"));
        }
        if text(&claims, "nonce") != Some(kept.nonce.as_str()) {
            return Err(refused("the ID token answers another request (nonce)"));
        }
        if let (Some(said), Some(access)) = (text(&claims, "at_hash"), &tokens.access_token)
            && !half_hashes(access).iter().any(|hash| hash == said)
        {
            return Err(refused("the access token is not the ID token's (at_hash)"));
        }
        if kept.anew && number("auth_time").is_none_or(|at| at < issued - SKEW - OLDEST || at > now.secs() + SKEW) {
            return Err(refused("the provider does not say that the person proved anew who they are (auth_time)"));
        }
        Ok(claims)
    }

    /// Who holds an access token of this provider for `api_audience` (RFC 9068, and what providers did before it).
    pub fn check_access(&self, metadata: &Metadata, keys: &JwkSet, token: &str, now: Timestamp) -> Result<AccessHolder, Error> {
        let audience = self.api_audience.as_deref().ok_or_else(|| refused("no `api_audience` is set for this provider"))?;
        let read = Unverified::parse(token).map_err(|e| refused(e.to_string()))?;
        if read.token_type().is_some_and(|kind| !["jwt", "at+jwt", "application/at+jwt"].contains(&kind.to_ascii_lowercase().as_str())) {
            return Err(refused("the access token is a token of another type"));
        }
        let claims = read.verify(keys, &self.algorithms).map_err(|e| refused(format!("the access token: {e}")))?;
        if text(&claims, "iss") != Some(metadata.issuer.as_str()) {
            return Err(refused("the access token is from another issuer"));
        }
        let for_us = match claims.get("aud") {
            Some(Value::String(one)) => one == audience,
            Some(Value::Array(all)) => all.iter().any(|one| one == audience),
            _ => false,
        };
        if !for_us || claims.contains_key("nonce") || claims.contains_key("events") {
            return Err(refused("the access token is for somebody else, or is no access token"));
        }
        let number = |name: &str| claims.get(name).and_then(Value::as_i64);
        let expires = number("exp").ok_or_else(|| refused("the access token has no `exp`"))?;
        let early = |name: &str| number(name).is_some_and(|at| at > now.secs() + SKEW);
        if now.secs() >= expires || early("iat") || early("nbf") {
            return Err(refused("the access token has expired, or is not valid yet"));
        }
        let subject = text(&claims, "sub").filter(|sub| !sub.is_empty()).ok_or_else(|| refused("the access token has no `sub`"))?.to_owned();
        // `scope` is words between spaces (RFC 8693 §4.2); some say `scp`, and some of those a list.
        let scopes = match claims.get("scope").or_else(|| claims.get("scp")) {
            Some(Value::String(text)) => words(text).map(str::to_owned).collect(),
            Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => Vec::new(),
        };
        let client = ["client_id", "azp", "cid", "appid"].iter().find_map(|name| text(&claims, name)).map(str::to_owned);
        Ok(AccessHolder { subject, scopes, client })
    }

    /// Whose session ended there, by a logout token (OpenID Connect Back-Channel Logout 1.0 §2.6): subject, session, and
    /// the token's own id, which is taken once.
    pub fn check_logout(&self, metadata: &Metadata, keys: &JwkSet, token: &str, now: Timestamp) -> Result<(Option<String>, Option<String>, String), Error> {
        let read = Unverified::parse(token).map_err(|e| refused(e.to_string()))?;
        if read.token_type().is_some_and(|kind| !kind.eq_ignore_ascii_case("logout+jwt") && !kind.eq_ignore_ascii_case("jwt")) {
            return Err(refused("the logout token is a token of another type"));
        }
        let claims = read.verify(keys, &self.algorithms).map_err(|e| refused(format!("the logout token: {e}")))?;
        if text(&claims, "iss") != Some(metadata.issuer.as_str()) {
            return Err(refused("the logout token is from another issuer"));
        }
        check_audience(&claims, &self.client_id)?;
        let number = |name: &str| claims.get(name).and_then(Value::as_i64);
        let issued = number("iat").ok_or_else(|| refused("the logout token has no `iat`"))?;
        if issued > now.secs() + SKEW || issued < now.secs() - OLDEST || number("exp").is_some_and(|at| now.secs() >= at.saturating_add(SKEW)) {
            return Err(refused("the logout token has expired, is too old, or is from the future"));
        }
        let event = claims.get("events").and_then(|events| events.get("http://schemas.openid.net/event/backchannel-logout"));
        if !event.is_some_and(Value::is_object) || claims.contains_key("nonce") {
            return Err(refused("the logout token is an ID token, or says something else"));
        }
        let (subject, session) = (text(&claims, "sub").map(str::to_owned), text(&claims, "sid").map(str::to_owned));
        if subject.is_none() && session.is_none() {
            return Err(refused("the logout token names neither a person nor a session"));
        }
        let id = text(&claims, "jti").ok_or_else(|| refused("the logout token has no `jti`"))?.to_owned();
        Ok((subject, session, id))
    }
}

fn check_audience(claims: &Map<String, Value>, client_id: &str) -> Result<(), Error> {
    let (for_us, alone) = match claims.get("aud") {
        Some(Value::String(one)) => (one == client_id, true),
        Some(Value::Array(all)) => (all.iter().any(|one| one == client_id), all.len() == 1),
        _ => (false, false),
    };
    // Core §3.1.3.7: others may stand there only beside a word that it was made for us.
    let party = text(claims, "azp");
    if !for_us || party.is_some_and(|party| party != client_id) || (!alone && party.is_none()) {
        return Err(refused("the token is for somebody else"));
    }
    Ok(())
}

/// The left half of a token's hash (Core §3.1.3.6), for each hash that a signature may go with.
fn half_hashes(token: &str) -> [String; 3] {
    [&aws_lc_rs::digest::SHA256, &aws_lc_rs::digest::SHA384, &aws_lc_rs::digest::SHA512].map(|with| {
        let whole = aws_lc_rs::digest::digest(with, token.as_bytes());
        BASE64.encode(whole.as_ref().get(..whole.as_ref().len() / 2).unwrap_or_default())
    })
}
