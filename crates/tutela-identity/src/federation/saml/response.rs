//! A provider's response: the checks of Profiles §4.1.4.3 and Core §2 and §3, in this order: whose it is, whether it was
//! asked for, whether it is signed, and only then who it is about.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};
use tutela_core::Timestamp;
use uppsala::{Document, NodeId};

use super::{
    ASSERTION, DSIG, IdpMetadata, PROTOCOL, SKEW, SUCCESS, Signed,
    signature::verified,
    xml::{self, attribute, child, children, elements, escaped, is, one, text, top},
};
use crate::{
    Error,
    federation::{Arrival, Handle, PeopleConfig, StrengthConfig, arrival, refused},
};

const BEARER: &str = "urn:oasis:names:tc:SAML:2.0:cm:bearer";
const TRANSIENT: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient";

/// What a response has to fit.
pub struct Expected<'a> {
    /// The provider.
    pub metadata: &'a IdpMetadata,
    /// Our entity id.
    pub entity_id: &'a str,
    /// Where it has to have been sent.
    pub consumer: &'a str,
    /// The request that it answers; none where nobody asked, and that is allowed.
    pub request: Option<&'a str>,
    /// What has to be signed.
    pub signed: Signed,
    /// Who people are here.
    pub people: &'a PeopleConfig,
    /// What the provider's own proofs count for.
    pub strength: &'a StrengthConfig,
    /// When.
    pub now: Timestamp,
}

/// Names by which directories publish what the configuration calls `email`, `name` and `groups`.
const ALIASES: &[(&str, &[&str])] = &[
    ("email", &["urn:oid:0.9.2342.19200300.100.1.3", "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress", "mail", "emailAddress"]),
    ("name", &["urn:oid:2.16.840.1.113730.3.1.241", "http://schemas.microsoft.com/identity/claims/displayname", "displayName", "cn"]),
    ("groups", &["urn:oid:1.3.6.1.4.1.5923.1.5.1.1", "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups", "memberOf", "isMemberOf"]),
];

/// The person behind a response (base64, as it was posted), the assertion's ID, and until when that must not be taken again.
pub fn check_response(posted: &str, expected: &Expected<'_>) -> Result<(Arrival, String, Timestamp), Error> {
    let message = decode(posted)?;
    let document = xml::parse(&message, xml::LONGEST)?;
    let response = top(&document, PROTOCOL, "Response")?;
    if expected.metadata.valid_until.is_some_and(|until| expected.now >= until) {
        return Err(refused("the provider's metadata have expired"));
    }
    let assertions: Vec<NodeId> = elements(&document, document.root()).into_iter().filter(|id| is(&document, *id, ASSERTION, "Assertion")).collect();
    let encrypted = elements(&document, document.root()).into_iter().any(|id| is(&document, id, ASSERTION, "EncryptedAssertion"));
    if encrypted {
        return Err(refused("the assertion is encrypted, which this server does not read; have the provider only sign it"));
    }
    // The outer part is checked as it came: nothing is taken from it, it can only be refused.
    check_envelope(&document, response, expected, false)?;
    let [assertion] = assertions.as_slice() else {
        return Err(refused(format!("the response has {} assertions; there is one", assertions.len())));
    };
    if document.parent(*assertion) != Some(response) {
        return Err(refused("the assertion does not stand in the response itself"));
    }
    // A reader that takes the first signature it meets has to meet the one that we check.
    if elements(&document, document.root())
        .into_iter()
        .any(|id| is(&document, id, DSIG, "Signature") && ![Some(response), Some(*assertion)].contains(&document.parent(id)))
    {
        return Err(refused("a signature stands where none belongs: in another place than the response and its assertion"));
    }
    // From here on only bytes that a signature vouches for are read.
    let keys = &expected.metadata.keys;
    let by_response = verified(&document, response, keys)?;
    let by_assertion = verified(&document, *assertion, keys)?;
    let enough = match expected.signed {
        Signed::Assertion => by_assertion.is_some(),
        Signed::Either => by_assertion.is_some() || by_response.is_some(),
        Signed::Response => by_response.is_some(),
    };
    if !enough {
        return Err(refused(match expected.signed {
            Signed::Assertion => "the assertion is not signed",
            Signed::Either => "neither the response nor the assertion is signed",
            Signed::Response => "the response is not signed",
        }));
    }
    match (by_response, by_assertion) {
        // Where both are signed, what counts is signed twice: the assertion inside the signed response.
        (Some(signed), _) => {
            let document = xml::parse(&signed, xml::LONGEST)?;
            let response = top(&document, PROTOCOL, "Response")?;
            check_envelope(&document, response, expected, true)?;
            read_assertion(&document, one(&document, response, ASSERTION, "Assertion")?, expected)
        }
        (None, Some(signed)) => {
            let document = xml::parse(&signed, xml::LONGEST)?;
            read_assertion(&document, top(&document, ASSERTION, "Assertion")?, expected)
        }
        (None, None) => Err(refused("nothing is signed")),
    }
}

