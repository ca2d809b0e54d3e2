//! `init`, `config`, `migrate`.

use std::{fs, path::Path};

use clap::{Args, Subcommand};
use tutela_store::Store;

use crate::{
    config::{self, Config},
    error::{Error, at},
    keys, serve,
};

/// What a fresh configuration file says.
const TEMPLATE: &str = r#"# tutela: every key and its meaning: `tutela config reference`

# Database, instance key, epoch keys and admin socket. Without `instance.key` nothing in it can be opened.
# Back the database up, and the keys by `tutela key backup`, never the folder `keys`: docs/operations/keys.md
data = "tutela-data"

[server]
listen = "127.0.0.1:8080"
public_url = "http://tutela.localhost:8080"

[admin]
listen = "127.0.0.1:8081"
admin_url = "http://console.tutela.localhost:8081"

[storage]
url = "sqlite"    # or postgres://tutela@db.internal/tutela

# An application to guard:
# [[gateway.routes]]
# name = "app"
# host = "app.localhost"
# upstream = "http://127.0.0.1:3000"
# require = "signed-in"    # or "public", or { permission = "app:use" }
"#;

/// `tutela init`
#[derive(Args)]
pub struct Init {}

#[derive(Subcommand)]
pub enum ConfigCommand {
    /// Say whether the configuration is valid
    Check,
    /// Every key, its type, default and meaning, as Markdown
    Reference,
    /// The configuration that holds, with file, environment and defaults put together
    Show,
}

/// `tutela migrate`
#[derive(Args)]
pub struct Migrate {
    /// Show what would be applied and change nothing
    #[arg(long)]
    dry_run: bool,
}

pub async fn init(_: &Init, file: Option<&Path>) -> Result<(), Error> {
    let file = file.unwrap_or(Path::new("tutela.toml"));
    if file.exists() {
        return Err(Error::Usage(format!("`{}` exists already; nothing was changed", file.display())));
    }
    fs::write(file, TEMPLATE).map_err(|e| at(file, &e))?;
    match make(file).await {
        Ok(config) => {
            println!("wrote `{}` and `{}`\nnext: tutela serve", file.display(), config.data.display());
            Ok(())
        }
        Err(e) => {
            let _ = fs::remove_file(file);
            Err(e)
        }
    }
}

async fn make(file: &Path) -> Result<Config, Error> {
    let config = config::load(Some(file))?;
    serve::make_data_folder(&config.data)?;
    keys::read_root(&config).await?;
    Ok(config)
}

pub fn config(command: &ConfigCommand, load: impl Fn() -> Result<Config, Error>) -> Result<(), Error> {
    match command {
        ConfigCommand::Check => {
            let config = load()?;
            let rules = tutela_gateway::load_rules(&config.gateway.waf).map_err(Error::Usage)?;
            println!("the configuration is valid; the firewall has {} rules", rules.len());
        }
        ConfigCommand::Reference => print!("{}", config::reference()),
        ConfigCommand::Show => print!("{}", toml::to_string_pretty(&load()?).map_err(|e| Error::Failed(e.to_string()))?),
    }
    Ok(())
}

pub async fn migrate(migrate: &Migrate, config: Config) -> Result<(), Error> {
    let state = Store::migration_state(&config.storage, &config.data).await?;
    if state.pending.is_empty() {
        println!("the database has schema version {}; nothing to do", state.applied);
        return Ok(());
    }
    for (version, name) in &state.pending {
        println!("{} {version}: {name}", if migrate.dry_run { "would apply" } else { "applying" });
    }
    if !migrate.dry_run {
        serve::migrate(&config).await?;
        println!("done");
    }
    Ok(())
}
