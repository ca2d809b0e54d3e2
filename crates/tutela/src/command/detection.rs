//! `rule`: rules of detection, tried out without a server. `alert`: whether alerts arrive. `block`: addresses that the gateway refuses.

use std::path::PathBuf;

use clap::Subcommand;
use tutela_api::{BacktestRule, Block, ChangeRule, DetectionRule, LiftBlock, NewBacktest, NewBlock};
use tutela_app::{DetectionConfig, RuleSource};
use tutela_client::Client;
use tutela_detection::Spelling;

use super::Output;
use crate::{
    config::Config,
    detection,
    error::{Error, at},
};

#[derive(Subcommand)]
pub enum RuleCommand {
    /// Say what rules would have found in the ledger, with the engine that runs them
    Backtest {
        /// A file of rules; those that run where absent
        rules: Option<PathBuf>,
        /// How many days back, 1 to 365
        #[arg(long, default_value_t = 30)]
        days: u32,
    },
    /// Write rules in the other spelling, to standard output; what that cannot say is named
    Convert {
        /// A file of rules, or a folder of `.yml` files
        rules: PathBuf,
        /// The spelling that is wanted
        #[arg(long, value_enum)]
        to: To,
        /// Files of metrics beside those that come with tutela
        #[arg(long, value_name = "FILE")]
        metrics: Vec<PathBuf>,
    },
    /// List the rules that run, and those that are off
    List,
    /// Say how far a rule goes: `shadow` writes down, `alert` tells, `act` acts, `off` does nothing
    Mode {
        /// The rule's name
        name: String,
        /// shadow, alert, act or off
        mode: String,
        /// Why, for the ledger
        #[arg(long)]
        reason: String,
    },
    /// Take back what was written over a rule: it is as the configuration has it, or gone
    Reset {
        /// The rule's name
        name: String,
        /// Why, for the ledger
        #[arg(long)]
        reason: String,
    },
    /// Write a rule while the server runs; its tests must pass
    Set {
        /// A file with one rule in either spelling
        file: PathBuf,
        /// shadow, alert, act or off; as the rule says where absent
        #[arg(long)]
        mode: Option<String>,
        /// Why, for the ledger
        #[arg(long)]
        reason: String,
    },
    /// Show a rule
    Show {
        /// Its name
        name: String,
    },
    /// Run the tests that stand beside rules, and count those that pass; the configuration's rules where none are named
    Test {
        /// `own`, files, or folders of `.yml` files
        rules: Vec<PathBuf>,
        /// Files of metrics beside those that come with tutela
        #[arg(long, value_name = "FILE")]
        metrics: Vec<PathBuf>,
    },
}

/// A spelling of rules.
#[derive(Clone, Copy, clap::ValueEnum)]
pub enum To {
    /// `{name, condition, window, action}`
    Short,
    /// Sigma 2.1
    Sigma,
}

#[derive(Subcommand)]
pub enum AlertCommand {
    /// Send a test alert to everybody who is told of alerts
    Test,
}

#[derive(Subcommand)]
pub enum BlockCommand {
    /// Block an address or network
    Add {
        /// `192.0.2.7`, `2001:db8::/64`
        network: String,
        /// For how many minutes, 1 to 43200
        #[arg(long, default_value_t = 60)]
        minutes: u32,
        /// Why, for the ledger
        #[arg(long)]
        reason: String,
    },
    /// Lift a block
    Lift {
        /// Its id, or the address or network
        block: String,
        /// Why, for the ledger
        #[arg(long)]
        reason: String,
    },
    /// List what is blocked, newest first, what has ended too
    List,
}

pub async fn alert(command: AlertCommand, load: impl Fn() -> Result<Config, Error>, output: Output) -> Result<(), Error> {
    let AlertCommand::Test = command;
    let sent = Client::socket(&load()?.socket())?.alert_test().await?;
    output.list(&sent.to, &["sent to"], |to| vec![to.clone()]);
    Ok(())
}

