//! One request against the rules, phase by phase.
//!
//! ```text
//!   request line, headers --> phase 1 --> body --> phase 2 --> (the application answers)
//!   status, headers       --> phase 3 --> body --> phase 4 --> finish: phase 5, which only logs
//! ```
//! Whoever feeds it keeps the order; a phase that is asked for twice runs once.

mod act;
mod collections;
mod evaluate;
mod read;
mod report;

use std::{net::IpAddr, sync::Arc};

use self::collections::{Collections, Entry};
pub use self::report::{Budget, Finding, Mark, Matched, Refusal, Report, Spent, Verdict};
use crate::{
    Exclusion,
    ruleset::RuleSet,
    seclang::{Allow, Switch},
    settings::OnLimit,
    text::Text,
    value::{ValueId, Values},
    variable::Variable,
};

/// How many evaluations go by between two looks at the budget.
const LOOK: u32 = 32;
/// Most bytes of transformed values that are kept.
const MOST_BYTES: usize = 256 << 20;

/// Who is connected to whom, and when.
#[derive(Debug, Clone, Copy)]
pub struct Connection<'a> {
    /// Id of the request.
    pub id: &'a str,
    /// The client.
    pub client: IpAddr,
    /// Its port.
    pub client_port: u16,
    /// Our address.
    pub server: IpAddr,
    /// Our port.
    pub server_port: u16,
    /// Seconds since 1970.
    pub now: i64,
}

/// One request.
#[derive(Debug)]
pub struct Transaction {
    rules: Arc<RuleSet>,
    values: Values,
    known: Collections,
    report: Report,
    engine: Switch,
    spent: Spent,
    done: u8,
    /// What ends it, where that is enforced.
    verdict: Option<Refusal>,
    allowed: Option<(Allow, u8)>,
    body: Vec<u8>,
    body_access: bool,
    body_forced: bool,
    response: Vec<u8>,
    response_access: bool,
    /// Rules that `ctl` has taken out, by number.
    removed: Vec<u64>,
    /// Variables that `ctl` has taken from rules: the rule, the link of it and its control.
    untargeted: Vec<(u32, u32, usize)>,
    /// Places that the operator has excepted from rules.
    excepted: Vec<(u32, Arc<Exclusion>)>,
    exclusions: usize,
    evaluations: u32,
    matched: Vec<(Variable, Entry)>,
    severity: u8,
}

impl Transaction {
    /// Begins a request.
    pub fn new(rules: Arc<RuleSet>, connection: &Connection<'_>) -> Self {
        let settings = rules.settings();
        let mut this = Self {
            values: Values::new(rules.pipelines.len(), rules.scanner.words),
            known: Collections::new(),
            report: Report::default(),
            engine: settings.engine,
            spent: Spent::default(),
            done: 0,
            verdict: None,
            allowed: None,
            body: Vec::new(),
            body_access: settings.request_body,
            body_forced: false,
            response: Vec::new(),
            response_access: settings.response_body,
            removed: Vec::new(),
            untargeted: Vec::new(),
            excepted: Vec::new(),
            exclusions: 0,
            evaluations: 0,
            matched: Vec::new(),
            severity: u8::MAX,
            rules,
        };
        this.begin(connection);
        this
    }

    /// What happens when the budget is used up; refuses where nobody says anything.
    pub fn on_spent(&mut self, spent: Spent) {
        self.spent = spent;
    }

    /// Names the application that is asked: `WEBAPPID`, in place of what `SecWebAppId` says.
    pub fn web_app(&mut self, name: &str) {
        self.put(Variable::WebappId, name.as_bytes());
    }

    /// How many exclusions are in force.
    pub fn exclusions(&self) -> usize {
        self.exclusions
    }

    /// Excepts rules, or places from them, as the operator says.
    pub fn exclude(&mut self, exclusions: &[Arc<Exclusion>]) {
        let rules = Arc::clone(&self.rules);
        self.exclusions += exclusions.len();
        for exclusion in exclusions {
            for (number, _) in (0..).zip(&rules.rules).filter(|(_, rule)| rule.id == exclusion.rule) {
                match exclusion.target {
                    None => self.take_out(number),
                    Some(_) => self.excepted.push((number, Arc::clone(exclusion))),
                }
            }
        }
    }

    /// Judges without refusing, whatever the rules say.
    pub fn detect_only(&mut self) {
        if self.engine == Switch::On {
            self.engine = Switch::DetectionOnly;
        }
    }

    /// The headers are complete: phase 1.
    pub fn check_request_headers(&mut self, budget: &mut dyn Budget) -> Verdict {
        self.read_content_type();
        self.phase(1, budget)
    }

    /// Whether the body has to be handed over before phase 2: one that no rule reads need not be.
    pub fn wants_request_body(&self) -> bool {
        let read = self.body_forced || !self.known.single(Variable::ReqbodyProcessor, &self.values).is_empty();
        self.engine != Switch::Off && self.body_access && read && self.verdict.is_none()
    }

    /// A piece of the body. How much of it was taken; less than all where its limit is reached.
    pub fn request_body(&mut self, bytes: &[u8]) -> usize {
        let taken = append(&mut self.body, bytes, self.rules.settings().request_body_limit);
        if taken < bytes.len() {
            self.mark(Mark::BodyLength);
            self.put(Variable::InboundDataError, b"1");
        }
        taken
    }

