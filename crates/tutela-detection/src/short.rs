//! The short form: `{name, condition, window, action}`.
//!
//! ```text
//! condition = part { "and" part } | part { "then" part }
//! part      = [ "distinct" field "in" ] metric [ comparison number ]
//!           | "first" field { "," field } "in" metric
//!           | ( "travel" | "rare hour" ) "in" metric
//!           | "spike" "in" metric [ comparison number ]
//! ```
//!
//! A metric is a name for events ([`Metric`]); `events` means those that the rule itself names under `events` and `where`.
//! A rule may bring metrics of its own, under `metrics`.

use std::{collections::BTreeMap, hash::Hasher as _};

use serde::Deserialize;
use serde_yaml_ng::{Mapping, Value};
use siphasher::sip::SipHasher24;
use tutela_core::Span;

use crate::{
    event::Field,
    metric::{Metric, Metrics, WrittenMetric},
    pred::{Comparison, Pred},
    rule::{Action, Credit, History, LONGEST_WINDOW, Level, Mode, Op, Rule, Step, at_least},
    sigma,
    test::Test,
};

/// Most parts of a condition.
const MOST_PARTS: usize = 8;
/// Least number in a window that can be a spike, where nothing else is said.
const LEAST_SPIKE: u32 = 20;

/// What both spellings may say beside what they look for.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Extra {
    pub action: Option<String>,
    pub actions: Option<OneOrMore>,
    pub key: Option<OneOrMore>,
    pub mode: Option<Mode>,
    pub suppress: Option<Span>,
    pub tests: Vec<Test>,
    pub window: Option<Span>,
}

/// A name, or a list of names.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl OneOrMore {
    pub(crate) fn list(&self) -> Vec<String> {
        match self {
            Self::One(one) => vec![one.clone()],
            Self::More(more) => more.clone(),
        }
    }

    pub(crate) fn fields(&self) -> Result<Vec<Field>, String> {
        self.list().iter().map(|name| Field::new(name)).collect()
    }
}

impl Extra {
    pub(crate) fn actions(&self) -> Result<Vec<Action>, String> {
        let more = self.actions.as_ref().map(OneOrMore::list).unwrap_or_default();
        let mut actions: Vec<Action> = self.action.iter().chain(&more).map(|word| Action::parse(word)).collect::<Result<_, _>>()?;
        actions.sort_unstable();
        actions.dedup();
        Ok(actions)
    }

    /// How far it goes: what it says, else as far as telling somebody is safe.
    pub(crate) fn mode(&self, actions: &[Action]) -> Mode {
        self.mode.unwrap_or(if actions.iter().all(|action| *action == Action::AlertAdmin) { Mode::Alert } else { Mode::Shadow })
    }

    pub(crate) fn key(&self) -> Result<Vec<Field>, String> {
        self.key.as_ref().map_or_else(|| Ok(Vec::new()), OneOrMore::fields)
    }
}

/// A rule as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Written {
    pub name: String,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    description: String,
    #[serde(default)]
    author: Option<String>,
    #[serde(default)]
    source: Option<String>,
    pub condition: String,
    pub window: String,
    #[serde(default)]
    level: Option<String>,
    #[serde(default)]
    events: Option<OneOrMore>,
    #[serde(default, rename = "where")]
    filter: Option<Value>,
    #[serde(default)]
    metrics: BTreeMap<String, WrittenMetric>,
    #[serde(default)]
    history: History,
    #[serde(default)]
    action: Option<String>,
    #[serde(default)]
    actions: Option<OneOrMore>,
    #[serde(default)]
    key: Option<OneOrMore>,
    #[serde(default)]
    mode: Option<Mode>,
    #[serde(default)]
    suppress: Option<String>,
    #[serde(default)]
    tests: Vec<Test>,
}

impl Written {
    pub(crate) fn read(map: &Mapping) -> Result<Self, String> {
        serde_yaml_ng::from_value(Value::Mapping(map.clone())).map_err(|e| e.to_string())
    }

    /// The metrics that it may name, its own among them, and what it means by `events`.
    pub(crate) fn metrics(&self, known: &Metrics) -> Result<(Metrics, Metric), String> {
        let mut metrics = known.clone();
        metrics.take(self.metrics.clone()).map_err(|e| format!("`metrics`: {e}"))?;
        let events = self.events.as_ref().map(OneOrMore::list).unwrap_or_default();
        Ok((metrics, Metric { events, filter: self.filter.clone(), ..Metric::default() }))
    }

    /// What narrows every metric that it names.
    pub(crate) fn filter(&self) -> Option<&Value> {
        self.filter.as_ref()
    }

    pub(crate) fn reader<'a>(&'a self, metrics: &'a Metrics, own: &'a Metric) -> Reader<'a> {
        Reader { metrics, own, history: self.history, filter: self.filter.as_ref() }
    }
}

