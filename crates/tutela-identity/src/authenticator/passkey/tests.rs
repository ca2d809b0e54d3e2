//! Two authenticators: `SoftKey`, which lies as it is told to, and the crate `passkey`, which nobody here wrote.

use std::{
    future::Future,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use passkey::{
    authenticator::{Authenticator, UiHint, UserCheck, UserValidationMethod},
    client::{Client, DefaultClientData},
    crypto::rust_crypto::RustCryptoBackend,
};
use passkey_types::ctap2::{Aaguid, Ctap2Error};
use serde_json::json;
use tutela_core::{Env, SystemEnv};

use super::{
    soft_key::{BACKED_UP, ELIGIBLE, PRESENT, SoftKey, VERIFIED},
    *,
};

const NOW: Timestamp = Timestamp::from_secs(1_790_000_000);
pub(super) const ORIGIN: &str = "http://tutela.localhost:8080";

fn site() -> Passkeys {
    Passkeys::new("tutela.localhost", &[ORIGIN, "https://tutela.localhost"], "tutela").unwrap()
}

fn account() -> AccountId {
    let env: &dyn Env = &SystemEnv;
    AccountId::new(NOW, &mut { env })
}

/// A passkey that is registered, with its authenticator.
fn registered(account: AccountId, id: &[u8]) -> (SoftKey, StoredPasskey) {
    registered_with(account, SoftKey::new(id))
}

fn registered_with(account: AccountId, mut key: SoftKey) -> (SoftKey, StoredPasskey) {
    let (options, state) = site().begin_registration(account, "ada@example.com", "Ada", &[], NOW).unwrap();
    let stored = site().finish_registration(account, &state, &key.register(&options), NOW).unwrap();
    (key, stored)
}

#[test]
fn a_passkey_is_registered_and_signs_in_without_a_name() {
    let ada = account();
    let (mut key, stored) = registered(ada, b"key 1");
    assert_eq!((stored.credential_id.as_slice(), stored.backed_up), (&b"key 1"[..], false));
    let (options, state) = site().begin_sign_in_discoverable(NOW).unwrap();
    assert_eq!(options["mediation"], "conditional");
    assert_eq!(options["publicKey"]["allowCredentials"], json!([]));
    key.counter = 1;
    let response = key.sign(&options);
    assert_eq!(site().account_of(&response), Ok(ada));
    let used = site().finish_sign_in(&state, &response, &[stored], NOW).unwrap();
    assert_eq!((used.credential_id.as_slice(), used.user_verified, used.backed_up), (&b"key 1"[..], true, false));
    assert!(used.updated.is_some(), "the counter moved");
}

#[test]
fn the_browser_is_asked_for_a_discoverable_passkey_with_user_verification_and_no_attestation() {
    let (_, stored) = registered(account(), b"key 1");
    let (options, _) = site().begin_registration(account(), "ada@example.com", "Ada", std::slice::from_ref(&stored), NOW).unwrap();
    let options = &options["publicKey"];
    assert_eq!(options["rp"], json!({"id": "tutela.localhost", "name": "tutela"}));
    assert_eq!(options["attestation"], "none");
    let selection = &options["authenticatorSelection"];
    assert_eq!(
        (&selection["residentKey"], &selection["requireResidentKey"], &selection["userVerification"]),
        (&json!("required"), &json!(true), &json!("required"))
    );
    assert_eq!(options["excludeCredentials"][0]["id"], BASE64.encode(b"key 1"));
    assert_eq!(options["timeout"], 300_000);
    let (options, _) = site().begin_sign_in(account(), &[stored], NOW).unwrap();
    assert_eq!((&options["publicKey"]["userVerification"], options.get("mediation")), (&json!("required"), None));
    assert_eq!(options["publicKey"]["allowCredentials"][0]["id"], BASE64.encode(b"key 1"));
}

#[test]
fn an_origin_is_ours_letter_by_letter() {
    let (_, stored) = registered(account(), b"key 1");
    for origin in [
        "http://badtutela.localhost:8080",
        "http://tutela.localhost:8081",
        "http://tutela.localhost",
        "https://tutela.localhost:8080",
        "http://login.tutela.localhost:8080",
        "http://localhost:8080",
        "http://tutela.localhost:8080/",
        "http://TUTELA.localhost:8080",
        "http://ada@tutela.localhost:8080",
        "http://tutela.localhost.:8080",
        "null",
        "",
    ] {
        let mut key = SoftKey::new(b"key 2");
        key.origin = origin;
        let ada = account();
        let (options, state) = site().begin_registration(ada, "a@b.c", "A", &[], NOW).unwrap();
        assert_eq!(site().finish_registration(ada, &state, &key.register(&options), NOW), Err(PasskeyRefused::Origin), "{origin}");
        let (options, state) = site().begin_sign_in_discoverable(NOW).unwrap();
        key.id = b"key 1".to_vec();
        assert_eq!(site().finish_sign_in(&state, &key.sign(&options), std::slice::from_ref(&stored), NOW), Err(PasskeyRefused::Origin), "{origin}");
    }
}

#[test]
fn the_other_origins_of_the_list_are_ours_too() {
    let (mut key, stored) = registered(account(), b"key 1");
    key.origin = "https://tutela.localhost";
    let (options, state) = site().begin_sign_in_discoverable(NOW).unwrap();
    assert!(site().finish_sign_in(&state, &key.sign(&options), &[stored], NOW).is_ok());
}

/// Signs in with a bent authenticator.
fn bent(bend: impl FnOnce(&mut SoftKey)) -> Result<PasskeyUsed, PasskeyRefused> {
    let (mut key, stored) = registered(account(), b"key 1");
    bend(&mut key);
    let (options, state) = site().begin_sign_in_discoverable(NOW).unwrap();
    site().finish_sign_in(&state, &key.sign(&options), &[stored], NOW)
}

#[test]
fn an_answer_that_is_bent_is_refused_with_its_reason() {
    assert!(bent(|_| ()).is_ok());
    assert!(bent(|key| key.cross_origin = None).is_ok());
    assert_eq!(bent(|key| key.rp_id = "localhost"), Err(PasskeyRefused::RelyingParty));
    assert_eq!(bent(|key| key.cross_origin = Some(true)), Err(PasskeyRefused::Origin));
    assert_eq!(bent(|key| key.flags = PRESENT), Err(PasskeyRefused::Unverified));
    assert_eq!(bent(|key| key.flags = VERIFIED), Err(PasskeyRefused::Unverified));
    assert_eq!(bent(|key| key.id = b"key 2".to_vec()), Err(PasskeyRefused::Unknown));
    assert_eq!(bent(|key| key.pair = SoftKey::new(b"").pair), Err(PasskeyRefused::Signature));
    assert_eq!(bent(|key| key.flags |= BACKED_UP), Err(PasskeyRefused::Malformed), "backed up without being able to");
    assert_eq!(bent(|key| key.flags |= ELIGIBLE), Err(PasskeyRefused::Malformed), "it cannot become able to (§6.1.3)");
}

#[test]
fn a_registration_that_is_bent_is_refused_with_its_reason() {
    let register = |bend: &dyn Fn(&mut SoftKey)| {
        let mut key = SoftKey::new(b"key 1");
        bend(&mut key);
        let ada = account();
        let (options, state) = site().begin_registration(ada, "a@b.c", "A", &[], NOW).unwrap();
        site().finish_registration(ada, &state, &key.register(&options), NOW)
    };
    assert!(register(&|_| ()).is_ok());
    assert!(register(&|key| key.rk = None).is_ok(), "a browser that does not say");
    assert_eq!(register(&|key| key.rp_id = "example.com"), Err(PasskeyRefused::RelyingParty));
    assert_eq!(register(&|key| key.cross_origin = Some(true)), Err(PasskeyRefused::Origin));
    assert_eq!(register(&|key| key.flags = PRESENT), Err(PasskeyRefused::Unverified));
    assert_eq!(register(&|key| key.rk = Some(false)), Err(PasskeyRefused::NotDiscoverable));
}

#[test]
fn an_authenticator_offers_no_second_passkey_of_one_account() {
    let ada = account();
    let (mut key, stored) = registered(ada, b"key 1");
    let (options, state) = site().begin_registration(ada, "a@b.c", "A", &[stored], NOW).unwrap();
    assert_eq!(site().finish_registration(ada, &state, &key.register(&options), NOW), Err(PasskeyRefused::Malformed));
}

#[test]
fn a_recorded_answer_is_refused_under_another_state() {
    let (key, stored) = registered(account(), b"key 1");
    let (options, _) = site().begin_sign_in_discoverable(NOW).unwrap();
    let recorded = key.sign(&options);
    let (_, state) = site().begin_sign_in_discoverable(NOW).unwrap();
    assert_eq!(site().finish_sign_in(&state, &recorded, std::slice::from_ref(&stored), NOW), Err(PasskeyRefused::Challenge));
    let ada = account();
    let (options, _) = site().begin_registration(ada, "a@b.c", "A", &[], NOW).unwrap();
    let (_, state) = site().begin_registration(ada, "a@b.c", "A", &[], NOW).unwrap();
    assert_eq!(site().finish_registration(ada, &state, &SoftKey::new(b"key 2").register(&options), NOW), Err(PasskeyRefused::Challenge));
    // The two halves of different things do not fit either.
    assert_eq!(site().finish_sign_in(&state, &recorded, &[stored], NOW), Err(PasskeyRefused::Malformed));
}

#[test]
fn a_passkey_of_another_account_does_not_help() {
    let (ada, eve) = (account(), account());
    let ((_, of_ada), (mut key, _)) = (registered(ada, b"key a"), registered(eve, b"key e"));
    // As second factor for Ada, with her passkeys loaded.
    let (options, state) = site().begin_sign_in(ada, std::slice::from_ref(&of_ada), NOW).unwrap();
    assert_eq!(site().finish_sign_in(&state, &key.sign(&options), std::slice::from_ref(&of_ada), NOW), Err(PasskeyRefused::Unknown));
    // Claiming to be Ada loads Ada's passkeys, and Eve's is not among them.
    key.user = Some(ada.0.as_bytes().to_vec());
    let (options, state) = site().begin_sign_in_discoverable(NOW).unwrap();
    let response = key.sign(&options);
    assert_eq!(site().account_of(&response), Ok(ada));
    assert_eq!(site().finish_sign_in(&state, &response, &[of_ada], NOW), Err(PasskeyRefused::Unknown));
}

#[test]
fn each_passkey_of_an_account_signs_in() {
    let ada = account();
    let [(one, of_one), (two, of_two)] = [b"key 1", b"key 2"].map(|id| registered(ada, id));
    let both = [of_one, of_two];
    for key in [one, two] {
        let (options, state) = site().begin_sign_in(ada, &both, NOW).unwrap();
        assert_eq!(site().finish_sign_in(&state, &key.sign(&options), &both, NOW).unwrap().credential_id, key.id);
    }
}

#[test]
fn an_answer_that_names_another_account_than_the_one_asked_is_refused() {
    let (ada, eve) = (account(), account());
    let (mut key, stored) = registered(ada, b"key 1");
    let (options, state) = site().begin_sign_in(ada, std::slice::from_ref(&stored), NOW).unwrap();
    let finish = |key: &SoftKey| site().finish_sign_in(&state, &key.sign(&options), std::slice::from_ref(&stored), NOW);
    assert!(finish(&key).is_ok());
    key.user = Some(eve.0.as_bytes().to_vec());
    assert_eq!(finish(&key), Err(PasskeyRefused::Unknown));
    key.user = None;
    assert!(finish(&key).is_ok(), "second factors need not name anybody");
    assert_eq!(site().account_of(&key.sign(&options)), Err(PasskeyRefused::Unknown));
}

#[test]
fn a_state_ends_after_five_minutes() {
    let ada = account();
    let (mut key, stored) = registered(ada, b"key 1");
    let (options, state) = site().begin_sign_in(ada, std::slice::from_ref(&stored), NOW).unwrap();
    let response = key.sign(&options);
    let almost = NOW + (LIFE - Duration::from_micros(1));
    assert!(site().finish_sign_in(&state, &response, std::slice::from_ref(&stored), almost).is_ok());
    assert_eq!(site().finish_sign_in(&state, &response, &[stored], NOW + LIFE), Err(PasskeyRefused::Expired));
    let (options, state) = site().begin_registration(ada, "a@b.c", "A", &[], NOW).unwrap();
    assert_eq!(site().finish_registration(ada, &state, &key.register(&options), NOW + LIFE), Err(PasskeyRefused::Expired));
    assert_eq!(site().finish_registration(account(), &state, &key.register(&options), NOW), Err(PasskeyRefused::Challenge), "begun by another account");
}

#[test]
fn a_counter_that_goes_backwards_or_stands_still_is_a_clone() {
    let (mut key, mut stored) = registered(account(), b"key 1");
    let mut sign_in = |counter: u32| {
        key.counter = counter;
        let (options, state) = site().begin_sign_in_discoverable(NOW).unwrap();
        let used = site().finish_sign_in(&state, &key.sign(&options), std::slice::from_ref(&stored), NOW)?;
        stored = used.updated.unwrap_or_else(|| stored.clone());
        Ok(())
    };
    assert_eq!([0, 0, 7, 9].map(&mut sign_in), [Ok(()), Ok(()), Ok(()), Ok(())], "0 says that it does not count");
    assert_eq!([9, 8, 0].map(&mut sign_in), [Err(PasskeyRefused::Cloned); 3]);
    assert_eq!(sign_in(10), Ok(()));
}

#[test]
fn two_sign_ins_at_once_do_not_share_a_counter() {
    let (mut key, stored) = registered(account(), b"key 1");
    let begun = [(); 2].map(|()| site().begin_sign_in_discoverable(NOW).unwrap());
    key.counter = 5;
    let used = site().finish_sign_in(&begun[0].1, &key.sign(&begun[0].0), &[stored], NOW).unwrap();
    // The second began before the first was used; it is judged by what is stored now.
    let now = used.updated.unwrap();
    assert_eq!(site().finish_sign_in(&begun[1].1, &key.sign(&begun[1].0), &[now], NOW), Err(PasskeyRefused::Cloned));
}

#[test]
fn whether_it_is_backed_up_is_known_from_the_start_and_followed() {
    let mut synced = SoftKey::new(b"key 1");
    synced.flags |= ELIGIBLE | BACKED_UP;
    let (mut key, stored) = registered_with(account(), synced);
    assert!(stored.backed_up);
    key.flags &= !BACKED_UP;
    let (options, state) = site().begin_sign_in_discoverable(NOW).unwrap();
    let used = site().finish_sign_in(&state, &key.sign(&options), &[stored], NOW).unwrap();
    assert!(!used.backed_up && !used.updated.unwrap().backed_up);
}

#[test]
fn what_is_no_answer_at_all_is_malformed() {
    let (key, stored) = registered(account(), b"key 1");
    let (options, state) = site().begin_sign_in_discoverable(NOW).unwrap();
    let good = key.sign(&options);
    for (pointer, value) in [
        ("/rawId", json!(7)),
        ("/response", json!({})),
        ("/response/clientDataJSON", json!("!!")),
        ("/response/clientDataJSON", json!(BASE64.encode("[]"))),
        ("/response/authenticatorData", json!(BASE64.encode([0; 36]))),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).unwrap() = value;
        assert_eq!(site().finish_sign_in(&state, &bad, std::slice::from_ref(&stored), NOW), Err(PasskeyRefused::Malformed), "{pointer}");
    }
    assert_eq!(site().finish_sign_in(b"{}", &good, &[stored], NOW), Err(PasskeyRefused::Malformed));
    assert_eq!(site().account_of(&json!(null)), Err(PasskeyRefused::Malformed));
}

