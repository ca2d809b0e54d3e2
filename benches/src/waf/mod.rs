//! `waf`: what judging a request costs, in this process, on one core.
//!
//! Rules are the OWASP Core Rule Set at paranoia level 1, blocking, out of the shared data; requests are the rows that
//! its users meet, from a bare GET to a large JSON document. Every row is a whole request, phases 1 to 5, from bytes to
//! verdict, in CPU time of this thread; Coraza judges the same in the same run. Then whole gateways with the same rules,
//! beside each other, and what all of them find of gotestwaf's attacks.

mod coraza;
mod detection;
mod gateway;
mod requests;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::{Map, Value, json};
use tutela_gateway::RuleFiles;
use tutela_waf::{Connection, RuleSet, Source, Transaction, Verdict};

use self::{
    coraza::Question,
    detection::Cases,
    requests::{Request, rows},
};
use crate::{flags::Flags, machine, report::Report, stats::percentile};

/// CPU seconds of one pass of one row, about.
const PASS_S: f64 = 0.05;

/// `waf [--passes N] [--rounds N] [--seconds N]`.
pub fn run(flags: &Flags) -> Result<(), String> {
    flags.only(&["passes", "rounds", "seconds"])?;
    let passes = flags.number("passes", 7);
    let shared = std::env::var("TUTELA_SHARED").unwrap_or_else(|_| "../shared".into());
    let folder = Path::new(&shared).join("data/crs");
    let attacks = Path::new(&shared).join("data/gotestwaf");
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
    let dir = tempfile::tempdir().map_err(|e| e.to_string())?;
    let directives = directives(&folder, dir.path())?;
    let cases = Cases::read(&attacks);
    cases.ours(&mut report, &rules)?;
    match coraza::program() {
        Some(program) => {
            beside_coraza(&program, &directives, &mut report)?;
            cases.coraza(&mut report, &program, &directives)?;
        }
        None => println!("skipped: Coraza (TUTELA_CORAZA does not name the program of benches/peers/coraza)"),
    }
    gateway::measure(flags, &folder, &directives, &cases, &mut report)?;
    report.finish()
}

/// The rules as other engines are given them: read as ours reads them, in the words that they share.
fn directives(crs: &Path, dir: &Path) -> Result<PathBuf, String> {
    let crs = std::fs::canonicalize(crs).map_err(|e| e.to_string())?;
    let file = dir.join("main.conf");
    let text = format!(
        "SecRuleEngine On\nSecRequestBodyAccess On\nSecRequestBodyLimit 134217728\nSecRequestBodyNoFilesLimit 2097152\nSecArgumentsLimit 10000\nSecResponseBodyAccess Off\nSecAuditEngine Off\n\
         SecRule REQUEST_HEADERS:Content-Type \"^(?:application|text)/xml\" \"id:100,phase:1,pass,nolog,t:none,t:lowercase,ctl:requestBodyProcessor=XML\"\n\
         SecRule REQUEST_HEADERS:Content-Type \"^application/json\" \"id:101,phase:1,pass,nolog,t:none,t:lowercase,ctl:requestBodyProcessor=JSON\"\n\
         Include {0}/crs-setup.conf.example\nInclude {0}/rules/*.conf\n",
        crs.display()
    );
    std::fs::write(&file, text).map_err(|e| e.to_string())?;
    Ok(file)
}

/// The rows that Coraza gets through in reasonable time.
fn beside_coraza(program: &Path, directives: &Path, report: &mut Report) -> Result<(), String> {
    let rows = rows();
    let questions: Vec<Question<'_>> = rows
        .iter()
        .filter(|row| row.body.len() < (1 << 19))
        .map(|row| Question {
            name: row.name,
            method: &row.method,
            target: &row.target,
            headers: row.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect(),
            body: &row.body,
            cost: true,
        })
        .collect();
    let (version, said) = coraza::ask(program, directives, &questions)?;
    println!("Coraza {version}");
    let mut raw = Map::new();
    for (question, said) in questions.iter().zip(said) {
        println!("  {:<24} {:>12.1} us", question.name, said.median_us);
        raw.insert(question.name.into(), json!({"median_us": said.median_us, "refused": said.refused}));
    }
    report.raw("coraza", json!({"version": version, "rows": raw}));
    Ok(())
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
        transaction.request_header(name.as_bytes(), value);
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
