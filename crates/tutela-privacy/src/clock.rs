//! By when a request has to be answered: the clocks of each law, as data.

use std::{collections::BTreeMap, sync::LazyLock};

use jiff::{
    ToSpan as _,
    civil::{Date, Weekday},
};
use serde::Deserialize;
use tutela_core::Timestamp;

use crate::request::{Kind, Law};

/// The clocks that come with tutela.
const OWN: &str = include_str!("../../../rules/privacy/clocks.yml");

/// Clocks of all laws.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clocks {
    #[serde(default)]
    calendars: BTreeMap<String, Vec<Holiday>>,
    clocks: Vec<Clock>,
}

/// The clock of some requests.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clock {
    law: Law,
    /// Where the law says so.
    pub section: String,
    requests: Vec<Kind>,
    /// By when it is confirmed that the request came.
    #[serde(default)]
    pub confirm: Option<Time>,
    /// By when it is answered.
    pub answer: Time,
    /// By how much that may be extended.
    #[serde(default)]
    pub extension: Option<Extension>,
    /// What else there is to it.
    #[serde(default)]
    pub note: String,
}

/// A time that a law gives.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Time {
    #[serde(default)]
    months: i32,
    #[serde(default)]
    days: i32,
    #[serde(default)]
    business_days: u32,
    #[serde(default)]
    calendar: Option<String>,
}

/// More time.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extension {
    #[serde(default)]
    months: i32,
    #[serde(default)]
    days: i32,
    /// By when the person has to be told of it, with the reasons.
    pub told_within: Time,
}

/// A day without business: a date, or so-manieth weekday of a month.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Holiday {
    #[serde(rename = "name")]
    _name: String,
    month: i8,
    #[serde(default)]
    day: Option<i8>,
    #[serde(default)]
    weekday: Option<Day>,
    #[serde(default)]
    nth: i8,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Day {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
}

/// The dates of one request, as `yyyy-mm-dd`: at the end of these days it is late.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dates {
    /// By when it is confirmed that the request came.
    pub confirm: Option<Date>,
    /// By when it is answered.
    pub answer: Date,
    /// By when an extension would have to be told.
    pub extend_until: Option<Date>,
    /// By when it is answered if it was extended.
    pub extended: Option<Date>,
}

impl Clocks {
    /// Those that come with tutela. A test reads them: here they cannot fail.
    pub fn own() -> &'static Self {
        static CLOCKS: LazyLock<Clocks> = LazyLock::new(|| Clocks::read(OWN).unwrap_or_default());
        &CLOCKS
    }

    /// From a file.
    pub fn read(yaml: &str) -> Result<Self, String> {
        let clocks: Self = serde_yaml_ng::from_str(yaml).map_err(|e| e.to_string())?;
        for time in
            clocks.clocks.iter().flat_map(|clock| clock.confirm.iter().chain([&clock.answer]).chain(clock.extension.iter().map(|more| &more.told_within)))
        {
            if let Some(name) = time.calendar.as_ref().filter(|name| !clocks.calendars.contains_key(*name)) {
                return Err(format!("there is no calendar `{name}`"));
            }
        }
        Ok(clocks)
    }

    /// The clock of a request.
    pub fn of(&self, law: Law, kind: Kind) -> Option<&Clock> {
        self.clocks.iter().find(|clock| clock.law == law && clock.requests.contains(&kind))
    }

    /// The dates of a request that came at some moment.
    pub fn dates(&self, law: Law, kind: Kind, received: Timestamp) -> Option<Dates> {
        let (clock, day) = (self.of(law, kind)?, received.date());
        Some(Dates {
            confirm: clock.confirm.as_ref().map(|time| self.after(day, time)),
            answer: self.after(day, &clock.answer),
            extend_until: clock.extension.as_ref().map(|more| self.after(day, &more.told_within)),
            extended: clock.extension.as_ref().map(|more| {
                let whole = Time { months: clock.answer.months + more.months, days: clock.answer.days + more.days, ..clock.answer.clone() };
                self.after(day, &whole)
            }),
        })
    }

    /// The last day of a time that began with a day. The same day of a later month, or the last that this month has.
    fn after(&self, day: Date, time: &Time) -> Date {
        let end = day.saturating_add(time.months.months()).saturating_add(time.days.days());
        let holidays = time.calendar.as_ref().and_then(|name| self.calendars.get(name)).map_or(&[][..], Vec::as_slice);
        let mut end = end;
        for _ in 0..time.business_days {
            loop {
                end = end.saturating_add(1.days());
                if !matches!(end.weekday(), Weekday::Saturday | Weekday::Sunday) && !holidays.iter().any(|holiday| holiday.is(end)) {
                    break;
                }
            }
        }
        end
    }
}

