//! Metrics: names for events, so that rules read as people speak. They are data, and users add theirs.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_yaml_ng::Value;

use crate::{
    pred::Pred,
    rule::{History, Op, Signal},
    short::{OneOrMore, Reader, names},
    sigma,
};

/// Most signals of one sum.
pub(crate) const MOST_SIGNALS: usize = 16;

/// A name for events.
#[derive(Debug, Clone, Default)]
pub(crate) struct Metric {
    /// Types of events.
    pub events: Vec<String>,
    /// Which of them.
    pub filter: Option<Value>,
    /// The members that usually say who.
    pub key: Vec<String>,
    /// A sum of signals, in place of events.
    pub risk: Option<Risk>,
}

/// A sum of signals.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Risk {
    /// What it has to reach.
    pub threshold: u32,
    signals: Vec<WrittenSignal>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenSignal {
    name: String,
    weight: u32,
    condition: String,
}

/// A metric as it is written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WrittenMetric {
    /// For people.
    #[serde(default, rename = "sentence")]
    _sentence: String,
    #[serde(default)]
    events: Option<OneOrMore>,
    #[serde(default, rename = "where")]
    filter: Option<Value>,
    #[serde(default)]
    key: Option<OneOrMore>,
    #[serde(default)]
    risk: Option<Risk>,
}

/// All metrics by their names.
#[derive(Debug, Clone, Default)]
pub struct Metrics(BTreeMap<String, Metric>);

impl Metrics {
    /// Adds those of a file; a name that was there already means the new one.
    pub fn add(&mut self, yaml: &str) -> Result<(), String> {
        self.take(serde_yaml_ng::from_str(yaml).map_err(|e| e.to_string())?)
    }

    pub(crate) fn take(&mut self, written: BTreeMap<String, WrittenMetric>) -> Result<(), String> {
        for (name, written) in written {
            if name == "events" {
                return Err("`events` means the events that a rule itself names".into());
            }
            let metric = Metric {
                events: written.events.as_ref().map(OneOrMore::list).unwrap_or_default(),
                filter: written.filter,
                key: written.key.as_ref().map(OneOrMore::list).unwrap_or_default(),
                risk: written.risk,
            };
            if metric.risk.as_ref().is_some_and(|risk| risk.signals.is_empty() || risk.signals.len() > MOST_SIGNALS) {
                return Err(format!("`{name}`: a risk has 1 to {MOST_SIGNALS} signals"));
            }
            if metric.risk.is_none() {
                metric.pred().map_err(|e| format!("`{name}`: {e}"))?;
            }
            self.0.insert(name, metric);
        }
        Ok(())
    }

    pub(crate) fn get(&self, name: &str) -> Result<&Metric, String> {
        self.0.get(name).ok_or_else(|| format!("there is no metric `{name}`; there are events, {}", names(&self.0)))
    }
}

impl Metric {
    /// Its events as a question.
    pub(crate) fn pred(&self) -> Result<Pred, String> {
        let mut all = Vec::new();
        if !self.events.is_empty() {
            all.push(sigma::has_type(&self.events)?);
        }
        if let Some(filter) = &self.filter {
            all.push(sigma::question(filter).map_err(|e| format!("`where`: {e}"))?);
        }
        match all.len() {
            0 => Err("it names neither `events` nor `where`".into()),
            1 => Ok(all.remove(0)),
            _ => Ok(Pred::All(all)),
        }
    }
}

impl Risk {
    pub(crate) fn signals(&self, metrics: &Metrics, history: History) -> Result<Vec<Signal>, String> {
        let own = Metric::default();
        let of = |written: &WrittenSignal| {
            let reader = Reader { metrics, own: &own, history, filter: None };
            let (op, _) = reader.condition(&written.condition).map_err(|e| format!("the signal `{}`: {e}", written.name))?;
            if matches!(op, Op::Risk(..)) {
                return Err(format!("the signal `{}` is a sum itself", written.name));
            }
            Ok(Signal { name: written.name.clone(), weight: written.weight, op, like: None })
        };
        let mut signals: Vec<Signal> = self.signals.iter().map(of).collect::<Result<_, String>>()?;
        let asked: Vec<String> = signals.iter().map(|signal| signal.op.asked()).collect();
        for (at, signal) in signals.iter_mut().enumerate() {
            signal.like = asked.iter().take(at).position(|other| Some(other) == asked.get(at));
        }
        Ok(signals)
    }
}
