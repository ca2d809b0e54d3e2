//! What the engine remembers of one key of one rule, and what an event does to it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    event::{Event, Field},
    metric::MOST_SIGNALS,
    rule::{History, Op, Signal, Step},
    travel::Travels,
    window::{Ring, Seen, Values},
};

/// Most values of a key that are known by heart.
const MOST_VALUES: usize = 512;
/// Windows that a spike is compared with, and how many there have to be.
const BUCKETS: usize = 48;
const ENOUGH_BUCKETS: usize = 8;
/// An hour is rare if it and its neighbours have less than one in so many.
const RARE: u32 = 50;

/// Why an operator fired.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Fired {
    /// How many there were.
    pub count: u32,
    /// Where they stand.
    pub evidence: Vec<u64>,
    /// In words and numbers, where a count does not say it.
    pub reasons: Vec<String>,
}

/// What is remembered; the same shape as the operator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Kept {
    Nothing,
    Ring(Ring),
    Values(Values),
    /// For each step the events, and the moments at which it was complete.
    Steps(Vec<(Ring, Ring)>),
    First(Known),
    Travels(Travels),
    Hours {
        hours: [u32; 24],
        first: i64,
    },
    Buckets {
        first: i64,
        counts: BTreeMap<i64, u32>,
    },
    Risk {
        signals: Vec<Self>,
        hits: Vec<Hit>,
    },
}

/// Values that a key has had.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Known {
    first: i64,
    events: u32,
    /// Value, and the day it was seen last.
    values: BTreeMap<u64, i64>,
}

/// A signal that was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hit {
    seen: Seen,
    signal: usize,
    reason: String,
}

impl Kept {
    pub(crate) fn new(op: &Op, now: i64) -> Self {
        match op {
            Op::Each(_) => Self::Nothing,
            Op::Count(..) => Self::Ring(Ring::default()),
            Op::Distinct(..) => Self::Values(Values::default()),
            Op::All(steps) | Op::Sequence(steps) => Self::Steps(vec![Default::default(); steps.len()]),
            Op::First(..) => Self::First(Known { first: now, events: 0, values: BTreeMap::new() }),
            Op::Travel(_) => Self::Travels(Travels::default()),
            Op::RareHour(..) => Self::Hours { hours: [0; 24], first: now },
            Op::Spike(..) => Self::Buckets { first: now, counts: BTreeMap::new() },
            Op::Risk(signals, _) => Self::Risk { signals: signals.iter().map(|signal| Self::new(&signal.op, now)).collect(), hits: Vec::new() },
        }
    }

    /// Bytes beyond itself, about.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Nothing | Self::Hours { .. } => 0,
            Self::Ring(ring) => ring.bytes(),
            Self::Values(values) => values.bytes(),
            Self::Steps(steps) => steps.iter().map(|(ring, met)| ring.bytes() + met.bytes() + 48).sum(),
            Self::First(known) => known.values.len() * 24,
            Self::Travels(travels) => travels.bytes(),
            Self::Buckets { counts, .. } => counts.len() * 24,
            Self::Risk { signals, hits } => {
                signals.iter().map(|kept| kept.bytes() + 96).sum::<usize>() + hits.iter().map(|hit| hit.reason.len() + 48).sum::<usize>()
            }
        }
    }

    /// How many it has counted, where it counts.
    pub(crate) fn number(&self) -> usize {
        if let Self::Ring(ring) = self { ring.len() } else { 0 }
    }

    /// How near it is to an alert, from none to one; what is far is forgotten first.
    pub(crate) fn nearness(&self, op: &Op) -> f32 {
        match (self, op) {
            (Self::Ring(ring), Op::Count(_, count)) => ring.len() as f32 / *count as f32,
            _ => 1.0,
        }
    }

    /// Takes in an event that the operator [looks at](Op::looks_at); `hash` gives a value a number that tells nothing of it.
    pub(crate) fn take(&mut self, op: &Op, event: &Event<'_>, window: i64, hash: &dyn Fn(&str) -> u64) -> Option<Fired> {
        let seen = Seen { time: event.time.micros(), position: event.position };
        match (self, op) {
            (_, Op::Each(_)) => Some(Fired { count: 1, evidence: vec![seen.position], reasons: Vec::new() }),
            (Self::Ring(ring), Op::Count(_, count)) => {
                let found = ring.add(seen, *count as usize, window)?;
                Some(Fired { count: found.len() as u32, evidence: positions(&found), reasons: Vec::new() })
            }
            (Self::Values(values), Op::Distinct(_, field, count)) => {
                let found = values.add(hash(&field.text(event.body)?), seen, *count as usize, window)?;
                Some(Fired { count: found.len() as u32, evidence: positions(&found), reasons: Vec::new() })
            }
            (Self::Steps(kept), Op::All(steps)) => all(kept, steps, event, seen, window, false),
            (Self::Steps(kept), Op::Sequence(steps)) => all(kept, steps, event, seen, window, true),
            (Self::First(known), Op::First(_, fields, history)) => known.take(fields, *history, event, seen, hash),
            (Self::Travels(travels), Op::Travel(_)) => travels.take(event, seen, hash),
            (Self::Hours { hours, first }, Op::RareHour(_, history)) => rare(hours, *first, *history, event, seen),
            (Self::Buckets { first, counts }, Op::Spike(_, least)) => spike(*first, counts, *least, seen, window),
            (Self::Risk { signals: kept, hits }, Op::Risk(signals, threshold)) => risk(kept, hits, signals, *threshold, event, seen, window, hash),
            _ => None,
        }
    }
}

