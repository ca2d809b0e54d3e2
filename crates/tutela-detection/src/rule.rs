//! A rule as the engine runs it. Both spellings, the short form and Sigma, end here.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tutela_core::Span;

use crate::{
    event::Field,
    index,
    pred::{Comparison, Pred},
};

/// Highest number that something is counted to.
pub(crate) const MOST_COUNTED: u32 = 10_000;
/// Longest window.
pub(crate) const LONGEST_WINDOW: Span = Span::days(30);
/// Longest window of a rule that is decided in the commit of an offence.
pub const LONGEST_AT_ONCE: Span = Span::days(1);

/// One rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Its name, by which it is known: `brute_force_detection`.
    pub name: String,
    /// A fingerprint of what it says; another one means that its state begins anew.
    pub version: u64,
    /// What an alert of it is called.
    pub title: String,
    /// What it looks for, and what it may mistake.
    pub description: String,
    /// How grave what it finds is.
    pub level: Level,
    /// Who wrote it, where, under which licence; kept in every alert where others have written it.
    pub credit: Option<Credit>,
    /// Members whose values together say who or what is counted.
    pub key: Vec<Field>,
    /// What has to happen.
    pub(crate) op: Op,
    /// In which time.
    pub window: Span,
    /// How long the same key is silent after an alert; the window where nothing is said.
    pub suppress: Option<Span>,
    /// What happens then.
    pub actions: Vec<Action>,
    /// Whether it acts, tells, or only writes down what it would have done.
    pub mode: Mode,
    /// What it is tested with.
    pub tests: Vec<crate::test::Test>,
    /// The condition, as the short form writes it.
    pub condition: Option<String>,
    /// All of it, as YAML.
    pub text: String,
}

/// What has to happen for an alert.
#[derive(Debug, Clone)]
pub(crate) enum Op {
    /// Each event that fits.
    Each(Pred),
    /// So many of them in the window.
    Count(Pred, u32),
    /// So many different values of a member.
    Distinct(Pred, Field, u32),
    /// All of these, in any order.
    All(Vec<Step>),
    /// All of these, one after another.
    Sequence(Vec<Step>),
    /// Values that the key never had, once it has a history.
    First(Pred, Vec<Field>, History),
    /// Two places that nobody gets from one to the other in that time.
    Travel(Pred),
    /// An hour of the day at which the key is hardly ever there.
    RareHour(Pred, History),
    /// Far more of them in a window than in the windows before.
    Spike(Pred, u32),
    /// Signals whose weights together reach a sum.
    Risk(Vec<Signal>, u32),
}

/// A part of a rule that asks for several things.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    /// What it is called in alerts.
    pub name: String,
    pub pred: Pred,
    /// How often, in the window.
    pub count: u32,
    /// The members that say who, where they have other names than the rule's.
    pub key: Option<Vec<Field>>,
}

/// A part of a sum of risks.
#[derive(Debug, Clone)]
pub(crate) struct Signal {
    pub name: String,
    pub weight: u32,
    pub(crate) op: Op,
    /// An earlier signal that looks at the very same events.
    pub(crate) like: Option<usize>,
}

/// What a key has to have seen before anything is called new or rare for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct History {
    /// Known for so long …
    pub age: Span,
    /// … or seen so often.
    pub events: u32,
}

impl Default for History {
    fn default() -> Self {
        Self { age: Span::days(14), events: 20 }
    }
}

/// How grave it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// For the record.
    Informational,
    /// Worth a look when something else is wrong.
    Low,
    /// Worth a look.
    Medium,
    /// Act soon.
    High,
    /// Act now.
    Critical,
}

impl Level {
    /// From its word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Informational, Self::Low, Self::Medium, Self::High, Self::Critical].into_iter().find(|level| level.as_str() == word)
    }

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Informational => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// Who wrote a rule that is not ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credit {
    /// Author.
    pub author: String,
    /// The rule's id there, and where it is explained.
    pub source: String,
}

/// What follows an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Somebody is told.
    AlertAdmin,
    /// The address is refused.
    BlockIp,
    /// The client's keys stop working.
    DisableClient,
    /// The account waits for an administrator.
    LockAccount,
    /// The session ends.
    RevokeSession,
    /// All sessions of the account end.
    RevokeSessions,
    /// The next thing that matters asks for another proof.
    StepUp,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::AlertAdmin, Self::BlockIp, Self::DisableClient, Self::LockAccount, Self::RevokeSession, Self::RevokeSessions, Self::StepUp];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AlertAdmin => "alert_admin",
            Self::BlockIp => "block_ip",
            Self::DisableClient => "disable_client",
            Self::LockAccount => "lock_account",
            Self::RevokeSession => "revoke_session",
            Self::RevokeSessions => "revoke_sessions",
            Self::StepUp => "step_up",
        }
    }

    /// From its word.
    pub fn parse(word: &str) -> Result<Self, String> {
        let all = || Self::ALL.map(Self::as_str).join(", ");
        Self::ALL.into_iter().find(|action| action.as_str() == word).ok_or_else(|| format!("there is no action `{word}`; there are {}", all()))
    }
}

