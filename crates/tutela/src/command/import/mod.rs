//! Events written by others: a file, record by record, each as the JSON of a `NewEvent`.
//!
//! A file holds JSON lines, a JSON array, or CloudTrail's `{"Records": […]}`; several such one behind
//! the other are read, too. Only one record is held at a time, of at most [`MAX_RECORD`] bytes: a longer
//! one is named and skipped. What an event has no place for stays in its metadata, so that nothing of
//! a record is lost; metadata is sealed, so that nothing of it is readable by everybody either.

mod cloudtrail;
mod foreign;
mod input;
mod okta;
#[cfg(test)]
mod panther;
mod records;

use clap::ValueEnum;
use serde_json::Value;

pub use cloudtrail::cloudtrail;
pub use okta::okta;
pub use records::records;

/// Most bytes of one record; an event of the ledger is far smaller.
pub const MAX_RECORD: usize = 1024 * 1024;

/// How a file of events is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Records of AWS CloudTrail, as they lie in its bucket (unzipped) or as JSON lines
    Cloudtrail,
    /// Events as in POST /v1/events
    Jsonl,
    /// Events of the Okta System Log
    Okta,
}

impl Format {
    /// One record as the JSON of a new event.
    fn read(self, text: &[u8]) -> Result<Value, String> {
        if text.len() > MAX_RECORD {
            return Err(format!("a record has at most {MAX_RECORD} bytes"));
        }
        let record: Value = serde_json::from_slice(text).map_err(|e| format!("not JSON: {e}"))?;
        match self {
            Self::Cloudtrail => cloudtrail(&record),
            Self::Jsonl => Ok(record),
            Self::Okta => okta(&record),
        }
    }
}
