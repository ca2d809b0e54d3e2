//! `waf`: what judging a request costs, in this process, on one core.
//!
//! Rules are the OWASP Core Rule Set at paranoia level 1, blocking, out of the shared data; requests are the rows that
//! its users meet, from a bare GET to a large JSON document. Every row is a whole request, phases 1 to 5, from bytes to
//! verdict, in CPU time of this thread. Then whole gateways with the same rules, beside each other.

mod gateway;
mod requests;

use std::{path::Path, sync::Arc};

use serde_json::{Map, Value, json};
use tutela_gateway::RuleFiles;
use tutela_waf::{Connection, RuleSet, Source, Transaction, Verdict};

use self::requests::{Request, rows};
use crate::{flags::Flags, machine, report::Report, stats::percentile};

/// CPU seconds of one pass of one row, about.
const PASS_S: f64 = 0.05;

/// `waf [--passes N] [--rounds N] [--seconds N]`.
pub fn run(flags: &Flags) -> Result<(), String> {
    flags.only(&["passes", "rounds", "seconds"])?;
    let passes = flags.number("passes", 7);
    let shared = std::env::var("TUTELA_SHARED").unwrap_or_else(|_| "../shared".into());
    let folder = Path::new(&shared).join("data/crs");
    if !folder.is_dir() {
        return Err(format!("the Core Rule Set is not in {}; TUTELA_SHARED names the folder of the shared data", folder.display()));
    }
    let mut report = Report::new("waf");
    let begun = machine::thread_cpu();
    let rules = load(&folder)?;
    report.figure("load_crs_s", machine::thread_cpu() - begun);
    let rules = Arc::new(rules);
    let mut raw = Map::new();
    println!("{} rules, {passes} passes", rules.len());
    for row in rows() {
        let verdict = judge(&rules, &row);
        let refused = verdict != Verdict::Pass;
        if refused != row.refused {
            return Err(format!("{}: expected to be {}, and is not: {verdict:?}", row.name, if row.refused { "refused" } else { "let through" }));
        }
        let mut costs: Vec<f64> = (0..passes).map(|_| pass(&rules, &row)).collect();
        let (best, median) = (percentile(&mut costs, 0.0), percentile(&mut costs, 0.5));
        println!("  {:<24} {:>12.1} us   (best {best:.1})", row.name, median);
        raw.insert(row.name.into(), json!({"median_us": median, "best_us": best, "refused": refused}));
        if let Some(figure) = row.figure {
            report.figure(figure, median);
        }
    }
    report.raw("rows", Value::Object(raw));
    gateway::measure(flags, &folder, &mut report)?;
    report.finish()
}

fn load(folder: &Path) -> Result<RuleSet, String> {
    let (setup, all) = (folder.join("crs-setup.conf.example").display().to_string(), folder.join("rules/*.conf").display().to_string());
    let base = Source::Text { name: "rules/waf/setup.conf", text: include_str!("../../../rules/waf/setup.conf") };
    let rules = RuleSet::load(&[base, Source::File(&setup), Source::File(&all)], &RuleFiles).map_err(|e| e.to_string())?;
    rules.warm().map_err(|e| e.to_string())?;
    Ok(rules)
}

/// Microseconds of CPU for one request.
fn pass(rules: &Arc<RuleSet>, row: &Request) -> f64 {
    let begun = machine::thread_cpu();
    let mut count = 0_u32;
    loop {
        std::hint::black_box(judge(rules, row));
        count += 1;
        let spent = machine::thread_cpu() - begun;
        if spent > PASS_S {
            return spent / f64::from(count) * 1e6;
        }
    }
}

fn judge(rules: &Arc<RuleSet>, row: &Request) -> Verdict {
    let address = std::net::IpAddr::from([127, 0, 0, 1]);
    let mut transaction = Transaction::new(
        Arc::clone(rules),
        &Connection { id: "bench", client: address, client_port: 40_000, server: address, server_port: 443, now: 1_700_000_000 },
    );
    let mut never = || false;
    transaction.request_line(row.method.as_bytes(), row.target.as_bytes(), b"HTTP/1.1");
    for (name, value) in &row.headers {
        transaction.request_header(name.as_bytes(), value.as_bytes());
    }
    let mut verdict = transaction.check_request_headers(&mut never);
    if verdict == Verdict::Pass {
        transaction.request_body(&row.body);
        verdict = transaction.check_request_body(&mut never);
    }
    if verdict == Verdict::Pass {
        transaction.response_line(b"HTTP/1.1", 200);
        transaction.response_header(b"content-type", b"application/json");
        transaction.check_response_headers(&mut never);
        transaction.check_response_body(&mut never);
    }
    transaction.finish(&mut never);
    verdict
}
