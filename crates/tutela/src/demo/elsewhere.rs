//! The directory of another company, whose people sign in to the demo by all three protocols.

use std::net::SocketAddr;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{config::Config, error::Error};

/// Group there, and the group here that its people join.
pub const GROUPS: (&str, &str) = ("editors", "meadow-editors");
/// Names of the three sections.
const NAMES: [&str; 3] = ["meadow", "meadow-oauth", "meadow-saml"];

/// The running directory.
pub struct Elsewhere {
    stop: CancellationToken,
}

impl Elsewhere {
    /// Ends it.
    pub fn stop(self) {
        self.stop.cancel();
    }
}

/// Starts it, and has tutela know it.
pub async fn start(config: &mut Config, own: &str) -> Result<Elsewhere, Error> {
    let failed = |e: std::io::Error| Error::Failed(format!("the sample directory could not be started: {e}"));
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.map_err(failed)?;
    let there = format!("http://{}", listener.local_addr().map_err(failed)?);
    let callback = |name: &str| format!("{own}/sign-in/with/{name}/callback");
    let [openid, oauth2, saml] = NAMES;
    let about = ::directory::Config {
        own: there.clone(),
        redirect_uris: vec![callback(openid), callback(oauth2)],
        saml: (callback(saml), format!("{own}/sign-in/with/{saml}/metadata")),
    };
    let stop = CancellationToken::new();
    let signal = stop.clone();
    tokio::spawn(async move {
        if let Err(e) = ::directory::serve(listener, about, async move { signal.cancelled().await }).await {
            tracing::warn!(error = %e, "the sample directory has ended");
        }
    });
    let client_id = ::directory::CLIENT_ID;
    // Whoever comes gets an account, under the address that the directory vouches for.
    let people = |claims: &str| {
        format!(
            "[people]\ncreate = true\ntrust_email = true\ngroups = {{ {} = \"{}\" }}\nclaims = {{ {claims} }}\n[network]\nallow_private = true\n",
            GROUPS.0, GROUPS.1
        )
    };
    let section = format!("label = \"Meadow Ltd (OpenID Connect)\"\nissuer = \"{there}\"\nclient_id = \"{client_id}\"\nclient_auth = \"none\"\n");
    config.identity.openid.insert(openid.into(), read(&(section + &people("groups = \"groups\"")))?);
    let section = format!(
        "label = \"Meadow Ltd (OAuth 2.0)\"\nissuer = \"{there}\"\nauthorization_url = \"{there}/authorize\"\ntoken_url = \"{there}/token\"\n\
         user_url = \"{there}/userinfo\"\nclient_id = \"{client_id}\"\nclient_auth = \"none\"\n"
    );
    let claims = "subject = \"sub\", email = \"email\", email_verified = \"email_verified\", name = \"name\", groups = \"groups\"";
    config.identity.oauth2.insert(oauth2.into(), read(&(section + &people(claims)))?);
    let section = format!("label = \"Meadow Ltd (SAML)\"\nmetadata_url = \"{there}/saml/metadata\"\n");
    config.identity.saml.insert(saml.into(), read(&(section + &people("email = \"email\", name = \"name\", groups = \"groups\"")))?);
    Ok(Elsewhere { stop })
}

/// A section as it would stand in a configuration file.
fn read<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, Error> {
    toml::from_str(text).map_err(|e| Error::Failed(format!("the demo's own configuration: {e}")))
}
