//! A data subject, as the command line names one.

use clap::Args;
use tutela_api::{ExternalId, SubjectRef};

/// A data subject.
#[derive(Args)]
#[group(required = true, multiple = true)]
pub struct Who {
    /// Account id
    #[arg(long, conflicts_with_all = ["namespace", "value"])]
    account: Option<String>,
    /// Whose identifier it is
    #[arg(long, requires = "value")]
    namespace: Option<String>,
    /// The identifier
    #[arg(long, requires = "namespace")]
    value: Option<String>,
}

impl From<Who> for SubjectRef {
    fn from(who: Who) -> Self {
        match who {
            Who { account: Some(id), .. } => Self::Account(id),
            Who { namespace, value, .. } => Self::External(ExternalId { namespace: namespace.unwrap_or_default(), value: value.unwrap_or_default() }),
        }
    }
}
