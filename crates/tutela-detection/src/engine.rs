//! Events in, alerts out.
//!
//! The engine keeps, for each rule and each key, what [`state`](crate::state) says; nothing of it is in clear: keys and
//! values are hashes under a secret of the installation. Its state is a cache of the log: what has changed is handed out
//! to be stored, and is given back at the next start, from where the events after it are taken in again. An event that
//! was taken in before changes nothing.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use siphasher::sip128::{Hasher128 as _, SipHasher24};
use tutela_core::{Secret, Timestamp};

use crate::{
    event::Event,
    index::Index,
    overflow::Overflow,
    rule::{Level, Op, Rule},
    state::{Fired, Kept},
};

/// Most positions that an alert names.
const MOST_EVIDENCE: usize = 100;

/// What a rule has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// The rule.
    pub rule: Arc<str>,
    /// Which text of it.
    pub version: u64,
    /// The hash of the key, for what is to be one for each key.
    pub key: KeyHash,
    /// Whom or what it is about, by the members of the key; personal.
    pub about: Vec<(String, String)>,
    /// How grave it is.
    pub level: Level,
    /// When the last of it happened.
    pub time: Timestamp,
    /// Where the event stands that made it an alert.
    pub position: u64,
    /// Where the events stand that it consists of, the last hundred.
    pub evidence: Vec<u64>,
    /// How many there were.
    pub count: u32,
    /// Whether the number is an estimate, because there were more keys than are remembered one by one.
    pub estimated: bool,
    /// In words and numbers; personal.
    pub reasons: Vec<String>,
}

/// The hash of a key.
pub type KeyHash = [u8; 16];

/// A key of a rule, and what is remembered of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Entry {
    kept: Kept,
    /// Not before then another alert.
    silent_until: i64,
    /// When it was used last.
    touched: i64,
    /// When it began.
    began: i64,
    #[serde(skip)]
    changed: bool,
    /// Bytes that it took when it was looked at last.
    #[serde(skip)]
    bytes: u32,
}

/// Something to be stored: a rule, its version, a key, and what is remembered of it; nothing where it was forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The rule.
    pub rule: Arc<str>,
    /// Its version.
    pub version: u64,
    /// The key.
    pub key: KeyHash,
    /// Its state.
    pub state: Option<Vec<u8>>,
}

/// A rule with its keys.
struct Running {
    rule: Arc<Rule>,
    name: Arc<str>,
    /// What it looks at is known before an event is opened.
    clear: bool,
    entries: HashMap<KeyHash, Entry, BuildHasherDefault<Hashed>>,
    bytes: usize,
    overflow: Option<Overflow>,
    forgotten: Vec<KeyHash>,
    /// Keys that have changed since they were handed out.
    dirty: Vec<KeyHash>,
}

/// All rules.
pub struct Engine {
    rules: Vec<Running>,
    index: Index,
    secret: (u64, u64),
    /// Most bytes of one rule's keys.
    most: usize,
    /// The rules that the event at hand may concern.
    concerned: Vec<usize>,
}

impl Engine {
    /// Begins with no memory. `secret` makes hashes of one installation worthless elsewhere; `most` bytes are kept of one rule.
    pub fn new(rules: Vec<Arc<Rule>>, secret: &Secret<[u8; 16]>, most: usize) -> Self {
        let [a, b] = [0, 8].map(|at| u64::from_le_bytes(std::array::from_fn(|n| secret.open().get(at + n).copied().unwrap_or(0))));
        let index = Index::new(rules.iter().map(|rule| &rule.op));
        let running = |rule: Arc<Rule>| Running {
            name: rule.name.as_str().into(),
            clear: rule.op.asks_only_what_is_clear(),
            rule,
            entries: HashMap::default(),
            bytes: 0,
            overflow: None,
            forgotten: Vec::new(),
            dirty: Vec::new(),
        };
        Self { rules: rules.into_iter().map(running).collect(), index, secret: (a, b), most, concerned: Vec::new() }
    }

