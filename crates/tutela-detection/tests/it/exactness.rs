//! What leaky buckets and arrival order get wrong.

use std::sync::Arc;

use serde_json::json;
use tutela_core::{Secret, Timestamp};
use tutela_detection::{Engine, Event, Rules};

use crate::own::metrics;

fn engine(rule: &str, most: usize) -> Engine {
    let rules = Rules::load(&[("rule".into(), rule.into())], &metrics()).unwrap();
    Engine::new(rules.iter().map(Arc::clone).collect(), &Secret::new([1; 16]), most)
}

const BRUTE: &str = "{name: a, condition: failed_login_attempts > 5, window: 5m, suppress: 1h}";

/// Events as `(second, address)`, in the order in which they arrive; who was alerted about.
fn found(events: &[(i64, u32)], most: usize) -> (std::collections::BTreeSet<String>, Engine) {
    let mut engine = engine(BRUTE, most);
    let mut found = std::collections::BTreeSet::new();
    for (position, (second, address)) in events.iter().enumerate() {
        let body = json!({"type": "sign_in.failed", "source": {"ip": format!("198.18.{}.{}", address >> 8, address & 255)}});
        let event = Event { body: &body, time: Timestamp::from_secs(1_767_603_600 + second), position: position as u64 };
        found.extend(engine.take(&event).into_iter().map(|alert| alert.about[0].1.clone()));
    }
    (found, engine)
}

#[test]
fn every_group_is_told_from_every_other() {
    let group = |times: Vec<i64>, attack: bool| (times, attack);
    for (times, attack) in [
        group((0..6).map(|n| n * 10).collect(), true),
        group((0..6).map(|n| n * 58).collect(), true),
        group((0..5).map(|n| n * 72).collect(), false),
        group((0..36).map(|n| n * 200).collect(), false),
    ] {
        let mut events: Vec<(i64, u32)> = (0..500).flat_map(|address| times.iter().map(move |time| (*time, address))).collect();
        events.sort_unstable();
        assert_eq!(found(&events, 64 << 20).0.len(), if attack { 500 } else { 0 }, "{times:?}");
    }
}

#[test]
fn events_that_arrive_late_change_nothing() {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut chance = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below.max(1)) as i64
    };
    for delay in [0, 30, 120, 300] {
        let mut events: Vec<(i64, i64, u32)> = Vec::new();
        for address in 0..1_000 {
            events.extend((0..6).map(|n| (n * 58, address)).map(|(time, address)| (time + chance(delay + 1), time, address)));
            // Once in 75 seconds, for half an hour: never more than five in five minutes.
            events.extend((0..24).map(|n| (n * 75, address + 1_000)).map(|(time, address)| (time + chance(delay + 1), time, address)));
        }
        events.sort_unstable();
        let events: Vec<(i64, u32)> = events.into_iter().map(|(_, time, address)| (time, address)).collect();
        let (found, _) = found(&events, 64 << 20);
        let benign = found.iter().filter(|ip| {
            let parts: Vec<u32> = ip.split('.').skip(2).map(|part| part.parse().unwrap()).collect();
            parts[0] * 256 + parts[1] >= 1_000
        });
        assert_eq!((found.len(), benign.count()), (1_000, 0), "up to {delay} s late");
    }
}

#[test]
fn more_keys_than_there_is_room_for_hide_nobody() {
    // Six from each of 150,000 addresses, round robin within four minutes, with room for a fifth of them.
    let events: Vec<(i64, u32)> = (0..6).flat_map(|round| (0..60_000).map(move |address| (round * 40, address))).collect();
    let (found, engine) = found(&events, 4 << 20);
    assert_eq!(found.len(), 60_000);
    let overflowing = engine.overflowing();
    assert!(overflowing.iter().all(|(_, forgotten)| *forgotten > 0) && overflowing.len() == 1, "it says so");
    assert!(engine.size().1 <= 4 << 20, "{:?}", engine.size());
}

#[test]
fn what_was_stored_and_given_back_goes_on_as_if_nothing_had_happened() {
    let body = |address: u32| json!({"type": "sign_in.failed", "source": {"ip": format!("198.18.0.{address}")}});
    let take = |engine: &mut Engine, position: u64| {
        let body = body(position as u32 % 5);
        engine.take(&Event { body: &body, time: Timestamp::from_secs(1_767_603_600 + position as i64), position })
    };
    let mut whole = engine(BRUTE, 64 << 20);
    let mut alerts = Vec::new();
    for position in 0..60 {
        alerts.extend(take(&mut whole, position));
    }
    let (mut again, mut kept) = (Vec::new(), std::collections::BTreeMap::new());
    let mut running = engine(BRUTE, 64 << 20);
    for position in 0..60_u64 {
        again.extend(take(&mut running, position));
        for change in running.changes() {
            kept.insert((change.rule.to_string(), change.version, change.key), change.state.unwrap());
        }
        if position % 7 == 0 {
            running = engine(BRUTE, 64 << 20);
            for ((rule, version, key), state) in &kept {
                assert!(running.restore(rule, *version, *key, state));
            }
            // What was taken in before the stop may come again.
            again.extend(take(&mut running, position));
        }
    }
    assert_eq!(again, alerts);
    assert_eq!(alerts.len(), 5);
    let mut other = engine("{name: a, condition: failed_login_attempts > 6, window: 5m}", 64 << 20);
    assert!(kept.iter().all(|((rule, version, key), state)| !other.restore(rule, *version, *key, state)), "another text of the rule begins anew");
}
