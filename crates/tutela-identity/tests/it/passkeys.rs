//! Registering and signing in against `SoftKey`, which lies as it is told to, and against recorded answers of an
//! authenticator that nobody here wrote.

use std::{slice::from_ref, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use serde_json::{Value, json};
use testkit::SoftKey;
use tutela_core::{AccountId, Env, SystemEnv, Timestamp};
use tutela_identity::authenticator::{PASSKEY_LIFE, PasskeyRefused, PasskeyUsed, Passkeys, StoredPasskey};

const NOW: Timestamp = Timestamp::from_secs(1_790_000_000);
const ORIGIN: &str = "http://tutela.localhost:8080";
/// Where no answer is ours.
const NOT_OURS: [&str; 12] = [
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
];

fn site() -> Passkeys {
    Passkeys::new("tutela.localhost", &[ORIGIN, "https://tutela.localhost"], "tutela").unwrap()
}

fn account() -> AccountId {
    let env: &dyn Env = &SystemEnv;
    AccountId::new(NOW, &mut { env })
}

/// Registers a passkey of `key` under the id `id`.
fn register(account: AccountId, key: &mut SoftKey, id: &[u8]) -> Result<StoredPasskey, PasskeyRefused> {
    let (options, state) = site().begin_registration(account, "ada@example.com", "Ada", &[], NOW).unwrap();
    key.next_id = Some(id.to_vec());
    site().finish_registration(account, &state, &key.create(&options).unwrap(), NOW)
}

/// A passkey that is registered, with its authenticator.
fn registered(account: AccountId, id: &[u8]) -> (SoftKey, StoredPasskey) {
    let mut key = SoftKey::new(ORIGIN);
    let stored = register(account, &mut key, id).unwrap();
    (key, stored)
}

/// Signs in without a name.
fn sign_in(key: &mut SoftKey, stored: &StoredPasskey) -> Result<PasskeyUsed, PasskeyRefused> {
    let (options, state) = site().begin_sign_in_discoverable(NOW).unwrap();
    site().finish_sign_in(&state, &key.get(&options).unwrap(), from_ref(stored), NOW)
}

/// The answer, naming another account than the one the passkey was made for.
fn naming(mut answer: Value, account: AccountId) -> Value {
    answer["response"]["userHandle"] = BASE64.encode(account.0.as_bytes()).into();
    answer
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
    let answer = key.get(&options).unwrap();
    assert_eq!(site().account_of(&answer), Ok(ada));
    let used = site().finish_sign_in(&state, &answer, &[stored], NOW).unwrap();
    assert_eq!((used.credential_id.as_slice(), used.user_verified, used.backed_up), (&b"key 1"[..], true, false));
    assert!(used.updated.is_some(), "the counter moved");
}

#[test]
fn the_browser_is_asked_for_a_discoverable_passkey_with_user_verification_and_no_attestation() {
    let (_, stored) = registered(account(), b"key 1");
    let (options, _) = site().begin_registration(account(), "ada@example.com", "Ada", from_ref(&stored), NOW).unwrap();
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
fn a_browser_that_keeps_to_the_standard_finds_what_it_needs_in_the_options() {
    let ada = account();
    let mut key = SoftKey::new(ORIGIN);
    key.strict = true;
    let stored = register(ada, &mut key, b"key 1").unwrap();
    assert!(sign_in(&mut key, &stored).is_ok());
    let (options, state) = site().begin_sign_in(ada, from_ref(&stored), NOW).unwrap();
    assert!(site().finish_sign_in(&state, &key.get(&options).unwrap(), from_ref(&stored), NOW).is_ok());

    // What the options make it refuse: a second passkey, one of somebody else, nobody recognised, a page elsewhere.
    let (creation, _) = site().begin_registration(ada, "a@b.c", "A", &[stored], NOW).unwrap();
    assert_eq!(key.create(&creation), Err("InvalidStateError"));
    let (_, of_eve) = registered(account(), b"key e");
    let (foreign, _) = site().begin_sign_in(ada, &[of_eve], NOW).unwrap();
    assert_eq!(key.get(&foreign), Err("NotAllowedError"));
    key.user_verified = false;
    assert_eq!((key.create(&creation), key.get(&options)), (Err("NotAllowedError"), Err("NotAllowedError")));
    key.origin = "http://badtutela.localhost:8080".to_owned();
    assert_eq!((key.create(&creation), key.get(&options)), (Err("SecurityError"), Err("SecurityError")));
}

#[test]
fn an_origin_is_ours_letter_by_letter() {
    let (mut key, stored) = registered(account(), b"key 1");
    for origin in NOT_OURS {
        key.origin = origin.to_owned();
        assert_eq!(sign_in(&mut key, &stored), Err(PasskeyRefused::Origin), "{origin}");
        assert_eq!(register(account(), &mut SoftKey::new(origin), b"key 2"), Err(PasskeyRefused::Origin), "{origin}");
    }
}

#[test]
fn the_other_origins_of_the_list_are_ours_too() {
    let (mut key, stored) = registered(account(), b"key 1");
    key.origin = "https://tutela.localhost".to_owned();
    assert!(sign_in(&mut key, &stored).is_ok());
    assert!(register(account(), &mut key, b"key 2").is_ok());
}

/// Signs in with an authenticator that is bent after it was registered.
fn bent(bend: impl FnOnce(&mut SoftKey)) -> Result<PasskeyUsed, PasskeyRefused> {
    let (mut key, stored) = registered(account(), b"key 1");
    bend(&mut key);
    sign_in(&mut key, &stored)
}

#[test]
fn an_authenticator_that_is_bent_is_refused_with_its_reason() {
    assert!(bent(|_| ()).is_ok());
    assert!(bent(|key| key.cross_origin = None).is_ok());
    assert_eq!(bent(|key| key.rp_id = Some("localhost".to_owned())), Err(PasskeyRefused::RelyingParty));
    assert_eq!(bent(|key| key.cross_origin = Some(true)), Err(PasskeyRefused::Origin));
    assert_eq!(bent(|key| key.user_verified = false), Err(PasskeyRefused::Unverified));
    assert_eq!(bent(|key| key.user_present = false), Err(PasskeyRefused::Unverified));
    assert_eq!(bent(|key| key.backed_up = true), Err(PasskeyRefused::Malformed), "backed up without being able to");
    assert_eq!(bent(|key| key.backup_eligible = true), Err(PasskeyRefused::Malformed), "it cannot become able to (§6.1.3)");
}

#[test]
fn an_answer_that_is_bent_is_refused_with_its_reason() {
    let ada = account();
    let [(mut key, stored), (mut other, _)] = [(); 2].map(|()| registered(ada, b"key 1"));
    let (options, state) = site().begin_sign_in_discoverable(NOW).unwrap();
    let good = key.get(&options).unwrap();
    let finish = |answer: &Value| site().finish_sign_in(&state, answer, from_ref(&stored), NOW);
    assert!(finish(&good).is_ok());
    assert_eq!(finish(&other.get(&options).unwrap()), Err(PasskeyRefused::Signature), "another key under the same id");

    let mut other_id = good.clone();
    other_id["rawId"] = BASE64.encode(b"key 2").into();
    assert_eq!(finish(&other_id), Err(PasskeyRefused::Unknown));
    let mut after_signing = good.clone();
    let mut data = BASE64.decode(good["response"]["authenticatorData"].as_str().unwrap()).unwrap();
    *data.last_mut().unwrap() = 1;
    after_signing["response"]["authenticatorData"] = BASE64.encode(data).into();
    assert_eq!(finish(&after_signing), Err(PasskeyRefused::Signature), "the counter was changed on the way");
}

#[test]
fn a_registration_that_is_bent_is_refused_with_its_reason() {
    let register = |bend: &dyn Fn(&mut SoftKey)| {
        let mut key = SoftKey::new(ORIGIN);
        bend(&mut key);
        register(account(), &mut key, b"key 1")
    };
    assert!(register(&|_| ()).is_ok());
    assert_eq!(register(&|key| key.rp_id = Some("example.com".to_owned())), Err(PasskeyRefused::RelyingParty));
    assert_eq!(register(&|key| key.cross_origin = Some(true)), Err(PasskeyRefused::Origin));
    assert_eq!(register(&|key| key.user_verified = false), Err(PasskeyRefused::Unverified));
    assert_eq!(register(&|key| key.user_present = false), Err(PasskeyRefused::Unverified));
}

#[test]
fn a_passkey_that_could_never_be_found_is_not_stored() {
    let ada = account();
    let (options, state) = site().begin_registration(ada, "a@b.c", "A", &[], NOW).unwrap();
    let mut answer = SoftKey::new(ORIGIN).create(&options).unwrap();
    assert_eq!(answer["extensions"], json!({"credProps": {"rk": true}}), "the browser was asked for it");
    answer["extensions"] = json!({});
    assert!(site().finish_registration(ada, &state, &answer, NOW).is_ok(), "a browser that does not say");
    answer["extensions"] = json!({"credProps": {"rk": false}});
    assert_eq!(site().finish_registration(ada, &state, &answer, NOW), Err(PasskeyRefused::NotDiscoverable));
}

#[test]
fn an_authenticator_that_offers_an_excluded_passkey_again_is_refused() {
    let ada = account();
    let (mut key, stored) = registered(ada, b"key 1");
    let (options, state) = site().begin_registration(ada, "a@b.c", "A", &[stored], NOW).unwrap();
    key.next_id = Some(b"key 1".to_vec());
    assert_eq!(site().finish_registration(ada, &state, &key.create(&options).unwrap(), NOW), Err(PasskeyRefused::Malformed));
}

#[test]
fn a_recorded_answer_is_refused_under_another_state() {
    let (mut key, stored) = registered(account(), b"key 1");
    let (options, _) = site().begin_sign_in_discoverable(NOW).unwrap();
    let recorded = key.get(&options).unwrap();
    let (_, state) = site().begin_sign_in_discoverable(NOW).unwrap();
    assert_eq!(site().finish_sign_in(&state, &recorded, from_ref(&stored), NOW), Err(PasskeyRefused::Challenge));
    let ada = account();
    let (options, _) = site().begin_registration(ada, "a@b.c", "A", &[], NOW).unwrap();
    let (_, state) = site().begin_registration(ada, "a@b.c", "A", &[], NOW).unwrap();
    assert_eq!(site().finish_registration(ada, &state, &key.create(&options).unwrap(), NOW), Err(PasskeyRefused::Challenge));
    // The two halves of different things do not fit either.
    assert_eq!(site().finish_sign_in(&state, &recorded, &[stored], NOW), Err(PasskeyRefused::Malformed));
}

#[test]
fn a_passkey_of_another_account_does_not_help() {
    let (ada, eve) = (account(), account());
    let ((_, of_ada), (mut key, _)) = (registered(ada, b"key a"), registered(eve, b"key e"));
    // As second factor for Ada, with her passkeys loaded.
    let (options, state) = site().begin_sign_in(ada, from_ref(&of_ada), NOW).unwrap();
    assert_eq!(site().finish_sign_in(&state, &key.get(&options).unwrap(), from_ref(&of_ada), NOW), Err(PasskeyRefused::Unknown));
    // Claiming to be Ada loads Ada's passkeys, and Eve's is not among them.
    let (options, state) = site().begin_sign_in_discoverable(NOW).unwrap();
    let answer = naming(key.get(&options).unwrap(), ada);
    assert_eq!(site().account_of(&answer), Ok(ada));
    assert_eq!(site().finish_sign_in(&state, &answer, &[of_ada], NOW), Err(PasskeyRefused::Unknown));
}

#[test]
fn each_passkey_of_an_account_signs_in() {
    let ada = account();
    let [(one, of_one), (two, of_two)] = [b"key 1", b"key 2"].map(|id| registered(ada, id));
    let both = [of_one, of_two];
    for (mut key, id) in [(one, b"key 1"), (two, b"key 2")] {
        let (options, state) = site().begin_sign_in(ada, &both, NOW).unwrap();
        assert_eq!(site().finish_sign_in(&state, &key.get(&options).unwrap(), &both, NOW).unwrap().credential_id, id);
    }
}

#[test]
fn an_answer_that_names_another_account_than_the_one_asked_is_refused() {
    let (ada, eve) = (account(), account());
    let (mut key, stored) = registered(ada, b"key 1");
    let (options, state) = site().begin_sign_in(ada, from_ref(&stored), NOW).unwrap();
    let mut answer = key.get(&options).unwrap();
    let finish = |answer: &Value| site().finish_sign_in(&state, answer, from_ref(&stored), NOW);
    assert!(finish(&answer).is_ok());
    assert_eq!(finish(&naming(answer.clone(), eve)), Err(PasskeyRefused::Unknown));
    for nobody in [Some(Value::Null), None] {
        let response = answer["response"].as_object_mut().unwrap();
        response.remove("userHandle");
        response.extend(nobody.map(|null| ("userHandle".to_owned(), null)));
        assert!(finish(&answer).is_ok(), "second factors need not name anybody");
        assert_eq!(site().account_of(&answer), Err(PasskeyRefused::Unknown));
    }
}

#[test]
fn a_state_ends_after_five_minutes() {
    let ada = account();
    let (mut key, stored) = registered(ada, b"key 1");
    let (options, state) = site().begin_sign_in(ada, from_ref(&stored), NOW).unwrap();
    let answer = key.get(&options).unwrap();
    let almost = NOW + (PASSKEY_LIFE - Duration::from_micros(1));
    assert!(site().finish_sign_in(&state, &answer, from_ref(&stored), almost).is_ok());
    assert_eq!(site().finish_sign_in(&state, &answer, &[stored], NOW + PASSKEY_LIFE), Err(PasskeyRefused::Expired));
    let (options, state) = site().begin_registration(ada, "a@b.c", "A", &[], NOW).unwrap();
    let answer = key.create(&options).unwrap();
    assert!(site().finish_registration(ada, &state, &answer, almost).is_ok());
    assert_eq!(site().finish_registration(ada, &state, &answer, NOW + PASSKEY_LIFE), Err(PasskeyRefused::Expired));
    assert_eq!(site().finish_registration(account(), &state, &answer, NOW), Err(PasskeyRefused::Challenge), "begun by another account");
}

#[test]
fn a_counter_that_goes_backwards_or_stands_still_is_a_clone() {
    let (mut key, mut stored) = registered(account(), b"key 1");
    let mut sign_in = |counter: u32| {
        key.counter = counter;
        let used = sign_in(&mut key, &stored)?;
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
    let mut answered = [(); 2].map(|()| {
        let (options, state) = site().begin_sign_in_discoverable(NOW).unwrap();
        key.counter = 5;
        (state, key.get(&options).unwrap())
    });
    let (state, answer) = &mut answered[0];
    let used = site().finish_sign_in(state, answer, &[stored], NOW).unwrap();
    // The second began before the first was used; it is judged by what is stored now.
    let (state, answer) = &answered[1];
    assert_eq!(site().finish_sign_in(state, answer, &[used.updated.unwrap()], NOW), Err(PasskeyRefused::Cloned));
}

#[test]
fn whether_it_is_backed_up_is_known_from_the_start_and_followed() {
    let mut key = SoftKey::new(ORIGIN);
    (key.backup_eligible, key.backed_up) = (true, true);
    let mut stored = register(account(), &mut key, b"key 1").unwrap();
    assert!(stored.backed_up);
    for backed_up in [false, true] {
        key.backed_up = backed_up;
        let used = sign_in(&mut key, &stored).unwrap();
        stored = used.updated.unwrap();
        assert_eq!((used.backed_up, stored.backed_up), (backed_up, backed_up));
    }
}

#[test]
fn what_is_no_answer_at_all_is_malformed() {
    let (mut key, stored) = registered(account(), b"key 1");
    let (options, state) = site().begin_sign_in_discoverable(NOW).unwrap();
    let good = key.get(&options).unwrap();
    for (pointer, value) in [
        ("/rawId", json!(7)),
        ("/response", json!({})),
        ("/response/clientDataJSON", json!("!!")),
        ("/response/clientDataJSON", json!(BASE64.encode("[]"))),
        ("/response/authenticatorData", json!(BASE64.encode([0; 36]))),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).unwrap() = value;
        assert_eq!(site().finish_sign_in(&state, &bad, from_ref(&stored), NOW), Err(PasskeyRefused::Malformed), "{pointer}");
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

/// The state of what was begun, awaiting the answer that was recorded: its challenge stands in place of the fresh one.
fn awaiting((options, state): (Value, Vec<u8>), recorded: &Value) -> Vec<u8> {
    let client = BASE64.decode(recorded["response"]["clientDataJSON"].as_str().unwrap()).unwrap();
    let client: Value = serde_json::from_slice(&client).unwrap();
    let fresh = options["publicKey"]["challenge"].as_str().unwrap();
    let state = String::from_utf8(state).unwrap();
    assert!(state.contains(fresh));
    state.replace(fresh, client["challenge"].as_str().unwrap()).into_bytes()
}

#[test]
fn an_independent_authenticator_registers_and_signs_in() {
    let recorded: Value = serde_json::from_str(include_str!("../data/passkey/passkey_rs.json")).unwrap();
    let ada: AccountId = recorded["account"].as_str().unwrap().parse().unwrap();
    let site = Passkeys::new("example.com", &["https://login.example.com"], "tutela").unwrap();

    let state = awaiting(site.begin_registration(ada, "ada@example.com", "Ada", &[], NOW).unwrap(), &recorded["create"]);
    let stored = site.finish_registration(ada, &state, &recorded["create"], NOW).unwrap();
    assert!(stored.backed_up);

    let begun = [site.begin_sign_in_discoverable(NOW).unwrap(), site.begin_sign_in(ada, from_ref(&stored), NOW).unwrap()];
    for (begun, answer) in begun.into_iter().zip(recorded["get"].as_array().unwrap()) {
        assert_eq!(site.account_of(answer), Ok(ada));
        let used = site.finish_sign_in(&awaiting(begun, answer), answer, from_ref(&stored), NOW).unwrap();
        assert!(used.user_verified && used.credential_id == stored.credential_id);
    }
}
