//! What is found and what is refused for nothing: the attacks and harmless texts of gotestwaf, before four sets of eyes.

use std::{
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    sync::Arc,
    time::Duration,
};

use serde_json::json;
use testkit::gotestwaf::{Case, cases};
use tutela_gateway::RuleFiles;
use tutela_waf::{RuleSet, Source, Verdict};

use super::{
    coraza::{self, Question},
    judge,
    requests::Request,
};
use crate::report::Report;

/// The same cases for all.
pub(super) struct Cases(Vec<Case>);

impl Cases {
    /// Out of the shared data. What hides in Base64 nobody looks for.
    pub(super) fn read(folder: &Path) -> Self {
        Self(cases(folder).into_iter().filter(|case| !case.base64).collect())
    }

    /// Prints a row and keeps it.
    pub(super) fn row(&self, report: &mut Report, name: &str, mut refused: impl FnMut(&Case) -> Result<bool, String>) -> Result<(), String> {
        let (mut attacks, mut found, mut harmless, mut wrong) = (0_u32, 0_u32, 0_u32, 0_u32);
        for case in &self.0 {
            let refused = u32::from(refused(case)?);
            if case.family == "harmless" {
                (harmless, wrong) = (harmless + 1, wrong + refused);
            } else {
                (attacks, found) = (attacks + 1, found + refused);
            }
        }
        let share = |part: u32, of: u32| 100.0 * f64::from(part) / f64::from(of.max(1));
        let (detection, alarms) = (share(found, attacks), share(wrong, harmless));
        println!("  {name:<40} {detection:>5.1} % of {attacks} attacks refused, {alarms:>4.1} % of {harmless} harmless texts");
        report.raw(&format!("gotestwaf_{name}"), json!({"attacks": attacks, "found": found, "harmless": harmless, "wrong": wrong}));
        Ok(())
    }

    /// Our own rules, and the Core Rule Set here.
    pub(super) fn ours(&self, report: &mut Report, crs: &Arc<RuleSet>) -> Result<(), String> {
        let text = |name, text| Source::Text { name, text };
        let own = [text("setup.conf", include_str!("../../../rules/waf/setup.conf")), text("base.conf", include_str!("../../../rules/waf/base.conf"))];
        let own = Arc::new(RuleSet::load(&own, &RuleFiles).map_err(|e| e.to_string())?);
        for (name, rules) in [("tutela, its own rules", &own), ("tutela, Core Rule Set", crs)] {
            self.row(report, name, |case| Ok(judge(rules, &request(case)) != Verdict::Pass))?;
        }
        Ok(())
    }

    /// The Core Rule Set in Coraza.
    pub(super) fn coraza(&self, report: &mut Report, program: &Path, rules: &Path) -> Result<(), String> {
        let question = |case: &'_ Case| -> (String, Vec<u8>) { (case.target.clone(), case.body.clone()) };
        let kept: Vec<(String, Vec<u8>)> = self.0.iter().map(question).collect();
        let questions: Vec<Question<'_>> = self
            .0
            .iter()
            .zip(&kept)
            .map(|(case, (target, body))| Question {
                name: &case.family,
                method: &case.method,
                target,
                headers: case.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect(),
                body,
                cost: false,
            })
            .collect();
        let (version, said) = coraza::ask(program, rules, &questions)?;
        let mut said = said.into_iter();
        self.row(report, &format!("Coraza {version}, Core Rule Set"), |_| Ok(said.next().is_some_and(|said| said.refused)))
    }

    /// The Core Rule Set in a gateway that listens at `port`: what it answers with 400 or more, it has refused.
    pub(super) fn gateway(&self, report: &mut Report, name: &str, port: u16) -> Result<(), String> {
        self.row(report, name, |case| {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).map_err(|e| e.to_string())?;
            stream.set_read_timeout(Some(Duration::from_secs(10))).map_err(|e| e.to_string())?;
            let mut bytes = format!("{} {} HTTP/1.1\r\n", case.method, case.target).into_bytes();
            for (name, value) in &case.headers {
                bytes.extend_from_slice(format!("{name}: ").as_bytes());
                bytes.extend_from_slice(value);
                bytes.extend_from_slice(b"\r\n");
            }
            bytes.extend_from_slice(b"Connection: close\r\n\r\n");
            bytes.extend_from_slice(&case.body);
            stream.write_all(&bytes).map_err(|e| e.to_string())?;
            let mut answer = Vec::new();
            // Whoever refuses early may cut the rest.
            let _ = stream.read_to_end(&mut answer);
            let status = answer.get(9..12).and_then(|code| std::str::from_utf8(code).ok()?.parse::<u16>().ok());
            status.map(|status| status >= 400).ok_or_else(|| format!("{name} did not answer: {}", case.place))
        })
    }
}

fn request(case: &Case) -> Request {
    Request {
        name: "",
        figure: None,
        method: case.method.clone(),
        target: case.target.clone(),
        headers: case.headers.clone(),
        body: case.body.clone(),
        refused: false,
    }
}
