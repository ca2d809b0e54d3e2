//! What no event tells by itself: that events stopped coming, and that the clock was set.

use std::{collections::BTreeMap, time::Duration};

use tutela_core::{Env, Timestamp};
use tutela_store::HourTotal;

use crate::{
    App, Ctx, Error,
    occurrence::{LedgerSilent, ServerClockChanged},
};

/// A type is one that always comes where it came in each of so many hours …
const HABIT: i64 = 24;
/// … and is silent where it did not come in so many whole ones after them.
const SILENT: i64 = 2;
/// How far a clock may be from the one that nobody sets: NTP corrects less, and slowly.
const OFF: Duration = Duration::from_secs(5);
const HOUR: i64 = 3_600;

/// Records which types of events have stopped coming. Asked once an hour it tells of each silence once.
///
/// Hours before this server started are not looked at: then it is the server that was silent, and it has said so.
pub(crate) async fn silence(app: &App, ctx: &Ctx) -> Result<(), Error> {
    let now = ctx.now.secs().div_euclid(HOUR);
    if app.started_at.secs() > (now - SILENT) * HOUR {
        return Ok(());
    }
    let totals = app.store.event_totals(now - SILENT - HABIT, now).await?;
    for (kind, usual) in silent(&totals, now) {
        app.commit(ctx, LedgerSilent::new(&kind, SILENT as usize, usual), |changeset| changeset).await?;
    }
    Ok(())
}

/// When the next whole hour has just begun.
pub(crate) fn next_hour(now: Timestamp) -> Timestamp {
    Timestamp::from_secs((now.secs().div_euclid(HOUR) + 1) * HOUR + 60)
}

/// The types that came in every hour of a day and then in none of the last hours before `now`, with how many an hour were usual.
fn silent(totals: &[HourTotal], now: i64) -> BTreeMap<String, u64> {
    let mut hours: BTreeMap<&str, BTreeMap<i64, u64>> = BTreeMap::new();
    for total in totals {
        *hours.entry(total.kind.as_str()).or_default().entry(total.hour).or_default() += total.events;
    }
    let begin = now - SILENT;
    let mut found = BTreeMap::new();
    for (kind, mut by_hour) in hours {
        let lately = by_hour.split_off(&begin);
        if lately.is_empty() && by_hour.len() as i64 == HABIT {
            let mut numbers: Vec<u64> = by_hour.into_values().collect();
            numbers.sort_unstable();
            found.insert(kind.to_owned(), numbers.get(numbers.len() / 2).copied().unwrap_or(0));
        }
    }
    found
}

/// The clock of this host, beside one that nobody sets.
pub(crate) struct Clock {
    now: Timestamp,
    uptime: Duration,
}

impl Clock {
    pub(crate) fn new(env: &dyn Env) -> Self {
        // Whoever is put aside between the two questions asks again.
        loop {
            let (uptime, now) = (env.uptime(), env.now());
            if env.uptime().saturating_sub(uptime) < Duration::from_secs(1) {
                return Self { now, uptime };
            }
        }
    }

    /// Records that it was set, where it was.
    pub(crate) async fn look(&mut self, app: &App, ctx: &Ctx) -> Result<(), Error> {
        let here = Self::new(&*app.env);
        let set = here.ahead_of(self);
        *self = here;
        match set {
            Some(seconds) => app.commit(ctx, ServerClockChanged::new(seconds), |changeset| changeset).await,
            None => Ok(()),
        }
    }

    /// By how many seconds it was set since `before`; nothing where it was only corrected.
    fn ahead_of(&self, before: &Self) -> Option<i64> {
        let passed = i64::try_from(self.uptime.saturating_sub(before.uptime).as_micros()).ok()?;
        let off = self.now.micros() - before.now.micros() - passed;
        (off.unsigned_abs() > OFF.as_micros() as u64).then_some(off / 1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn total(hour: i64, kind: &str) -> HourTotal {
        HourTotal { hour, kind: kind.into(), outcome: "success".into(), events: 10 + hour as u64 % 3 }
    }

    #[test]
    fn only_what_always_came_is_missed_and_it_is_missed_once() {
        let mut totals: Vec<HourTotal> = (76..100).map(|hour| total(hour, "photo.viewed")).collect();
        // By night nobody works: that is no habit.
        totals.extend((76..100).filter(|hour| hour % 24 > 8).map(|hour| total(hour, "invoice.written")));
        totals.extend((76..102).map(|hour| total(hour, "session.started")));
        assert_eq!(silent(&totals, 102), BTreeMap::from([("photo.viewed".to_owned(), 11)]));
        let later: Vec<HourTotal> = totals.iter().filter(|total| total.hour >= 77).cloned().collect();
        assert_eq!(silent(&later, 103), BTreeMap::new(), "it was told an hour ago");
        assert_eq!(silent(&totals, 101), BTreeMap::new(), "an hour without is not a silence yet");
    }

    #[test]
    fn a_clock_that_was_set_is_told_from_one_that_is_slow() {
        let at = |micros: i64, up: u64| Clock { now: Timestamp::from_micros(micros), uptime: Duration::from_secs(up) };
        let before = at(1_000_000_000, 50);
        assert_eq!(at(1_005_000_000, 55).ahead_of(&before), None);
        assert_eq!(at(1_009_000_000, 55).ahead_of(&before), None, "four seconds in five may be NTP");
        assert_eq!(at(4_605_000_000, 55).ahead_of(&before), Some(3_600));
        assert_eq!(at(1_005_000_000 - 86_400_000_000, 55).ahead_of(&before), Some(-86_400));
    }
}