pub async fn rule(command: RuleCommand, load: impl Fn() -> Result<Config, Error>, output: Output) -> Result<(), Error> {
    match command {
        RuleCommand::Backtest { rules, days } => {
            let text = rules.map(|path| std::fs::read_to_string(&path).map_err(|e| at(&path, &e))).transpose()?;
            let found = Client::socket(&load()?.socket())?.rule_backtest(&NewBacktest { rules: text, rule: None, days }).await?;
            output.list(&found.rules, &["rule", "alerts", "keys", "would block", "of them good", "most"], |rule: &BacktestRule| {
                let most = rule.most.first().map(|key| format!("{} ({})", key.about, key.alerts)).unwrap_or_default();
                let numbers = [rule.alerts, rule.keys, rule.would_block, rule.with_good_sign_ins].map(|number| number.to_string());
                [rule.name.clone()].into_iter().chain(numbers).chain([most]).collect()
            });
            if !found.complete {
                eprintln!("not all of it: the first {} events since {} were read", found.events, found.since);
            }
            Ok(())
        }
        RuleCommand::Convert { rules, to, metrics } => {
            let spelling = match to {
                To::Short => Spelling::Short,
                To::Sigma => Spelling::Sigma,
            };
            let config = DetectionConfig { metrics, ..DetectionConfig::default() };
            let converted = detection::converted(&config, &rules, spelling)?;
            print!("{}", converted.text);
            converted.left_out.iter().for_each(|why| eprintln!("left out: {why}"));
            eprintln!("{} rules, {} left out", converted.rules, converted.left_out.len());
            if converted.left_out.is_empty() { Ok(()) } else { Err(Error::Failed("not every rule could be written so".into())) }
        }
        RuleCommand::List => {
            let client = Client::socket(&load()?.socket())?;
            output.list(&client.rules().await?, &["name", "level", "mode", "window", "key", "actions", "title"], |rule: &DetectionRule| {
                let (key, actions) = (rule.key.join(" "), rule.actions.join(" "));
                vec![rule.name.clone(), rule.level.clone(), rule.mode.clone(), rule.window.clone(), key, actions, rule.title.clone()]
            });
            Ok(())
        }
        RuleCommand::Mode { name, mode, reason } => {
            let changed = Client::socket(&load()?.socket())?.rule_set(&name, &ChangeRule { text: None, mode: Some(mode), reason }).await?;
            output.one(&changed, &format!("{} is in mode {} now", changed.name, changed.mode));
            Ok(())
        }
        RuleCommand::Reset { name, reason } => Ok(Client::socket(&load()?.socket())?.rule_reset(&name, &reason).await?),
        RuleCommand::Set { file, mode, reason } => {
            let config = load()?;
            let text = std::fs::read_to_string(&file).map_err(|e| at(&file, &e))?;
            let name = detection::only_rule(&config.detection, &text)?;
            let changed = Client::socket(&config.socket())?.rule_set(&name, &ChangeRule { text: Some(text), mode, reason }).await?;
            output.one(&changed, &format!("{} runs in mode {}", changed.name, changed.mode));
            Ok(())
        }
        RuleCommand::Show { name } => {
            let rule = Client::socket(&load()?.socket())?.rule(&name).await?;
            output.one(&rule, rule.text.trim_end());
            Ok(())
        }
        RuleCommand::Test { rules, metrics } => {
            if rules.is_empty() {
                return test(&load()?.detection);
            }
            let own_rules = rules.iter().any(|path| path.as_os_str() == "own");
            let files = rules.into_iter().filter(|path| path.as_os_str() != "own").map(RuleSource::File).collect();
            test(&DetectionConfig { own_rules, rules: files, metrics, ..DetectionConfig::default() })
        }
    }
}

fn test(config: &DetectionConfig) -> Result<(), Error> {
    let rules = detection::rules(config)?;
    let (mut passed, mut failed) = (0, 0);
    for rule in rules.iter() {
        for outcome in rule.run_tests() {
            match outcome.failure {
                None => passed += 1,
                Some(why) => {
                    failed += 1;
                    println!("not ok {}: {}: {why}", outcome.rule, outcome.test);
                }
            }
        }
    }
    let untested: Vec<&str> = rules.iter().filter(|rule| rule.tests.is_empty()).map(|rule| rule.name.as_str()).collect();
    if !untested.is_empty() {
        println!("{} without a test", untested.len());
    }
    println!("{} rules, {passed} passed, {failed} failed", rules.len());
    if failed == 0 { Ok(()) } else { Err(Error::Failed(format!("{failed} tests of rules failed"))) }
}

pub async fn block(command: BlockCommand, load: impl Fn() -> Result<Config, Error>, output: Output) -> Result<(), Error> {
    let client = Client::socket(&load()?.socket())?;
    match command {
        BlockCommand::Add { network, minutes, reason } => Ok(client.block(&NewBlock { network, minutes: Some(minutes), reason }).await?),
        BlockCommand::Lift { block, reason } => Ok(client.block_lift(&LiftBlock { block, reason }).await?),
        BlockCommand::List => {
            output.list(&client.blocks().await?, &["id", "network", "rule", "until", "by", "reason"], |block: &Block| {
                let until = block.ended_at.as_ref().map_or_else(|| block.until.clone(), |at| format!("lifted {at}"));
                let rule = block.rule.clone().unwrap_or_default();
                vec![block.id.clone(), block.network.clone(), rule, until, block.made_by.clone(), block.reason.clone()]
            });
            Ok(())
        }
    }
}
