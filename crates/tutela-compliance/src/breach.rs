//! Breaches of personal data: who has to be told, by when, and what has to be said.

use std::{collections::BTreeMap, time::Duration};

use tutela_core::Timestamp;

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);
/// Days that are no `undue delay` of Art. 34(1) by our own bound: the law names none.
const UNDUE: u32 = 14;
/// Where reminders are due on the way from knowing to the end: at 24, 48, 60 and 70 of 72 hours.
const REMINDERS: [u32; 4] = [24, 48, 60, 70];

/// What duties follow from.
#[derive(Debug, Clone)]
pub struct Breach<'a> {
    /// Since when it is known.
    pub aware_at: Timestamp,
    /// `none`, `risk`, `high`, or `unknown` until somebody has judged.
    pub risk: &'a str,
    /// Whether all of it was sealed under keys that were not lost.
    pub sealed: bool,
    /// Whether it is about health data under HIPAA.
    pub health: bool,
    /// How many people it is about.
    pub people: Option<u64>,
    /// How many live in one state, at most.
    pub residents: Option<u64>,
    /// Who was told, and when.
    pub told: &'a BTreeMap<String, Timestamp>,
}

/// Somebody who has to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duty {
    /// `authority`, `people`, `secretary` or `media`.
    pub to: &'static str,
    /// The framework.
    pub law: &'static str,
    /// Where it says so.
    pub section: &'static str,
    /// By when.
    pub due: Timestamp,
    /// When it was done.
    pub met: Option<Timestamp>,
}

impl Breach<'_> {
    /// Who has to be told under the frameworks that are switched on.
    pub fn duties(&self, is_on: impl Fn(&str) -> bool) -> Vec<Duty> {
        let mut duties = Vec::new();
        let mut say = |to: &'static str, law: &'static str, section: &'static str, due: Timestamp| {
            duties.push(Duty { to, law, section, due, met: self.told.get(to).copied() });
        };
        if is_on("gdpr") && self.risk != "none" {
            say("authority", "gdpr", "Art. 33(1)", self.aware_at + HOUR * 72);
            if self.risk == "high" && !self.sealed {
                say("people", "gdpr", "Art. 34(1)", self.aware_at + DAY * UNDUE);
            }
        }
        if is_on("hipaa") && self.health && !self.sealed {
            let sixty = self.aware_at + DAY * 60;
            say("people", "hipaa", "164.404(b)", sixty);
            if self.residents.or(self.people).is_none_or(|count| count > 500) {
                say("media", "hipaa", "164.406(b)", sixty);
            }
            let many = self.people.is_none_or(|count| count >= 500);
            let section = if many { "164.408(b)" } else { "164.408(c)" };
            say("secretary", "hipaa", section, if many { sixty } else { self.year_end() + DAY * 60 });
        }
        duties
    }

    fn year_end(&self) -> Timestamp {
        format!("{:04}-12-31T23:59:59Z", self.aware_at.date().year()).parse().unwrap_or(self.aware_at)
    }
}

impl Duty {
    /// How many reminders are due by now; one more than there are when its time is over.
    pub fn reminders(&self, aware_at: Timestamp, now: Timestamp) -> usize {
        if self.met.is_some() {
            return 0;
        }
        let whole = self.due.since(aware_at);
        let passed = REMINDERS.iter().filter(|hours| aware_at + whole * **hours / 72 <= now).count();
        passed + usize::from(self.due <= now)
    }

    /// Whether it was or is late.
    pub fn is_late(&self, now: Timestamp) -> bool {
        self.met.unwrap_or(now) > self.due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn of<'a>(risk: &'a str, told: &'a BTreeMap<String, Timestamp>) -> Breach<'a> {
        Breach { aware_at: at("2026-11-20T10:00:00Z"), risk, sealed: false, health: false, people: None, residents: None, told }
    }

    #[test]
    fn who_is_told_by_when_follows_from_law_risk_and_number() {
        let told = BTreeMap::new();
        let said = |breach: &Breach<'_>, laws: &[&str]| {
            let duties = breach.duties(|law| laws.contains(&law));
            duties.iter().map(|of| format!("{} {} {}", of.law, of.to, of.due)).collect::<Vec<_>>()
        };
        assert_eq!(said(&of("unknown", &told), &["gdpr"]), ["gdpr authority 2026-11-23T10:00:00.000000Z"]);
        assert_eq!(said(&of("high", &told), &["gdpr"]), ["gdpr authority 2026-11-23T10:00:00.000000Z", "gdpr people 2026-12-04T10:00:00.000000Z"]);
        assert_eq!(said(&Breach { sealed: true, ..of("high", &told) }, &["gdpr"]), ["gdpr authority 2026-11-23T10:00:00.000000Z"], "Art. 34(3)(a)");
        assert_eq!(said(&of("none", &told), &["gdpr", "hipaa"]), Vec::<String>::new());
        let health = |people, residents| Breach { health: true, people: Some(people), residents: Some(residents), ..of("risk", &told) };
        assert_eq!(said(&health(499, 499), &["hipaa"]), ["hipaa people 2027-01-19T10:00:00.000000Z", "hipaa secretary 2027-03-01T23:59:59.000000Z"]);
        assert_eq!(
            said(&health(501, 501), &["hipaa"]),
            ["hipaa people 2027-01-19T10:00:00.000000Z", "hipaa media 2027-01-19T10:00:00.000000Z", "hipaa secretary 2027-01-19T10:00:00.000000Z"]
        );
        assert_eq!(said(&Breach { sealed: true, ..health(501, 501) }, &["hipaa"]), Vec::<String>::new(), "it was no unsecured data");
    }

    #[test]
    fn reminders_come_at_24_48_60_and_70_hours_and_when_it_is_late() {
        let mut told = BTreeMap::new();
        let count = |told: &BTreeMap<String, Timestamp>, hours: u32| {
            let breach = of("risk", told);
            let (duty, now) = (&breach.duties(|law| law == "gdpr")[0], breach.aware_at + HOUR * hours);
            (duty.reminders(breach.aware_at, now), duty.is_late(now))
        };
        let all: Vec<_> = [23, 24, 47, 48, 60, 70, 71, 72, 73].map(|hours| count(&told, hours)).into();
        assert_eq!(all, [(0, false), (1, false), (1, false), (2, false), (3, false), (4, false), (4, false), (5, false), (5, true)]);
        told.insert("authority".into(), at("2026-11-23T10:00:00Z"));
        assert_eq!(count(&told, 100), (0, false), "told in time");
        told.insert("authority".into(), at("2026-11-23T10:00:01Z"));
        assert_eq!(count(&told, 100), (0, true));
    }
}
