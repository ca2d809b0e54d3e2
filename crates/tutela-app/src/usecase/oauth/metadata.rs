//! What this server says of itself (OpenID Connect Discovery 1.0 §3, RFC 8414 §2).

use serde_json::{Value, json};
use tutela_identity::{
    Algorithm,
    oauth::{GrantKind, SCOPES},
};

use crate::App;

/// The document; both addresses give the same.
pub fn metadata(app: &App) -> Value {
    let issuer = &app.urls.public;
    let algorithms = Algorithm::OURS.map(Algorithm::as_str);
    let methods = ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"];
    let confidential = &methods[..3];
    let statements = Algorithm::ALL.map(Algorithm::as_str);
    json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/oauth/authorize"),
        "token_endpoint": format!("{issuer}/oauth/token"),
        "userinfo_endpoint": format!("{issuer}/oauth/userinfo"),
        "introspection_endpoint": format!("{issuer}/oauth/introspect"),
        "revocation_endpoint": format!("{issuer}/oauth/revoke"),
        "end_session_endpoint": format!("{issuer}/oauth/logout"),
        "jwks_uri": format!("{issuer}/.well-known/jwks.json"),
        "scopes_supported": SCOPES,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": GrantKind::ALL.map(GrantKind::as_str),
        "subject_types_supported": ["public"],
        "acr_values_supported": ["aal1", "aal2", "aal3"],
        "id_token_signing_alg_values_supported": algorithms,
        "token_endpoint_auth_methods_supported": methods,
        "token_endpoint_auth_signing_alg_values_supported": statements,
        "introspection_endpoint_auth_methods_supported": confidential,
        "introspection_endpoint_auth_signing_alg_values_supported": statements,
        "revocation_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_signing_alg_values_supported": statements,
        "code_challenge_methods_supported": ["S256"],
        "claims_supported": [
            "iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "azp", "sid",
            "name", "email", "email_verified", "phone_number", "phone_number_verified", "groups", "roles"
        ],
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "authorization_response_iss_parameter_supported": true,
        "backchannel_logout_supported": true,
        "backchannel_logout_session_supported": true,
        "claims_parameter_supported": false,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
    })
}