    /// Gives back what was stored. What belongs to another text of a rule is not taken.
    pub fn restore(&mut self, rule: &str, version: u64, key: KeyHash, state: &[u8]) -> bool {
        let Some(running) = self.rules.iter_mut().find(|running| &*running.name == rule && running.rule.version == version) else { return false };
        let Ok(mut entry) = postcard::from_bytes::<Entry>(state) else { return false };
        entry.bytes = size(&entry.kept) as u32;
        running.bytes += entry.bytes as usize;
        running.entries.insert(key, entry);
        true
    }

    /// Whether an event, whose sealed members were not opened yet, may concern a rule. Most requests concern none, and
    /// opening them costs more than all rules.
    pub fn may_take(&self, sealed: &Value) -> bool {
        let mut concerned = Vec::new();
        self.index.of_sealed(sealed, &mut concerned);
        let mut looking = concerned.into_iter().filter_map(|number| self.rules.get(number));
        looking.any(|running| !running.clear || running.rule.op.looks_at(sealed))
    }

    /// Takes in an event.
    pub fn take(&mut self, event: &Event<'_>) -> Vec<Alert> {
        let mut alerts = Vec::new();
        self.index.of(event.body, &mut self.concerned);
        for number in &self.concerned {
            if let Some(running) = self.rules.get_mut(*number) {
                alerts.extend(running.take(event, self.secret, self.most));
            }
        }
        alerts
    }

    /// What has changed since it was asked last, to be stored.
    pub fn changes(&mut self) -> Vec<Change> {
        let mut changes = Vec::new();
        for running in &mut self.rules {
            let (name, version) = (&running.name, running.rule.version);
            changes.extend(running.forgotten.drain(..).map(|key| Change { rule: Arc::clone(name), version, key, state: None }));
            for key in running.dirty.drain(..) {
                let Some(entry) = running.entries.get_mut(&key).filter(|entry| entry.changed) else { continue };
                entry.changed = false;
                let state = postcard::to_allocvec(entry).ok();
                changes.push(Change { rule: Arc::clone(name), version, key, state });
            }
        }
        changes
    }

    /// Rules that no longer remember each key by itself, and how many keys they have forgotten.
    pub fn overflowing(&self) -> Vec<(Arc<str>, u64)> {
        self.rules.iter().filter_map(|running| Some((Arc::clone(&running.name), running.overflow.as_ref()?.forgotten()))).collect()
    }

    /// Keys that are remembered, and bytes that they take, about.
    pub fn size(&self) -> (usize, usize) {
        self.rules.iter().fold((0, 0), |(keys, bytes), running| (keys + running.entries.len(), bytes + running.bytes))
    }
}

impl Running {
    fn take(&mut self, event: &Event<'_>, secret: (u64, u64), most: usize) -> Option<Alert> {
        if !self.rule.op.looks_at(event.body) {
            return None;
        }
        let key = key_of(&self.rule, event.body, secret)?;
        let window = i64::try_from(self.rule.window.duration().as_micros()).unwrap_or(i64::MAX);
        let now = event.time.micros();
        if self.bytes + 128 > most && !self.entries.contains_key(&key) {
            self.make_room(most, now, window);
        }
        let rule = &self.rule;
        let entry = self.entries.entry(key).or_insert_with(|| {
            let kept = Kept::new(&rule.op, now);
            let bytes = size(&kept) as u32;
            self.bytes += bytes as usize;
            Entry { kept, silent_until: i64::MIN, touched: now, began: now, changed: false, bytes }
        });
        let text_hash = |text: &str| (u128::from_le_bytes(hash(secret, text)) & u128::from(u64::MAX)) as u64;
        let fired = entry.kept.take(&rule.op, event, window, &text_hash);
        entry.touched = entry.touched.max(now);
        if !entry.changed {
            entry.changed = true;
            self.dirty.push(key);
        }
        let bytes = size(&entry.kept) as u32;
        self.bytes = self.bytes + bytes as usize - entry.bytes as usize;
        entry.bytes = bytes;
        // A key that began after others were forgotten may have lost its own past.
        let mut estimated = false;
        let fired = match (&mut self.overflow, &rule.op) {
            (Some(overflow), Op::Count(_, count)) => {
                let about = overflow.count(&key, now, window);
                estimated = fired.is_none() && overflow.since() <= entry.began && now - entry.began <= window && about >= *count;
                if estimated { Some(Fired { count: about, evidence: vec![event.position], reasons: Vec::new() }) } else { fired }
            }
            (_, _) => fired,
        }?;
        if now < entry.silent_until {
            return None;
        }
        let silence = i64::try_from(rule.silence().duration().as_micros()).unwrap_or(i64::MAX);
        entry.silent_until = now.saturating_add(silence);
        let evidence = fired.evidence.iter().rev().take(MOST_EVIDENCE).rev().copied().collect();
        Some(Alert {
            rule: Arc::clone(&self.name),
            version: rule.version,
            key,
            about: about(rule, event.body)?,
            level: rule.level,
            time: event.time,
            position: event.position,
            evidence,
            count: fired.count,
            estimated,
            reasons: fired.reasons,
        })
    }