#[test]
fn a_site_that_browsers_would_refuse_is_refused_at_once() {
    let new = |rp_id: &str, origins: &[&str]| Passkeys::new(rp_id, origins, "tutela").is_ok();
    assert!(new("example.com", &["https://example.com", "https://login.example.com:8443"]));
    for origin in [
        "https://badexample.com",
        "https://example.org",
        "http://example.com",
        "https://example.com/",
        "https://example.com/login",
        "https://Example.com",
        "https://example.com:443",
        "https://ada@example.com",
        "example.com",
        "https://192.0.2.1",
        "file:///etc",
        "",
    ] {
        assert!(!new("example.com", &["https://example.com", origin]), "{origin}");
        assert!(!new("example.com", &[origin]), "{origin}");
    }
    assert!(!new("example.com", &[]) && !new("", &["https://example.com"]));
}

// === An authenticator and a browser of somebody else ===

/// A user who agrees and is recognised.
struct Willing;

impl UserValidationMethod for Willing {
    type PasskeyItem = passkey_types::Passkey;

    fn check_user<'a, 'life0, 'async_trait>(
        &'life0 self,
        _: UiHint<'a, Self::PasskeyItem>,
        _: bool,
        _: bool,
    ) -> Pin<Box<dyn Future<Output = Result<UserCheck, Ctap2Error>> + Send + 'async_trait>>
    where
        'a: 'async_trait,
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(async { Ok(UserCheck { presence: true, verification: true }) })
    }

    fn is_presence_enabled(&self) -> bool {
        true
    }

    fn is_verification_enabled(&self) -> Option<bool> {
        Some(true)
    }
}

