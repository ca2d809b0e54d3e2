//! Access tokens of outside issuers, where a route takes them.

use tutela_core::Timestamp;
use tutela_identity::{federation::openid::AccessHolder, jwt::Unverified};

use crate::{App, Error, Way};

/// What a token that is not ours is worth.
pub(crate) enum Foreign {
    /// Good.
    Good { issuer: String, holder: AccessHolder },
    /// From a named issuer, and not good.
    Refused,
    /// From nobody who was named.
    Unknown,
}

/// Checks a token of one of the named providers. Which it claims to be from decides whose keys are asked; an issuer that
/// does not answer, and was not read lately, is a failure, not a refusal.
pub(crate) async fn prove(app: &App, token: &str, issuers: &[String], now: Timestamp) -> Result<Foreign, Error> {
    if issuers.is_empty() {
        return Ok(Foreign::Unknown);
    }
    let Ok(read) = Unverified::parse(token) else { return Ok(Foreign::Unknown) };
    let Some(claimed) = read.claimed("iss") else { return Ok(Foreign::Unknown) };
    for name in issuers {
        let Some(provider) = app.outside.get(name) else { continue };
        let Way::Openid(openid) = &provider.way else { continue };
        if openid.issuer() != claimed {
            continue;
        }
        let metadata = provider.metadata(openid, now).await?;
        let keys = provider.keys(&metadata, read.key_id(), now).await?;
        return Ok(match openid.check_access(&metadata, &keys, token, now) {
            Ok(holder) => Foreign::Good { issuer: name.clone(), holder },
            Err(e) => {
                tracing::debug!(issuer = %name, error = %e, "an access token of an outside issuer was refused");
                Foreign::Refused
            }
        });
    }
    Ok(Foreign::Unknown)
}
