//! `gateway`: what it guards, and reading the configuration again. `limit`: whom its limits refuse.

use clap::Subcommand;
use tutela_api::{GatewayServer, LiftLimit};
use tutela_client::Client;

use super::Output;
use crate::error::Error;

#[derive(Subcommand)]
pub enum GatewayCommand {
    /// Read the configuration again: routes, upstreams, rules, limits, certificates and listeners change without a dropped request
    Reload,
    /// List routes, and how each is guarded
    Routes,
    /// List the servers of applications, and how they are
    Servers,
}

#[derive(Subcommand)]
pub enum LimitCommand {
    /// Let somebody in again whom a limit refuses
    Lift {
        /// The limit's name
        limit: String,
        /// Who, as the list has it: `address 192.0.2.7`
        who: String,
        /// Why, for the ledger
        #[arg(long)]
        reason: String,
    },
    /// List whom limits of requests refuse now
    List,
}

pub async fn limit(command: LimitCommand, client: &Client, output: Output) -> Result<(), Error> {
    match command {
        LimitCommand::Lift { limit, who, reason } => Ok(client.limit_lift(&LiftLimit { limit, who, reason }).await?),
        LimitCommand::List => {
            output.list(&client.limited().await?, &["limit", "who", "refused", "since", "until"], |one| {
                vec![one.limit.clone(), one.who.clone(), one.refused.to_string(), one.since.clone(), one.until.clone()]
            });
            Ok(())
        }
    }
}

pub async fn run(command: &GatewayCommand, client: &Client, output: Output) -> Result<(), Error> {
    match command {
        GatewayCommand::Reload => {
            let reloaded = client.gateway_reload().await?;
            let list = |names: &[String]| if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
            output.one(&reloaded, &format!("in force now: {}\nneeds a restart: {}", list(&reloaded.changed), list(&reloaded.needs_restart)));
        }
        GatewayCommand::Routes => {
            let head = ["name", "host", "path", "upstream", "requires", "firewall", "card numbers", "limits"];
            output.list(&client.gateway().await?.routes, &head, |route| {
                let (requires, limits) = ([[route.require.clone()].as_slice(), &route.frameworks].concat().join(", "), route.limits.join(", "));
                [&route.name, &route.host, &route.path, &route.upstream, &requires, &route.waf_mode, &route.card_numbers, &limits].map(Clone::clone).to_vec()
            });
        }
        GatewayCommand::Servers => {
            let status = client.gateway().await?;
            let servers: Vec<(&String, &GatewayServer)> =
                status.upstreams.iter().flat_map(|upstream| upstream.servers.iter().map(|server| (&upstream.name, server))).collect();
            output.list(&servers, &["upstream", "server", "state", "open requests", "weight"], |(name, server)| {
                vec![(*name).clone(), server.url.clone(), server.state.clone(), server.open.to_string(), server.weight.to_string()]
            });
        }
    }
    Ok(())
}
