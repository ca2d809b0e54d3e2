//! Rules, put together once and shared by every request.
//!
//! What a request needs is worked out beforehand: which rules a phase has, where a marker leads, which transformations begin alike, and what a value has to
//! hold before a rule is asked at all.

use std::{collections::HashMap, sync::Arc};

use crate::{
    build::Builder,
    error::{Error, Place},
    gate::{Gate, Scanner},
    operator::{Files, Operator},
    pipeline::{Node, Pipelines},
    seclang::{Control, Disruption, SetVar, Target},
    settings::Settings,
    text::Text,
    transform::UnicodeMap,
    variable::Variable,
};

/// Where rules come from.
#[derive(Debug, Clone, Copy)]
pub enum Source<'a> {
    /// A file, or several: `rules/*.conf`.
    File(&'a str),
    /// Rules in the program itself.
    Text {
        /// What errors call it; files that it names are looked for beside this.
        name: &'a str,
        /// The rules.
        text: &'a str,
    },
}

/// Rules that are ready to judge requests.
#[derive(Debug)]
pub struct RuleSet {
    pub(crate) rules: Vec<Rule>,
    /// Of each phase, the rules that are no links of a chain.
    pub(crate) phases: [Vec<u32>; 6],
    pub(crate) markers: HashMap<String, u32>,
    /// Of each tag, the rules that have it.
    pub(crate) tags: HashMap<String, Vec<u32>>,
    pub(crate) settings: Settings,
    pub(crate) pipelines: Pipelines,
    pub(crate) scanner: Scanner,
    pub(crate) unicode: Option<UnicodeMap>,
}

/// One rule, or a link of a chain.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub place: Place,
    /// The id of the first of a chain, for every link.
    pub id: u64,
    pub phase: u8,
    pub targets: Vec<Target>,
    /// None for `SecAction`.
    pub test: Option<Test>,
    /// Its transformations; each one's result by itself with `multiMatch`.
    pub pipeline: Node,
    pub stages: Vec<Node>,
    pub does: Does,
    /// Whether it is a link of a chain, and not its first.
    pub is_link: bool,
    /// The next link.
    pub chain: Option<u32>,
}

/// What is asked of each value.
#[derive(Debug, Clone)]
pub(crate) struct Test {
    pub operator: Operator,
    pub negated: bool,
    pub gate: Gate,
    /// As it was written, for whoever explains it.
    pub text: Arc<str>,
}

/// What happens when it matches.
#[derive(Debug, Clone, Default)]
pub(crate) struct Does {
    pub audit: bool,
    pub capture: bool,
    pub controls: Vec<Control>,
    pub disruption: Option<Disruption>,
    pub env: Vec<(Vec<u8>, Text)>,
    pub log: bool,
    pub log_data: Option<Text>,
    pub message: Option<Text>,
    pub multi: bool,
    pub set: Vec<SetVar>,
    pub severity: Option<u8>,
    pub skip: u32,
    pub skip_after: Option<String>,
    pub status: Option<u16>,
    pub tags: Vec<Text>,
}

impl RuleSet {
    /// Reads rules; the first thing that is not understood is an error with its file and line.
    pub fn load(sources: &[Source<'_>], files: &dyn Files) -> Result<Self, Error> {
        Builder::new(files).load(sources)
    }

    /// Compiles every expression now, so that no request waits for it; says which one is too large.
    pub fn warm(&self) -> Result<(), Error> {
        for rule in &self.rules {
            if let Some(regex) = rule.test.as_ref().and_then(|test| test.operator.regexes()) {
                regex.warm().map_err(|what| Error { place: rule.place.clone(), what })?;
            }
        }
        Ok(())
    }

    /// How many rules there are, chains counted once.
    pub fn len(&self) -> usize {
        self.phases.iter().map(Vec::len).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The settings of the files.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Rules with this tag, by number.
    pub(crate) fn tagged(&self, tag: &str) -> &[u32] {
        self.tags.get(tag).map_or(&[], Vec::as_slice)
    }

    /// Whether any rule looks at a variable.
    pub(crate) fn uses(&self, variable: Variable) -> bool {
        self.rules.iter().any(|rule| rule.targets.iter().any(|target| target.variable == variable))
    }

    /// The number of the first rule after a marker.
    pub(crate) fn after(&self, marker: &str) -> u32 {
        self.markers.get(marker).copied().unwrap_or(u32::MAX)
    }
}