fn positions(seen: &[Seen]) -> Vec<u64> {
    seen.iter().map(|seen| seen.position).collect()
}

/// Steps in any order, or one after another.
fn all(kept: &mut [(Ring, Ring)], steps: &[Step], event: &Event<'_>, seen: Seen, window: i64, ordered: bool) -> Option<Fired> {
    let mut changed = false;
    for ((ring, met), step) in kept.iter_mut().zip(steps) {
        if step.pred.fits(event.body)
            && let Some(found) = ring.add(seen, step.count as usize, window)
        {
            let complete = found.last().copied().unwrap_or(seen);
            // A ring that counts to four keeps the eight newest moments.
            met.add(complete, 4, i64::MAX / 4);
            changed = true;
        }
    }
    if !changed {
        return None;
    }
    let last = kept.iter().filter_map(|(_, met)| met.newest()).max()?;
    let mut evidence = Vec::new();
    let (mut bound, mut rest) = (last, window);
    for (_, met) in kept.iter().rev() {
        let found = met.iter().rev().find(|met| met.time <= bound.time && bound.time - met.time <= rest && !(ordered && evidence.contains(&met.position)));
        let found = *found?;
        evidence.push(found.position);
        if ordered {
            rest -= bound.time - found.time;
            bound = found;
        }
    }
    evidence.reverse();
    let names: Vec<&str> = steps.iter().map(|step| step.name.as_str()).collect();
    Some(Fired { count: steps.len() as u32, evidence, reasons: vec![names.join(if ordered { ", then " } else { " and " })] })
}

impl Known {
    fn take(&mut self, fields: &[Field], history: History, event: &Event<'_>, seen: Seen, hash: &dyn Fn(&str) -> u64) -> Option<Fired> {
        let texts = || fields.iter().map(|field| field.text(event.body)).collect::<Option<Vec<String>>>();
        let mut value = None;
        match fields {
            [only] => drop(only.with_text(event.body, |text| value = Some(hash(text)))),
            _ => value = texts().map(|texts| hash(&texts.join("\u{1f}"))),
        }
        let value = value?;
        let new = self.values.insert(value, seen.time).is_none();
        let others = self.values.len() - 1;
        let old = seen.time.saturating_sub(self.first) >= micros(history.age) || self.events >= history.events;
        self.events = self.events.saturating_add(1);
        if self.values.len() > MOST_VALUES
            && let Some(oldest) = self.values.iter().min_by_key(|(_, last)| **last).map(|(value, _)| *value)
        {
            self.values.remove(&oldest);
        }
        (new && old && others > 0).then(|| {
            let names: Vec<&str> = fields.iter().map(Field::name).collect();
            let texts = texts().unwrap_or_default();
            let days = seen.time.saturating_sub(self.first) / DAY;
            let reason = format!("{} `{}` is new: the {} in {}", names.join(" and "), texts.join("`, `"), ordinal(others + 1), plural(days, "day"));
            Fired { count: others as u32 + 1, evidence: vec![seen.position], reasons: vec![reason] }
        })
    }
}

