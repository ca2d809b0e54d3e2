//! OpenID Connect, and for whoever asks no more than OAuth 2.0 the same without an ID token.

use aws_lc_rs::digest::{SHA256, digest};
use axum::{
    Form, Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Redirect, Response},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::{CLIENT_ID, Fields, PEOPLE, Person, Shared, keys::word, now, person as chosen_person, refused};

/// What a code stands for.
pub(crate) struct Granted {
    person: &'static Person,
    redirect_uri: String,
    challenge: String,
    nonce: Option<String>,
    openid: bool,
}

pub(crate) async fn metadata(State(directory): State<Shared>) -> Json<Value> {
    let own = &directory.config.own;
    Json(json!({
        "issuer": own,
        "authorization_endpoint": format!("{own}/authorize"),
        "token_endpoint": format!("{own}/token"),
        "userinfo_endpoint": format!("{own}/userinfo"),
        "jwks_uri": format!("{own}/jwks"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
    }))
}

pub(crate) async fn jwks(State(directory): State<Shared>) -> Json<Value> {
    Json(directory.keys.jwks())
}

/// Somebody has said who they are: back with a code.
pub(crate) async fn chosen(State(directory): State<Shared>, Form(fields): Form<Fields>) -> Response {
    let text = |name: &str| fields.get(name).cloned().unwrap_or_default();
    let (redirect_uri, challenge) = (text("redirect_uri"), text("code_challenge"));
    if text("client_id") != CLIENT_ID || !directory.config.redirect_uris.contains(&redirect_uri) || challenge.is_empty() {
        return refused("nobody is registered here who asks like that");
    }
    let Some(person) = chosen_person(&fields) else { return refused("nobody of this number works here") };
    let code = word();
    let openid = text("scope").split(' ').any(|scope| scope == "openid");
    let granted = Granted { person, redirect_uri: redirect_uri.clone(), challenge, nonce: fields.get("nonce").cloned(), openid };
    if let Ok(mut codes) = directory.codes.lock() {
        codes.insert(code.clone(), granted);
    }
    Redirect::to(&format!("{redirect_uri}?code={code}&state={}&iss={}", percent(&text("state")), percent(&directory.config.own))).into_response()
}

/// A code and its verifier against tokens.
pub(crate) async fn token(State(directory): State<Shared>, Form(fields): Form<Fields>) -> Response {
    let text = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
    let granted = directory.codes.lock().ok().and_then(|mut codes| codes.remove(text("code")));
    let fits = |granted: &Granted| {
        let hash = URL_SAFE_NO_PAD.encode(digest(&SHA256, text("code_verifier").as_bytes()));
        granted.redirect_uri == text("redirect_uri") && granted.challenge == hash
    };
    let Some(granted) = granted.filter(fits) else { return (StatusCode::BAD_REQUEST, Json(json!({"error": "invalid_grant"}))).into_response() };
    let own = &directory.config.own;
    let access = directory.keys.token(&json!({"iss": own, "sub": granted.person.id.to_string(), "aud": own, "exp": now() + 300}));
    let mut answer = json!({"access_token": access, "token_type": "Bearer", "expires_in": 300});
    if granted.openid {
        let mut claims = about(granted.person);
        claims["iss"] = json!(own);
        claims["aud"] = json!(CLIENT_ID);
        claims["nonce"] = json!(granted.nonce);
        (claims["iat"], claims["exp"], claims["auth_time"]) = (json!(now()), json!(now() + 300), json!(now()));
        answer["id_token"] = json!(directory.keys.token(&claims));
    }
    Json(answer).into_response()
}

/// Who the holder of a token is.
pub(crate) async fn person(State(directory): State<Shared>, headers: HeaderMap) -> Response {
    let token = headers.get("authorization").and_then(|v| v.to_str().ok()).and_then(|v| v.strip_prefix("Bearer ")).unwrap_or_default();
    let claims = token.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok()).and_then(|part| serde_json::from_slice::<Value>(&part).ok());
    let id = claims.as_ref().and_then(|claims| claims["sub"].as_str()?.parse::<u32>().ok());
    // Signatures are the same for the same text, so a token is ours if we would sign it so.
    let ours = claims.is_some_and(|claims| directory.keys.token(&claims) == token && claims["exp"].as_u64().is_some_and(|end| now() < end));
    match PEOPLE.iter().find(|one| Some(one.id) == id).filter(|_| ours) {
        Some(one) => Json(about(one)).into_response(),
        None => StatusCode::UNAUTHORIZED.into_response(),
    }
}

fn about(one: &Person) -> Value {
    json!({"sub": one.id.to_string(), "name": one.name, "email": one.email, "email_verified": true, "groups": [one.group]})
}

fn percent(text: &str) -> String {
    text.bytes().map(|b| if b.is_ascii_alphanumeric() || b"-._~".contains(&b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}