impl Holiday {
    fn is(&self, day: Date) -> bool {
        if day.month() != self.month {
            return false;
        }
        match (self.day, self.weekday) {
            (Some(of_month), _) => day.day() == of_month,
            (None, Some(weekday)) => day.first_of_month().nth_weekday_of_month(self.nth, weekday.into()).is_ok_and(|found| found == day),
            (None, None) => false,
        }
    }
}

impl From<Day> for Weekday {
    fn from(day: Day) -> Self {
        match day {
            Day::Monday => Self::Monday,
            Day::Tuesday => Self::Tuesday,
            Day::Wednesday => Self::Wednesday,
            Day::Thursday => Self::Thursday,
            Day::Friday => Self::Friday,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dates(law: Law, kind: Kind, received: &str) -> Dates {
        Clocks::own().dates(law, kind, format!("{received}T15:00:00Z").parse().unwrap()).unwrap()
    }

    #[test]
    fn a_month_ends_on_the_same_day_or_with_the_month() {
        for (received, answer, extended) in
            [("2026-01-31", "2026-02-28", "2026-04-30"), ("2028-01-31", "2028-02-29", "2028-04-30"), ("2026-11-22", "2026-12-22", "2027-02-22")]
        {
            let dates = dates(Law::Gdpr, Kind::Erasure, received);
            assert_eq!((dates.answer.to_string(), dates.extended.unwrap().to_string()), (answer.into(), extended.into()), "{received}");
            assert_eq!(dates.extend_until, Some(dates.answer));
        }
    }

    #[test]
    fn days_are_days_of_the_calendar_or_of_business() {
        let ccpa = dates(Law::Ccpa, Kind::Delete, "2026-01-31");
        assert_eq!((ccpa.answer.to_string(), ccpa.extended.unwrap().to_string()), ("2026-03-17".into(), "2026-05-01".into()));
        // Thanksgiving, 2026-11-26, lies in between.
        assert_eq!(dates(Law::Ccpa, Kind::Access, "2026-11-20").confirm.unwrap().to_string(), "2026-12-07");
        assert_eq!(dates(Law::Ccpa, Kind::DoNotSell, "2026-12-18").answer.to_string(), "2027-01-12", "Christmas Day and New Year's Day");
        let none = OWN.replace("calendar: us", "calendar: none").replace("\n  us:\n", "\n  none: []\n  us:\n");
        let clocks = Clocks::read(&none).unwrap();
        let dates = clocks.dates(Law::Ccpa, Kind::Access, "2026-11-20T00:00:00Z".parse().unwrap()).unwrap();
        assert_eq!(dates.confirm.unwrap().to_string(), "2026-12-04");
    }

    #[test]
    fn every_kind_of_request_has_a_clock() {
        let clocks = Clocks::own();
        for (law, kinds) in Law::ALL.map(|law| (law, law.kinds())) {
            assert!(kinds.iter().all(|kind| clocks.of(law, *kind).is_some()), "{law:?}");
        }
        assert!(Clocks::read("clocks: [{law: gdpr, section: x, requests: [access], answer: {business_days: 3, calendar: mars}}]").is_err());
    }
}
