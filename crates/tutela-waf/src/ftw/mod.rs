//! Tests of rules, as go-ftw writes them: requests in YAML, and which rules have to match or must not.
//!
//! Requests go straight into a [`Transaction`], without a connection and a server behind: what a test says of the
//! server's own answers is not judged. `/reflect` answers with what the request asks for, as the server of the OWASP
//! Core Rule Set's tests does, so that rules about answers are tested too.

mod case;
mod request;

use std::{collections::BTreeSet, sync::Arc};

pub use self::case::{Case, read_cases};
use self::request::Request;
use crate::{
    Connection, RuleSet, Transaction,
    transaction::{Finding, Report, Verdict},
};

/// What became of one stage of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It says nothing of rules.
    NotJudged,
    /// As it should be.
    Passed,
    /// Not as it should be, and how.
    Failed(String),
}

/// Runs a stage of a test.
pub fn run(rules: &Arc<RuleSet>, case: &Case) -> Outcome {
    if !case.is_about_rules() {
        return Outcome::NotJudged;
    }
    let Some(request) = Request::build(case) else { return Outcome::Failed("its request cannot be built".into()) };
    // What no strict server takes never comes to the rules.
    let report = if request.is_malformed() { Report::default() } else { send(rules, &request) };
    let matched: BTreeSet<u64> = report.findings.iter().map(|finding| finding.rule).collect();
    let list = |ids: &mut dyn Iterator<Item = &u64>| ids.map(u64::to_string).collect::<Vec<_>>().join(", ");
    let missing: Vec<u64> = case.expected.iter().filter(|id| !matched.contains(id)).copied().collect();
    let unwanted: Vec<u64> = case.unexpected.iter().filter(|id| matched.contains(id)).copied().collect();
    let log: Vec<String> = report.findings.iter().map(line).collect();
    let in_log = |pattern: &str| crate::regex::Regex::new(pattern, false).is_ok_and(|regex| log.iter().any(|line| regex.is_match(line.as_bytes())));
    let mut wrong = Vec::new();
    if !missing.is_empty() {
        wrong.push(format!("{} did not match", list(&mut missing.iter())));
    }
    if !unwanted.is_empty() {
        wrong.push(format!("{} matched", list(&mut unwanted.iter())));
    }
    if let Some(pattern) = case.in_log.as_ref().filter(|pattern| !in_log(pattern)) {
        wrong.push(format!("nothing that is logged fits `{pattern}`"));
    }
    if let Some(pattern) = case.not_in_log.as_ref().filter(|pattern| in_log(pattern)) {
        wrong.push(format!("something that is logged fits `{pattern}`"));
    }
    if wrong.is_empty() {
        return Outcome::Passed;
    }
    let marks: String = report.marks.iter().map(|mark| format!("; {mark}")).collect();
    Outcome::Failed(format!("{} (matched: {}{marks})", wrong.join("; "), list(&mut matched.iter())))
}

/// Judges a request as it stands on the wire, up to phase 2; none where it has no request line.
pub fn judge(rules: &Arc<RuleSet>, raw: &[u8]) -> Option<(Verdict, Report)> {
    let request = Request::parse(raw)?;
    let (mut transaction, mut never) = (begin(rules, &request), || false);
    let mut verdict = transaction.check_request_headers(&mut never);
    if verdict == Verdict::Pass {
        transaction.request_body(&request.body);
        verdict = transaction.check_request_body(&mut never);
    }
    Some((verdict, transaction.finish(&mut never)))
}

fn begin(rules: &Arc<RuleSet>, request: &Request) -> Transaction {
    let address = std::net::IpAddr::from([127, 0, 0, 1]);
    let connection = Connection { id: "ftw", client: address, client_port: 40_000, server: address, server_port: 80, now: 1_700_000_000 };
    let mut transaction = Transaction::new(Arc::clone(rules), &connection);
    transaction.request_line(&request.method, &request.target, &request.protocol);
    for (name, value) in &request.headers {
        transaction.request_header(name, value);
    }
    transaction
}

/// A finding as one line of a log.
fn line(finding: &Finding) -> String {
    let tags: String = finding.tags.iter().map(|tag| format!(" [tag \"{tag}\"]")).collect();
    format!("[id \"{}\"] [msg \"{}\"] [data \"{}\"]{tags}", finding.rule, finding.message, finding.data)
}

fn send(rules: &Arc<RuleSet>, request: &Request) -> Report {
    let (mut transaction, mut never) = (begin(rules, request), || false);
    // Every rule is asked, whatever the ones before it found.
    transaction.detect_only();
    transaction.check_request_headers(&mut never);
    if transaction.wants_request_body() {
        transaction.request_body(&request.body);
    }
    transaction.check_request_body(&mut never);
    let answer = request.answer();
    transaction.response_line(b"HTTP/1.1", answer.status);
    for (name, value) in &answer.headers {
        transaction.response_header(name, value);
    }
    transaction.check_response_headers(&mut never);
    if transaction.wants_response_body() {
        transaction.response_body(&answer.body);
    }
    transaction.check_response_body(&mut never);
    transaction.finish(&mut never)
}
