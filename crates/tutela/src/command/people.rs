//! `group`, `grant`, and what is done to single accounts beyond making them.

use clap::Subcommand;
use tutela_api::{Group, NewGrant};
use tutela_client::Client;

use super::Output;
use crate::error::Error;

#[derive(Subcommand)]
pub enum GroupCommand {
    /// Delete a group; its members lose its roles
    Delete {
        /// Its name
        name: String,
    },
    /// Put an account into a group
    Join {
        /// The group
        name: String,
        /// Account id
        account: String,
    },
    /// Take an account out of a group
    Leave {
        /// The group
        name: String,
        /// Account id
        account: String,
    },
    /// List groups and their roles
    List,
    /// List the members of a group
    Members {
        /// The group
        name: String,
    },
    /// Make a group or set its roles
    Set {
        /// Its name
        name: String,
        /// The roles its members shall have
        roles: Vec<String>,
    },
}

#[derive(Subcommand)]
pub enum GrantCommand {
    /// Give a permission beside roles
    Allow(Given),
    /// Deny a permission, whatever roles and other grants say
    Deny(Given),
    /// Take a grant or a denial back
    End {
        /// Grant id
        id: String,
        /// Why, for the ledger
        #[arg(long)]
        reason: String,
    },
    /// List live grants
    List,
    /// What somebody may do, and why
    Of {
        /// Account id
        account: String,
    },
    /// Who may do something
    Who {
        /// A permission such as photos:delete, or the name of a role
        permission: String,
        /// On what, for example album/7
        #[arg(long)]
        on: Option<String>,
    },
}

#[derive(clap::Args)]
pub struct Given {
    /// A permission such as photos:delete; `photos:*` covers all of photos
    permission: String,
    /// Account id
    #[arg(long, value_name = "ID", required_unless_present = "group", conflicts_with = "group")]
    to: Option<String>,
    /// Group
    #[arg(long, value_name = "NAME")]
    group: Option<String>,
    /// On what: a name such as album/7, or album/* for all below one; everything where absent
    #[arg(long)]
    on: Option<String>,
    /// When it ends by itself (RFC 3339)
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Why, for the ledger
    #[arg(long)]
    reason: String,
}

#[derive(Subcommand)]
pub enum AuthenticatorCommand {
    /// Ways to sign in of an account
    List {
        /// Account id
        account: String,
    },
    /// Remove one that was lost, after you made sure who asks
    Remove {
        /// Account id
        account: String,
        /// Id of the way to sign in
        id: String,
        /// Why, for the ledger
        #[arg(long)]
        reason: String,
    },
}

pub async fn group(command: GroupCommand, client: &Client, output: Output) -> Result<(), Error> {
    match command {
        GroupCommand::Delete { name } => {
            client.group_delete(&name).await?;
            output.one(&name, &format!("group {name} is gone, and its roles with it"));
        }
        GroupCommand::Join { name, account } => {
            client.group_set_member(&name, &account, true).await?;
            output.one(&account, &format!("account {account} is in group {name}"));
        }
        GroupCommand::Leave { name, account } => {
            client.group_set_member(&name, &account, false).await?;
            output.one(&account, &format!("account {account} has left group {name}"));
        }
        GroupCommand::List => output.list(&client.groups().await?, &["name", "roles"], |g| vec![g.name.clone(), g.roles.join(" ")]),
        GroupCommand::Members { name } => output.list(&client.group_members(&name).await?.items, &["account"], |id| vec![id.clone()]),
        GroupCommand::Set { name, roles } => {
            let group = Group { name, roles };
            client.group_set(&group).await?;
            output.one(&group, &format!("group {} gives: {}", group.name, group.roles.join(", ")));
        }
    }
    Ok(())
}

pub async fn grant(command: GrantCommand, client: &Client, output: Output) -> Result<(), Error> {
    match command {
        GrantCommand::Allow(given) => give(given, "allow", client, output).await?,
        GrantCommand::Deny(given) => give(given, "deny", client, output).await?,
        GrantCommand::End { id, reason } => {
            client.grant_end(&id, &reason).await?;
            output.one(&id, &format!("grant {id} has ended"));
        }
        GrantCommand::List => {
            let page = client.grants().await?;
            output.list(&page.items, &["id", "effect", "permission", "on", "to", "until", "approver"], |g| {
                let to = g.account_id.clone().or_else(|| g.group.clone()).unwrap_or_default();
                vec![g.id.clone(), g.effect.clone(), g.permission.clone(), g.resource.clone(), to, g.expires_at.clone().unwrap_or_default(), g.approver.clone()]
            });
        }
        GrantCommand::Of { account } => output.members(&client.permissions_of(&account).await?),
        GrantCommand::Who { permission, on } => {
            let (mut items, mut cursor) = (Vec::new(), None::<String>);
            loop {
                let query: Vec<(&str, String)> = [("permission", Some(permission.clone())), ("resource", on.clone()), ("cursor", cursor)]
                    .into_iter()
                    .filter_map(|(k, v)| Some((k, v?)))
                    .collect();
                let page = client.permission_holders(&query).await?;
                items.extend(page.items);
                cursor = page.next;
                if cursor.is_none() {
                    break;
                }
            }
            output.columns(&items, &["account_id", "name", "reason"]);
        }
    }
    Ok(())
}

async fn give(given: Given, effect: &str, client: &Client, output: Output) -> Result<(), Error> {
    let Given { permission, to, group, on, until, reason } = given;
    let new = NewGrant { account_id: to, group, effect: effect.to_owned(), permission, resource: on, reason, expires_at: until };
    let grant = client.grant(&new).await?;
    output.one(&grant, &format!("grant {}: {} {} on {}", grant.id, grant.effect, grant.permission, grant.resource));
    Ok(())
}

pub async fn authenticator(command: AuthenticatorCommand, client: &Client, output: Output) -> Result<(), Error> {
    match command {
        AuthenticatorCommand::List { account } => {
            output.columns(&client.authenticators(&account).await?, &["id", "kind", "name", "left", "created_at", "last_used_at"])
        }
        AuthenticatorCommand::Remove { account, id, reason } => {
            client.authenticator_remove(&account, &id, &reason).await?;
            output.one(&id, &format!("{id} no longer serves for signing in; the sessions of account {account} have ended"));
        }
    }
    Ok(())
}
