//! What became of a request: the verdict, and everything that led to it.

use std::{fmt, sync::Arc};

use crate::{error::Place, variable::Variable};

/// Whether a request goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It does.
    Pass,
    /// It ends here.
    Refuse(Refusal),
}

/// Why and how a request ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Status of the answer.
    pub status: u16,
    /// The rule; none where a limit or the budget ended it.
    pub rule: Option<u64>,
    /// Where the client is sent instead.
    pub location: Option<Vec<u8>>,
    /// Whether the connection is closed without an answer.
    pub drop: bool,
}

/// A rule that matched and is logged.
#[derive(Debug, Clone)]
pub struct Finding {
    /// Id of the rule.
    pub rule: u64,
    /// Where the rule stands.
    pub place: Place,
    /// The phase, 1 to 5.
    pub phase: u8,
    /// `msg`, with what it names of the request.
    pub message: String,
    /// `logdata`, likewise; personal.
    pub data: String,
    /// `severity`, 0 (emergency) to 7.
    pub severity: Option<u8>,
    /// `tag`.
    pub tags: Vec<String>,
    /// What was asked of the last value, as the rule says it.
    pub test: Arc<str>,
    /// Every value that matched; personal.
    pub matched: Vec<Matched>,
    /// Whether the rule ends the request, or would.
    pub disruptive: bool,
    /// Whether it belongs into the audit log too.
    pub audit: bool,
}

/// A value that matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matched {
    /// The variable.
    pub variable: Variable,
    /// Its name within the collection.
    pub name: String,
    /// Its beginning, as the rule saw it; at most 256 bytes.
    pub value: Vec<u8>,
}

impl Matched {
    /// Where it was: `ARGS:id`, `REQUEST_URI`.
    pub fn place(&self) -> String {
        if self.name.is_empty() { self.variable.as_str().to_owned() } else { format!("{}:{}", self.variable.as_str(), self.name) }
    }
}

/// Why not all of a request was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mark {
    /// More arguments than `SecArgumentsLimit`.
    Arguments,
    /// The processor's time for it was used up.
    Budget,
    /// A body that cannot be read as what it says it is, and why.
    Body(String),
    /// A body longer than its limit.
    BodyLength,
    /// JSON or XML deeper than its limit.
    Depth,
    /// More uploads than their limit.
    Files,
    /// An answer longer than its limit.
    ResponseLength,
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Arguments => "more arguments than are inspected",
            Self::Budget => "the time for its inspection was used up",
            Self::Body(why) => return write!(f, "its body cannot be read: {why}"),
            Self::BodyLength => "its body is longer than is inspected",
            Self::Depth => "its body is deeper than is inspected",
            Self::Files => "more uploads than are inspected",
            Self::ResponseLength => "its answer is longer than is inspected",
        })
    }
}

/// Everything about a request that somebody may want to know afterwards.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Rules that matched, in the order in which they did.
    pub findings: Vec<Finding>,
    /// Why not all of it was looked at.
    pub marks: Vec<Mark>,
    /// How it ended, or would have.
    pub refusal: Option<Refusal>,
    /// Whether it did end so.
    pub enforced: bool,
    /// Numbers that rules have kept under names that end in `score`.
    pub scores: Vec<(String, i64)>,
    /// Whether the rules want it in the audit log, and which parts.
    pub audit: Option<String>,
}

/// What happens when the budget is used up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Spent {
    /// The request is refused with 503.
    #[default]
    Block,
    /// It goes on, with a mark.
    Pass,
}

/// How much of the processor's time a request may have.
pub trait Budget {
    /// Whether it is used up. Asked often; may answer from memory.
    fn is_spent(&mut self) -> bool;
}

impl<F: FnMut() -> bool> Budget for F {
    fn is_spent(&mut self) -> bool {
        self()
    }
}
