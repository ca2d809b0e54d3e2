//! Single logout by the Redirect binding (Bindings §3.4, Profiles §4.4): a provider's requests to end sessions here, and
//! its answers to ours. Both have to be signed.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use tutela_core::Timestamp;

use super::{
    ASSERTION, IdpMetadata, PROTOCOL, SKEW, SUCCESS, SamlKey, instant,
    request::redirect,
    signature::verify_bytes,
    xml::{self, attribute, child, children, escaped, one, text, top},
};
use crate::{
    Error,
    federation::{
        encoding::{percent_decoded, percent_encoded},
        refused,
    },
};

/// A provider asks for the end of somebody's sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogoutAsked {
    /// The request's ID; taken once.
    pub id: String,
    /// What the provider calls the person.
    pub subject: String,
    /// Which of their sessions; all where none is named.
    pub sessions: Vec<String>,
    /// Comes back with the answer.
    pub state: Option<String>,
}

/// Reads a signed logout request out of a query, exactly as it came.
pub fn read_logout_request(query: &str, metadata: &IdpMetadata, place: &str, now: Timestamp) -> Result<LogoutAsked, Error> {
    let (message, state) = unpack(query, "SAMLRequest", metadata)?;
    let document = xml::parse(&message, xml::LONGEST)?;
    let request = top(&document, PROTOCOL, "LogoutRequest")?;
    let has = |name: &str| attribute(&document, request, name);
    if has("Version") != Some("2.0") || has("Destination").is_none_or(|to| to != place) {
        return Err(refused("the logout request was sent to another address (Destination)"));
    }
    if text(&document, one(&document, request, ASSERTION, "Issuer")?)? != metadata.entity_id {
        return Err(refused("the logout request is from another issuer"));
    }
    let time = |name: &str| has(name).and_then(|at| at.parse::<Timestamp>().ok());
    let issued = time("IssueInstant").ok_or_else(|| refused("the logout request has no `IssueInstant`"))?;
    let old = now > issued && now.since(issued) > std::time::Duration::from_secs(600);
    if issued > now + SKEW || old || time("NotOnOrAfter").is_some_and(|until| now >= until + SKEW) {
        return Err(refused("the logout request has expired, is too old, or is from the future"));
    }
    let name = child(&document, request, ASSERTION, "NameID")?.ok_or_else(|| refused("the logout request names nobody that can be read"))?;
    let mut sessions = Vec::new();
    for index in children(&document, request, PROTOCOL, "SessionIndex") {
        sessions.push(text(&document, index)?);
    }
    let id = has("ID").filter(|id| !id.is_empty()).ok_or_else(|| refused("the logout request has no ID"))?.to_owned();
    Ok(LogoutAsked { id, subject: text(&document, name)?, sessions, state })
}

/// Whether a provider says that the request `id` of ours was carried out.
pub fn read_logout_response(query: &str, metadata: &IdpMetadata, place: &str, id: Option<&str>) -> Result<bool, Error> {
    let (message, _) = unpack(query, "SAMLResponse", metadata)?;
    let document = xml::parse(&message, xml::LONGEST)?;
    let response = top(&document, PROTOCOL, "LogoutResponse")?;
    let has = |name: &str| attribute(&document, response, name);
    if has("Destination").is_none_or(|to| to != place) || (id.is_some() && has("InResponseTo") != id) {
        return Err(refused("the logout response answers another request"));
    }
    let status = one(&document, response, PROTOCOL, "Status")?;
    Ok(attribute(&document, one(&document, status, PROTOCOL, "StatusCode")?, "Value") == Some(SUCCESS))
}

/// Where the browser goes with the answer to a logout request.
pub fn logout_answer(metadata: &IdpMetadata, id: &str, asked: &LogoutAsked, entity_id: &str, key: &SamlKey, now: Timestamp) -> Result<Option<String>, Error> {
    let Some(place) = metadata.logout_answer.as_ref().or(metadata.logout_redirect.as_ref()) else { return Ok(None) };
    let message = format!(
        "<samlp:LogoutResponse xmlns:samlp=\"{PROTOCOL}\" xmlns:saml=\"{ASSERTION}\" ID=\"{id}\" Version=\"2.0\" IssueInstant=\"{}\" Destination=\"{}\" InResponseTo=\"{}\">\
         <saml:Issuer>{}</saml:Issuer><samlp:Status><samlp:StatusCode Value=\"{SUCCESS}\"></samlp:StatusCode></samlp:Status></samlp:LogoutResponse>",
        instant(now),
        escaped(place),
        escaped(&asked.id),
        escaped(entity_id),
    );
    redirect(place, "SAMLResponse", &message, asked.state.as_deref(), Some(key)).map(Some)
}

/// The message in a query whose signature verifies, and its RelayState.
fn unpack(query: &str, name: &str, metadata: &IdpMetadata) -> Result<(String, Option<String>), Error> {
    let mut fields: Vec<(&str, &str)> = Vec::new();
    for pair in query.split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if fields.iter().any(|(known, _)| *known == key) {
            return Err(refused("a field stands twice in the query"));
        }
        fields.push((key, value));
    }
    let raw = |key: &str| fields.iter().find(|(known, _)| *known == key).map(|(_, value)| *value);
    let field = |key: &str| raw(key).map(|value| percent_decoded(value).ok_or_else(|| refused("the query is not UTF-8"))).transpose();
    let (Some(message), Some(algorithm), Some(signature)) = (raw(name), field("SigAlg")?, field("Signature")?) else {
        return Err(refused("the message is not signed"));
    };
    // Signed are the characters as the other side wrote them; where that cannot be told, as we would write them.
    let state = raw("RelayState").map_or_else(String::new, |state| format!("&RelayState={state}"));
    let as_sent = format!("{name}={message}{state}&SigAlg={}", raw("SigAlg").unwrap_or_default());
    let state_text = field("RelayState")?;
    let packed_text = percent_decoded(message).ok_or_else(|| refused("the query is not UTF-8"))?;
    let anew_state = state_text.as_deref().map_or_else(String::new, |state| format!("&RelayState={}", percent_encoded(state)));
    let anew = format!("{name}={}{anew_state}&SigAlg={}", percent_encoded(&packed_text), percent_encoded(&algorithm));
    let compact: String = signature.split_ascii_whitespace().collect();
    let signature = STANDARD.decode(compact).map_err(|_| refused("the signature is not base64"))?;
    let fits = |text: &str| verify_bytes(&metadata.keys, &algorithm, text.as_bytes(), &signature);
    if !fits(&as_sent) && !fits(&anew) {
        return Err(refused("the signature does not verify under a key of the provider's metadata"));
    }
    let compact: String = packed_text.split_ascii_whitespace().collect();
    let packed = STANDARD.decode(compact).map_err(|_| refused("the message is not base64"))?;
    // A small message can unpack to one that fills the memory.
    let bytes = miniz_oxide::inflate::decompress_to_vec_with_limit(&packed, xml::LONGEST)
        .map_err(|_| refused("the message does not unpack to at most 262,144 bytes"))?;
    let message = String::from_utf8(bytes).map_err(|_| refused("the message is not UTF-8"))?;
    Ok((message, state_text))
}
