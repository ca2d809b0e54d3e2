//! `provider` and `signing-key`.

use clap::Subcommand;
use tutela_api::RotateSigningKey;
use tutela_client::Client;

use super::Output;
use crate::error::Error;

#[derive(Subcommand)]
pub enum ProviderCommand {
    /// What an account is connected with
    Connections {
        /// Account id
        account: String,
    },
    /// Disconnect an account from one elsewhere; its sessions end
    Disconnect {
        /// Account id
        account: String,
        /// Id of the connection
        id: String,
        /// Why, for the ledger
        #[arg(long)]
        reason: String,
    },
    /// Ask every provider whether it is there, and list what each has to know of this server
    List,
}

#[derive(Subcommand)]
pub enum SigningKeyCommand {
    /// Keys that tokens are signed with, the newest first
    List,
    /// Have another key sign from now on
    Rotate {
        /// EdDSA, ES256 or RS256
        algorithm: String,
        /// Refuse at once whatever the present keys have signed: after a theft
        #[arg(long)]
        revoke: bool,
    },
}

pub async fn provider(command: ProviderCommand, client: &Client, output: Output) -> Result<(), Error> {
    match command {
        ProviderCommand::Connections { account } => {
            output.columns(&client.connections(&account).await?, &["id", "provider", "shown", "created_at", "last_used_at"])
        }
        ProviderCommand::Disconnect { account, id, reason } => {
            client.connection_remove(&account, &id, &reason).await?;
            output.one(&id, &format!("connection {id} is gone; the sessions of account {account} have ended"));
        }
        ProviderCommand::List => output.columns(&client.providers().await?, &["name", "protocol", "callback_url", "metadata_url", "trouble"]),
    }
    Ok(())
}

pub async fn signing_key(command: SigningKeyCommand, client: &Client, output: Output) -> Result<(), Error> {
    let keys = match command {
        SigningKeyCommand::List => client.signing_keys().await?,
        SigningKeyCommand::Rotate { algorithm, revoke } => client.signing_key_rotate(&RotateSigningKey { algorithm, revoke }).await?,
    };
    output.columns(&keys, &["id", "algorithm", "state", "signs_from", "signs_until"]);
    Ok(())
}
