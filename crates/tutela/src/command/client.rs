//! `client`: programs that call the API with a key, and applications that people sign in to.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use tutela_api::{Client as ApiClient, ClientOauth, NewClient, RollClientKey};
use tutela_client::Client;

use super::Output;
use crate::error::Error;

#[derive(Subcommand)]
pub enum ClientCommand {
    /// Make a client: a program with an API key, or (with --redirect-uri) an application that people sign in to
    Create {
        /// Name in the console, in the ledger, and for people who sign in to it
        name: String,
        /// Permission on this server's API that the key carries, for example events:write; may be given several times
        #[arg(long = "scope", value_name = "PERMISSION", required_unless_present_any = ["redirect_uris", "grant_types"])]
        scopes: Vec<String>,
        /// Until when its key works (RFC 3339); 90 days where absent
        #[arg(long, value_name = "TIME")]
        expires_at: Option<String>,
        #[command(flatten)]
        oauth: OauthArgs,
    },
    /// List clients that were not revoked
    List,
    /// Stop a client; people's sessions at it end
    Revoke {
        /// Client id
        id: String,
    },
    /// Give a client another key, and let those it has work on for a while
    Roll {
        /// Client id
        id: String,
        /// For how many seconds the keys so far work on; a day where absent
        #[arg(long, value_name = "SECONDS")]
        overlap: Option<u32>,
        /// Until when the new key works (RFC 3339); 90 days where absent
        #[arg(long, value_name = "TIME")]
        expires_at: Option<String>,
    },
    /// Set a client's side of OAuth 2.0 and OpenID Connect; what is not named is as in `create`
    SetOauth {
        /// Client id
        id: String,
        #[command(flatten)]
        oauth: OauthArgs,
    },
    /// Show one client
    Show {
        /// Client id
        id: String,
    },
}

/// A client's side of OAuth 2.0 and OpenID Connect.
#[derive(Args, Default)]
pub struct OauthArgs {
    /// Address that people are sent back to, compared character by character; may be given several times
    #[arg(long = "redirect-uri", value_name = "URI")]
    redirect_uris: Vec<String>,
    /// Address that people may be sent to after signing out
    #[arg(long = "post-logout-redirect-uri", value_name = "URI")]
    post_logout_redirect_uris: Vec<String>,
    /// Address that is told of ended sessions
    #[arg(long, value_name = "URI")]
    backchannel_logout_uri: Option<String>,
    /// authorization_code, refresh_token or client_credentials; may be given several times
    #[arg(long = "grant-type", value_name = "GRANT")]
    grant_types: Vec<String>,
    /// client_secret_basic, private_key_jwt, or none for an application that cannot keep a secret
    #[arg(long = "auth-method", value_name = "METHOD")]
    token_endpoint_auth_method: Option<String>,
    /// File with its public keys (a JWK set), for private_key_jwt
    #[arg(long, value_name = "FILE")]
    jwks: Option<PathBuf>,
    /// Scope that it may ask for: openid, profile, email, phone, groups, roles, offline_access, or one of an API of yours
    #[arg(long = "oauth-scope", value_name = "SCOPE")]
    oauth_scopes: Vec<String>,
    /// Whom its access tokens may be for; the first where it names none
    #[arg(long = "audience", value_name = "AUDIENCE")]
    audiences: Vec<String>,
    /// What its tokens are signed with: ES256, EdDSA or RS256
    #[arg(long, value_name = "ALGORITHM")]
    id_token_signed_response_alg: Option<String>,
    /// Do not ask people before it learns of them: for applications of your own
    #[arg(long)]
    no_consent: bool,
}

