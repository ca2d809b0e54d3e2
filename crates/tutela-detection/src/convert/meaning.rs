//! What a rule asks, however it is written.

use std::{collections::BTreeSet, hash::Hasher as _};

use siphasher::sip::SipHasher24;

use crate::{
    event::Field,
    pred::Pred,
    rule::{Op, Rule, Step},
};

impl Rule {
    /// The same for two rules that find the same and do the same about it, in whichever spelling and order they say so.
    pub fn meaning(&self) -> u64 {
        let text =
            format!("{} {} {} {:?} {:?} {:?} {}", op(&self.op), fields(&self.key), self.window, self.suppress, self.actions, self.mode, self.level.as_str());
        let mut hasher = SipHasher24::new_with_keys(0, 0);
        hasher.write(text.as_bytes());
        hasher.finish()
    }
}

impl Op {
    /// Which events it looks at, as a text that is the same for the same question.
    pub(crate) fn asked(&self) -> String {
        self.preds().into_iter().map(pred).collect::<Vec<_>>().join(" or ")
    }
}

fn op(of: &Op) -> String {
    let steps = |steps: &[Step]| -> Vec<String> {
        let one = |step: &Step| format!("{} {}x {}", pred(&step.pred), step.count, step.key.as_deref().map(fields).unwrap_or_default());
        steps.iter().map(one).collect()
    };
    match of {
        Op::Each(asked) => format!("each {}", pred(asked)),
        Op::Count(asked, count) => format!("count {} {count}", pred(asked)),
        Op::Distinct(asked, field, count) => format!("distinct {} {} {count}", pred(asked), name(field)),
        Op::All(all) => format!("all {:?}", BTreeSet::from_iter(steps(all))),
        Op::Sequence(all) => format!("sequence {:?}", steps(all)),
        Op::First(asked, new, history) => format!("first {} {} {history:?}", pred(asked), fields(new)),
        Op::Travel(asked) => format!("travel {}", pred(asked)),
        Op::RareHour(asked, history) => format!("rare {} {history:?}", pred(asked)),
        Op::Spike(asked, least) => format!("spike {} {least}", pred(asked)),
        Op::Risk(signals, least) => {
            let signals: Vec<String> = signals.iter().map(|signal| format!("{} {}", signal.weight, op(&signal.op))).collect();
            format!("risk {signals:?} {least}")
        }
    }
}

fn pred(of: &Pred) -> String {
    let mut parts = BTreeSet::new();
    match of {
        Pred::All(_) | Pred::Any(_) => flat(of, matches!(of, Pred::All(_)), &mut parts),
        Pred::Not(inner) => return format!("not {}", pred(inner)),
        Pred::Has(field, matching) => return format!("{} {matching:?}", name(field)),
        Pred::Exists(field, there) => return format!("{} there {there}", name(field)),
        Pred::Null(field) => return format!("{} null", name(field)),
        Pred::Same(a, b) => return format!("{} same {}", name(a), name(b)),
        Pred::Anywhere(matching) => return format!("anywhere {matching:?}"),
    }
    match parts.first() {
        Some(one) if parts.len() == 1 => one.clone(),
        _ => format!("{} ({})", if matches!(of, Pred::All(_)) { "all" } else { "any" }, parts.into_iter().collect::<Vec<_>>().join(", ")),
    }
}

/// The parts of `a and b and c`, in whichever way they are put in parentheses.
fn flat(of: &Pred, all: bool, parts: &mut BTreeSet<String>) {
    match of {
        Pred::All(inner) if all || inner.len() == 1 => inner.iter().for_each(|inner| flat(inner, all, parts)),
        Pred::Any(inner) if !all || inner.len() == 1 => inner.iter().for_each(|inner| flat(inner, all, parts)),
        other => drop(parts.insert(pred(other))),
    }
}

fn name(field: &Field) -> &str {
    crate::event::long_name(field.name())
}

fn fields(all: &[Field]) -> String {
    all.iter().map(name).collect::<Vec<_>>().join(",")
}
