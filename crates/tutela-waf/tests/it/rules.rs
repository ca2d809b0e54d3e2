//! What all tests here share: where rules and data are, and how a request is sent.

use std::{path::Path, sync::Arc};

use tutela_waf::{Connection, Files, Report, RuleSet, Source, Transaction, Verdict};

/// How requests are read.
pub const SETUP: &str = include_str!("../../../../rules/waf/setup.conf");

/// Files on this machine.
pub struct Disk;

impl Files for Disk {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        std::fs::read(path).map_err(|e| format!("`{path}`: {e}"))
    }

    fn list(&self, pattern: &str) -> Result<Vec<String>, String> {
        let Some((folder, ending)) = pattern.split_once("/*") else { return Ok(vec![pattern.to_owned()]) };
        let entries = std::fs::read_dir(folder).map_err(|e| format!("`{folder}`: {e}"))?;
        let mut found: Vec<String> = entries.map(|entry| entry.unwrap().path().display().to_string()).filter(|path| path.ends_with(ending)).collect();
        found.sort();
        Ok(found)
    }
}

pub fn load(sources: &[Source<'_>]) -> Arc<RuleSet> {
    let rules = RuleSet::load(sources, &Disk).unwrap_or_else(|e| panic!("{e}"));
    rules.warm().unwrap_or_else(|e| panic!("{e}"));
    Arc::new(rules)
}

/// The Core Rule Set as its authors ship it, with these rules after its set-up.
pub fn core_rule_set(folder: &Path, engine: &str, more: &str) -> Arc<RuleSet> {
    let (setup, all) = (folder.join("crs-setup.conf.example").display().to_string(), folder.join("rules/*.conf").display().to_string());
    let base = format!("{SETUP}\nSecRuleEngine {engine}\nSecResponseBodyAccess On\n");
    load(&[Source::Text { name: "setup", text: &base }, Source::File(&setup), Source::Text { name: "settings", text: more }, Source::File(&all)])
}

/// A request.
#[derive(Debug, Clone, Default)]
pub struct Request {
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
}

/// What the rules say of a request.
pub fn judge(rules: &Arc<RuleSet>, request: &Request) -> (Verdict, Report) {
    let address = std::net::IpAddr::from([192, 0, 2, 7]);
    let connection = Connection { id: "test", client: address, client_port: 40_000, server: address, server_port: 443, now: 1_700_000_000 };
    let mut transaction = Transaction::new(Arc::clone(rules), &connection);
    let mut never = || false;
    transaction.request_line(request.method.as_bytes(), request.target.as_bytes(), b"HTTP/1.1");
    for (name, value) in &request.headers {
        transaction.request_header(name.as_bytes(), value);
    }
    let mut verdict = transaction.check_request_headers(&mut never);
    if verdict == Verdict::Pass {
        transaction.request_body(&request.body);
        verdict = transaction.check_request_body(&mut never);
    }
    (verdict, transaction.finish(&mut never))
}