impl OauthArgs {
    fn read(self) -> Result<Option<ClientOauth>, Error> {
        if self.redirect_uris.is_empty() && self.grant_types.is_empty() {
            return Ok(None);
        }
        let read = |file: PathBuf| -> Result<serde_json::Value, Error> {
            let bad = |e: &dyn std::fmt::Display| Error::Usage(format!("--jwks {}: {e}", file.display()));
            serde_json::from_slice(&std::fs::read(&file).map_err(|e| bad(&e))?).map_err(|e| bad(&e))
        };
        Ok(Some(ClientOauth {
            jwks: self.jwks.map(read).transpose()?,
            redirect_uris: self.redirect_uris,
            post_logout_redirect_uris: self.post_logout_redirect_uris,
            backchannel_logout_uri: self.backchannel_logout_uri,
            grant_types: self.grant_types,
            token_endpoint_auth_method: self.token_endpoint_auth_method,
            scopes: self.oauth_scopes,
            audiences: self.audiences,
            id_token_signed_response_alg: self.id_token_signed_response_alg,
            require_consent: Some(!self.no_consent),
        }))
    }
}

pub async fn client(command: ClientCommand, client: &Client, output: Output) -> Result<(), Error> {
    match command {
        ClientCommand::Create { name, scopes, expires_at, oauth } => {
            let made = client.client_create(&NewClient { name, scopes, expires_at, oauth: oauth.read()? }).await?;
            output.one(&made, &with_key(&made));
        }
        ClientCommand::List => {
            let page = client.clients().await?;
            output.list(&page.items, &["id", "name", "scopes", "signs people in at", "key until"], |c| {
                let uris = c.oauth.as_ref().map(|oauth| oauth.redirect_uris.join(" ")).unwrap_or_default();
                vec![c.id.clone(), c.name.clone(), c.scopes.join(" "), uris, c.expires_at.clone().unwrap_or_default()]
            });
        }
        ClientCommand::Revoke { id } => {
            client.client_revoke(&id).await?;
            output.one(&id, &format!("client {id} has stopped working, and people's sessions at it have ended"));
        }
        ClientCommand::Roll { id, overlap, expires_at } => {
            let made = client.client_key_roll(&id, &RollClientKey { expires_at, overlap_seconds: overlap }).await?;
            output.one(&made, &with_key(&made));
        }
        ClientCommand::SetOauth { id, oauth } => {
            let oauth = oauth.read()?.ok_or_else(|| Error::Usage("name at least a --redirect-uri or a --grant-type".into()))?;
            let changed = client.client_set_oauth(&id, &oauth).await?;
            output.one(&changed, &lines(&changed));
        }
        ClientCommand::Show { id } => {
            let found = client.client_get(&id).await?;
            output.one(&found, &lines(&found));
        }
    }
    Ok(())
}

fn with_key(made: &ApiClient) -> String {
    let shown = match (&made.api_key, &made.expires_at) {
        (Some(key), Some(until)) => format!("{key}\nthe key is shown only now; it works until {until}"),
        _ => "it has no key here: it proves itself with its own, or by PKCE alone".to_owned(),
    };
    if made.oauth.is_some() { format!("client_id {}\n{shown}", made.id) } else { shown }
}

fn lines(client: &ApiClient) -> String {
    let mut lines = vec![format!("id           {}", client.id), format!("name         {}", client.name)];
    let mut put = |name: &str, values: &[String]| {
        if !values.is_empty() {
            lines.push(format!("{name:<12} {}", values.join(" ")));
        }
    };
    put("permissions", &client.scopes);
    put("key until", client.expires_at.as_slice());
    if let Some(oauth) = &client.oauth {
        put("sends to", &oauth.redirect_uris);
        put("signs out to", &oauth.post_logout_redirect_uris);
        put("tells", oauth.backchannel_logout_uri.as_slice());
        put("grants", &oauth.grant_types);
        put("proves by", oauth.token_endpoint_auth_method.as_slice());
        put("scopes", &oauth.scopes);
        put("audiences", &oauth.audiences);
        put("signed with", oauth.id_token_signed_response_alg.as_slice());
        put("asks people", &[if oauth.require_consent == Some(false) { "no".to_owned() } else { "yes".to_owned() }]);
    }
    lines.join("\n")
}
