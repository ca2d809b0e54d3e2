//! The command line: what can be said, and where each command goes.

mod account;
mod audit;
mod audit_care;
mod audit_import;
mod audit_verify;
mod audit_verify_export;
mod backup;
mod breach;
mod breach_list;
mod client;
mod compliance;
mod crypto;
mod crypto_rewrap;
mod detection;
mod federation;
mod gateway;
mod import;
mod incident;
mod key;
mod output;
mod people;
mod privacy;
mod request;
mod setup;
mod waf;
mod who;

use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};
use tutela_client::Client;

use crate::{
    config::{self, Config},
    error::Error,
    log, serve,
};

#[cfg(feature = "demo")]
pub use audit::write_lines;
#[cfg(feature = "demo")]
pub use audit_verify_export::run as verify_export;
pub use output::{Output, progress};

/// Security and compliance for an application in one program: sign-in, gateway, tamper-evident ledger.
#[derive(Parser)]
#[command(name = "tutela", version, after_help = "Exit codes: 0 ok, 1 failed, 2 usage, 3 not found, 4 denied, 5 unavailable.")]
pub struct Cli {
    /// Configuration file; `tutela.toml` in this folder where absent
    #[arg(long, global = true, env = "TUTELA_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Data folder, in place of the configuration's
    #[arg(long, global = true, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// How listings are written
    #[arg(long, global = true, value_enum, default_value = "table")]
    output: Output,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Accounts: make, list, disable, give roles
    #[command(subcommand)]
    Account(account::AccountCommand),
    /// Administration from the host itself
    #[command(subcommand)]
    Admin(account::AdminCommand),
    /// Alerts of detection: whether they arrive
    #[command(subcommand)]
    Alert(detection::AlertCommand),
    /// The ledger: search, follow, export, import, verify
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// The whole instance in one sealed file, while it runs
    Backup(backup::Backup),
    /// Addresses and networks that the gateway refuses
    #[command(subcommand)]
    Block(detection::BlockCommand),
    /// The register of breaches of personal data
    #[command(subcommand)]
    Breach(breach::BreachCommand),
    /// The filter of breached passwords, asked offline
    #[command(subcommand)]
    BreachList(breach_list::BreachListCommand),
    /// API keys of programs
    #[command(subcommand)]
    Client(client::ClientCommand),
    /// Compliance: whether what laws and standards ask for holds
    #[command(subcommand)]
    Compliance(compliance::ComplianceCommand),
    /// Look at the configuration
    #[command(subcommand)]
    Config(setup::ConfigCommand),
    /// Seal and open data, through the running server
    #[command(subcommand)]
    Crypto(crypto::CryptoCommand),
    /// A sample photo app behind the gateway, with sample people; prints where to look
    #[cfg(feature = "demo")]
    Demo(crate::demo::Demo),
    /// Routes and servers of the gateway; reading the configuration again
    #[command(subcommand)]
    Gateway(gateway::GatewayCommand),
    /// Permissions given or denied beside roles; what somebody may do, and who may do something
    #[command(subcommand)]
    Grant(people::GrantCommand),
    /// Groups of accounts that have roles together
    #[command(subcommand)]
    Group(people::GroupCommand),
    /// Alerts that belong together, and what is done about them
    #[command(subcommand)]
    Incident(incident::IncidentCommand),
    /// Write a configuration file and make the data folder with a new instance key
    Init(setup::Init),
    /// Keys: make, rotate, back up, restore, destroy; a person's key and its erasure
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Limits of requests: whom they refuse, and letting them in again
    #[command(subcommand)]
    Limit(gateway::LimitCommand),
    /// Apply pending migrations, or show them with --dry-run
    Migrate(setup::Migrate),
    /// The demo's photo app
    #[cfg(feature = "demo")]
    #[command(hide = true)]
    Photos(crate::demo::PhotosApp),
    /// Privacy: what personal data is used for, and what people say to it
    #[command(subcommand)]
    Privacy(privacy::PrivacyCommand),
    /// Outside providers that people sign in with, and who is connected with them
    #[command(subcommand)]
    Provider(federation::ProviderCommand),
    /// A whole instance from its backup, into an empty database; erasures made since are carried out again
    Restore(backup::Restore),
    /// Roles and what they allow
    #[command(subcommand)]
    Role(account::RoleCommand),
    /// Rules of detection: list, test, try on the ledger, let act
    #[command(subcommand)]
    Rule(detection::RuleCommand),
    /// Run the server
    Serve,
    /// Live sessions
    #[command(subcommand)]
    Session(account::SessionCommand),
    /// Keys that tokens are signed with
    #[command(subcommand)]
    SigningKey(federation::SigningKeyCommand),
    /// Rules of the firewall: test, explain, install, except
    #[command(subcommand)]
    Waf(waf::WafCommand),
}

