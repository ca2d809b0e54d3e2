//! A provider that lies, mixes things up, or is not the one it says it is.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use serde_json::{Map, Value, json};
use tutela_core::{Env, Secret, SystemEnv, Timestamp};

use super::{
    Arrival, ClientAuth, Metadata, Oauth2Config, OpenidConfig, OpenidKind,
    oauth2::Oauth2Provider,
    openid::{Kept, OpenidProvider, Returned, read_tokens},
};
use crate::{
    Algorithm, Error,
    jwt::{JwkSet, SigningKey, TokenKey, TokenKeys, generate},
};

const NOW: i64 = 1_800_000_000;
const ISSUER: &str = "https://op.example";

fn now() -> Timestamp {
    Timestamp::from_secs(NOW)
}

fn config(more: &Value) -> OpenidConfig {
    let mut all = json!({"issuer": ISSUER, "client_id": "tutela"});
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(all).unwrap()
}

fn provider(more: &Value) -> OpenidProvider {
    OpenidProvider::new("op", &config(more), None).unwrap()
}

fn metadata(more: &Value) -> Metadata {
    let mut all = json!({"issuer": ISSUER, "authorization_endpoint": "https://op.example/a", "token_endpoint": "https://op.example/t", "jwks_uri": "https://op.example/j"});
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Metadata::read(all.to_string().as_bytes(), all["issuer"].as_str().unwrap()).unwrap()
}

fn key(algorithm: Algorithm) -> TokenKeys {
    let env: &dyn Env = &SystemEnv;
    let kept = generate(algorithm, &mut { env }).unwrap();
    TokenKeys::new(vec![TokenKey::new(SigningKey::restore(algorithm, kept.open()).unwrap(), Timestamp::from_secs(0)).unwrap()])
}

fn kept() -> Kept {
    Kept { nonce: "the nonce".into(), verifier: "the verifier".into(), anew: false }
}

fn claims() -> Value {
    json!({"iss": ISSUER, "aud": "tutela", "sub": "ada", "exp": NOW + 300, "iat": NOW, "nonce": "the nonce", "email": "ada@op.example", "email_verified": true})
}

struct Answer {
    keys: TokenKeys,
    kind: &'static str,
    claims: Value,
    access: &'static str,
}

impl Answer {
    fn new() -> Self {
        Self { keys: key(Algorithm::Es256), kind: "JWT", claims: claims(), access: "" }
    }

    fn with(mut self, more: Value) -> Self {
        for (name, value) in more.as_object().unwrap() {
            if value.is_null() {
                self.claims.as_object_mut().unwrap().remove(name);
            } else {
                self.claims[name] = value.clone();
            }
        }
        self
    }

    fn token(&self) -> String {
        self.keys.sign_as(Algorithm::Es256, self.kind, &self.claims, now()).unwrap()
    }

    fn set(&self) -> JwkSet {
        JwkSet::from_value(&self.keys.jwks(now())).unwrap()
    }

    fn check_as(&self, provider: &OpenidProvider, metadata: &Metadata, kept: &Kept) -> Result<Map<String, Value>, Error> {
        check(provider, metadata, &self.set(), &self.token(), self.access, kept)
    }

    fn why(&self) -> String {
        let found = self.check_as(&provider(&json!({})), &metadata(&json!({})), &kept());
        found.map_or_else(|e| e.to_string(), |_| "taken".into())
    }
}

fn check(provider: &OpenidProvider, metadata: &Metadata, keys: &JwkSet, token: &str, access: &str, kept: &Kept) -> Result<Map<String, Value>, Error> {
    let answer = json!({"id_token": token, "access_token": access, "token_type": "Bearer"});
    provider.check(metadata, keys, &read_tokens(answer.to_string().as_bytes()).unwrap(), kept, now())
}