fn decode(posted: &str) -> Result<String, Error> {
    if posted.len() > xml::LONGEST / 3 * 4 + 4 {
        return Err(refused("the response is longer than 262,144 bytes"));
    }
    let compact: String = posted.split_ascii_whitespace().collect();
    let bytes = STANDARD.decode(compact).map_err(|_| refused("the response is not base64"))?;
    String::from_utf8(bytes).map_err(|_| refused("the response is not UTF-8"))
}

/// To whom, from whom, in answer to what, with which result.
fn check_envelope(document: &Document<'_>, response: NodeId, expected: &Expected<'_>, signed: bool) -> Result<(), Error> {
    let has = |name: &str| attribute(document, response, name);
    if has("Version") != Some("2.0") {
        return Err(refused("the response is not of SAML 2.0"));
    }
    // A signed message has to say where it was sent (Bindings §3.5.5.2).
    if has("Destination").map_or(signed, |to| to != expected.consumer) {
        return Err(refused("the response was sent to another address (Destination)"));
    }
    if has("InResponseTo") != expected.request {
        return Err(refused("the response does not answer this request (InResponseTo)"));
    }
    if let Some(issuer) = child(document, response, ASSERTION, "Issuer")?
        && text(document, issuer)? != expected.metadata.entity_id
    {
        return Err(refused("the response is from another issuer"));
    }
    let issued = time(has("IssueInstant"))?.ok_or_else(|| refused("the response has no `IssueInstant`"))?;
    if issued > expected.now + SKEW || expected.now.since(issued) > std::time::Duration::from_secs(600) && expected.now > issued {
        return Err(refused("the response is too old, or from the future"));
    }
    let status = one(document, response, PROTOCOL, "Status")?;
    let code = one(document, status, PROTOCOL, "StatusCode")?;
    match attribute(document, code, "Value") {
        Some(SUCCESS) => Ok(()),
        other => {
            let inner = children(document, code, PROTOCOL, "StatusCode").first().and_then(|id| attribute(document, *id, "Value"));
            let said = inner.or(other).unwrap_or_default().rsplit(':').next().unwrap_or_default().to_owned();
            Err(refused(format!("the provider answered `{}`", said.chars().filter(char::is_ascii_graphic).take(64).collect::<String>())))
        }
    }
}

/// Who an assertion is about, if it is for us, of this moment, and brought by the one it was given to.
fn read_assertion(document: &Document<'_>, assertion: NodeId, expected: &Expected<'_>) -> Result<(Arrival, String, Timestamp), Error> {
    let now = expected.now;
    if attribute(document, assertion, "Version") != Some("2.0") {
        return Err(refused("the assertion is not of SAML 2.0"));
    }
    let id = attribute(document, assertion, "ID").filter(|id| !id.is_empty()).ok_or_else(|| refused("the assertion has no ID"))?.to_owned();
    if text(document, one(document, assertion, ASSERTION, "Issuer")?)? != expected.metadata.entity_id {
        return Err(refused("the assertion is from another issuer"));
    }
    let subject = one(document, assertion, ASSERTION, "Subject")?;
    let until = confirmed(document, subject, expected)?;
    conditions(document, one(document, assertion, ASSERTION, "Conditions")?, expected)?;
    let statements = children(document, assertion, ASSERTION, "AuthnStatement");
    let statement = *statements.first().ok_or_else(|| refused("the assertion does not say that anybody signed in (AuthnStatement)"))?;
    if time(attribute(document, statement, "SessionNotOnOrAfter"))?.is_some_and(|end| now >= end) {
        return Err(refused("the session at the provider is over (SessionNotOnOrAfter)"));
    }
    let at = time(attribute(document, statement, "AuthnInstant"))?.ok_or_else(|| refused("the assertion does not say when the person signed in"))?;
    let session = attribute(document, statement, "SessionIndex").map(str::to_owned);
    let class = match child(document, statement, ASSERTION, "AuthnContext")? {
        Some(context) => child(document, context, ASSERTION, "AuthnContextClassRef")?.map(|id| text(document, id)).transpose()?,
        None => None,
    };
    let mut claims = attributes(document, assertion)?;
    // The provider is the one that the administrator has chosen to believe: whether an address it gives is believed, `people.trust_email` says.
    claims.insert(expected.people.claims.email_verified().to_owned(), Value::Bool(true));
    let name_id = one(document, subject, ASSERTION, "NameID")?;
    let handle = handle(document, name_id)?;
    let subject = match &expected.people.claims.subject {
        Some(claim) => claims.get(claim).and_then(Value::as_str).map(str::to_owned).ok_or_else(|| refused(format!("there is no attribute `{claim}`")))?,
        None if attribute(document, name_id, "Format") == Some(TRANSIENT) => {
            return Err(refused("the NameID is transient, so it names nobody for good; name an attribute with `people.claims.subject`"));
        }
        None => text(document, name_id)?,
    };
    if subject.is_empty() {
        return Err(refused("the assertion names nobody"));
    }
    let strength = expected.strength.of(class.as_deref(), &[]);
    let arrival = arrival(&claims, expected.people, subject, strength, at.min(now))?;
    Ok((Arrival { session, handle: Some(handle), ..arrival }, id, until))
}

