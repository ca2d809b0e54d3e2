use axum::{
    Json,
    extract::{FromRequest, Request},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use tutela_api::{Item, Items};
use tutela_app::Error;
use tutela_core::ErrorKind;

use crate::{
    idempotency::MAX_BODY,
    problem::{Answer, Failure, problem_of},
};

/// A JSON body that is one item, or an array of items each of which is answered for itself.
pub(crate) enum Posted<T> {
    Many(Vec<Result<T, Failure>>),
    One(T),
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Posted<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        let json = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).is_some_and(|v| v.starts_with("application/json"));
        if !json {
            return Err(Failure::new(ErrorKind::Invalid, "send the body as `Content-Type: application/json`"));
        }
        let too_long = |_| Failure::new(ErrorKind::Invalid, "the request's body is larger than 16 MiB or ended early");
        let bytes = axum::body::to_bytes(request.into_body(), MAX_BODY).await.map_err(too_long)?;
        let unfit = |e: serde_json::Error| Failure::new(ErrorKind::Invalid, format!("the body does not fit: {e}"));
        if bytes.iter().find(|b| !b.is_ascii_whitespace()) != Some(&b'[') {
            return serde_json::from_slice(&bytes).map(Self::One).map_err(unfit);
        }
        let items: Vec<&RawValue> = serde_json::from_slice(&bytes).map_err(unfit)?;
        Ok(Self::Many(items.into_iter().map(|item| serde_json::from_str(item.get()).map_err(unfit)).collect()))
    }
}

impl<T> Posted<T> {
    /// Runs the use case on what could be read and answers each item in its place.
    pub(crate) async fn answer<R, Fut>(self, run: impl FnOnce(Vec<T>) -> Fut) -> Answer<Response>
    where
        R: Serialize,
        Fut: Future<Output = Result<Vec<Result<R, Error>>, Error>>,
    {
        match self {
            Self::One(item) => {
                let answer = run(vec![item]).await?.pop().ok_or_else(|| Failure::new(ErrorKind::Internal, "one item had no answer"))?;
                Ok(Json(answer?).into_response())
            }
            Self::Many(items) => {
                let (mut good, mut places) = (Vec::with_capacity(items.len()), Vec::with_capacity(items.len()));
                for item in items {
                    places.push(item.map(|item| good.push(item)));
                }
                let mut answers = run(good).await?.into_iter();
                let results = places.into_iter().map(|place| match place {
                    Err(Failure(problem, ..)) => Item { status: problem.status, answer: None, problem: Some(problem) },
                    Ok(()) => match answers.next() {
                        Some(Ok(answer)) => Item { status: StatusCode::OK.as_u16(), answer: Some(answer), problem: None },
                        Some(Err(e)) => {
                            let problem = problem_of(&e);
                            Item { status: problem.status, answer: None, problem: Some(problem) }
                        }
                        None => Item { status: 500, answer: None, problem: None },
                    },
                });
                Ok(Json(Items { results: results.collect() }).into_response())
            }
        }
    }
}
