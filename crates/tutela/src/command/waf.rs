//! `waf`: rules of the firewall, tried out without a server, and what is excepted from them on a running one.

use std::{
    collections::BTreeMap,
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tutela_api::{Exclusion, NewExclusion};
use tutela_client::Client;
use tutela_gateway::{RuleFiles, WafConfig, load_rules};
use tutela_waf::{
    Files as _, Finding, RuleSet, Verdict,
    ftw::{Outcome, judge, read_cases, run as run_case},
};

use super::Output;
use crate::{
    config::Config,
    error::{Error, at},
};

#[derive(Subcommand)]
pub enum WafCommand {
    /// Except a rule on a route: from the event of a blocked request, or by route, rule and place
    Exclude(Exclude),
    /// List what is excepted, newest first, what has ended too
    Exclusions,
    /// Judge a request that is written down, and say which rules match, where, and with which score
    Explain {
        /// The request as it stands on the wire: first line, headers, an empty line, body; `-` for standard input
        request: PathBuf,
        /// Rules in place of the configuration's: `base`, or files
        #[arg(long, value_name = "RULES")]
        rules: Vec<String>,
    },
    /// End an exclusion: the rule looks at everything again
    Include {
        /// Its id
        id: String,
        /// Why, for the ledger
        #[arg(long)]
        reason: String,
    },
    /// Copy the OWASP Core Rule Set from a folder into the data folder, once it loads, and print what to write into the configuration
    Install {
        /// The folder with `crs-setup.conf` (or `.example`) and `rules/`
        folder: PathBuf,
    },
    /// Run tests of rules in go-ftw's format, and count those that pass
    Test {
        /// Rules in their order: `base`, or files such as `crs-setup.conf` and `'rules/*.conf'`
        #[arg(required = true)]
        rules: Vec<String>,
        /// The folder of the tests; those of its folders are told apart
        #[arg(long, value_name = "FOLDER")]
        tests: PathBuf,
    },
}

#[derive(Args)]
pub struct Exclude {
    /// Id of the event of the request; every rule that matched is excepted where it matched
    #[arg(required_unless_present = "route")]
    event: Option<String>,
    /// The route's name, without an event
    #[arg(long, requires = "rule", conflicts_with = "event")]
    route: Option<String>,
    /// The rule; with an event only this one of its rules
    #[arg(long)]
    rule: Option<u64>,
    /// The place, such as `ARGS:comment`, without an event; the whole rule where absent
    #[arg(long, conflicts_with = "event")]
    place: Option<String>,
    /// How many days it holds, 1 to 365
    #[arg(long, default_value_t = 30)]
    days: u32,
    /// Why, for the ledger
    #[arg(long)]
    reason: String,
}

pub async fn run(command: WafCommand, load: impl Fn() -> Result<Config, Error>, output: Output) -> Result<(), Error> {
    let client = || load().and_then(|config| Ok(Client::socket(&config.socket())?));
    match command {
        WafCommand::Exclude(Exclude { event, route, rule, place, days, reason }) => {
            let new = NewExclusion { event, route, rule, place, days: Some(days), reason };
            exclusions(&client()?.exclude(&new).await?, output);
            Ok(())
        }
        WafCommand::Exclusions => {
            exclusions(&client()?.exclusions().await?, output);
            Ok(())
        }
        WafCommand::Include { id, reason } => Ok(client()?.exclusion_end(&id, &reason).await?),
        WafCommand::Explain { request, rules } => {
            let rules = if rules.is_empty() { load()?.gateway.waf.rules } else { rules };
            explain(&request, rules, output)
        }
        WafCommand::Install { folder } => install(&folder, &load()?.data),
        WafCommand::Test { rules, tests } => test(rules, &tests, output),
    }
}

fn exclusions(all: &[Exclusion], output: Output) {
    output.list(all, &["id", "route", "rule", "place", "until", "by", "reason"], |one| {
        let until = one.ended_at.as_ref().map_or_else(|| one.until.clone(), |at| format!("ended {at}"));
        let place = one.place.clone().unwrap_or_else(|| "everywhere".into());
        vec![one.id.clone(), one.route.clone(), one.rule.to_string(), place, until, one.made_by.clone(), one.reason.clone()]
    });
}

fn rules(rules: Vec<String>) -> Result<Arc<RuleSet>, Error> {
    load_rules(&WafConfig { rules, ..WafConfig::default() }).map(Arc::new).map_err(Error::Usage)
}

fn explain(request: &Path, named: Vec<String>, output: Output) -> Result<(), Error> {
    let mut raw = Vec::new();
    if request == Path::new("-") {
        std::io::stdin().lock().read_to_end(&mut raw).map_err(|e| at(request, &e))?;
    } else {
        raw = fs::read(request).map_err(|e| at(request, &e))?;
    }
    let (verdict, report) = judge(&rules(named)?, &raw).ok_or_else(|| Error::Usage("the request has no first line, such as `GET /?a=1 HTTP/1.1`".into()))?;
    let items: Vec<Value> = report.findings.iter().map(item).collect();
    let list = |value: &Value| value.as_array().map(|all| all.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n")).unwrap_or_default();
    let cell = |item: &Value, name: &str| item[name].as_str().map_or_else(|| item[name].to_string(), str::to_owned);
    output.list(&items, &["rule", "message", "where", "at"], |one| vec![cell(one, "rule"), cell(one, "message"), list(&one["matched"]), cell(one, "at")]);
    let scores: String = report.scores.iter().map(|(name, score)| format!("\n{name}: {score}")).collect();
    let marks: String = report.marks.iter().map(|mark| format!("\nnot all of it was looked at: {mark}")).collect();
    let ends = match &verdict {
        Verdict::Pass => "it passes".to_owned(),
        Verdict::Refuse(refusal) => format!("it is refused with {}{}", refusal.status, refusal.rule.map(|rule| format!(" by rule {rule}")).unwrap_or_default()),
    };
    let found =
        json!({"refused": verdict != Verdict::Pass, "scores": report.scores, "marks": report.marks.iter().map(ToString::to_string).collect::<Vec<_>>()});
    output.one(&found, &format!("{ends}{scores}{marks}"));
    Ok(())
}

fn item(finding: &Finding) -> Value {
    let matched = finding.matched.iter().map(|one| format!("{}: {}", one.place(), String::from_utf8_lossy(&one.value).escape_debug()));
    json!({"rule": finding.rule, "message": finding.message, "matched": matched.collect::<Vec<_>>(), "tags": finding.tags, "severity": finding.severity, "at": finding.place.to_string()})
}

fn install(folder: &Path, data: &Path) -> Result<(), Error> {
    let setup = ["crs-setup.conf", "crs-setup.conf.example"].map(|name| folder.join(name)).into_iter().find(|path| path.is_file());
    let setup = setup.ok_or_else(|| Error::Usage(format!("`{}` has no crs-setup.conf; name the folder of the Core Rule Set", folder.display())))?;
    let to = data.join("waf/crs");
    let unfinished = data.join("waf/crs.unfinished");
    let _ = fs::remove_dir_all(&unfinished);
    fs::create_dir_all(unfinished.join("rules")).map_err(|e| at(&unfinished, &e))?;
    let copy = |from: &Path, to: &Path| fs::copy(from, to).map(drop).map_err(|e| at(from, &e));
    copy(&setup, &unfinished.join("crs-setup.conf"))?;
    if let Some(licence) = ["LICENSE", "../LICENSE"].map(|name| folder.join(name)).iter().find(|path| path.is_file()) {
        copy(licence, &unfinished.join("LICENSE"))?;
    }
    for ending in ["*.conf", "*.data"] {
        for path in RuleFiles.list(&folder.join("rules").join(ending).display().to_string()).map_err(Error::Usage)? {
            let path = PathBuf::from(path);
            copy(&path, &unfinished.join("rules").join(path.file_name().unwrap_or_default()))?;
        }
    }
    let named = |folder: &Path| vec![folder.join("crs-setup.conf").display().to_string(), folder.join("rules/*.conf").display().to_string()];
    // What does not load is not put in the place of what does.
    let loaded = rules(named(&unfinished))?;
    loaded.warm().map_err(|e| Error::Usage(e.to_string()))?;
    let _ = fs::remove_dir_all(&to);
    fs::rename(&unfinished, &to).map_err(|e| at(&to, &e))?;
    let quoted: Vec<String> = named(&to).into_iter().map(|path| format!("{path:?}")).collect();
    println!(
        "{} rules are in `{}`; write into the configuration, and start the server again:\n\n[gateway.waf]\nrules = [{}]",
        loaded.len(),
        to.display(),
        quoted.join(", ")
    );
    Ok(())
}

/// Passed and failed of one family.
#[derive(Default)]
struct Row {
    passed: u32,
    failed: u32,
    not_judged: u32,
}

fn test(named: Vec<String>, tests: &Path, output: Output) -> Result<(), Error> {
    let mut all = Vec::new();
    for one in named {
        let is_setup = Path::new(&one).file_name().is_some_and(|name| name.to_string_lossy().starts_with("crs-setup.conf"));
        all.push(one);
        // The tests of the Core Rule Set expect more to be set than it sets itself.
        if is_setup {
            all.push("crs-tests".into());
        }
    }
    let rules = rules(all)?;
    let (mut table, mut failures) = (BTreeMap::<String, Row>::new(), Vec::new());
    for (family, file) in files(tests)? {
        let text = fs::read_to_string(&file).map_err(|e| at(&file, &e))?;
        let row = table.entry(family).or_default();
        for case in read_cases(&text).map_err(|e| Error::Usage(format!("`{}`: {e}", file.display())))? {
            match run_case(&rules, &case) {
                Outcome::NotJudged => row.not_judged += 1,
                Outcome::Passed => row.passed += 1,
                Outcome::Failed(why) => {
                    row.failed += 1;
                    failures.push(json!({"test": case.name, "why": why}));
                }
            }
        }
    }
    let (passed, failed) = table.values().fold((0, 0), |sum, row| (sum.0 + row.passed, sum.1 + row.failed));
    let items: Vec<Value> =
        table.iter().map(|(family, row)| json!({"family": family, "passed": row.passed, "failed": row.failed, "not_judged": row.not_judged})).collect();
    output.columns(&items, &["family", "passed", "failed", "not_judged"]);
    if !failures.is_empty() {
        output.columns(&failures, &["test", "why"]);
    }
    output.one(&json!({"passed": passed, "failed": failed}), &format!("{passed} passed, {failed} failed"));
    if failed == 0 { Ok(()) } else { Err(Error::Failed(format!("{failed} of {} tests failed", passed + failed))) }
}

/// The files of a folder and of its folders, with the name of the one each is in.
fn files(folder: &Path) -> Result<Vec<(String, PathBuf)>, Error> {
    let (mut found, mut left) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = left.pop() {
        let family = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        for entry in fs::read_dir(&folder).map_err(|e| at(&folder, &e))? {
            let path = entry.map_err(|e| at(&folder, &e))?.path();
            if path.is_dir() {
                left.push(path);
            } else if path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml") {
                found.push((family.clone(), path));
            }
        }
    }
    found.sort();
    Ok(found)
}