fn load_from(file: Option<&Path>, data: Option<&Path>) -> Result<Config, Error> {
    let mut config = config::load(file)?;
    if let Some(data) = data {
        config.data = data.to_owned();
    }
    Ok(config)
}

/// Runs one command.
pub async fn run(cli: Cli) -> Result<(), Error> {
    let Cli { config: file, data, output, command } = cli;
    let load = || load_from(file.as_deref(), data.as_deref());
    let client = || load().and_then(|c| Ok(Client::socket(&c.socket())?));
    match command {
        Command::Account(command) => account::account(command, &client()?, output).await,
        Command::Admin(command) => account::admin(command, &client()?, output).await,
        Command::Audit(command) => audit::run(command, load, output).await,
        Command::Backup(command) => backup::backup(command, load, output).await,
        Command::BreachList(command) => breach_list::run(command, load()?, output).await,
        Command::Client(command) => client::client(command, &client()?, output).await,
        Command::Config(command) => setup::config(&command, load),
        Command::Crypto(command) => crypto::run(command, &client()?).await,
        #[cfg(feature = "demo")]
        Command::Demo(demo) => crate::demo::run(demo, data).await,
        Command::Gateway(command) => gateway::run(&command, &client()?, output).await,
        Command::Grant(command) => people::grant(command, &client()?, output).await,
        Command::Group(command) => people::group(command, &client()?, output).await,
        Command::Init(init) => setup::init(&init, file.as_deref()).await,
        Command::Key(command) => key::run(command, load, output).await,
        Command::Limit(command) => gateway::limit(command, &client()?, output).await,
        Command::Migrate(migrate) => setup::migrate(&migrate, load()?).await,
        #[cfg(feature = "demo")]
        Command::Photos(app) => crate::demo::photos(app, data).await,
        Command::Provider(command) => federation::provider(command, &client()?, output).await,
        Command::Restore(command) => backup::restore(command, load()?, output).await,
        Command::Role(command) => account::role(command, &client()?, output).await,
        Command::Serve => {
            log::start(&load()?.log).map_err(Error::Usage)?;
            let (file, data) = (file.clone(), data.clone());
            serve::serve(Box::new(move || load_from(file.as_deref(), data.as_deref()))).await
        }
        Command::Session(command) => account::session(command, &client()?, output).await,
        Command::SigningKey(command) => federation::signing_key(command, &client()?, output).await,
        Command::Alert(command) => detection::alert(command, load, output).await,
        Command::Incident(command) => incident::incident(command, load, output).await,
        Command::Block(command) => detection::block(command, load, output).await,
        Command::Breach(command) => breach::breach(command, load, output).await,
        Command::Compliance(command) => compliance::compliance(command, load, output).await,
        Command::Privacy(command) => privacy::privacy(command, load, output).await,
        Command::Rule(command) => detection::rule(command, load, output).await,
        Command::Waf(command) => waf::run(command, load, output).await,
    }
}
