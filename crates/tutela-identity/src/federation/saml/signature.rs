//! XML signatures, in the one shape that SAML has them (Core §5.4): enveloped, over the whole element that they stand
//! in, exclusive canonical form, SHA-2.
//!
//! What a signature vouches for is a string of bytes: the canonical form that was hashed. [`verified`] gives those
//! bytes, and callers parse them anew. A wrapped, moved or doubled element can stand wherever it likes in the message;
//! it is not in the bytes.

use std::collections::HashSet;

use aws_lc_rs::{
    digest,
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
        RSA_PKCS1_2048_8192_SHA512, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey, VerificationAlgorithm,
    },
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bergshamra_c14n::{C14nMode, canonicalize_doc};
use bergshamra_xml::NodeSet;
use tutela_core::{Random, Secret};
use uppsala::{Document, NodeId, NodeKind};

use super::{
    DSIG,
    xml::{self, attribute, child, children, elements, is, one, text},
};
use crate::{Error, federation::refused};

const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
pub(super) const RSA_SHA256: &str = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";
const SHA256: &str = "http://www.w3.org/2001/04/xmlenc#sha256";

/// A public key out of somebody's metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CertificateKey {
    /// As in the certificate: an RSA key, or a point of a curve.
    bytes: Vec<u8>,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    P256,
    P384,
    P521,
    Rsa,
}

impl CertificateKey {
    /// The key in a certificate (base64 of its DER form). In metadata a certificate is a container for a key: its dates and issuer say nothing
    /// (SAML Metadata Interoperability Profile 1.0 §2.6.1).
    pub(super) fn read(base64: &str) -> Option<Self> {
        let compact: String = base64.split_whitespace().collect();
        let der = STANDARD.decode(compact).ok()?;
        let (_, certificate) = x509_parser::parse_x509_certificate(&der).ok()?;
        let spki = &certificate.tbs_certificate.subject_pki;
        let kind = match spki.algorithm.algorithm.to_id_string().as_str() {
            "1.2.840.113549.1.1.1" => Kind::Rsa,
            "1.2.840.10045.2.1" => match spki.algorithm.parameters.as_ref()?.as_oid().ok()?.to_id_string().as_str() {
                "1.2.840.10045.3.1.7" => Kind::P256,
                "1.3.132.0.34" => Kind::P384,
                "1.3.132.0.35" => Kind::P521,
                _ => return None,
            },
            _ => return None,
        };
        Some(Self { bytes: spki.subject_public_key.data.to_vec(), kind })
    }

    fn verify(&self, algorithm: &str, message: &[u8], signature: &[u8]) -> bool {
        let with: &'static dyn VerificationAlgorithm = match (self.kind, algorithm) {
            (Kind::Rsa, RSA_SHA256) => &RSA_PKCS1_2048_8192_SHA256,
            (Kind::Rsa, "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384") => &RSA_PKCS1_2048_8192_SHA384,
            (Kind::Rsa, "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512") => &RSA_PKCS1_2048_8192_SHA512,
            (Kind::P256, "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256") => &ECDSA_P256_SHA256_FIXED,
            (Kind::P384, "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384") => &ECDSA_P384_SHA384_FIXED,
            (Kind::P521, "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512") => &ECDSA_P521_SHA512_FIXED,
            _ => return false,
        };
        UnparsedPublicKey::new(with, &self.bytes).verify(message, signature).is_ok()
    }
}

/// Checks a signature over some bytes, as the Redirect binding has it (Bindings §3.4.4.1).
pub(super) fn verify_bytes(keys: &[CertificateKey], algorithm: &str, message: &[u8], signature: &[u8]) -> bool {
    keys.iter().any(|key| key.verify(algorithm, message, signature))
}