#[test]
fn each_claim_that_does_not_fit_is_refused_with_its_own_word() {
    assert_eq!(Answer::new().why(), "taken");
    for (name, change, word) in [
        ("another issuer", json!({"iss": "https://eve.example"}), "another issuer"),
        ("an issuer with a slash", json!({"iss": "https://op.example/"}), "another issuer"),
        ("another audience", json!({"aud": "other"}), "somebody else"),
        ("an audience among others without azp", json!({"aud": ["tutela", "other"]}), "somebody else"),
        ("made for another party", json!({"aud": ["tutela", "other"], "azp": "other"}), "somebody else"),
        ("made for another party alone", json!({"azp": "other"}), "somebody else"),
        ("no audience", json!({"aud": null}), "somebody else"),
        ("expired", json!({"exp": NOW - 61}), "expired"),
        ("no end", json!({"exp": null}), "no `exp`"),
        ("an end that is a text", json!({"exp": "9999999999"}), "no `exp`"),
        ("no beginning", json!({"iat": null}), "no `iat`"),
        ("from the future", json!({"iat": NOW + 61}), "from the future"),
        ("an old one", json!({"iat": NOW - 601}), "too old"),
        ("not valid yet", json!({"nbf": NOW + 61}), "not valid yet"),
        ("another nonce", json!({"nonce": "another"}), "another request (nonce)"),
        ("no nonce", json!({"nonce": null}), "another request (nonce)"),
    ] {
        assert!(Answer::new().with(change).why().contains(word), "{name}");
    }
    for kind in ["at+jwt", "logout+jwt", "dpop+jwt"] {
        assert!(Answer { kind, ..Answer::new() }.why().contains("another type"), "{kind}");
    }
    assert!(Answer::new().with(json!({"aud": ["tutela", "other"], "azp": "tutela"})).why() == "taken");
}

#[test]
fn an_access_token_that_is_not_the_id_tokens_is_refused() {
    let hash = |token: &str| BASE64.encode(&aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, token.as_bytes()).as_ref()[..16]);
    assert_eq!(Answer { access: "mine", ..Answer::new().with(json!({"at_hash": hash("mine")})) }.why(), "taken");
    assert!(Answer { access: "eve's", ..Answer::new().with(json!({"at_hash": hash("mine")})) }.why().contains("at_hash"));
}

#[test]
fn no_key_but_the_providers_own_counts_and_none_that_a_token_brings_along() {
    let answer = Answer::new();
    let (good, kid) = (answer.token(), answer.keys.jwks(now())["keys"][0]["kid"].clone());
    let eve = key(Algorithm::Es256);
    let body = good.split('.').nth(1).unwrap().to_owned();
    let header = |value: Value| BASE64.encode(value.to_string());
    let public = eve.jwks(now())["keys"][0].clone();
    let by_eve = |header_value: Value| {
        let text = format!("{}.{body}", header(header_value));
        let key = eve.known(now()).next().unwrap().key().sign(text.as_bytes()).unwrap();
        format!("{text}.{}", BASE64.encode(key))
    };
    let hmac = {
        let text = format!("{}.{body}", header(json!({"alg": "HS256", "kid": kid, "typ": "JWT"})));
        let set = answer.keys.jwks(now()).to_string();
        let mac = aws_lc_rs::hmac::sign(&aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, set.as_bytes()), text.as_bytes());
        format!("{text}.{}", BASE64.encode(mac))
    };
    for (name, token) in [
        ("alg_none", format!("{}.{body}.", header(json!({"alg": "none", "kid": kid})))),
        ("alg_none_in_capitals", format!("{}.{body}.", header(json!({"alg": "NONE", "kid": kid})))),
        ("hmac_under_the_public_keys", hmac),
        ("another_key_under_the_same_id", by_eve(json!({"alg": "ES256", "kid": kid}))),
        ("another_key_without_id", by_eve(json!({"alg": "ES256"}))),
        ("jwk", by_eve(json!({"alg": "ES256", "kid": kid, "jwk": public}))),
        ("jku", by_eve(json!({"alg": "ES256", "kid": kid, "jku": "https://eve.example/jwks"}))),
        ("x5u", by_eve(json!({"alg": "ES256", "kid": kid, "x5u": "https://eve.example/x"}))),
        ("kid_as_path", by_eve(json!({"alg": "ES256", "kid": "../../../../dev/null"}))),
        ("kid_as_sql", by_eve(json!({"alg": "ES256", "kid": "' UNION SELECT 'key"}))),
        ("crit", by_eve(json!({"alg": "ES256", "kid": kid, "crit": ["exp"], "exp": 1}))),
        ("cut", good[..good.len() - 2].to_owned()),
        ("without_signature", format!("{}.", good.rsplit_once('.').unwrap().0)),
        ("huge", format!("{}.{}.x", header(json!({"alg": "ES256"})), "A".repeat(40_000))),
    ] {
        let found = check(&provider(&json!({})), &metadata(&json!({})), &answer.set(), &token, "", &kept());
        assert!(found.is_err(), "{name}");
    }
    // What may sign is what the configuration says.
    let strict = provider(&json!({"algorithms": ["RS256"]}));
    assert!(answer.check_as(&strict, &metadata(&json!({})), &kept()).is_err());
    // A set that is huge, broken, or has keys that are for something else.
    let many = json!({"keys": vec![public.clone(); 65]});
    assert!(JwkSet::from_value(&many).is_err() && JwkSet::parse(b"<html>").is_err());
    let mut of = public.clone();
    for (name, value) in
        [("use", json!("enc")), ("key_ops", json!(["sign"])), ("alg", json!("HS256")), ("kty", json!("oct")), ("crv", json!("P-192")), ("x", json!("AA"))]
    {
        of[name] = value;
        assert!(JwkSet::from_value(&json!({"keys": [of]})).unwrap().is_empty(), "{name}");
        of = public.clone();
    }
}

