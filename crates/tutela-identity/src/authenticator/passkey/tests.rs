//! What cannot be seen from outside; the rest is in `tests/it/passkeys.rs`.

use super::*;

const NOW: Timestamp = Timestamp::from_secs(1_790_000_000);
const ORIGIN: &str = "http://tutela.localhost:8080";

#[test]
fn an_origin_lies_on_the_domain_or_below_and_keeps_its_port() {
    assert_eq!(origin_of(ORIGIN, "tutela.localhost").unwrap().port(), Some(8080));
    assert_eq!(origin_of("https://login.example.com", "example.com").unwrap().port(), None);
}

#[test]
fn a_state_of_another_version_is_no_state() {
    let text = String::from_utf8(keep(None, "inner", NOW).unwrap()).unwrap();
    let take_back = |text: &str| take_back::<String>(text.as_bytes(), NOW).map(|state| state.inner);
    assert_eq!(take_back(&text), Ok("inner".to_owned()));
    assert_eq!(take_back(&text.replacen('{', r#"{"more":1,"#, 1)), Err(PasskeyRefused::Malformed));
    assert_eq!(take_back(&text.replace("inner", "other")), Err(PasskeyRefused::Malformed));
}

#[test]
fn what_the_library_says_beyond_our_reasons_is_malformed() {
    assert_eq!(refused(&WebauthnError::UserNotPresent), PasskeyRefused::Unverified);
    assert_eq!(refused(&WebauthnError::InvalidClientDataType), PasskeyRefused::Malformed);
}