/// The canonical bytes of `element` that one of `keys` has signed, without the signature; `None` where it is not signed.
pub(super) fn verified(document: &Document<'_>, element: NodeId, keys: &[CertificateKey]) -> Result<Option<String>, Error> {
    let Some(signature) = child(document, element, DSIG, "Signature")? else { return Ok(None) };
    let bad = |why: &str| refused(format!("the signature {why}"));
    let id = attribute(document, element, "ID").filter(|id| !id.is_empty()).ok_or_else(|| bad("is over an element without an ID"))?;
    let mut known = HashSet::new();
    if !identifiers(document).into_iter().all(|id| known.insert(id)) {
        return Err(refused("an ID stands in the message more than once"));
    }
    check_shape(document, signature)?;
    let info = one(document, signature, DSIG, "SignedInfo")?;
    let method = |of: NodeId, name: &str| one(document, of, DSIG, name).map(|id| attribute(document, id, "Algorithm").unwrap_or_default().to_owned());
    if method(info, "CanonicalizationMethod")? != EXCLUSIVE {
        return Err(bad("has a canonical form that is not taken; it is exclusive C14N without comments"));
    }
    let references = children(document, info, DSIG, "Reference");
    let [reference] = references.as_slice() else { return Err(bad("is over more than one thing, or over nothing")) };
    if attribute(document, *reference, "URI") != Some(format!("#{id}").as_str()) {
        return Err(bad("is over another element than the one it stands in"));
    }
    let transforms = one(document, *reference, DSIG, "Transforms")?;
    let steps: Vec<NodeId> = elements(document, transforms).into_iter().filter(|id| is(document, *id, DSIG, "Transform")).collect();
    let names: Vec<&str> = steps.iter().map(|id| attribute(document, *id, "Algorithm").unwrap_or_default()).collect();
    if names != [ENVELOPED, EXCLUSIVE] {
        return Err(bad("has transforms that are not taken; they are the enveloped signature, then exclusive C14N"));
    }
    let prefixes = match steps.get(1) {
        Some(step) => inclusive_prefixes(document, *step)?,
        None => Vec::new(),
    };
    let mut nodes = NodeSet::tree_without_comments(element, document);
    for gone in std::iter::once(signature).chain(document.descendants(signature)) {
        nodes.remove_id(gone);
    }
    let content = canonical(document, &nodes, &prefixes)?;
    let with = match method(*reference, "DigestMethod")?.as_str() {
        SHA256 => &digest::SHA256,
        "http://www.w3.org/2001/04/xmldsig-more#sha384" => &digest::SHA384,
        "http://www.w3.org/2001/04/xmlenc#sha512" => &digest::SHA512,
        _ => return Err(bad("has a hash that is not taken; it is SHA-256, SHA-384 or SHA-512")),
    };
    let said = decoded(document, one(document, *reference, DSIG, "DigestValue")?)?;
    if digest::digest(with, &content).as_ref() != said.as_slice() {
        return Err(bad("does not fit what it stands in: that was changed"));
    }
    // What was signed is the canonical form of `SignedInfo`, with the namespaces that it uses and no others.
    let canonical_method = one(document, info, DSIG, "CanonicalizationMethod")?;
    let prefixes = inclusive_prefixes(document, canonical_method)?;
    let signed = canonical(document, &NodeSet::tree_without_comments(info, document), &prefixes)?;
    let value = decoded(document, one(document, signature, DSIG, "SignatureValue")?)?;
    if !verify_bytes(keys, &method(info, "SignatureMethod")?, &signed, &value) {
        return Err(bad("does not verify under a key of the provider's metadata"));
    }
    String::from_utf8(content).map(Some).map_err(|_| bad("is over something that is not UTF-8"))
}

/// A signature is left out of what it signs, so nothing may hide in it: its three parts in their order (XML Signature §4.1,
/// §4.3.3), and no text between them.
fn check_shape(document: &Document<'_>, signature: NodeId) -> Result<(), Error> {
    let bad = || refused("the signature holds something that does not belong into one");
    let mut parts = Vec::new();
    for id in document.children(signature) {
        match document.node_kind(id) {
            Some(NodeKind::Element(_)) => parts.push(id),
            Some(NodeKind::Text(text)) if text.trim().is_empty() => {}
            _ => return Err(bad()),
        }
    }
    let names = ["SignedInfo", "SignatureValue", "KeyInfo"];
    let fits = (2..=3).contains(&parts.len()) && parts.iter().zip(names).all(|(id, name)| is(document, *id, DSIG, name));
    if fits { Ok(()) } else { Err(bad()) }
}

fn canonical(document: &Document<'_>, nodes: &NodeSet, prefixes: &[String]) -> Result<Vec<u8>, Error> {
    canonicalize_doc(document, C14nMode::Exclusive, Some(nodes), prefixes).map_err(|e| refused(format!("the message has no canonical form: {e}")))
}

