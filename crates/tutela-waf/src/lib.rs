//! A web application firewall's engine: rules of the SecLang language, a request in pieces, a verdict out.
//!
//! It owns the language, transformations, operators, the reading of bodies and the verdict. It never touches a socket,
//! a file or a clock: rules come through [`Files`], time through what the caller says, and everything that grows from
//! outside has a limit. Bytes are bytes everywhere; expressions run in linear time; collections keep their order.
//! Start with [`RuleSet::load`], then a [`Transaction`] for each request.

mod body;
mod build;
mod error;
mod exclusion;
pub mod ftw;
mod gate;
mod operator;
mod pipeline;
mod regex;
mod ruleset;
mod seclang;
mod settings;
mod text;
mod transaction;
mod transform;
mod value;
mod variable;

pub use error::{Error, Place};
pub use exclusion::Exclusion;
pub use operator::Files;
pub use ruleset::{RuleSet, Source};
pub use seclang::Switch;
pub use settings::{OnLimit, Settings};
pub use transaction::{Budget, Connection, Finding, Mark, Matched, Report, Spent, Transaction, Verdict};
pub use variable::Variable;
