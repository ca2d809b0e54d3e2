//! What rules would have found in the ledger so far: the same engine, over events that are there already.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use serde_json::Value;
use tutela_api as api;
use tutela_core::Timestamp;
use tutela_detection::{Action, Alert, Engine, Rules};
use tutela_store::LogRow;

use super::read::{self, Read};
use crate::{App, Ctx, Error, usecase::search};

/// Entries that are read together.
const STEP: u64 = 256;
/// Most events that one backtest reads, and most keys of a rule that it names.
const MOST_EVENTS: u64 = 5_000_000;
const MOST_KEYS: usize = 50;

/// What was found so far.
struct Backtest {
    engine: Engine,
    since: Timestamp,
    events: u64,
    /// By rule and by whom it is about: how many, the first and the last.
    alerts: BTreeMap<Arc<str>, BTreeMap<String, Found>>,
    /// Addresses from which people signed in with two factors.
    good: BTreeSet<String>,
}

/// Alerts about one key.
struct Found {
    alerts: u64,
    first: Timestamp,
    last: Timestamp,
    address: Option<String>,
}

/// Takes in everything of the last days, and says what the rules would have told.
pub(crate) async fn run(app: &App, ctx: &Ctx, rules: &Rules, days: u32) -> Result<api::Backtest, Error> {
    let since = ctx.now.minus(Duration::from_secs(u64::from(days) * 86_400));
    let mut test = Backtest { engine: read::engine(app, rules), since, events: 0, alerts: BTreeMap::new(), good: BTreeSet::new() };
    let bounds = app.store.log_time_bounds(since, ctx.now + Duration::from_secs(1)).await?;
    let (size, _) = app.store.log_head().await?;
    let mut at = match bounds {
        Some((first, _)) => first.max(app.store.log_first().await?),
        None => size,
    };
    while at < size && test.events < MOST_EVENTS {
        // Whoever asked may have been signed out meanwhile.
        app.still_there(ctx).await?;
        let to = size.min(at + STEP);
        for row in search::rows(app, at, to).await? {
            test.take(app, &row).await;
        }
        at = to;
    }
    Ok(api::Backtest { since: since.to_string(), events: test.events, complete: at >= size, rules: test.told(rules) })
}

impl Backtest {
    async fn take(&mut self, app: &App, row: &LogRow) {
        self.events += 1;
        let Ok(sealed) = serde_json::from_slice::<Value>(&row.body) else { return };
        let strong = sealed["type"] == "session.started" && sealed["data"]["acr"] == "aal2";
        if !strong && !self.engine.may_take(&sealed) {
            return;
        }
        let Ok(Some(read)) = Read::open(app, row).await else { return };
        if read.time < self.since {
            return;
        }
        if let Some(address) = read.body["source"]["ip"].as_str().filter(|_| strong) {
            self.good.insert(address.to_owned());
        }
        for alert in self.engine.take(&read.event()) {
            self.note(&alert);
        }
    }

    fn note(&mut self, alert: &Alert) {
        let about: Vec<String> = alert.about.iter().map(|(name, value)| format!("{name} {value}")).collect();
        let address = alert.about.iter().find(|(name, _)| name == "ip").map(|(_, value)| value.clone());
        let found = self.alerts.entry(Arc::clone(&alert.rule)).or_default();
        let found = found.entry(about.join(", ")).or_insert(Found { alerts: 0, first: alert.time, last: alert.time, address });
        found.alerts += 1;
        (found.first, found.last) = (found.first.min(alert.time), found.last.max(alert.time));
    }

    fn told(mut self, rules: &Rules) -> Vec<api::BacktestRule> {
        let good = std::mem::take(&mut self.good);
        let rule = |rule: &Arc<tutela_detection::Rule>| {
            let found = self.alerts.remove(rule.name.as_str()).unwrap_or_default();
            let blocked = if rule.actions.contains(&Action::BlockIp) { found.values().filter(|found| found.address.is_some()).count() } else { 0 };
            let well = found.values().filter(|found| found.address.as_ref().is_some_and(|address| good.contains(address))).count();
            let keys = found.len() as u64;
            let mut all: Vec<(String, Found)> = found.into_iter().collect();
            all.sort_by(|(a, x), (b, y)| y.alerts.cmp(&x.alerts).then_with(|| a.cmp(b)));
            let alerts = all.iter().map(|(_, found)| found.alerts).sum();
            let key = |(about, found): (String, Found)| api::BacktestKey {
                about,
                alerts: found.alerts,
                first: found.first.to_string(),
                last: found.last.to_string(),
            };
            let named = all.into_iter().take(MOST_KEYS).map(key).collect();
            api::BacktestRule { name: rule.name.clone(), alerts, keys, would_block: blocked as u64, with_good_sign_ins: well as u64, most: named }
        };
        rules.iter().map(rule).collect()
    }
}