fn rare(hours: &mut [u32; 24], first: i64, history: History, event: &Event<'_>, seen: Seen) -> Option<Fired> {
    let hour = usize::try_from(event.time.secs().div_euclid(3_600).rem_euclid(24)).ok()?;
    let total: u32 = hours.iter().sum();
    let near: u32 = [23, 0, 1].into_iter().filter_map(|step| hours.get((hour + step) % 24)).sum();
    let old = seen.time.saturating_sub(first) >= micros(history.age) || total >= history.events;
    let rare = old && total >= history.events.min(RARE) && near * RARE < total;
    let reason = rare.then(|| {
        let usual: Vec<String> = ranges(hours, total).into_iter().map(|(from, to)| format!("{from:02}-{to:02} h")).collect();
        format!("usual {} UTC, now {hour:02} h", usual.join(" and "))
    });
    if let Some(count) = hours.get_mut(hour) {
        *count = count.saturating_add(1);
    }
    reason.map(|reason| Fired { count: 1, evidence: vec![seen.position], reasons: vec![reason] })
}

/// Runs of hours that have more than one in fifty.
fn ranges(hours: &[u32; 24], total: u32) -> Vec<(usize, usize)> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for (hour, _) in hours.iter().enumerate().filter(|(_, count)| **count * RARE >= total) {
        match runs.last_mut() {
            Some((_, to)) if *to == hour => *to = hour + 1,
            _ => runs.push((hour, hour + 1)),
        }
    }
    runs
}

fn spike(first: i64, counts: &mut BTreeMap<i64, u32>, least: u32, seen: Seen, window: i64) -> Option<Fired> {
    let bucket = seen.time.div_euclid(window.max(1));
    let now = counts.entry(bucket).or_default();
    *now += 1;
    let now = *now;
    while counts.len() > BUCKETS {
        counts.pop_first();
    }
    let begin = (bucket - BUCKETS as i64).max(first.div_euclid(window.max(1)));
    let mut before: Vec<u32> = (begin..bucket).map(|bucket| counts.get(&bucket).copied().unwrap_or(0)).collect();
    if now < least || before.len() < ENOUGH_BUCKETS {
        return None;
    }
    let usual = middle(&mut before);
    let mut off: Vec<u32> = before.iter().map(|count| count.abs_diff(usual)).collect();
    // Six deviations of a median are some four of a normal distribution; a key that is always the same has none.
    let most = usual + 6 * middle(&mut off).max(1);
    (now > most && now > usual * 2).then(|| Fired {
        count: now,
        evidence: vec![seen.position],
        reasons: vec![format!("{now} in a window that usually has {usual}")],
    })
}

fn middle(numbers: &mut [u32]) -> u32 {
    numbers.sort_unstable();
    numbers.get(numbers.len() / 2).copied().unwrap_or(0)
}

#[expect(clippy::too_many_arguments, reason = "the parts of one state and one rule")]
fn risk(
    kept: &mut [Kept],
    hits: &mut Vec<Hit>,
    signals: &[Signal],
    threshold: u32,
    event: &Event<'_>,
    seen: Seen,
    window: i64,
    hash: &dyn Fn(&str) -> u64,
) -> Option<Fired> {
    let mut changed = false;
    // Most signals look at the same events.
    let mut looks = [false; MOST_SIGNALS];
    for (number, (kept, signal)) in kept.iter_mut().zip(signals).enumerate() {
        let looks_at = match signal.like.and_then(|other| looks.get(other)) {
            Some(known) => *known,
            None => signal.op.looks_at(event.body),
        };
        if let Some(place) = looks.get_mut(number) {
            *place = looks_at;
        }
        if looks_at && let Some(fired) = kept.take(&signal.op, event, window, hash) {
            let reason = fired.reasons.first().cloned().unwrap_or_else(|| signal.name.clone());
            hits.retain(|hit| hit.signal != number || hit.seen == seen);
            hits.push(Hit { seen, signal: number, reason });
            changed = true;
        }
    }
    hits.retain(|hit| (seen.time - hit.seen.time).abs() <= window);
    if !changed {
        return None;
    }
    let weight = |number: usize| signals.get(number).map_or(0, |signal| signal.weight);
    let sum: u32 = hits.iter().map(|hit| weight(hit.signal)).sum();
    (sum >= threshold).then(|| {
        let mut evidence: Vec<u64> = hits.iter().map(|hit| hit.seen.position).collect();
        evidence.dedup();
        Fired { count: sum, evidence, reasons: hits.iter().map(|hit| hit.reason.clone()).collect() }
    })
}

pub(crate) const HOUR: i64 = 3_600_000_000;
pub(crate) const DAY: i64 = 24 * HOUR;

fn micros(span: tutela_core::Span) -> i64 {
    i64::try_from(span.duration().as_micros()).unwrap_or(i64::MAX)
}

fn ordinal(number: usize) -> String {
    let end = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{end}")
}

pub(crate) fn plural(number: i64, word: &str) -> String {
    if number == 1 { format!("1 {word}") } else { format!("{number} {word}s") }
}
