//! The filter of breached passwords, as the configuration names it. Nothing leaves this host.

use std::{fs::File, path::PathBuf, sync::Mutex, time::SystemTime};

use tutela_core::Secret;
use tutela_identity::{
    Breached,
    password::breach::{BreachError, BreachList},
};

use crate::{Error, PasswordConfig};

/// Asks the filter, and takes up a new one when the file changes.
pub(crate) struct Breaches {
    path: Option<PathBuf>,
    required: bool,
    open: Mutex<Option<(SystemTime, BreachList<File>)>>,
}

impl Breaches {
    pub(crate) fn new(config: &PasswordConfig) -> Self {
        Self { path: config.breach_list.clone(), required: config.breach_list_required, open: Mutex::default() }
    }

    /// Whether the filter has `password`. Where it cannot be read, that is a refusal if the configuration says so.
    pub(crate) fn ask(&self, password: &Secret<String>) -> Result<Breached, Error> {
        let Some(path) = &self.path else { return Ok(Breached::Unknown) };
        match self.look_up(path, password) {
            Ok(true) => Ok(Breached::Listed),
            Ok(false) => Ok(Breached::Unlisted),
            Err(e) => {
                tracing::error!(file = %path.display(), error = %e, required = self.required, "the filter of breached passwords cannot be read");
                if self.required { Err(Error::BreachList) } else { Ok(Breached::Unknown) }
            }
        }
    }

    fn look_up(&self, path: &PathBuf, password: &Secret<String>) -> Result<bool, BreachError> {
        let changed = std::fs::metadata(path)?.modified()?;
        let mut open = self.open.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if open.as_ref().is_none_or(|(since, _)| *since != changed) {
            *open = Some((changed, BreachList::open(File::open(path)?)?));
        }
        open.as_ref().map_or(Ok(false), |(_, list)| list.contains(password))
    }
}
