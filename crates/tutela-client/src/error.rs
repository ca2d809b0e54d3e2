use tutela_api::Problem;
use tutela_core::ErrorKind;

/// Why a call did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No server listens on this socket.
    #[error("no tutela is running here: there is no socket at `{0}`. Start it with `tutela serve`, or name its data folder with `--data`")]
    NotRunning(String),
    /// The server refused, and says why.
    #[error("{}", text(.0))]
    Problem(Box<Problem>),
    /// The server does not answer.
    #[error("the server does not answer: {0}")]
    Unreachable(String),
    /// The answer is not what this version expects.
    #[error("the server's answer cannot be read: {0}")]
    Unreadable(String),
}

impl Error {
    /// The kind of failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NotRunning(_) | Self::Unreachable(_) => ErrorKind::Unavailable,
            Self::Unreadable(_) => ErrorKind::Internal,
            Self::Problem(problem) => match problem.status {
                401 => ErrorKind::Unauthenticated,
                403 => ErrorKind::Forbidden,
                404 => ErrorKind::NotFound,
                409 => ErrorKind::Conflict,
                429 => ErrorKind::RateLimited,
                503 => ErrorKind::Unavailable,
                status if status >= 500 => ErrorKind::Internal,
                _ => ErrorKind::Invalid,
            },
        }
    }
}

fn text(problem: &Problem) -> String {
    let detail = problem.detail.as_deref().unwrap_or(&problem.title);
    match problem.errors.first() {
        Some(error) => format!("`{}`: {}", error.field, error.message),
        None => detail.to_owned(),
    }
}

impl From<reqwest::Error> for Error {
    fn from(e: reqwest::Error) -> Self {
        let e = e.without_url();
        let mut text = e.to_string();
        let mut source = std::error::Error::source(&e);
        while let Some(inner) = source {
            text = format!("{text}: {inner}");
            source = inner.source();
        }
        Self::Unreachable(text)
    }
}
