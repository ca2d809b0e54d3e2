//! Rules in their order, values in theirs.

use std::sync::Arc;

use super::{Budget, Entry, Finding, LOOK, MOST_BYTES, Mark, Matched, Refusal, Spent, Transaction, Verdict};
use crate::{
    ruleset::{Rule, RuleSet, Test},
    seclang::{Allow, Control, Disruption, Kind, Pick, Switch, Target},
    value::ValueId,
    variable::Variable,
};

/// Most bytes of a value that a finding keeps.
const KEPT: usize = 256;
/// Most values that a finding keeps.
const MOST_MATCHED: usize = 32;
/// Most findings of a request.
const MOST_FINDINGS: usize = 500;

impl Transaction {
    /// Runs a phase, once.
    pub(super) fn phase(&mut self, phase: u8, budget: &mut dyn Budget) -> Verdict {
        if let Some(refusal) = self.verdict.clone().filter(|_| phase < 5) {
            return Verdict::Refuse(refusal);
        }
        if self.done >= phase || self.engine == Switch::Off {
            return Verdict::Pass;
        }
        self.done = phase;
        let rules = Arc::clone(&self.rules);
        let (mut skip, mut from) = (0, 0);
        for &first in &rules.phases[usize::from(phase)] {
            if first < from || self.is_removed(first) {
                continue;
            }
            if skip > 0 {
                skip -= 1;
                continue;
            }
            if self.is_allowed(phase) {
                break;
            }
            if self.is_spent(budget) {
                return self.spend();
            }
            if !self.chain(&rules, first, budget) {
                continue;
            }
            let does = &rules.rules[first as usize].does;
            skip = does.skip;
            if let Some(marker) = &does.skip_after {
                from = rules.after(marker);
            }
            let verdict = self.disrupt(&rules.rules[first as usize]);
            if verdict != Verdict::Pass && phase < 5 {
                return verdict;
            }
        }
        Verdict::Pass
    }

    fn is_allowed(&self, phase: u8) -> bool {
        match self.allowed {
            None => false,
            Some((Allow::Everything, _)) => phase < 5,
            Some((Allow::Phase, at)) => phase == at,
            Some((Allow::Request, _)) => phase < 3,
        }
    }

    fn is_spent(&mut self, budget: &mut dyn Budget) -> bool {
        self.evaluations += 1;
        if self.evaluations.is_multiple_of(LOOK) && (budget.is_spent() || self.values.size() > MOST_BYTES) {
            self.mark(Mark::Budget);
        }
        self.report.marks.contains(&Mark::Budget)
    }

    fn spend(&mut self) -> Verdict {
        match self.spent {
            Spent::Block => self.refuse(Refusal { status: 503, rule: None, location: None, drop: false }),
            Spent::Pass => Verdict::Pass,
        }
    }

    /// Whether a rule and all links of its chain match.
    fn chain(&mut self, rules: &RuleSet, first: u32, budget: &mut dyn Budget) -> bool {
        self.matched.clear();
        for variable in [Variable::MatchedVars, Variable::MatchedVarsNames] {
            self.known.clear(variable);
        }
        let (mut link, mut last) = (Some(first), first);
        while let Some(index) = link {
            if !self.link(rules, first, index, budget) {
                return false;
            }
            (last, link) = (index, rules.rules[index as usize].chain);
        }
        self.log(&rules.rules[first as usize], &rules.rules[last as usize]);
        true
    }

    /// Whether one link matches; what it does, it does for every value.
    fn link(&mut self, rules: &RuleSet, first: u32, index: u32, budget: &mut dyn Budget) -> bool {
        let rule = &rules.rules[index as usize];
        let Some(test) = &rule.test else {
            self.act(rule, index);
            return true;
        };
        let mut any = false;
        for (variable, entry, kind) in self.looked_at(rules, rule, first) {
            if self.is_spent(budget) {
                break;
            }
            if kind == Kind::Count {
                any |= self.try_value(rule, index, test, variable, entry, entry.value);
            } else if rule.stages.is_empty() {
                let value = self.values.transformed(entry.value, rule.pipeline, &rules.pipelines, rules.unicode.as_ref());
                if self.values.passes(value, test.gate, &rules.scanner) {
                    any |= self.try_value(rule, index, test, variable, entry, value);
                }
            } else {
                let mut before = None;
                for stage in &rule.stages {
                    let value = self.values.transformed(entry.value, *stage, &rules.pipelines, rules.unicode.as_ref());
                    if before.replace(value) != Some(value) && self.values.passes(value, test.gate, &rules.scanner) {
                        any |= self.try_value(rule, index, test, variable, entry, value);
                    }
                }
            }
        }
        any
    }

