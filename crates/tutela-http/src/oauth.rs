//! What applications' servers and scripts call (OAuth 2.0, OpenID Connect): tokens, what they are worth, whom they are
//! about, and what this server says of itself. None of it reads a cookie, so every origin may call it.

use axum::{
    Form as Posted, Json, Router,
    extract::{State, rejection::FormRejection},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use tower_http::cors::{AllowOrigin, CorsLayer};
use tutela_api::OauthError;
use tutela_app::oauth::{self, Form, Told};
use tutela_identity::oauth::{Code, Refused};

use crate::{caller::Unnamed, page::jwks, web::Web};

type Pairs = Vec<(String, String)>;

/// The endpoints.
pub(crate) fn endpoints() -> Router<Web> {
    let cors = CorsLayer::new()
        .allow_origin(AllowOrigin::any())
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE])
        .expose_headers([header::WWW_AUTHENTICATE]);
    Router::new()
        .route("/oauth/token", post(token))
        .route("/oauth/introspect", post(introspect))
        .route("/oauth/revoke", post(revoke))
        .route("/oauth/userinfo", get(user_info).post(user_info))
        .route("/.well-known/openid-configuration", get(metadata))
        .route("/.well-known/oauth-authorization-server", get(metadata))
        .route("/.well-known/jwks.json", get(jwks))
        .layer(cors)
}

async fn token(State(web): State<Web>, Unnamed(ctx): Unnamed, headers: HeaderMap, posted: Result<Posted<Pairs>, FormRejection>) -> Response {
    let (authorization, form) = match read(&headers, posted) {
        Ok(found) => found,
        Err(refused) => return told(&headers, &refused),
    };
    match oauth::exchange(&web.app, &ctx, authorization, &form).await {
        Ok(tokens) => Json(tokens).into_response(),
        Err(e) => told(&headers, &e.told()),
    }
}

async fn introspect(State(web): State<Web>, Unnamed(ctx): Unnamed, headers: HeaderMap, posted: Result<Posted<Pairs>, FormRejection>) -> Response {
    let (authorization, form) = match read(&headers, posted) {
        Ok(found) => found,
        Err(refused) => return told(&headers, &refused),
    };
    match oauth::introspect(&web.app, &ctx, authorization, &form).await {
        Ok(found) => Json(found).into_response(),
        Err(e) => told(&headers, &e.told()),
    }
}

async fn revoke(State(web): State<Web>, Unnamed(ctx): Unnamed, headers: HeaderMap, posted: Result<Posted<Pairs>, FormRejection>) -> Response {
    let (authorization, form) = match read(&headers, posted) {
        Ok(found) => found,
        Err(refused) => return told(&headers, &refused),
    };
    match oauth::revoke(&web.app, &ctx, authorization, &form).await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(e) => told(&headers, &e.told()),
    }
}

/// Whom an access token is about; the token comes in the header (RFC 6750 §2.1).
async fn user_info(State(web): State<Web>, Unnamed(ctx): Unnamed, headers: HeaderMap) -> Response {
    let no = |challenge: &'static str| (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, challenge)]).into_response();
    let bearer = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok()).and_then(|v| v.split_once(' '));
    let Some((_, token)) = bearer.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")) else { return no("Bearer") };
    match oauth::person(&web.app, &ctx, token.trim()).await {
        Ok(Told::Claims(claims)) => Json(claims).into_response(),
        Ok(Told::NotForThis) => {
            let mut refused = no(r#"Bearer error="insufficient_scope", scope="openid""#);
            *refused.status_mut() = StatusCode::FORBIDDEN;
            refused
        }
        Ok(Told::NotGood) => no(r#"Bearer error="invalid_token", error_description="the token is not good, has ended, or is not for this""#),
        Err(e) => told(&headers, &e.told()),
    }
}

async fn metadata(State(web): State<Web>) -> Response {
    let mut response = Json(oauth::metadata(&web.app)).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    response
}

fn read(headers: &HeaderMap, posted: Result<Posted<Pairs>, FormRejection>) -> Result<(Option<&str>, Form), Refused> {
    let bad = |why: &str| Refused { code: Code::InvalidRequest, description: why.to_owned() };
    let authorization = headers.get(header::AUTHORIZATION).map(|v| v.to_str().map_err(|_| bad("the `Authorization` header is not text"))).transpose()?;
    let Posted(pairs) = posted.map_err(|_| bad("the body is a form, `application/x-www-form-urlencoded`"))?;
    Ok((authorization, Form::read(pairs)?))
}

/// An error as RFC 6749 §5.2 has it.
fn told(headers: &HeaderMap, refused: &Refused) -> Response {
    let status = match refused.code {
        Code::InvalidClient => StatusCode::UNAUTHORIZED,
        Code::TemporarilyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::BAD_REQUEST,
    };
    let body = OauthError { error: refused.code.as_str().to_owned(), error_description: refused.description.clone() };
    let mut response = (status, Json(body)).into_response();
    // Whoever tried it in the header is told how it is done there.
    if refused.code == Code::InvalidClient && headers.contains_key(header::AUTHORIZATION) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"tutela\""));
    }
    response
}