/// A rule in the short form.
pub(crate) fn rule(map: &Mapping, metrics: &Metrics) -> Result<Rule, String> {
    let written = Written::read(map)?;
    let name = written.name.clone();
    if !is_name(&name) {
        return Err(format!("`name` is `{name}`; a name has 1 to 100 characters of `A-Z a-z 0-9 _ - .`"));
    }
    let span = |name: &str, text: &str| text.parse::<Span>().map_err(|e| format!("`{name}`: {e}"));
    let window = span("window", &written.window)?;
    let suppress = written.suppress.as_deref().map(|text| span("suppress", text)).transpose()?;
    if window > LONGEST_WINDOW {
        return Err(format!("`window` is at most {LONGEST_WINDOW}"));
    }
    let (metrics, own) = written.metrics(metrics)?;
    let (op, usual_key) = written.reader(&metrics, &own).condition(&written.condition).map_err(|e| format!("`condition`: {e}"))?;
    let Written { title, description, author, source, condition, level: word, action, actions, key, mode, tests, .. } = written;
    let extra = Extra { action, actions, key, mode, suppress, tests, window: None };
    let key = match &extra.key {
        Some(key) => key.fields()?,
        None => usual_key,
    };
    let actions = extra.actions()?;
    Ok(Rule {
        version: fingerprint(map),
        title: title.unwrap_or_else(|| format!("Security Threat Detected: {name}")),
        description,
        level: word.as_deref().map_or(Ok(Level::High), level)?,
        credit: author.map(|author| Credit { author, source: source.unwrap_or_else(|| name.clone()) }),
        key,
        op,
        window,
        suppress: extra.suppress,
        mode: extra.mode(&actions),
        actions,
        tests: extra.tests,
        condition: Some(condition),
        text: text(map),
        name,
    })
}

pub(crate) fn is_name(name: &str) -> bool {
    (1..=100).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
}

/// From its word.
pub(crate) fn level(word: &str) -> Result<Level, String> {
    Level::parse(word).ok_or_else(|| format!("`level` is `{word}`; it is informational, low, medium, high or critical"))
}

/// A rule as text.
pub(crate) fn text(map: &Mapping) -> String {
    serde_yaml_ng::to_string(map).unwrap_or_default()
}

/// What tells one text of a rule from another: all that decides what it finds.
pub(crate) fn fingerprint(map: &Mapping) -> u64 {
    let mut map = map.clone();
    for beside in ["action", "actions", "description", "level", "mode", "tests", "title"] {
        map.remove(beside);
    }
    let text = serde_yaml_ng::to_string(&map).unwrap_or_default();
    let mut hasher = SipHasher24::new_with_keys(0, 0);
    hasher.write(text.as_bytes());
    hasher.finish()
}

pub(crate) struct Reader<'a> {
    pub metrics: &'a Metrics,
    pub own: &'a Metric,
    pub history: History,
    pub filter: Option<&'a Value>,
}

/// A part of a condition.
pub(crate) struct Part<'s> {
    pub name: String,
    pub metric: &'s Metric,
    pub op: Op,
}

/// The word between the parts of a condition, where there are several, and the parts.
type Parts<'s> = (Option<&'static str>, Vec<Part<'s>>);

