//! SAML 2.0 as a service provider: Web Browser SSO and Single Logout over the POST and Redirect bindings.
//!
//! A message is parsed once, with document types, entities and processing instructions refused. What is believed of it
//! is read from the canonical bytes that the signature was computed over, parsed anew, and from nothing else
//! ([`signature`]): whatever stands around them, moved, doubled or wrapped, is never seen.

mod logout;
mod metadata;
mod request;
mod response;
mod settings;
mod signature;
mod xml;

pub use logout::{LogoutAsked, logout_answer, read_logout_request, read_logout_response};
pub use metadata::{IdpMetadata, own_metadata};
pub use request::{Sent, authn_request, logout_request};
pub use response::{Expected, check_response};
pub use settings::{Binding, SamlConfig, Signed};
pub use signature::SamlKey;

use tutela_core::Timestamp;

/// Namespace of the protocol's messages.
pub(crate) const PROTOCOL: &str = "urn:oasis:names:tc:SAML:2.0:protocol";
/// Namespace of assertions.
pub(crate) const ASSERTION: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
/// Namespace of metadata.
pub(crate) const METADATA: &str = "urn:oasis:names:tc:SAML:2.0:metadata";
/// Namespace of signatures.
pub(crate) const DSIG: &str = "http://www.w3.org/2000/09/xmldsig#";
pub(crate) const BINDING_POST: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST";
pub(crate) const BINDING_REDIRECT: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect";
pub(crate) const SUCCESS: &str = "urn:oasis:names:tc:SAML:2.0:status:Success";

/// Seconds that another clock may differ from ours.
pub(crate) const SKEW: std::time::Duration = std::time::Duration::from_secs(60);

/// A time as SAML writes it (Core §1.3.3: UTC).
pub(crate) fn instant(time: Timestamp) -> String {
    let text = time.to_string();
    format!("{}Z", text.split('.').next().unwrap_or(&text).trim_end_matches('Z'))
}

#[cfg(test)]
mod tests;
