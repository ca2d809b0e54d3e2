//! The language: lines to words, words to directives, and their parts.
//!
//! Nothing here knows what a rule does; `ruleset` puts together what is read here.

mod action;
mod directive;
mod target;
mod words;

pub(crate) use action::{Action, Allow, Control, Disruption, SetValue, SetVar, read_actions};
pub use directive::Switch;
pub(crate) use directive::{Directive, Id, RawRule, Which, read_directive};
pub(crate) use target::{Kind, Pick, Target, read_targets};
pub(crate) use words::{Line, lines};
