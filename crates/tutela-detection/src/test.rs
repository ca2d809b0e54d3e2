//! Tests of a rule, beside it in its file: events, and how many alerts they have to be. They run through the engine
//! itself, with a clock that only they move.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use tutela_core::{Secret, Span, Timestamp};

use crate::{
    engine::{Alert, Engine},
    event::Event,
    rule::Rule,
};

/// Most events of one test.
const MOST_EVENTS: u32 = 100_000;

/// One test.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Test {
    /// What it is about.
    pub name: String,
    /// What happens, in this order.
    pub events: Vec<Happening>,
    /// How many alerts there are then.
    pub alerts: u32,
    /// A text that stands in the reasons of one of them.
    #[serde(default)]
    pub because: Option<String>,
}

/// An event, or the same event several times.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub struct Happening {
    /// Its members; `after` the one before, `times` in a row, one `every` so often.
    pub event: Map<String, Value>,
}

/// What came of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The rule's name.
    pub rule: String,
    /// The test's name.
    pub test: String,
    /// Why it failed, if it did.
    pub failure: Option<String>,
}

impl Rule {
    /// Runs its tests.
    pub fn run_tests(&self) -> Vec<Outcome> {
        let run = |test: &Test| Outcome { rule: self.name.clone(), test: test.name.clone(), failure: self.run(test).err() };
        self.tests.iter().map(run).collect()
    }

    fn run(&self, test: &Test) -> Result<(), String> {
        let mut engine = Engine::new(vec![Arc::new(self.clone())], &Secret::new([7; 16]), 64 << 20);
        let mut alerts: Vec<Alert> = Vec::new();
        // A Monday, at nine.
        let mut now = Timestamp::from_secs(1_767_603_600);
        let mut position = 0;
        for happening in &test.events {
            let mut event = happening.event.clone();
            let mut span = |name: &str| -> Result<Option<Span>, String> {
                event.remove(name).map(|value| value.as_str().unwrap_or_default().parse().map_err(|e| format!("`{name}`: {e}"))).transpose()
            };
            if let Some(after) = span("after")? {
                now = now + after.duration();
            }
            let every = span("every")?;
            let times = event.remove("times").map_or(Some(1), |times| u32::try_from(times.as_u64()?).ok());
            let times = times.filter(|times| *times <= MOST_EVENTS).ok_or_else(|| format!("`times` is a number up to {MOST_EVENTS}"))?;
            for time in 0..times {
                if let Some(every) = every.filter(|_| time > 0) {
                    now = now + every.duration();
                }
                position += 1;
                let body = expanded(&event, time);
                alerts.extend(engine.take(&Event { body: &body, time: now, position }));
            }
        }
        if alerts.len() as u64 != u64::from(test.alerts) {
            let reasons: Vec<String> = alerts.iter().flat_map(|alert| alert.reasons.clone()).collect();
            return Err(format!(
                "{} alerts in place of {}{}",
                alerts.len(),
                test.alerts,
                if reasons.is_empty() { String::new() } else { format!(": {}", reasons.join("; ")) }
            ));
        }
        match &test.because {
            Some(because) if !alerts.iter().any(|alert| alert.reasons.iter().any(|reason| reason.contains(because.as_str()))) => {
                Err(format!("no alert says `{because}`: {:?}", alerts.iter().flat_map(|alert| &alert.reasons).collect::<Vec<_>>()))
            }
            _ => Ok(()),
        }
    }
}

/// Members with dots in their names are put where they belong; `{n}` in a text is the number of the repetition.
fn expanded(event: &Map<String, Value>, time: u32) -> Value {
    let mut body = json!({});
    for (name, value) in event {
        let value = match value {
            Value::String(text) => Value::String(text.replace("{n}", &time.to_string())),
            other => other.clone(),
        };
        let long = crate::event::long_name(name);
        let mut place = &mut body;
        for part in long.split('.') {
            if !place.is_object() {
                *place = json!({});
            }
            let Value::Object(map) = place else { break };
            place = map.entry(part.to_owned()).or_insert(Value::Null);
        }
        *place = value;
    }
    body
}
