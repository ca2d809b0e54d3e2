//! The only bridge from errors to HTTP: what a caller may read, and under which status.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use tutela_api::{FieldError, Problem};
use tutela_app::{Error, KeyError};
use tutela_core::ErrorKind;

/// An error on its way to the caller: its problem, after how many seconds to try again, and what sign-in would be enough.
pub(crate) struct Failure(pub Problem, pub Option<u64>, pub Option<String>);

/// What handlers of the API return.
pub(crate) type Answer<T> = Result<T, Failure>;

/// The status code of a kind.
pub(crate) fn status_of(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::Invalid => StatusCode::BAD_REQUEST,
        ErrorKind::Unauthenticated => StatusCode::UNAUTHORIZED,
        ErrorKind::Forbidden => StatusCode::FORBIDDEN,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::Conflict => StatusCode::CONFLICT,
        ErrorKind::RateLimited | ErrorKind::Exhausted => StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::Corrupt | ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn title_of(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Invalid => "The request is not valid",
        ErrorKind::Unauthenticated => "Sign-in or an API key is needed",
        ErrorKind::Forbidden => "This is not allowed",
        ErrorKind::NotFound => "There is no such thing",
        ErrorKind::Conflict => "It cannot be done as things are",
        ErrorKind::RateLimited => "Too many requests",
        ErrorKind::Exhausted => "A limit is used up",
        ErrorKind::Unavailable => "A part that is needed does not answer",
        ErrorKind::Corrupt => "Stored data does not verify",
        ErrorKind::Internal => "Something went wrong on our side",
    }
}

/// The problem of an error. What the caller may not read is logged here, once.
pub(crate) fn problem_of(error: &Error) -> Problem {
    let kind = error.kind();
    let hidden = matches!(kind, ErrorKind::Internal | ErrorKind::Corrupt | ErrorKind::Unavailable);
    if hidden {
        tracing::error!(kind = kind.as_str(), error = %error, "a request failed");
    }
    let detail = match kind {
        ErrorKind::Internal => "The error is in the server's log. Nothing was changed.".to_owned(),
        ErrorKind::Unavailable if matches!(error, Error::Key(KeyError::Expired { .. })) => error.to_string(),
        ErrorKind::Unavailable if matches!(error, Error::Key(e) if e.is_about_provider()) => {
            "The key provider does not answer, or refused; the reason is in the server's log. Nothing was changed; try again.".to_owned()
        }
        ErrorKind::Unavailable if matches!(error, Error::Cluster(_)) => {
            "The search cluster does not answer, or refused; the reason is in the server's log. The ledger itself still answers: leave out `via`.".to_owned()
        }
        ErrorKind::Unavailable => "Storage does not answer at the moment. Nothing was changed; try again.".to_owned(),
        _ => error.to_string(),
    };
    let errors = error.field().filter(|(field, _)| !field.is_empty()).map(|(field, message)| FieldError {
        field: field.to_owned(),
        message: message.to_owned(),
        at: error.at(),
    });
    let mut problem = make(kind, detail, errors.into_iter().collect());
    if kind == ErrorKind::Invalid {
        // It could be read, and a value in it cannot be used (RFC 9110 §15.5.21); what cannot be read is 400.
        problem.status = StatusCode::UNPROCESSABLE_ENTITY.as_u16();
    }
    problem
}

fn make(kind: ErrorKind, detail: String, errors: Vec<FieldError>) -> Problem {
    Problem {
        kind: format!("urn:tutela:problem:{}", kind.as_str()),
        title: title_of(kind).to_owned(),
        status: status_of(kind).as_u16(),
        detail: Some(detail),
        errors,
    }
}

impl Failure {
    /// A problem that has no use case behind it.
    pub(crate) fn new(kind: ErrorKind, detail: impl Into<String>) -> Self {
        Self(make(kind, detail.into(), Vec::new()), None, None)
    }

    /// A field that was read and cannot be used.
    pub(crate) fn field(field: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        let mut problem = make(ErrorKind::Invalid, message.clone(), vec![FieldError { field: field.to_owned(), message, at: None }]);
        problem.status = StatusCode::UNPROCESSABLE_ENTITY.as_u16();
        Self(problem, None, None)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let retry = match &error {
            Error::Busy(after) | Error::TooMany { after } => Some(after.as_secs()),
            _ => None,
        };
        // RFC 9470 §3.
        let enough = match &error {
            Error::NotFresh { acr, max_age, .. } => {
                Some(format!("Bearer realm=\"tutela\", error=\"insufficient_user_authentication\", acr_values=\"{acr}\", max_age=\"{max_age}\""))
            }
            _ => None,
        };
        Self(problem_of(&error), retry, enough)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self.0)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::UNAUTHORIZED {
            let text = self.2.as_deref().unwrap_or("Bearer realm=\"tutela\"");
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("Bearer")));
        }
        if let Some(seconds) = self.1 {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
