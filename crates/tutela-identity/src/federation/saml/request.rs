//! Requests to a provider: to sign somebody in, and to end their session there.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use tutela_core::Timestamp;

use super::{ASSERTION, BINDING_POST, IdpMetadata, PROTOCOL, SamlKey, instant, signature::RSA_SHA256, xml::escaped};
use crate::{
    Error,
    federation::{encoding::percent_encoded, refused},
};

/// A message on its way through the browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// In an address (Bindings §3.4).
    Redirect(String),
    /// As a form: where to, and its fields (Bindings §3.5).
    Post(String, Vec<(&'static str, String)>),
}

/// Asks a provider to sign somebody in (Core §3.4.1, Profiles §4.1.4.1). `anew` where they have to prove it again.
#[expect(clippy::too_many_arguments, reason = "what such a request is made of")]
pub fn authn_request(
    metadata: &IdpMetadata,
    post: bool,
    id: &str,
    entity_id: &str,
    consumer: &str,
    name_id_format: Option<&str>,
    anew: bool,
    state: &str,
    key: Option<&SamlKey>,
    now: Timestamp,
) -> Result<Sent, Error> {
    let place = if post { &metadata.sso_post } else { &metadata.sso_redirect };
    let place = place.as_ref().ok_or_else(|| refused("the provider's metadata offer no sign-in by this binding; set `binding` to the other one"))?;
    let force = if anew { " ForceAuthn=\"true\"" } else { "" };
    let policy = name_id_format.map_or_else(String::new, |format| format!(" Format=\"{}\"", escaped(format)));
    let message = format!(
        "<samlp:AuthnRequest xmlns:samlp=\"{PROTOCOL}\" xmlns:saml=\"{ASSERTION}\" ID=\"{id}\" Version=\"2.0\" IssueInstant=\"{}\" Destination=\"{}\"{force} \
         AssertionConsumerServiceURL=\"{}\" ProtocolBinding=\"{BINDING_POST}\"><saml:Issuer>{}</saml:Issuer>\
         <samlp:NameIDPolicy AllowCreate=\"true\"{policy}></samlp:NameIDPolicy></samlp:AuthnRequest>",
        instant(now),
        escaped(place),
        escaped(consumer),
        escaped(entity_id),
    );
    if post {
        let message = match key {
            Some(key) => key.sign_message(&message)?,
            None => message,
        };
        return Ok(Sent::Post(place.clone(), vec![("SAMLRequest", STANDARD.encode(message)), ("RelayState", state.to_owned())]));
    }
    Ok(Sent::Redirect(redirect(place, "SAMLRequest", &message, Some(state), key)?))
}

/// Asks a provider to end somebody's session there (Core §3.7.1); it wants such requests signed.
#[expect(clippy::too_many_arguments, reason = "what such a request is made of")]
pub fn logout_request(
    metadata: &IdpMetadata,
    id: &str,
    entity_id: &str,
    name_id: &str,
    session: Option<&str>,
    state: Option<&str>,
    key: &SamlKey,
    now: Timestamp,
) -> Result<Option<String>, Error> {
    let Some(place) = &metadata.logout_redirect else { return Ok(None) };
    let session = session.map_or_else(String::new, |index| format!("<samlp:SessionIndex>{}</samlp:SessionIndex>", escaped(index)));
    let message = format!(
        "<samlp:LogoutRequest xmlns:samlp=\"{PROTOCOL}\" xmlns:saml=\"{ASSERTION}\" ID=\"{id}\" Version=\"2.0\" IssueInstant=\"{}\" Destination=\"{}\">\
         <saml:Issuer>{}</saml:Issuer>{name_id}{session}</samlp:LogoutRequest>",
        instant(now),
        escaped(place),
        escaped(entity_id),
    );
    redirect(place, "SAMLRequest", &message, state, Some(key)).map(Some)
}

/// A message in an address: deflated, and signed over the very characters of the query (Bindings §3.4.4.1).
pub(super) fn redirect(place: &str, name: &str, message: &str, state: Option<&str>, key: Option<&SamlKey>) -> Result<String, Error> {
    let packed = STANDARD.encode(miniz_oxide::deflate::compress_to_vec(message.as_bytes(), 6));
    let mut query = format!("{name}={}", percent_encoded(&packed));
    if let Some(state) = state {
        query.push_str(&format!("&RelayState={}", percent_encoded(state)));
    }
    if let Some(key) = key {
        query.push_str(&format!("&SigAlg={}", percent_encoded(RSA_SHA256)));
        let signature = STANDARD.encode(key.sign(query.as_bytes())?);
        query.push_str(&format!("&Signature={}", percent_encoded(&signature)));
    }
    Ok(format!("{place}{}{query}", if place.contains('?') { '&' } else { '?' }))
}