    /// The body is complete, or as much of it as is inspected: phase 2.
    pub fn check_request_body(&mut self, budget: &mut dyn Budget) -> Verdict {
        if self.done < 2 && self.wants_request_body() {
            self.read_body();
            if self.report.marks.contains(&Mark::BodyLength) && self.rules.settings().on_request_body_limit == OnLimit::Reject {
                return self.refuse(Refusal { status: 413, rule: None, location: None, drop: false });
            }
        }
        self.phase(2, budget)
    }

    /// The answer's headers are complete: phase 3.
    pub fn check_response_headers(&mut self, budget: &mut dyn Budget) -> Verdict {
        self.phase(3, budget)
    }

    /// Whether the answer's body has to be handed over before phase 4.
    pub fn wants_response_body(&self) -> bool {
        let kind = self.known.single(Variable::ResponseContentType, &self.values);
        let kind = kind.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii().to_ascii_lowercase();
        let wanted = |known: &String| known.as_bytes() == kind || (known == "null" && kind.is_empty());
        self.engine != Switch::Off && self.response_access && self.verdict.is_none() && self.rules.settings().response_types.iter().any(wanted)
    }

    /// A piece of the answer's body. How much of it was taken.
    pub fn response_body(&mut self, bytes: &[u8]) -> usize {
        let taken = append(&mut self.response, bytes, self.rules.settings().response_body_limit);
        if taken < bytes.len() {
            self.mark(Mark::ResponseLength);
            self.put(Variable::OutboundDataError, b"1");
        }
        taken
    }

    /// The answer's body is complete, or as much of it as is inspected: phase 4.
    pub fn check_response_body(&mut self, budget: &mut dyn Budget) -> Verdict {
        if self.done < 4 && self.wants_response_body() {
            let body = std::mem::take(&mut self.response);
            self.put(Variable::ResponseBody, &body);
            self.put(Variable::ResponseContentLength, body.len().to_string().as_bytes());
            if self.report.marks.contains(&Mark::ResponseLength) && self.rules.settings().on_response_body_limit == OnLimit::Reject {
                return self.refuse(Refusal { status: 500, rule: None, location: None, drop: false });
            }
        }
        self.phase(4, budget)
    }

    /// The request is over: phase 5, and what is to be said of it.
    pub fn finish(mut self, budget: &mut dyn Budget) -> Report {
        self.phase(5, budget);
        let kept = self.known.kept(Variable::Tx);
        let scores = kept.into_iter().flat_map(|kept| kept.iter()).filter(|entry| self.values.get(entry.name).ends_with(b"score"));
        let text = |id: ValueId| String::from_utf8_lossy(self.values.get(id)).into_owned();
        self.report.scores = scores.filter_map(|entry| Some((text(entry.name), text(entry.value).parse().ok()?))).filter(|(_, score)| *score != 0).collect();
        let settings = self.rules.settings();
        let relevant = || settings.audit_status.as_ref().is_some_and(|statuses| statuses.has(self.known.single(Variable::ResponseStatus, &self.values)));
        let wanted = settings.audit.unwrap_or_else(|| relevant() || self.report.findings.iter().any(|finding| finding.audit));
        self.report.audit = wanted.then(|| settings.audit_parts.clone());
        self.report
    }

    fn mark(&mut self, mark: Mark) {
        if !self.report.marks.contains(&mark) {
            self.report.marks.push(mark);
        }
    }

    fn put(&mut self, variable: Variable, bytes: &[u8]) {
        let value = self.values.add(bytes);
        self.known.put(variable, value);
    }

    fn push(&mut self, variable: Variable, name: &[u8], value: &[u8]) {
        let (name, value) = (self.values.add(name), self.values.add(value));
        self.known.push(variable, Entry { name, value });
    }

    fn refuse(&mut self, refusal: Refusal) -> Verdict {
        self.report.refusal.get_or_insert_with(|| refusal.clone());
        if self.engine != Switch::On {
            return Verdict::Pass;
        }
        self.report.enforced = true;
        self.verdict.get_or_insert(refusal.clone());
        Verdict::Refuse(refusal)
    }

    /// The value of what a text names.
    fn expand(&self, text: &Text) -> Vec<u8> {
        text.expand(|variable, name, out| {
            let found = match self.known.kept(variable) {
                Some(kept) => self.values.find(name).and_then(|name| kept.get(name)),
                None => self.known.first(variable, name, &self.values),
            };
            if let Some(id) = found {
                out.extend_from_slice(self.values.get(id));
            }
        })
    }

    fn is_removed(&self, rule: u32) -> bool {
        self.removed.get(rule as usize / 64).is_some_and(|bits| bits >> (rule % 64) & 1 == 1)
    }
}

/// Adds as much of `bytes` as the limit leaves room for, and says how much that was.
fn append(held: &mut Vec<u8>, bytes: &[u8], limit: u64) -> usize {
    let taken = bytes.len().min((limit as usize).saturating_sub(held.len()));
    held.extend_from_slice(&bytes[..taken]);
    taken
}