#[test]
fn an_answer_says_whom_it_is_from_and_that_is_whom_we_asked() {
    let op = provider(&json!({}));
    let (says, silent) = (metadata(&json!({"authorization_response_iss_parameter_supported": true})), metadata(&json!({})));
    let returned = |iss: Option<&str>| Returned { code: Some("code".into()), iss: iss.map(str::to_owned), ..Returned::default() };
    assert_eq!(op.read_return(&says, &returned(Some(ISSUER))).unwrap(), "code");
    assert_eq!(op.read_return(&silent, &returned(None)).unwrap(), "code");
    for (metadata, iss) in [(&says, None), (&says, Some("https://eve.example")), (&silent, Some("https://eve.example")), (&says, Some("https://op.example/"))] {
        assert!(op.read_return(metadata, &returned(iss)).is_err(), "{iss:?}");
    }
    let error = Returned { error: Some("server_error\r\nSet-Cookie: x".into()), iss: Some(ISSUER.into()), ..Returned::default() };
    assert_eq!(op.read_return(&says, &error).unwrap_err().to_string(), "the provider answered `server_errorSet-Cookie:x`");
    // A discovery document of somebody else.
    let document = json!({"issuer": "https://eve.example", "authorization_endpoint": "https://a", "token_endpoint": "https://t", "jwks_uri": "https://j"});
    assert!(op.read_metadata(document.to_string().as_bytes()).is_err());
}

#[test]
fn of_many_directories_only_those_named_let_people_in_and_each_under_its_own_issuer() {
    const A: &str = "aaaaaaaa-1111-2222-3333-444444444444";
    const B: &str = "bbbbbbbb-1111-2222-3333-444444444444";
    let section = json!({"issuer": null, "kind": "entra", "tenant": "organizations", "tenants": [A]});
    let entra = provider(&section);
    let document = json!({"issuer": "https://login.microsoftonline.com/{tenantid}/v2.0", "authorization_endpoint": "https://a", "token_endpoint": "https://t", "jwks_uri": "https://j"});
    let metadata = entra.read_metadata(document.to_string().as_bytes()).unwrap();
    let of = |issuer: &str, tid: &str| {
        let answer = Answer::new().with(json!({"iss": format!("https://login.microsoftonline.com/{issuer}/v2.0"), "tid": tid}));
        answer.check_as(&entra, &metadata, &kept()).and_then(|claims| entra.arrive(claims, None, now()))
    };
    let arrival: Arrival = of(A, A).unwrap();
    assert_eq!(arrival.subject, format!("{A}/ada"));
    assert!(!arrival.email_verified, "an address there is what somebody typed");
    for (issuer, tid) in [(B, B), (A, B), (B, A), ("{tenantid}", A)] {
        assert!(of(issuer, tid).is_err(), "{issuer} {tid}");
    }
    let refused = |more: Value| OpenidProvider::new("op", &config(&more), None).map(drop).unwrap_err();
    assert!(refused(json!({"issuer": null, "kind": "entra", "tenant": "common"})).contains("`tenants` is missing"));
    assert!(refused(json!({"issuer": null, "kind": "entra", "tenant": A, "people": {"trust_email": true}})).contains("trust_email"));
    assert!(refused(json!({"kind": "google"})).contains("leave it out"));
    assert!(refused(json!({"issuer": null})).contains("`issuer` is missing"));
    assert!(refused(json!({"scopes": ["email"]})).contains("`openid`"));
    assert_eq!(config(&json!({"issuer": null, "kind": "google"})).kind, Some(OpenidKind::Google));
}

#[test]
fn whoever_has_to_prove_anew_has_done_so_a_moment_ago() {
    let anew = Kept { anew: true, ..kept() };
    let op = provider(&json!({}));
    let request = op.request("https://tutela.example/cb", "state", &anew);
    assert!(request.contains(&("prompt".into(), "login".into())) && request.contains(&("max_age".into(), "0".into())));
    for (at, fine) in [(json!(NOW - 30), true), (json!(NOW - 3_600), false), (json!(NOW + 61), false), (Value::Null, false)] {
        let answer = Answer::new().with(json!({"auth_time": at}));
        assert_eq!(answer.check_as(&op, &metadata(&json!({})), &anew).is_ok(), fine, "{at}");
    }
}

