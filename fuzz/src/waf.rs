//! The firewall: rules that somebody writes, and requests that anybody sends.

use std::sync::{Arc, LazyLock};

use tutela_waf::{Files, RuleSet, Source, ftw::judge};

use crate::text;

/// Rules read no file here.
struct NoFiles;

impl Files for NoFiles {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        Err(format!("{path}: not here"))
    }

    fn list(&self, pattern: &str) -> Result<Vec<String>, String> {
        Err(format!("{pattern}: not here"))
    }
}

/// The rules of a fresh installation.
static BASE: LazyLock<Option<Arc<RuleSet>>> = LazyLock::new(|| {
    let sources = [
        Source::Text { name: "setup", text: include_str!("../../rules/waf/setup.conf") },
        Source::Text { name: "own", text: include_str!("../../rules/waf/own.conf") },
        Source::Text { name: "base", text: include_str!("../../rules/waf/base.conf") },
    ];
    RuleSet::load(&sources, &NoFiles).ok().map(Arc::new)
});

/// Rules that load can judge a request.
pub fn seclang(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let Ok(rules) = RuleSet::load(&[Source::Text { name: "fuzz", text }], &NoFiles) else { return };
    let _ = judge(&Arc::new(rules), b"POST /a?b=c HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\n\r\nd=e");
}

/// A request is judged alike however often it is.
pub fn waf_request(data: &[u8]) {
    assert!(BASE.is_some(), "the rules of a fresh installation load");
    let Some(rules) = &*BASE else { return };
    let Some((verdict, report)) = judge(rules, data) else { return };
    let rules_of = |report: &tutela_waf::Report| report.findings.iter().map(|finding| finding.rule).collect::<Vec<_>>();
    let second = judge(rules, data).map(|(verdict, report)| (verdict, rules_of(&report)));
    assert_eq!(second, Some((verdict, rules_of(&report))), "one request, one verdict and one list of rules");
}
