//! `admin`, `account`, `client`, `role`, `session`: through the admin socket of the running server.

use clap::Subcommand;
use tutela_api::{NewAccount, Role};
use tutela_client::Client;

use super::{
    Output,
    people::{self, AuthenticatorCommand},
};
use crate::error::Error;

#[derive(Subcommand)]
pub enum AdminCommand {
    /// A one-time link for making an administrator; earlier ones end
    SetupLink,
}

#[derive(Subcommand)]
pub enum AccountCommand {
    /// Make an account; prints the one-time link with which the person chooses a password
    Create {
        /// Mail address, the name used to sign in
        email: String,
        /// Name shown to people
        #[arg(long)]
        name: String,
        /// Role from the start; may be given several times
        #[arg(long = "role", value_name = "ROLE")]
        roles: Vec<String>,
    },
    /// Delete an account with its credentials, devices, sessions and grants
    Delete {
        /// Account id
        id: String,
        /// Why, for the ledger
        #[arg(long)]
        reason: String,
    },
    /// Let a disabled account sign in again
    Enable {
        /// Account id
        id: String,
        /// Why, for the ledger
        #[arg(long)]
        reason: String,
    },
    /// Make a fresh one-time link for somebody you have identified
    Invite {
        /// Account id
        id: String,
    },
    /// Have somebody choose another password at the next sign-in, and end their sessions
    RequirePasswordChange {
        /// Account id
        id: String,
        /// Why, for the ledger
        #[arg(long)]
        reason: String,
    },
    /// Lift the locks of an account
    Unlock {
        /// Account id
        id: String,
        /// Why, for the ledger
        #[arg(long)]
        reason: String,
    },
    /// Ways to sign in of an account
    #[command(subcommand)]
    Authenticators(AuthenticatorCommand),
    /// Disable an account and end its sessions
    Disable {
        /// Account id
        id: String,
    },
    /// List accounts
    List,
    /// One account: how it signs in, what is locked, which groups it is in
    Show {
        /// Account id
        id: String,
    },
    /// Hold the records of every account against the ledger; exit code 1 where one differs
    Verify,
    /// Set the roles of an account
    Roles {
        /// Account id
        id: String,
        /// The roles it shall hold
        roles: Vec<String>,
    },
}

#[derive(Subcommand)]
pub enum RoleCommand {
    /// List roles
    List,
    /// Make a role or set what it allows
    Set {
        /// Its name
        name: String,
        /// Permissions such as photos:delete; `photos:*` covers all of photos
        permissions: Vec<String>,
    },
}

#[derive(Subcommand)]
pub enum SessionCommand {
    /// List live sessions
    List,
    /// End a session on every host
    Revoke {
        /// Session id
        id: String,
        /// Why, for the ledger
        #[arg(long)]
        reason: String,
    },
}

pub async fn admin(command: AdminCommand, client: &Client, output: Output) -> Result<(), Error> {
    let AdminCommand::SetupLink = command;
    let link = client.setup_link().await?;
    output.one(&link, &format!("{}\nworks once, until {}", link.url, link.expires_at));
    Ok(())
}

pub async fn account(command: AccountCommand, client: &Client, output: Output) -> Result<(), Error> {
    match command {
        AccountCommand::Create { email, name, roles } => {
            let account = client.account_create(&NewAccount { email, name, password: None, roles }).await?;
            let link = account.setup_link.clone().unwrap_or_default();
            output.one(&account, &format!("account {}\nto choose a password, within 30 minutes, once:\n  {link}", account.id));
        }
        AccountCommand::Authenticators(command) => people::authenticator(command, client, output).await?,
        AccountCommand::Delete { id, reason } => {
            client.account_delete(&id, &reason).await?;
            output.one(&id, &format!("account {id} is gone; what it did stays in the ledger"));
        }
        AccountCommand::Enable { id, reason } => {
            client.account_enable(&id, &reason).await?;
            output.one(&id, &format!("account {id} may sign in again"));
        }
        AccountCommand::Invite { id } => {
            let link = client.account_invite(&id).await?;
            output.one(&link, &format!("{}\nworks once, until {}", link.url, link.expires_at));
        }
        AccountCommand::RequirePasswordChange { id, reason } => {
            client.account_require_password_change(&id, &reason).await?;
            output.one(&id, &format!("account {id} has to choose another password; its sessions have ended"));
        }
        AccountCommand::Unlock { id, reason } => {
            client.account_unlock(&id, &reason).await?;
            output.one(&id, &format!("the locks of account {id} are lifted"));
        }
        AccountCommand::Disable { id } => {
            client.account_disable(&id).await?;
            output.one(&id, &format!("account {id} is disabled and its sessions have ended"));
        }
        AccountCommand::List => {
            let page = client.accounts().await?;
            output.list(&page.items, &["id", "email", "name", "state", "roles"], |a| {
                vec![a.id.clone(), a.email.clone(), a.name.clone(), a.state.clone(), a.roles.join(" ")]
            });
        }
        AccountCommand::Show { id } => {
            let found = client.account(&id).await?;
            let mut lines = vec![format!("{} <{}>, {}", found.account.name, found.account.email, found.account.state)];
            lines.push(format!("roles: {}; groups: {}", found.account.roles.join(", "), found.groups.join(", ")));
            lines.push(format!("password: {}", found.password_changed_at.as_deref().map_or("none".into(), |at| format!("chosen {at}"))));
            lines.extend(found.password_must_change.iter().map(|why| format!("has to choose another password: {why}")));
            lines.extend(found.locks.iter().map(|lock| format!("locked: {} until {}", lock.what, lock.until.as_deref().unwrap_or("somebody lifts it"))));
            output.one(&found, &lines.join("\n"));
        }
        AccountCommand::Verify => {
            let found = client.accounts_verify().await?;
            let lines: Vec<String> =
                found.differences.iter().map(|one| format!("account {}: {} are not what the ledger says", one.account_id, one.what)).collect();
            let all = format!("{} accounts were compared with the ledger; {} differ", found.accounts, lines.len());
            output.one(&found, &lines.iter().map(String::as_str).chain([all.as_str()]).collect::<Vec<_>>().join("\n"));
            if !lines.is_empty() {
                return Err(Error::Failed(all));
            }
        }
        AccountCommand::Roles { id, roles } => {
            client.account_set_roles(&id, &roles).await?;
            output.one(&roles, &format!("account {id} holds: {}", roles.join(", ")));
        }
    }
    Ok(())
}

pub async fn role(command: RoleCommand, client: &Client, output: Output) -> Result<(), Error> {
    match command {
        RoleCommand::List => {
            let page = client.roles().await?;
            output.list(&page.items, &["name", "permissions"], |r| vec![r.name.clone(), r.permissions.join(" ")]);
        }
        RoleCommand::Set { name, permissions } => {
            let role = Role { name, permissions };
            client.role_set(&role).await?;
            output.one(&role, &format!("role {} allows: {}", role.name, role.permissions.join(", ")));
        }
    }
    Ok(())
}

pub async fn session(command: SessionCommand, client: &Client, output: Output) -> Result<(), Error> {
    match command {
        SessionCommand::List => {
            let page = client.sessions().await?;
            output.list(&page.items, &["id", "account", "hosts", "last seen"], |s| {
                vec![s.id.clone(), s.account_id.clone(), s.hosts.join(" "), s.last_seen_at.clone()]
            });
        }
        SessionCommand::Revoke { id, reason } => {
            client.session_end(&id, &reason).await?;
            output.one(&id, &format!("session {id} has ended on every host"));
        }
    }
    Ok(())
}