/// Namespaces that a canonical form keeps although they are not used by name.
fn inclusive_prefixes(document: &Document<'_>, of: NodeId) -> Result<Vec<String>, Error> {
    let list = child(document, of, EXCLUSIVE, "InclusiveNamespaces")?;
    let words = list.and_then(|id| attribute(document, id, "PrefixList")).unwrap_or_default();
    Ok(words.split_whitespace().map(str::to_owned).collect())
}

/// Everything in the message that anybody could take for an ID.
fn identifiers<'d>(document: &'d Document<'_>) -> Vec<&'d str> {
    let all = elements(document, document.root()).into_iter().filter_map(|id| document.element(id));
    let attributes = all.flat_map(|element| element.attributes.iter());
    attributes.filter(|attribute| attribute.name.local_name.eq_ignore_ascii_case("id")).map(|attribute| attribute.value.as_ref()).collect()
}

fn decoded(document: &Document<'_>, of: NodeId) -> Result<Vec<u8>, Error> {
    let compact: String = text(document, of)?.split_whitespace().collect();
    STANDARD.decode(compact).map_err(|_| refused("the signature has a value that is not base64"))
}

// === Our own ===

/// The key that requests are signed with, and its certificate: providers check us by what our metadata say.
pub struct SamlKey {
    pair: RsaKeyPair,
    certificate: String,
}

impl SamlKey {
    /// A new key: PKCS#8, and its self-signed certificate in base64.
    pub fn generate(name: &str, rng: &mut dyn Random) -> Result<(Secret<Vec<u8>>, String), Error> {
        let kept = crate::jwt::generate(crate::Algorithm::Rs256, rng)?;
        let broken = |_| Error::Library;
        let key = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&kept.open().as_slice().into(), &rcgen::PKCS_RSA_SHA256).map_err(broken)?;
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let certificate = params.self_signed(&key).map_err(broken)?;
        Ok((kept, STANDARD.encode(certificate.der())))
    }

    /// From the form it is kept in.
    pub fn restore(kept: &[u8], certificate: String) -> Result<Self, Error> {
        Ok(Self { pair: RsaKeyPair::from_pkcs8(kept).map_err(|_| Error::Library)?, certificate })
    }

    /// Its certificate, base64 of the DER form.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// Signs some bytes with RSA and SHA-256.
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).map_err(|_| Error::Library)?;
        Ok(signature)
    }

    /// Puts a signature into a message of our own, after its `Issuer`, where the schema wants it.
    pub(super) fn sign_message(&self, message: &str) -> Result<String, Error> {
        let document = xml::parse(message, xml::LONGEST)?;
        let element = document.document_element().ok_or(Error::Library)?;
        let id = attribute(&document, element, "ID").ok_or(Error::Library)?;
        let content = canonical(&document, &NodeSet::tree_without_comments(element, &document), &[])?;
        let hash = STANDARD.encode(digest::digest(&digest::SHA256, &content));
        let info = format!(
            "<ds:SignedInfo xmlns:ds=\"{DSIG}\"><ds:CanonicalizationMethod Algorithm=\"{EXCLUSIVE}\"></ds:CanonicalizationMethod>\
             <ds:SignatureMethod Algorithm=\"{RSA_SHA256}\"></ds:SignatureMethod><ds:Reference URI=\"#{id}\"><ds:Transforms>\
             <ds:Transform Algorithm=\"{ENVELOPED}\"></ds:Transform><ds:Transform Algorithm=\"{EXCLUSIVE}\"></ds:Transform></ds:Transforms>\
             <ds:DigestMethod Algorithm=\"{SHA256}\"></ds:DigestMethod><ds:DigestValue>{hash}</ds:DigestValue></ds:Reference></ds:SignedInfo>"
        );
        let value = STANDARD.encode(self.sign(info.as_bytes())?);
        let signature = format!(
            "<ds:Signature xmlns:ds=\"{DSIG}\">{}<ds:SignatureValue>{value}</ds:SignatureValue><ds:KeyInfo><ds:X509Data><ds:X509Certificate>{}</ds:X509Certificate>\
             </ds:X509Data></ds:KeyInfo></ds:Signature>",
            info.replacen(&format!(" xmlns:ds=\"{DSIG}\""), "", 1),
            self.certificate
        );
        const AFTER: &str = "</saml:Issuer>";
        let at = message.find(AFTER).ok_or(Error::Library)? + AFTER.len();
        let (head, tail) = message.split_at(at);
        Ok(format!("{head}{signature}{tail}"))
    }
}