impl Reader<'_> {
    /// What a condition asks for, and the members that usually say who.
    pub(crate) fn condition(&self, text: &str) -> Result<(Op, Vec<Field>), String> {
        let (joined, mut found) = self.parts(text)?;
        let key = found.first().map(|part| part.metric.key.clone()).unwrap_or_default();
        let Some(joined) = joined else {
            return Ok((found.remove(0).op, fields(&key)?));
        };
        let step = |Part { name, op, .. }: Part<'_>| match op {
            Op::Each(pred) => Ok(Step { name, pred, count: 1, key: None }),
            Op::Count(pred, count) => Ok(Step { name, pred, count, key: None }),
            _ => Err(format!("`{name}`: only events and their number can stand beside others")),
        };
        let steps = found.into_iter().map(step).collect::<Result<_, String>>()?;
        Ok((if joined == "and" { Op::All(steps) } else { Op::Sequence(steps) }, fields(&key)?))
    }

    /// The parts of a condition; there is one at least.
    pub(crate) fn parts(&self, text: &str) -> Result<Parts<'_>, String> {
        let words = words(text);
        let mut parts: Vec<&[String]> = Vec::new();
        let mut joined: Option<&'static str> = None;
        let mut rest = words.as_slice();
        loop {
            let end = rest.iter().position(|word| word == "and" || word == "then").unwrap_or(rest.len());
            parts.push(rest.get(..end).unwrap_or_default());
            let Some(word) = rest.get(end) else { break };
            let word = if word == "and" { "and" } else { "then" };
            if joined.is_some_and(|before| before != word) {
                return Err("`and` and `then` do not stand in one condition; write two rules".into());
            }
            joined = Some(word);
            rest = rest.get(end + 1..).unwrap_or_default();
        }
        if parts.len() > MOST_PARTS {
            return Err(format!("a condition has at most {MOST_PARTS} parts"));
        }
        let part = |words: &&[String]| self.part(words).map(|(name, metric, op)| Part { name, metric, op });
        Ok((joined, parts.iter().map(part).collect::<Result<_, String>>()?))
    }

    fn part<'s>(&'s self, words: &[String]) -> Result<(String, &'s Metric, Op), String> {
        let word = |at: usize| words.get(at).map_or("", String::as_str);
        let at_in = words.iter().position(|word| word == "in");
        let named = |at: usize| -> Result<(String, &'s Metric, Pred, &[String]), String> {
            let name = words.get(at).ok_or("the name of a metric is missing")?;
            let metric = self.metric(name)?;
            Ok((name.clone(), metric, self.pred(metric)?, words.get(at + 1..).unwrap_or_default()))
        };
        match (word(0), at_in) {
            ("distinct", Some(2)) => {
                let (name, metric, pred, rest) = named(3)?;
                let count = number(rest)?.ok_or("`distinct` is compared with a number")?;
                Ok((name, metric, Op::Distinct(pred, Field::new(word(1))?, count)))
            }
            ("first", Some(at)) if at > 1 => {
                let (name, metric, pred, rest) = named(at + 1)?;
                nothing_more(rest)?;
                let names = words.get(1..at).unwrap_or_default().iter().filter(|word| *word != ",");
                let fields = names.map(|name| Field::new(name)).collect::<Result<Vec<_>, _>>()?;
                Ok((name, metric, Op::First(pred, fields, self.history)))
            }
            ("travel", Some(1)) => {
                let (name, metric, pred, rest) = named(2)?;
                nothing_more(rest)?;
                Ok((name, metric, Op::Travel(pred)))
            }
            ("rare", Some(2)) if word(1) == "hour" => {
                let (name, metric, pred, rest) = named(3)?;
                nothing_more(rest)?;
                Ok((name, metric, Op::RareHour(pred, self.history)))
            }
            ("spike", Some(1)) => {
                let (name, metric, pred, rest) = named(2)?;
                Ok((name, metric, Op::Spike(pred, number(rest)?.unwrap_or(LEAST_SPIKE))))
            }
            _ => {
                let name = words.first().ok_or("a part of it is empty")?;
                let metric = self.metric(name)?;
                let rest = words.get(1..).unwrap_or_default();
                if let Some(risk) = &metric.risk {
                    let least = number(rest)?.unwrap_or(risk.threshold);
                    return Ok((name.clone(), metric, Op::Risk(risk.signals(self.metrics, self.history)?, least)));
                }
                let pred = self.pred(metric)?;
                let op = match number(rest)? {
                    None | Some(1) => Op::Each(pred),
                    Some(count) => Op::Count(pred, count),
                };
                Ok((name.clone(), metric, op))
            }
        }
    }

    fn metric(&self, name: &str) -> Result<&Metric, String> {
        if name == "events" {
            return Ok(self.own);
        }
        self.metrics.get(name)
    }

    /// The events of a metric, and the rule's own filter.
    fn pred(&self, metric: &Metric) -> Result<Pred, String> {
        let pred = metric.pred()?;
        match self.filter.filter(|_| !std::ptr::eq(metric, self.own)) {
            Some(filter) => Ok(Pred::All(vec![pred, sigma::question(filter).map_err(|e| format!("`where`: {e}"))?])),
            None => Ok(pred),
        }
    }
}

fn fields(names: &[String]) -> Result<Vec<Field>, String> {
    names.iter().map(|name| Field::new(name)).collect()
}

fn nothing_more(rest: &[String]) -> Result<(), String> {
    rest.first().map_or(Ok(()), |word| Err(format!("`{word}` was not expected")))
}

/// `> 5` as the least that is meant.
fn number(words: &[String]) -> Result<Option<u32>, String> {
    match words {
        [] => Ok(None),
        [sign, number] => {
            let sign = if sign == "==" { "=" } else { sign };
            let comparison = Comparison::ALL.into_iter().find(|comparison| comparison.sign() == sign);
            let comparison = comparison.ok_or_else(|| format!("`{sign}` is no comparison; there are >, >= and ="))?;
            at_least(comparison, number.parse().map_err(|_| format!("`{number}` is no number"))?).map(Some)
        }
        [other, ..] => Err(format!("`{other}` was not expected")),
    }
}

fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut open = false;
    for c in text.chars() {
        let kind = |c: char| if "<>=!".contains(c) { 1 } else { 0 };
        if c.is_whitespace() {
            open = false;
        } else if c == ',' {
            words.push(",".into());
            open = false;
        } else if let Some(last) = words.last_mut().filter(|last| open && last.chars().last().is_some_and(|before| kind(before) == kind(c))) {
            last.push(c);
        } else {
            words.push(c.to_string());
            open = true;
        }
    }
    words
}

/// All names of a map, for errors.
pub(crate) fn names<T>(map: &BTreeMap<String, T>) -> String {
    map.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
}