#[test]
fn a_logout_token_is_none_of_the_other_kinds_and_they_are_none_of_it() {
    let op = provider(&json!({}));
    let event = json!({"http://schemas.openid.net/event/backchannel-logout": {}});
    let logout = |more: Value| {
        let answer = Answer { kind: "logout+jwt", ..Answer::new() };
        let answer = answer.with(json!({"nonce": null, "sid": "s", "jti": "1", "events": event})).with(more);
        op.check_logout(&metadata(&json!({})), &answer.set(), &answer.token(), now())
    };
    assert_eq!(logout(json!({})).unwrap(), (Some("ada".into()), Some("s".into()), "1".into()));
    for bad in [
        json!({"nonce": "the nonce"}),
        json!({"events": null}),
        json!({"events": {"other": {}}}),
        json!({"sub": null, "sid": null}),
        json!({"jti": null}),
        json!({"aud": "other"}),
        json!({"iss": "https://eve.example"}),
        json!({"iat": NOW - 601}),
        json!({"exp": NOW - 61}),
    ] {
        assert!(logout(bad.clone()).is_err(), "{bad}");
    }
    let id_token = Answer::new();
    assert!(op.check_logout(&metadata(&json!({})), &id_token.set(), &id_token.token(), now()).is_err());
}

#[test]
fn what_a_provider_says_of_a_person_is_about_the_same_person_and_mail_is_believed_only_as_told() {
    let op = provider(&json!({"people": {"trust_email": true}}));
    let mut claims: Map<String, Value> = claims().as_object().unwrap().clone();
    assert!(op.add(&mut claims, br#"{"sub": "eve", "email": "x"}"#).is_err());
    op.add(&mut claims, br#"{"sub": "ada", "name": "Ada", "email": "other@op.example"}"#).unwrap();
    let arrival = op.arrive(claims.clone(), None, now()).unwrap();
    assert_eq!(
        (arrival.name.as_deref(), arrival.email.as_ref().map(crate::Email::as_str), arrival.email_verified),
        (Some("Ada"), Some("ada@op.example"), true)
    );
    assert!(!provider(&json!({})).arrive(claims.clone(), None, now()).unwrap().email_verified);
    claims.insert("email_verified".into(), json!(false));
    assert!(!op.arrive(claims, None, now()).unwrap().email_verified);
}

#[test]
fn secrets_go_where_they_are_asked_for_and_are_encoded_as_the_standard_says() {
    let with = |auth: Option<ClientAuth>| {
        let config = OpenidConfig { client_auth: auth, ..config(&json!({})) };
        let op = OpenidProvider::new("op", &config, Some(Secret::new("p +&=%".into()))).unwrap();
        op.redeem(&metadata(&json!({})), "code", "https://tutela.example/cb", &kept(), &key(Algorithm::EdDsa), now()).unwrap()
    };
    let basic = with(None).basic.unwrap();
    assert_eq!((basic.0.as_str(), basic.1.open().as_str()), ("tutela", "p+%2B%26%3D%25"));
    let call = with(Some(ClientAuth::ClientSecretPost));
    let form = call.form.unwrap();
    let field = |name: &str| form.iter().find(|(n, _)| n == name).map(|(_, value)| value.open().clone());
    assert_eq!((call.basic.is_none(), field("client_secret").as_deref(), field("code_verifier").as_deref()), (true, Some("p +&=%"), Some("the verifier")));
}

#[test]
fn a_person_of_plain_oauth_is_a_number_or_a_word_and_an_answer_without_one_is_nobody() {
    let config: Oauth2Config = serde_json::from_value(json!({"kind": "github", "client_id": "x"})).unwrap();
    let github = Oauth2Provider::new("github", &config, Some(Secret::new("secret".into()))).unwrap();
    assert_eq!(github.label(), "GitHub");
    assert!(github.addresses().any(|url| url == "https://api.github.com/user/emails"));
    let emails = br#"[{"email": "a@x.example", "primary": true, "verified": false}, {"email": "b@x.example", "primary": false, "verified": true}]"#;
    let arrival = github.arrive(br#"{"id": 7, "login": "ada", "name": null, "email": "shown@x.example"}"#, Some(emails), now()).unwrap();
    assert_eq!((arrival.subject.as_str(), arrival.name.as_deref(), arrival.email), ("7", Some("ada"), None));
    for nobody in [r#"{"login": "ada"}"#, r#"{"id": null}"#, r#"{"id": 7.5}"#, r#"{"id": ""}"#, r#"{"id": ["7"]}"#, "[]", ""] {
        assert!(github.arrive(nobody.as_bytes(), None, now()).is_err(), "{nobody}");
    }
    // An error with status 200.
    assert!(read_tokens(br#"{"error": "bad_verification_code"}"#).is_err());
}
