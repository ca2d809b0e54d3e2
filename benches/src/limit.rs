//! `limit`: what one check of a limit costs in this process, beside `governor`, and what a flood of keys does.

use std::{hash::RandomState, num::NonZeroU32};

use governor::{Quota, RateLimiter};
use serde_json::json;
use tutela_core::{Span, Timestamp};
use tutela_limits::{Algorithm, Rate, Table};

use crate::{flags::Flags, machine, report::Report, stats::median};

/// As many keys as the gateway's table of one limit holds.
const KEYS: usize = 1 << 18;
const BEGIN: i64 = 1_700_000_000_000_000;

/// `limit [--checks N] [--rounds N]`.
pub fn run(flags: &Flags) -> Result<(), String> {
    flags.only(&["checks", "rounds"])?;
    let (checks, rounds) = (flags.number("checks", 5_000_000), flags.number("rounds", 5));
    let rate = |algorithm| Rate { requests: 100, window: Span::minutes(1), burst: Some(20), algorithm };
    let mut raw = Vec::new();
    for _ in 0..rounds {
        let many = ours(&rate(Algorithm::Gcra), checks, |number| number);
        let one = ours(&rate(Algorithm::Gcra), checks, |_| 1);
        let sliding = ours(&rate(Algorithm::SlidingWindow), checks, |number| number);
        let (theirs, theirs_one) = (governor(checks, |number| number), governor(checks, |_| 1));
        println!("own {many:.0} ns ({one:.0} one key, {sliding:.0} sliding); governor {theirs:.0} ns ({theirs_one:.0} one key)");
        raw.push(json!({"gcra_ns": many, "gcra_one_key_ns": one, "sliding_ns": sliding, "governor_ns": theirs, "governor_one_key_ns": theirs_one}));
    }
    let of = |name: &str| median(raw.iter().filter_map(|round| round[name].as_f64()).collect());
    let (passed, may) = flood(&rate(Algorithm::Gcra));
    let mut report = Report::new("limit");
    report.figure("check_ns", of("gcra_ns").max(of("sliding_ns")));
    report.figure("check_one_key_ns", of("gcra_one_key_ns"));
    report.figure("governor_check_ns", of("governor_ns"));
    report.figure("governor_check_one_key_ns", of("governor_one_key_ns"));
    // A place takes 16 bytes, and each eight of them a lock.
    report.figure("bytes_per_key", 16.0);
    report.figure("flood_passed_share", passed as f64 / may as f64);
    report.raw("rounds", raw.into());
    report.raw("load", json!({"checks": checks, "keys_of_the_table": KEYS, "flood": {"abusers": 100, "others": 4_000_000, "passed": passed, "may": may}}));
    report.finish()
}

/// Nanoseconds of one check of our own table, a thousand checks a millisecond.
fn ours(rate: &Rate, checks: u64, key: impl Fn(u64) -> u64) -> f64 {
    let table = Table::new(KEYS, RandomState::new());
    let begun = machine::thread_cpu();
    let mut allowed = 0_u64;
    for number in 0..checks {
        let now = Timestamp::from_micros(BEGIN + number as i64);
        allowed += u64::from(table.update(&key(number), |state| rate.decide(state, now)).allowed);
    }
    std::hint::black_box(allowed);
    (machine::thread_cpu() - begun) / checks as f64 * 1e9
}

fn governor(checks: u64, key: impl Fn(u64) -> u64) -> f64 {
    let quota = Quota::per_minute(NonZeroU32::new(100).unwrap_or(NonZeroU32::MIN)).allow_burst(NonZeroU32::new(20).unwrap_or(NonZeroU32::MIN));
    let limiter = RateLimiter::keyed(quota);
    let begun = machine::thread_cpu();
    let mut allowed = 0_u64;
    for number in 0..checks {
        allowed += u64::from(limiter.check_key(&key(number)).is_ok());
    }
    std::hint::black_box(allowed);
    (machine::thread_cpu() - begun) / checks as f64 * 1e9
}

/// A minute in which each of a hundred asks ten times as often as they may, among four million others; how many of theirs
/// passed, and how many may.
fn flood(rate: &Rate) -> (u64, u64) {
    let table = Table::new(KEYS, RandomState::new());
    let mut passed = 0;
    for step in 0..1_000_u64 {
        let now = Timestamp::from_micros(BEGIN + step as i64 * 60_000);
        for abuser in 0..100_u64 {
            passed += u64::from(table.update(&(0_u8, abuser), |state| rate.decide(state, now)).allowed);
        }
        for other in 0..4_000_u64 {
            table.update(&(1_u8, step * 4_000 + other), |state| rate.decide(state, now));
        }
    }
    (passed, 100 * 120)
}