/// How far a rule goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// What it would have done is written down, and nobody is told.
    Shadow,
    /// Somebody is told.
    Alert,
    /// Somebody is told, and its actions are carried out.
    Act,
}

impl Mode {
    /// From its word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Shadow, Self::Alert, Self::Act].into_iter().find(|mode| mode.as_str() == word)
    }

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Shadow => "shadow",
            Self::Alert => "alert",
            Self::Act => "act",
        }
    }
}

impl Rule {
    /// How long the same key is silent after an alert.
    pub fn silence(&self) -> Span {
        self.suppress.unwrap_or(self.window)
    }

    /// Whether an event is one of those that it looks at.
    pub fn looks_at(&self, body: &Value) -> bool {
        self.op.looks_at(body)
    }

    /// What the commit of an offence can decide by itself: so many events of named types with one address.
    pub fn bounded(&self) -> Option<Bounded> {
        let Op::Count(pred, count) = &self.op else { return None };
        let [key] = self.key.as_slice() else { return None };
        let whole = match pred {
            Pred::Has(field, _) => field.name() == "type",
            _ => false,
        };
        let acts = self.mode == Mode::Act && self.actions.contains(&Action::BlockIp);
        let fits = whole && key.name() == "ip" && acts && *count <= 100 && self.window <= LONGEST_AT_ONCE;
        let types = index::asked(pred).remove("type")?.into_iter().collect();
        fits.then(|| Bounded { rule: self.name.clone(), types, count: *count, window: self.window })
    }
}

/// A rule that is decided in the commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounded {
    /// Its name.
    pub rule: String,
    /// Types of events that count.
    pub types: Vec<String>,
    /// How many are too many.
    pub count: u32,
    /// In which time.
    pub window: Span,
}

impl Op {
    /// Whether an event is one of those that this looks at.
    pub(crate) fn looks_at(&self, body: &Value) -> bool {
        match self {
            Self::Each(pred)
            | Self::Count(pred, _)
            | Self::Distinct(pred, ..)
            | Self::First(pred, ..)
            | Self::Travel(pred)
            | Self::RareHour(pred, _)
            | Self::Spike(pred, _) => pred.fits(body),
            Self::All(steps) | Self::Sequence(steps) => steps.iter().any(|step| step.pred.fits(body)),
            Self::Risk(signals, _) => signals.iter().any(|signal| signal.op.looks_at(body)),
        }
    }

    /// The members that say who, where the part that an event fits calls them by other names.
    pub(crate) fn key_of(&self, body: &Value) -> Option<&[Field]> {
        match self {
            Self::All(steps) | Self::Sequence(steps) => steps.iter().find(|step| step.pred.fits(body))?.key.as_deref(),
            _ => None,
        }
    }

    /// Whether an event that was not opened yet tells all that decides whether this looks at it.
    pub(crate) fn asks_only_what_is_clear(&self) -> bool {
        self.preds().into_iter().all(|pred| {
            let mut fields = Vec::new();
            pred.fields(&mut fields).is_some() && fields.into_iter().all(Field::is_clear)
        })
    }

    pub(crate) fn preds(&self) -> Vec<&Pred> {
        match self {
            Self::Each(pred)
            | Self::Count(pred, _)
            | Self::Distinct(pred, ..)
            | Self::First(pred, ..)
            | Self::Travel(pred)
            | Self::RareHour(pred, _)
            | Self::Spike(pred, _) => vec![pred],
            Self::All(steps) | Self::Sequence(steps) => steps.iter().map(|step| &step.pred).collect(),
            Self::Risk(signals, _) => signals.iter().flat_map(|signal| signal.op.preds()).collect(),
        }
    }
}

/// How many are at least meant: `> 5` is six.
pub(crate) fn at_least(comparison: Comparison, number: f64) -> Result<u32, String> {
    let least = match comparison {
        Comparison::More => number.floor() + 1.0,
        Comparison::AtLeast | Comparison::Equal => number.ceil(),
        Comparison::AtMost | Comparison::Less | Comparison::Other => {
            return Err(format!("`{}` would be true of silence; rules count up, with `>` or `>=`", comparison.sign()));
        }
    };
    if (1.0..=f64::from(MOST_COUNTED)).contains(&least) {
        Ok(least as u32)
    } else {
        Err(format!("`{number}` is out of range; something is counted up to {MOST_COUNTED}"))
    }
}