/// Bearer confirmation (Profiles §4.1.4.2): for this address, in time, in answer to this request. Gives its end.
fn confirmed(document: &Document<'_>, subject: NodeId, expected: &Expected<'_>) -> Result<Timestamp, Error> {
    let mut why = "the assertion is not confirmed for whoever brings it (bearer)";
    for confirmation in children(document, subject, ASSERTION, "SubjectConfirmation") {
        if attribute(document, confirmation, "Method") != Some(BEARER) {
            continue;
        }
        let Some(data) = child(document, confirmation, ASSERTION, "SubjectConfirmationData")? else { continue };
        let until = time(attribute(document, data, "NotOnOrAfter"))?;
        if attribute(document, data, "Recipient") != Some(expected.consumer) {
            why = "the assertion is for another address (Recipient)";
        } else if attribute(document, data, "InResponseTo") != expected.request {
            why = "the assertion does not answer this request (InResponseTo)";
        } else if attribute(document, data, "NotBefore").is_some() {
            why = "the assertion's confirmation has a `NotBefore`, which there must not be";
        } else {
            match until {
                Some(until) if expected.now < until + SKEW => return Ok(until + SKEW),
                _ => why = "the assertion has expired, or does not say when it does",
            }
        }
    }
    Err(refused(why))
}

fn conditions(document: &Document<'_>, conditions: NodeId, expected: &Expected<'_>) -> Result<(), Error> {
    let now = expected.now;
    if time(attribute(document, conditions, "NotBefore"))?.is_some_and(|from| now + SKEW < from) {
        return Err(refused("the assertion is not valid yet"));
    }
    if time(attribute(document, conditions, "NotOnOrAfter"))?.is_some_and(|until| now >= until + SKEW) {
        return Err(refused("the assertion has expired"));
    }
    let restrictions = children(document, conditions, ASSERTION, "AudienceRestriction");
    if restrictions.is_empty() {
        return Err(refused("the assertion does not say whom it is for (Audience)"));
    }
    for restriction in restrictions {
        let mut ours = false;
        for audience in children(document, restriction, ASSERTION, "Audience") {
            ours |= text(document, audience)? == expected.entity_id;
        }
        if !ours {
            return Err(refused("the assertion is for somebody else (Audience)"));
        }
    }
    let known = ["AudienceRestriction", "OneTimeUse", "ProxyRestriction"];
    let unknown = |id: &NodeId| document.element(*id).is_some() && !known.iter().any(|name| is(document, *id, ASSERTION, name));
    if document.children(conditions).iter().any(unknown) {
        return Err(refused("the assertion has a condition that is not understood (Core §2.5.1)"));
    }
    Ok(())
}

/// Attributes by name and by friendly name; one with several values is a list.
fn attributes(document: &Document<'_>, assertion: NodeId) -> Result<Map<String, Value>, Error> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for statement in children(document, assertion, ASSERTION, "AttributeStatement") {
        for each in children(document, statement, ASSERTION, "Attribute") {
            let mut values = Vec::new();
            for value in children(document, each, ASSERTION, "AttributeValue") {
                // A value may be structured; such a one is nothing that is read here.
                values.extend(text(document, value).ok());
            }
            let names = [attribute(document, each, "Name"), attribute(document, each, "FriendlyName")];
            let names: std::collections::BTreeSet<&str> = names.into_iter().flatten().collect();
            for name in names {
                found.entry(name.to_owned()).or_default().extend(values.iter().cloned());
            }
        }
    }
    for (own, others) in ALIASES {
        if !found.contains_key(*own)
            && let Some(values) = others.iter().find_map(|other| found.get(*other)).cloned()
        {
            found.insert((*own).to_owned(), values);
        }
    }
    let value = |mut values: Vec<String>| match values.len() {
        1 => Value::String(values.remove(0)),
        _ => Value::Array(values.into_iter().map(Value::String).collect()),
    };
    Ok(found.into_iter().map(|(name, values)| (name, value(values))).collect())
}

/// The NameID as a logout request has to repeat it.
fn handle(document: &Document<'_>, name_id: NodeId) -> Result<Handle, Error> {
    let called = text(document, name_id)?;
    let mut out = "<saml:NameID".to_owned();
    for name in ["NameQualifier", "SPNameQualifier", "Format"] {
        if let Some(value) = attribute(document, name_id, name) {
            out.push_str(&format!(" {name}=\"{}\"", escaped(value)));
        }
    }
    let element = format!("{out}>{}</saml:NameID>", escaped(&called));
    Ok(Handle { called, element })
}

fn time(text: Option<&str>) -> Result<Option<Timestamp>, Error> {
    text.map(|text| text.parse().map_err(|_| refused(format!("`{}` is no time", text.chars().take(40).collect::<String>())))).transpose()
}
