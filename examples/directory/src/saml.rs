//! SAML 2.0: a signed assertion for each question.

use aws_lc_rs::digest::{SHA256, digest};
use axum::{
    Form,
    extract::State,
    http::header,
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{Fields, Person, Shared, escaped, keys::word, now, page, person as chosen_person, refused};

const ASSERTION: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
const DSIG: &str = "http://www.w3.org/2000/09/xmldsig#";
const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
/// Longest question that is looked at.
const LONGEST: usize = 16_384;

pub(crate) async fn metadata(State(directory): State<Shared>) -> Response {
    let (own, certificate) = (&directory.config.own, &directory.keys.certificate);
    let text = format!(
        r#"<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{own}/saml/metadata"><md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol" WantAuthnRequestsSigned="false"><md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="{DSIG}"><ds:X509Data><ds:X509Certificate>{certificate}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor><md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="{own}/saml/sso"/></md:IDPSSODescriptor></md:EntityDescriptor>"#
    );
    ([(header::CONTENT_TYPE, "application/samlmetadata+xml")], text).into_response()
}

/// Somebody has said who they are: back with a form that carries the response.
pub(crate) async fn chosen(State(directory): State<Shared>, Form(fields): Form<Fields>) -> Response {
    let request = fields.get("SAMLRequest").and_then(|text| STANDARD.decode(text).ok());
    let request = request.and_then(|bytes| miniz_oxide::inflate::decompress_to_vec_with_limit(&bytes, LONGEST).ok());
    let request = request.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
    // It answers one service, at one address; of the question it needs no more than its ID.
    let id = request.split(" ID=\"").nth(1).and_then(|rest| rest.split('"').next()).filter(|id| !id.contains(['<', '&']));
    let (Some(id), Some(person)) = (id, chosen_person(&fields)) else { return refused("that is no question that this directory answers") };
    let (consumer, audience) = &directory.config.saml;
    let assertion = signed(&directory, &assertion(&directory.config.own, person, id, consumer, audience));
    let (response_id, at, own) = (word(), time(now()), &directory.config.own);
    let response = format!(
        r#"<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="_{response_id}" Version="2.0" IssueInstant="{at}" Destination="{}" InResponseTo="{id}"><saml:Issuer xmlns:saml="{ASSERTION}">{own}/saml/metadata</saml:Issuer><samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>{assertion}</samlp:Response>"#,
        escaped(consumer)
    );
    let state = escaped(fields.get("RelayState").map(String::as_str).unwrap_or_default());
    let form = format!(
        r#"<p>You are {}.</p><form method="post" action="{}"><input type="hidden" name="SAMLResponse" value="{}"><input type="hidden" name="RelayState" value="{state}"><button>Go on</button></form>"#,
        person.name,
        escaped(consumer),
        STANDARD.encode(response)
    );
    page("Signed in", &form)
}

/// An assertion, written in its canonical form (exclusive, without comments), so that it can be hashed as it stands.
fn assertion(own: &str, person: &Person, request: &str, consumer: &str, audience: &str) -> String {
    let (at, until) = (time(now()), time(now() + 300));
    let (consumer, audience) = (escaped(consumer), escaped(audience));
    let attribute = |name: &str, value: &str| format!(r#"<saml:Attribute Name="{name}"><saml:AttributeValue>{value}</saml:AttributeValue></saml:Attribute>"#);
    let attributes = attribute("email", person.email) + &attribute("name", person.name) + &attribute("groups", person.group);
    format!(
        r#"<saml:Assertion xmlns:saml="{ASSERTION}" ID="_{}" IssueInstant="{at}" Version="2.0"><saml:Issuer>{own}/saml/metadata</saml:Issuer><saml:Subject><saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">meadow-{}</saml:NameID><saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData InResponseTo="{request}" NotOnOrAfter="{until}" Recipient="{consumer}"></saml:SubjectConfirmationData></saml:SubjectConfirmation></saml:Subject><saml:Conditions NotBefore="{at}" NotOnOrAfter="{until}"><saml:AudienceRestriction><saml:Audience>{audience}</saml:Audience></saml:AudienceRestriction></saml:Conditions><saml:AuthnStatement AuthnInstant="{at}" SessionIndex="_{}"><saml:AuthnContext><saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement><saml:AttributeStatement>{attributes}</saml:AttributeStatement></saml:Assertion>"#,
        word(),
        person.id,
        word(),
    )
}

/// The assertion with its signature, after its issuer.
fn signed(directory: &Shared, assertion: &str) -> String {
    let id = assertion.split(" ID=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
    let hash = STANDARD.encode(digest(&SHA256, assertion.as_bytes()));
    let info = |declared: &str| {
        format!(
            r##"<ds:SignedInfo{declared}><ds:CanonicalizationMethod Algorithm="{EXCLUSIVE}"></ds:CanonicalizationMethod><ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"></ds:SignatureMethod><ds:Reference URI="#{id}"><ds:Transforms><ds:Transform Algorithm="{DSIG}enveloped-signature"></ds:Transform><ds:Transform Algorithm="{EXCLUSIVE}"></ds:Transform></ds:Transforms><ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"></ds:DigestMethod><ds:DigestValue>{hash}</ds:DigestValue></ds:Reference></ds:SignedInfo>"##
        )
    };
    let value = STANDARD.encode(directory.keys.sign(&info(&format!(r#" xmlns:ds="{DSIG}""#))));
    let signature = format!(r#"<ds:Signature xmlns:ds="{DSIG}">{}<ds:SignatureValue>{value}</ds:SignatureValue></ds:Signature>"#, info(""));
    assertion.replacen("</saml:Issuer>", &format!("</saml:Issuer>{signature}"), 1)
}

/// `2026-11-22T09:30:00Z` (days counted as in Hinnant's civil calendar).
fn time(secs: u64) -> String {
    let (days, rest) = (secs / 86_400, secs % 86_400);
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3_600, rest / 60 % 60, rest % 60)
}

#[cfg(test)]
mod tests {
    #[test]
    fn times_are_those_of_the_calendar() {
        assert_eq!(super::time(0), "1970-01-01T00:00:00Z");
        assert_eq!(super::time(951_782_399), "2000-02-28T23:59:59Z");
        assert_eq!(super::time(1_795_339_800), "2026-11-22T09:30:00Z");
    }
}
