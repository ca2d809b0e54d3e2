use std::time::Duration;

use tutela_core::ErrorKind;

/// Why a use case refuses or fails. The text may be read by the caller unless the kind is `Internal`.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The principal lacks a permission.
    #[error("this needs the permission `{0}`")]
    Denied(&'static str),
    /// Nobody is signed in, or the key is not good.
    #[error("{0}")]
    Unauthenticated(&'static str),
    /// A field of the request is wrong.
    #[error("{message}")]
    Invalid {
        /// Which field.
        field: String,
        /// What is wrong and what would be right.
        message: String,
    },
    /// A query of the ledger is wrong.
    #[error("{message}")]
    Query {
        /// The first character it is about, counted from zero.
        at: usize,
        /// What is wrong and what would be right.
        message: String,
    },
    /// Not there, or not for this caller.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// It cannot be done as things are.
    #[error("{0}")]
    Conflict(String),
    /// The person has changed their mind at an outside provider.
    #[error("the sign-in was cancelled at the provider")]
    Cancelled {
        /// Where they wanted to go.
        to: String,
    },
    /// The filter of breached passwords is required and cannot be read.
    #[error("the list of breached passwords cannot be read, and this server is told to let nobody in without it")]
    BreachList,
    /// Too many at once.
    #[error("too many sign-ins at once; try again in {} seconds", .0.as_secs())]
    Busy(Duration),
    /// The person has to prove anew who they are.
    #[error("this needs a fresh sign-in; go through `{challenge}` and try again")]
    NotFresh {
        /// Where that is done.
        challenge: String,
        /// What has to be reached: `aal1`, `aal2` or `aal3`.
        acr: &'static str,
        /// How old the proof may be, in seconds.
        max_age: u64,
    },
    /// A right of data subjects that is switched off here.
    #[error("the right to {0} is switched off here: `privacy.data_subject_rights.{0}` is false")]
    RightOff(&'static str),
    /// A limit of attempts or messages is used up.
    #[error("too many attempts; try again in {} minutes", .after.as_secs().div_ceil(60))]
    TooMany {
        /// When there are attempts again.
        after: Duration,
    },
    /// From the search cluster.
    #[error(transparent)]
    Cluster(#[from] crate::port::ClusterError),
    /// From identity's rules.
    #[error(transparent)]
    Identity(tutela_identity::Error),
    /// A key cannot be had.
    #[error(transparent)]
    Key(#[from] crate::ring::KeyError),
    /// From the keys' rules.
    #[error(transparent)]
    Kms(tutela_kms::Error),
    /// From the ledger's rules.
    #[error(transparent)]
    Ledger(#[from] tutela_ledger::Error),
    /// From the store.
    #[error(transparent)]
    Store(#[from] tutela_store::Error),
    /// An outside provider does not answer, or says that it cannot.
    #[error("`{provider}` does not answer at the moment")]
    Provider {
        /// Its label.
        provider: String,
        /// Why, for the log.
        why: String,
    },
    /// The store in which limits are counted together does not answer.
    #[error("{0}")]
    SharedLimits(String),
    /// A part that had to run did not.
    #[error("{0}")]
    Internal(&'static str),
}

impl Error {
    /// The kind of failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Denied(_) | Self::RightOff(_) => ErrorKind::Forbidden,
            Self::Unauthenticated(_) => ErrorKind::Unauthenticated,
            Self::Invalid { .. } | Self::Query { .. } => ErrorKind::Invalid,
            Self::NotFound(_) => ErrorKind::NotFound,
            Self::Conflict(_) => ErrorKind::Conflict,
            Self::Busy(_) => ErrorKind::RateLimited,
            Self::BreachList | Self::Cluster(_) | Self::Provider { .. } | Self::SharedLimits(_) => ErrorKind::Unavailable,
            Self::TooMany { .. } => ErrorKind::RateLimited,
            Self::Cancelled { .. } | Self::NotFresh { .. } => ErrorKind::Unauthenticated,
            Self::Identity(e) => e.kind(),
            Self::Key(e) => e.kind(),
            Self::Kms(e) => e.kind(),
            Self::Ledger(e) => e.kind(),
            Self::Store(e) => e.kind(),
            Self::Internal(_) => ErrorKind::Internal,
        }
    }

    /// A refusal of one field.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid { field: field.into(), message: message.into() }
    }

    /// The field that was wrong, and what would be right.
    pub fn field(&self) -> Option<(&str, &str)> {
        match self {
            Self::Invalid { field, message } => Some((field, message)),
            Self::Query { message, .. } => Some(("q", message)),
            _ => None,
        }
    }
}

impl Error {
    /// Where in its field the mistake begins, in characters, where that is known.
    pub fn at(&self) -> Option<usize> {
        if let Self::Query { at, .. } = self { Some(*at) } else { None }
    }
}

impl From<tutela_identity::Error> for Error {
    fn from(e: tutela_identity::Error) -> Self {
        match e {
            tutela_identity::Error::Invalid { field, message } => Self::Invalid { field: field.to_owned(), message },
            other => Self::Identity(other),
        }
    }
}

impl From<tutela_kms::Error> for Error {
    fn from(e: tutela_kms::Error) -> Self {
        match e {
            tutela_kms::Error::Field { path, text } => Self::Invalid { field: path, message: text },
            tutela_kms::Error::Context(_) => Self::invalid("context", e.to_string()),
            tutela_kms::Error::Malformed(_) => Self::invalid("message", e.to_string()),
            tutela_kms::Error::UnknownAlgorithm(_) | tutela_kms::Error::NoStream(_) => Self::invalid("algorithm", e.to_string()),
            tutela_kms::Error::Transition(text) => Self::Conflict(text.to_owned()),
            other => Self::Kms(other),
        }
    }
}
