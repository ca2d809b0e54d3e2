//! What rules do when they match: they keep numbers, and change what is still to come.

use super::{Mark, Transaction};
use crate::{
    operator::number,
    ruleset::Rule,
    seclang::{Control, SetValue, Switch},
    text::Text,
    variable::Variable,
};

/// Most bytes of a value that a rule keeps.
const LONGEST: usize = 65_536;
/// Most values that rules keep in one collection.
const MOST_KEPT: usize = 10_000;

impl Transaction {
    /// What a link does, once for each value that it matches.
    pub(super) fn act(&mut self, rule: &Rule, index: u32) {
        for set in &rule.does.set {
            let mut name = self.expand(&set.name);
            name.make_ascii_lowercase();
            let name = self.values.add(&name);
            let before = |this: &Self| this.known.kept(set.variable).and_then(|kept| kept.get(name)).map_or(0, |id| number(this.values.get(id)));
            let value = match &set.value {
                SetValue::Drop => {
                    if let Some(kept) = self.known.kept_mut(set.variable) {
                        kept.remove(name);
                    }
                    continue;
                }
                SetValue::Be(text) => self.expand(text),
                SetValue::Add(text) => before(self).saturating_add(number(&self.expand(text))).to_string().into_bytes(),
                SetValue::Subtract(text) => before(self).saturating_sub(number(&self.expand(text))).to_string().into_bytes(),
            };
            self.keep(set.variable, name, &value);
        }
        for (name, text) in &rule.does.env {
            let value = self.expand(text);
            let name = self.values.add(&name.to_ascii_lowercase());
            self.keep(Variable::Env, name, &value);
        }
        for (at, control) in rule.does.controls.iter().enumerate() {
            self.obey(control, index, at);
        }
    }

    fn keep(&mut self, variable: Variable, name: crate::value::ValueId, value: &[u8]) {
        let value = self.values.add(&value[..value.len().min(LONGEST)]);
        let Some(kept) = self.known.kept_mut(variable) else { return };
        if kept.get(name).is_some() || kept.len() < MOST_KEPT {
            kept.set(name, value);
        } else {
            // What rules count can no longer be relied on.
            self.mark(Mark::Budget);
        }
    }

    /// Keeps what groups hold as `TX:0` to `TX:9`.
    pub(super) fn capture(&mut self, captures: &[Vec<u8>]) {
        for number in 0..10_u8 {
            let name = self.values.add(&[b'0' + number]);
            match captures.get(usize::from(number)) {
                Some(bytes) => {
                    let value = self.values.add(bytes);
                    self.known.tx().set(name, value);
                }
                None => self.known.tx().remove(name),
            }
        }
    }

    fn obey(&mut self, control: &Control, link: u32, at: usize) {
        match control {
            Control::Audit => {}
            Control::ForceRequestBody(on) => self.body_forced = *on,
            Control::ForceResponseBody(on) | Control::ResponseBodyAccess(on) => self.response_access = *on,
            Control::RequestBodyAccess(on) => self.body_access = *on,
            Control::RequestBodyProcessor(name) => self.put(Variable::ReqbodyProcessor, name.as_bytes()),
            // Rules may only weaken what the operator has set.
            Control::RuleEngine(switch) => match (self.engine, switch) {
                (_, Switch::Off) => self.engine = Switch::Off,
                (Switch::On, Switch::DetectionOnly) => self.engine = Switch::DetectionOnly,
                _ => {}
            },
            Control::RemoveById(ids) => self.remove(|rule| ids.iter().any(|id| id.holds(rule.id))),
            Control::RemoveByMessage(message) => self.remove(|rule| says(rule, message)),
            Control::RemoveByTag(tag) => {
                let rules = std::sync::Arc::clone(&self.rules);
                rules.tagged(tag).iter().for_each(|rule| self.take_out(*rule));
            }
            Control::RemoveTargetById(ids, _) => self.untarget(link, at, |rule| ids.iter().any(|id| id.holds(rule.id))),
            Control::RemoveTargetByMessage(message, _) => self.untarget(link, at, |rule| says(rule, message)),
            Control::RemoveTargetByTag(tag, _) => {
                let rules = std::sync::Arc::clone(&self.rules);
                self.untargeted.extend(rules.tagged(tag).iter().map(|rule| (*rule, link, at)));
            }
        }
    }

    pub(super) fn take_out(&mut self, rule: u32) {
        self.removed.resize(self.removed.len().max(rule as usize / 64 + 1), 0);
        self.removed[rule as usize / 64] |= 1 << (rule % 64);
    }

    fn remove(&mut self, fits: impl Fn(&Rule) -> bool) {
        let rules = std::sync::Arc::clone(&self.rules);
        for (number, _) in (0..).zip(&rules.rules).filter(|(_, rule)| fits(rule)) {
            self.take_out(number);
        }
    }

    fn untarget(&mut self, link: u32, at: usize, fits: impl Fn(&Rule) -> bool) {
        let rules = std::sync::Arc::clone(&self.rules);
        self.untargeted.extend((0..).zip(&rules.rules).filter(|(_, rule)| fits(rule)).map(|(number, _)| (number, link, at)));
    }
}

fn says(rule: &Rule, message: &str) -> bool {
    rule.does.message.as_ref().and_then(Text::plain) == Some(message.as_bytes())
}
