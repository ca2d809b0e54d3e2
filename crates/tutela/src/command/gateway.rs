//! `gateway`: what it guards, and reading the configuration again.

use clap::Subcommand;
use tutela_api::GatewayServer;
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

pub async fn run(command: &GatewayCommand, client: &Client, output: Output) -> Result<(), Error> {
    match command {
        GatewayCommand::Reload => {
            let reloaded = client.gateway_reload().await?;
            let list = |names: &[String]| if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
            output.one(&reloaded, &format!("in force now: {}\nneeds a restart: {}", list(&reloaded.changed), list(&reloaded.needs_restart)));
        }
        GatewayCommand::Routes => {
            let head = ["name", "host", "path", "upstream", "requires", "firewall", "limits"];
            output.list(&client.gateway().await?.routes, &head, |route| {
                [&route.name, &route.host, &route.path, &route.upstream, &route.require, &route.waf_mode, &route.limits.join(", ")].map(Clone::clone).to_vec()
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
