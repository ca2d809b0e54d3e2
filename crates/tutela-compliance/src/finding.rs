//! What a check found, and what that makes of a control.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::framework::{Control, Kind};

/// How something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It holds.
    Pass,
    /// It does not concern this installation, by decision.
    NotApplicable,
    /// Somebody has to say so, or has.
    Manual,
    /// There is nothing to judge by: the population is empty, or nobody collected.
    NoData,
    /// It does not hold.
    Fail,
}

impl Outcome {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::NotApplicable => "not_applicable",
            Self::Manual => "manual",
            Self::NoData => "no_data",
            Self::Fail => "fail",
        }
    }
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The check.
    pub check: String,
    /// How it stands.
    pub outcome: Outcome,
    /// Why, in words; what to change where it fails.
    pub why: String,
    /// What was counted.
    pub counts: BTreeMap<String, u64>,
    /// Ids of what it was judged by, or places; a few of them.
    pub samples: Vec<String>,
    /// How the same can be seen by somebody else: a query of the ledger, a setting, a command.
    pub source: String,
}

/// Most samples of a finding.
const MOST_SAMPLES: usize = 10;

impl Finding {
    pub(crate) fn new(outcome: Outcome, why: impl Into<String>, source: impl Into<String>) -> Self {
        Self { check: String::new(), outcome, why: why.into(), counts: BTreeMap::new(), samples: Vec::new(), source: source.into() }
    }

    /// Nobody collected what it judges by.
    pub(crate) fn silent(source: &str) -> Self {
        Self::new(Outcome::NoData, "nobody collected what this is judged by", source)
    }

    pub(crate) fn counted(mut self, name: &str, count: u64) -> Self {
        self.counts.insert(name.to_owned(), count);
        self
    }

    pub(crate) fn sampled(mut self, samples: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.samples = samples.into_iter().take(MOST_SAMPLES).map(Into::into).collect();
        self
    }
}

/// How a control stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// How.
    pub outcome: Outcome,
    /// Why, in words.
    pub why: String,
}

/// What people state of a control: in words, as far as it counts now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stated {
    /// Somebody attests to it; `Err` where that is over.
    pub attested: Option<Result<String, String>>,
    /// It is accepted for a time though it does not hold.
    pub excepted: Option<String>,
    /// It does not concern this installation.
    pub outside: Option<String>,
}

/// What findings and statements make of a control. Nobody's word outweighs what is seen.
pub fn judge(control: &Control, findings: &[Finding], stated: &Stated) -> Verdict {
    let word = |outcome, why: &str| Verdict { outcome, why: why.to_owned() };
    if let Some(why) = &stated.outside {
        return word(Outcome::NotApplicable, why);
    }
    let worst = findings.iter().max_by_key(|finding| finding.outcome);
    let failed = worst.filter(|finding| finding.outcome != Outcome::Pass);
    if let Some(finding) = failed.filter(|finding| finding.outcome == Outcome::Fail) {
        let accepted = stated.excepted.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
        return word(Outcome::Fail, &format!("{}{accepted}", finding.why));
    }
    let needs_word = control.kind != Kind::Automatic || findings.is_empty();
    match (needs_word, &stated.attested, failed) {
        (true, Some(Err(over)), _) => word(Outcome::Fail, over),
        (_, _, Some(finding)) => word(finding.outcome, &finding.why),
        (true, Some(Ok(attested)), None) => word(Outcome::Manual, attested),
        (true, None, None) if control.kind == Kind::Automatic => word(Outcome::Manual, "no check judges this yet: attest to it until one does"),
        (true, None, None) => word(Outcome::Manual, "nobody has attested to it yet"),
        (false, _, None) => word(Outcome::Pass, worst.map_or("", |finding| &finding.why)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn control(kind: Kind) -> Control {
        let text = |text: &str| text.to_owned();
        Control { id: text("a"), number: text("1"), title: text("A"), kind, owner: text("o"), checks: Vec::new(), attests: Some(text("x")) }
    }

    fn found(outcome: Outcome) -> Finding {
        Finding::new(outcome, outcome.as_str(), "here")
    }

    #[test]
    fn one_failure_fails_and_no_data_never_passes() {
        let of = |kind, outcomes: &[Outcome], attested: Option<bool>| {
            let attested = attested.map(|holds| if holds { Ok("attested".to_owned()) } else { Err("over".to_owned()) });
            let findings: Vec<_> = outcomes.iter().map(|of| found(*of)).collect();
            judge(&control(kind), &findings, &Stated { attested, ..Stated::default() }).outcome
        };
        use Outcome::{Fail, Manual, NoData, Pass};
        assert_eq!(of(Kind::Automatic, &[Pass, Pass], None), Pass);
        assert_eq!(of(Kind::Automatic, &[Pass, Fail, NoData], None), Fail);
        assert_eq!(of(Kind::Automatic, &[Pass, NoData], None), NoData);
        assert_eq!(of(Kind::Automatic, &[], None), Manual, "what has no check yet is not hidden and does not pass");
        assert_eq!(of(Kind::Half, &[Pass], None), Manual);
        assert_eq!(of(Kind::Half, &[Pass], Some(true)), Manual);
        assert_eq!(of(Kind::Half, &[Fail], Some(true)), Fail, "nobody's word outweighs what is seen");
        assert_eq!(of(Kind::Half, &[NoData], Some(true)), NoData);
        assert_eq!(of(Kind::Half, &[Pass], Some(false)), Fail, "a word that is over");
        assert_eq!(of(Kind::Manual, &[], Some(false)), Fail);
        assert_eq!(of(Kind::Automatic, &[Pass], Some(false)), Pass, "an automatic control needs nobody's word");
    }
    #[test]
    fn what_is_accepted_still_fails_and_says_so_and_what_is_outside_is_not_judged() {
        let excepted = Stated { excepted: Some("accepted until 2027".into()), ..Stated::default() };
        let verdict = judge(&control(Kind::Automatic), &[found(Outcome::Fail)], &excepted);
        assert_eq!((verdict.outcome, verdict.why.as_str()), (Outcome::Fail, "fail (accepted until 2027)"));
        let outside = Stated { outside: Some("no cards are taken".into()), ..Stated::default() };
        assert_eq!(judge(&control(Kind::Automatic), &[found(Outcome::Fail)], &outside).outcome, Outcome::NotApplicable);
    }
}