    /// The values that a rule looks at, in the order in which it names them.
    fn looked_at(&mut self, rules: &RuleSet, rule: &Rule, first: u32) -> Vec<(Variable, Entry, Kind)> {
        let mut found = Vec::new();
        let except: Vec<&Target> = rule.targets.iter().filter(|target| target.kind == Kind::Except).collect();
        let untargeted: Vec<&Target> = self
            .untargeted
            .iter()
            .filter(|(rule, ..)| *rule == first)
            .flat_map(|(_, link, at)| match rules.rules[*link as usize].does.controls.get(*at) {
                Some(Control::RemoveTargetById(_, targets) | Control::RemoveTargetByMessage(_, targets) | Control::RemoveTargetByTag(_, targets)) => {
                    targets.as_slice()
                }
                _ => &[],
            })
            .chain(self.excepted.iter().filter(|(rule, _)| *rule == first).filter_map(|(_, excepted)| excepted.target.as_ref()))
            .collect();
        for target in rule.targets.iter().filter(|target| target.kind != Kind::Except) {
            let (values, known) = (&self.values, &self.known);
            let is_except = |name: &[u8]| except.iter().chain(&untargeted).any(|other| covers(other.variable, target.variable) && other.pick.takes(name));
            if target.kind == Kind::Count {
                let mut count = 0;
                known.each(target.variable, |entry| {
                    let name = values.get(entry.name);
                    count += usize::from(target.pick.takes(name) && !is_except(name));
                });
                let value = self.values.add(count.to_string().as_bytes());
                found.push((target.variable, Entry { name: value, value }, Kind::Count));
                continue;
            }
            // The common case by far: one variable of rules, by its name.
            if let (Some(kept), Pick::Named(name)) = (known.kept(target.variable), &target.pick) {
                let entry = values.find(&name.to_ascii_lowercase()).and_then(|name| kept.get(name).map(|value| Entry { name, value }));
                if let Some(entry) = entry.filter(|_| !is_except(name)) {
                    found.push((target.variable, entry, Kind::Value));
                }
                continue;
            }
            known.each(target.variable, |entry| {
                let name = values.get(entry.name);
                if target.pick.takes(name) && !is_except(name) {
                    found.push((target.variable, entry, Kind::Value));
                }
            });
        }
        found
    }

    fn try_value(&mut self, rule: &Rule, index: u32, test: &Test, variable: Variable, entry: Entry, value: ValueId) -> bool {
        let mut captures = Vec::new();
        let wanted = (rule.does.capture && !test.negated).then_some(&mut captures);
        let found = test.operator.test(self.values.get(value), self.values.bytes(value), &|text| self.expand(text), wanted);
        if found == test.negated {
            return false;
        }
        self.remember(variable, entry, value);
        if rule.does.capture && !captures.is_empty() {
            self.capture(&captures);
        }
        self.act(rule, index);
        true
    }

    /// What matched, for the rules that ask for it.
    fn remember(&mut self, variable: Variable, entry: Entry, value: ValueId) {
        let name = if entry.name == ValueId::EMPTY { Vec::new() } else { [b":", self.values.get(entry.name)].concat() };
        let name = self.values.add(&[variable.as_str().as_bytes(), &name].concat());
        self.known.put(Variable::MatchedVar, value);
        self.known.put(Variable::MatchedVarName, name);
        self.known.push(Variable::MatchedVars, Entry { name, value });
        self.known.push(Variable::MatchedVarsNames, Entry { name, value: name });
        self.matched.push((variable, Entry { name: entry.name, value }));
    }

    fn log(&mut self, first: &Rule, last: &Rule) {
        let does = &first.does;
        if let Some(severity) = does.severity.filter(|severity| *severity < self.severity) {
            self.severity = severity;
            self.put(Variable::HighestSeverity, severity.to_string().as_bytes());
        }
        if !does.log || self.report.findings.len() == MOST_FINDINGS {
            return;
        }
        let text = |text: &Option<crate::text::Text>| text.as_ref().map(|text| String::from_utf8_lossy(&self.expand(text)).into_owned()).unwrap_or_default();
        let matched = self.matched.iter().take(MOST_MATCHED).map(|(variable, entry)| {
            let value = self.values.get(entry.value);
            let name = self.values.get(entry.name);
            Matched {
                variable: *variable,
                name: String::from_utf8_lossy(&name[..name.len().min(KEPT)]).into_owned(),
                value: value[..value.len().min(KEPT)].to_vec(),
            }
        });
        let finding = Finding {
            rule: first.id,
            place: first.place.clone(),
            phase: first.phase,
            message: text(&does.message),
            data: text(&does.log_data),
            severity: does.severity,
            tags: does.tags.iter().map(|tag| String::from_utf8_lossy(&self.expand(tag)).into_owned()).collect(),
            test: last.test.as_ref().map(|test| Arc::clone(&test.text)).unwrap_or_default(),
            matched: matched.collect(),
            disruptive: matches!(does.disruption, Some(Disruption::Deny | Disruption::Drop | Disruption::Redirect(_))),
            audit: does.audit,
        };
        self.report.findings.push(finding);
    }

    fn disrupt(&mut self, rule: &Rule) -> Verdict {
        let status = |default: u16| rule.does.status.unwrap_or(default);
        let refusal = |status: u16, location: Option<Vec<u8>>, drop: bool| Refusal { status, rule: Some(rule.id), location, drop };
        match &rule.does.disruption {
            None | Some(Disruption::Pass) => Verdict::Pass,
            Some(Disruption::Allow(allow)) => {
                // In detection only, nothing is let past the rest of the rules either.
                if self.engine == Switch::On {
                    self.allowed = Some((*allow, rule.phase));
                }
                Verdict::Pass
            }
            Some(Disruption::Deny) => self.refuse(refusal(status(403), None, false)),
            Some(Disruption::Drop) => self.refuse(refusal(status(403), None, true)),
            Some(Disruption::Redirect(text)) => {
                let location = self.expand(text);
                let found = Some(status(302)).filter(|status| (300..400).contains(status)).unwrap_or(302);
                self.refuse(refusal(found, Some(location), false))
            }
        }
    }
}

/// Whether taking `general` away takes `special` away: who says `ARGS` means the query's too.
fn covers(general: Variable, special: Variable) -> bool {
    general == special
        || match general {
            Variable::Args => matches!(special, Variable::ArgsGet | Variable::ArgsPost),
            Variable::ArgsNames => matches!(special, Variable::ArgsGetNames | Variable::ArgsPostNames),
            _ => false,
        }
}
