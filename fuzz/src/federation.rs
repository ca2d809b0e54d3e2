//! What outside providers answer: SAML responses and metadata, key sets.

use std::sync::LazyLock;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use tutela_core::Timestamp;
use tutela_identity::{
    JwkSet,
    federation::{
        PeopleConfig, StrengthConfig,
        saml::{Expected, IdpMetadata, Signed, check_response},
    },
};

use crate::text;

/// The time that the responses of the corpus are of: 2026-11-22T09:30:00Z.
const NOW: Timestamp = Timestamp::from_secs(1_795_339_800);

/// A response that is believed says what the provider of the corpus has signed, and nothing else.
pub fn saml_response(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let (people, strength) = (PeopleConfig::default(), StrengthConfig::default());
    let expected = Expected {
        metadata: &PROVIDER,
        entity_id: "https://tutela.example/sp",
        consumer: "https://tutela.example/acs",
        request: Some("_request-1"),
        signed: Signed::Either,
        people: &people,
        strength: &strength,
        now: NOW,
    };
    let Ok((arrival, id, _)) = check_response(&STANDARD.encode(text), &expected) else { return };
    // One input of the corpus holds a second assertion, signed as the first is.
    let signed = [("ada", "_a1"), ("bob", "_a2")];
    assert!(signed.contains(&(arrival.subject.as_str(), id.as_str())), "read as somebody whom nobody has signed: {}", arrival.subject);
}

/// Metadata that can be read name a provider with a key.
pub fn saml_metadata(data: &[u8]) {
    let Ok(read) = IdpMetadata::read(data, None) else { return };
    assert!(!read.entity_id.is_empty(), "a provider without a name");
}

/// A key set that can be read is no larger than it may be, and asking it costs nothing.
pub fn jwks(data: &[u8]) {
    let Ok(set) = JwkSet::parse(data) else { return };
    let _ = set.has("a");
}

/// The provider whose responses are in the corpus.
#[expect(clippy::expect_used, reason = "the metadata are committed")]
static PROVIDER: LazyLock<IdpMetadata> =
    LazyLock::new(|| IdpMetadata::read(include_bytes!("../corpus/saml_metadata/provider"), None).expect("the corpus has a provider"));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signed_responses_of_the_corpus_are_believed() {
        let (people, strength) = (PeopleConfig::default(), StrengthConfig::default());
        for xml in [&include_bytes!("../corpus/saml_response/signed_assertion")[..], include_bytes!("../corpus/saml_response/signed_response")] {
            let expected = Expected {
                metadata: &PROVIDER,
                entity_id: "https://tutela.example/sp",
                consumer: "https://tutela.example/acs",
                request: Some("_request-1"),
                signed: Signed::Either,
                people: &people,
                strength: &strength,
                now: NOW,
            };
            assert_eq!(check_response(&STANDARD.encode(xml), &expected).unwrap().0.subject, "ada");
        }
    }
}