/// Runs what never really waits.
fn now_or_never<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits for something"),
    }
}

#[test]
fn an_independent_authenticator_registers_and_signs_in() {
    let origin = Url::parse("https://login.example.com").unwrap();
    let site = Passkeys::new("example.com", &["https://login.example.com"], "tutela").unwrap();
    let store: Option<passkey_types::Passkey> = None;
    let mut browser = Client::new(Authenticator::new(Aaguid::new_empty(), store, Willing, RustCryptoBackend));
    let ada = account();

    let (options, state) = site.begin_registration(ada, "ada@example.com", "Ada", &[], NOW).unwrap();
    let options = serde_json::from_value(options).unwrap();
    let response = now_or_never(browser.register(&origin, options, DefaultClientData)).unwrap();
    let stored = site.finish_registration(ada, &state, &serde_json::to_value(response).unwrap(), NOW).unwrap();

    for (options, state) in [site.begin_sign_in_discoverable(NOW).unwrap(), site.begin_sign_in(ada, std::slice::from_ref(&stored), NOW).unwrap()] {
        let options = serde_json::from_value(options).unwrap();
        let response = now_or_never(browser.authenticate(&origin, options, DefaultClientData)).unwrap();
        let response = serde_json::to_value(response).unwrap();
        assert_eq!(site.account_of(&response), Ok(ada));
        let used = site.finish_sign_in(&state, &response, std::slice::from_ref(&stored), NOW).unwrap();
        assert!(used.user_verified && used.credential_id == stored.credential_id);
    }
}