    /// Forgets a fifth of the keys: first those whose windows are over, then those that are farthest from an alert.
    fn make_room(&mut self, most: usize, now: i64, window: i64) {
        let mut order: Vec<(bool, bool, i64, KeyHash)> = self
            .entries
            .iter()
            .map(|(key, entry)| {
                let alive = now.saturating_sub(entry.touched) <= window || now < entry.silent_until;
                (alive, entry.kept.nearness(&self.rule.op) >= 0.5, entry.touched, *key)
            })
            .collect();
        order.sort_unstable();
        for (alive, _, _, key) in order {
            if self.bytes <= most / 5 * 4 {
                break;
            }
            if let Some(entry) = self.entries.remove(&key) {
                self.bytes = self.bytes.saturating_sub(size(&entry.kept));
                self.forgotten.push(key);
                if alive {
                    let overflow = self.overflow.get_or_insert_with(|| Overflow::new(now));
                    let number = if entry.began <= overflow.since() { entry.kept.number() } else { 0 };
                    overflow.lost(&key, number);
                }
            }
        }
    }
}

/// Who or what an event is counted for; nothing where it does not say so.
fn about(rule: &Rule, body: &Value) -> Option<Vec<(String, String)>> {
    let fields = rule.op.key_of(body).unwrap_or(&rule.key);
    fields.iter().zip(&rule.key).map(|(field, name)| Some((name.name().to_owned(), field.text(body)?))).collect()
}

/// The hash of who or what an event is counted for; nothing where it does not say so.
fn key_of(rule: &Rule, body: &Value, secret: (u64, u64)) -> Option<KeyHash> {
    let mut hasher = SipHasher24::new_with_keys(secret.0, secret.1);
    let fields = rule.op.key_of(body).unwrap_or(&rule.key);
    fields.iter().all(|field| field.with_text(body, |text| add(&mut hasher, text))).then(|| hasher.finish128().as_bytes())
}

fn hash(secret: (u64, u64), text: &str) -> KeyHash {
    let mut hasher = SipHasher24::new_with_keys(secret.0, secret.1);
    add(&mut hasher, text);
    hasher.finish128().as_bytes()
}

fn add(hasher: &mut SipHasher24, text: &str) {
    hasher.write(&(text.len() as u64).to_le_bytes());
    hasher.write(text.as_bytes());
}

/// Bytes that a key takes, about: its hash, its place in the table, its state.
fn size(kept: &Kept) -> usize {
    kept.bytes() + size_of::<Entry>() + 24
}

/// Of a hash under our own secret any part will do as the hash of a table.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(part) = bytes.first_chunk::<8>() {
            self.0 ^= u64::from_le_bytes(*part);
        }
    }
}
