//! Metadata (SAML Metadata 2.0): what a provider says of itself, and what we say of ourselves.

use std::fmt::Write as _;

use tutela_core::Timestamp;
use uppsala::{Document, NodeId};

use super::{
    BINDING_POST, BINDING_REDIRECT, DSIG, METADATA, PROTOCOL, SamlKey,
    signature::CertificateKey,
    xml::{self, attribute, children, elements, escaped, is, text},
};
use crate::{Error, federation::refused};

/// A provider's metadata, as far as they are used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdpMetadata {
    /// Its entity id.
    pub entity_id: String,
    /// Where people are sent, by the Redirect binding and by POST.
    pub sso_redirect: Option<String>,
    /// As `sso_redirect`.
    pub sso_post: Option<String>,
    /// Where sessions end, by the Redirect binding.
    pub logout_redirect: Option<String>,
    /// Where it wants the answer to its own logout requests, where that is another place.
    pub logout_answer: Option<String>,
    /// Keys that its messages may be signed with.
    pub(super) keys: Vec<CertificateKey>,
    /// Until when they are good.
    pub valid_until: Option<Timestamp>,
}

impl IdpMetadata {
    /// Reads the metadata of `provider`, or of the only provider in them.
    pub fn read(body: &[u8], provider: Option<&str>) -> Result<Self, Error> {
        let body = std::str::from_utf8(body).map_err(|_| refused("the metadata are not UTF-8"))?;
        let document = xml::parse(body.trim_start_matches('\u{feff}'), xml::LONGEST_METADATA)?;
        let top = document.document_element().ok_or_else(|| refused("the metadata are empty"))?;
        let all = elements(&document, top);
        let entities = all.iter().copied().filter(|id| is(&document, *id, METADATA, "EntityDescriptor"));
        let providers: Vec<NodeId> = entities
            .filter(|id| !children(&document, *id, METADATA, "IDPSSODescriptor").is_empty())
            .filter(|id| provider.is_none() || attribute(&document, *id, "entityID") == provider)
            .collect();
        let [entity] = providers.as_slice() else {
            return Err(refused(format!("the metadata hold {} identity providers that fit; name one with `provider_id`", providers.len())));
        };
        let roles = children(&document, *entity, METADATA, "IDPSSODescriptor");
        let role = *roles.first().ok_or_else(|| refused("the metadata hold no identity provider"))?;
        let place = |name: &str, binding: &str| endpoint(&document, role, name, binding);
        let metadata = Self {
            entity_id: attribute(&document, *entity, "entityID").filter(|id| !id.is_empty()).ok_or_else(|| refused("the metadata name no entity"))?.to_owned(),
            sso_redirect: place("SingleSignOnService", BINDING_REDIRECT).map(|at| at.0),
            sso_post: place("SingleSignOnService", BINDING_POST).map(|at| at.0),
            logout_redirect: place("SingleLogoutService", BINDING_REDIRECT).map(|at| at.0),
            logout_answer: place("SingleLogoutService", BINDING_REDIRECT).and_then(|at| at.1),
            keys: keys(&document, role)?,
            valid_until: attribute(&document, *entity, "validUntil").or_else(|| attribute(&document, top, "validUntil")).and_then(|at| at.parse().ok()),
        };
        if metadata.keys.is_empty() {
            return Err(refused("the metadata hold no key that a signature could be checked with"));
        }
        Ok(metadata)
    }
}

/// Location, and the place for answers.
fn endpoint(document: &Document<'_>, role: NodeId, name: &str, binding: &str) -> Option<(String, Option<String>)> {
    let fits = |id: &NodeId| attribute(document, *id, "Binding") == Some(binding);
    let found = children(document, role, METADATA, name).into_iter().find(fits)?;
    let web = |url: &str| (url.starts_with("https://") || url.starts_with("http://")).then(|| url.to_owned());
    Some((web(attribute(document, found, "Location")?)?, attribute(document, found, "ResponseLocation").and_then(web)))
}

fn keys(document: &Document<'_>, role: NodeId) -> Result<Vec<CertificateKey>, Error> {
    let mut keys = Vec::new();
    for descriptor in children(document, role, METADATA, "KeyDescriptor") {
        if attribute(document, descriptor, "use").is_some_and(|use_of| use_of != "signing") {
            continue;
        }
        for id in elements(document, descriptor).into_iter().filter(|id| is(document, *id, DSIG, "X509Certificate")) {
            keys.extend(CertificateKey::read(&text(document, id)?));
        }
    }
    Ok(keys)
}

/// What a provider needs to know of us.
pub fn own_metadata(entity_id: &str, consumer: &str, logout: &str, key: &SamlKey, signs: bool, name_id_format: Option<&str>) -> String {
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<md:EntityDescriptor xmlns:md=\"{METADATA}\" entityID=\"{}\">\
         <md:SPSSODescriptor AuthnRequestsSigned=\"{signs}\" WantAssertionsSigned=\"true\" protocolSupportEnumeration=\"{PROTOCOL}\">\
         <md:KeyDescriptor use=\"signing\"><ds:KeyInfo xmlns:ds=\"{DSIG}\"><ds:X509Data><ds:X509Certificate>{}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>\
         <md:SingleLogoutService Binding=\"{BINDING_REDIRECT}\" Location=\"{}\"/>",
        escaped(entity_id),
        key.certificate(),
        escaped(logout),
    );
    if let Some(format) = name_id_format {
        let _ = write!(out, "<md:NameIDFormat>{}</md:NameIDFormat>", escaped(format));
    }
    let _ = writeln!(
        out,
        "<md:AssertionConsumerService Binding=\"{BINDING_POST}\" Location=\"{}\" index=\"0\" isDefault=\"true\"/></md:SPSSODescriptor></md:EntityDescriptor>",
        escaped(consumer)
    );
    out
}
