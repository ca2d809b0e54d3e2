use reqwest::Method;
use serde_json::{Value, json};
use testkit::SamlPeer;

use crate::server::{Browser, Instance, http, location, storages};

/// An instance and a SAML provider that know each other.
struct School {
    instance: Instance,
    peer: SamlPeer,
}

const CREATES: &str = "[identity.saml.school.people]\ncreate = true\ntrust_email = true\n";

impl School {
    async fn start(storage: &str, section: &str) -> Option<Self> {
        let Some(peer) = SamlPeer::start() else {
            testkit::skip("TUTELA_TEST_PYTHON does not name a Python with pysaml2");
            return None;
        };
        let instance = Instance::new(storage, "");
        let file = instance.dir.path().join("tutela.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        let more = format!(
            "[identity]\nproviders = [\"saml\"]\n[identity.saml.school]\nlabel = \"School\"\nmetadata_url = \"{}/metadata\"\n{section}\n\
             [identity.saml.school.network]\nallow_private = true\n",
            peer.url
        );
        std::fs::write(&file, text.replace("[identity.password]", &format!("{more}[identity.password]"))).unwrap();
        instance.run().await;
        let metadata = instance.browser().get(&format!("{}/sign-in/with/school/metadata", instance.own())).await;
        assert_eq!(metadata.headers()["content-type"], "application/samlmetadata+xml");
        let school = Self { instance, peer };
        school.tell("sp", metadata.text().await.unwrap()).await;
        school.person(json!({"attributes": {"mail": "ada@school.example", "displayName": "Ada Lovelace"}})).await;
        Some(school)
    }

    async fn tell(&self, what: &str, body: String) {
        let done = http().build().unwrap().put(format!("{}/test/{what}", self.peer.url)).body(body).send().await.unwrap();
        assert_eq!(done.status(), 200);
    }

    /// Who signs in there from now on.
    async fn person(&self, more: Value) {
        let mut person = json!({"name_id": "ada-1"});
        person.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.tell("person", person.to_string()).await;
    }

    /// Goes there and comes back with the form that the provider's page posts.
    async fn away(&self, browser: &Browser) -> Vec<(String, String)> {
        let at = format!("{}/sign-in/with/school?to=", self.instance.own());
        let there = browser.get(&at).await;
        let page = match location(&there, &at) {
            Some(location) => browser.get(&location).await,
            None => {
                // By POST: our page holds the form.
                let page = there.text().await.unwrap();
                let fields = fields_of(&page);
                let borrowed: Vec<(&str, &str)> = fields.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
                browser.post(&format!("{}/sso", self.peer.url), &borrowed).await
            }
        };
        let status = page.status();
        let text = page.text().await.unwrap();
        assert_eq!(status, 200, "{text}");
        fields_of(&text)
    }

    /// Posts the form as another site's page does: without our cookies. Gives where the browser lands.
    async fn bring(&self, browser: &Browser, fields: &[(String, String)]) -> String {
        let callback = format!("{}/sign-in/with/school/callback", self.instance.own());
        let borrowed: Vec<(&str, &str)> = fields.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let request = http()
            .redirect(reqwest::redirect::Policy::none())
            .resolve_to_addrs("tutela.localhost", &[std::net::SocketAddr::from(([127, 0, 0, 1], 0))])
            .build()
            .unwrap();
        let request = request.post(&callback).header("origin", "https://school.example").header("sec-fetch-site", "cross-site").form(&borrowed);
        let posted = browser.send(&callback, request).await;
        let Some(back) = location(&posted, &callback) else { return posted.status().to_string() };
        let response = browser.get(&back).await;
        location(&response, &back).unwrap_or_else(|| response.status().to_string())
    }

    async fn sign_in(&self, browser: &Browser) -> String {
        let fields = self.away(browser).await;
        self.bring(browser, &fields).await
    }

    async fn reasons(&self) -> Vec<String> {
        let (_, found) = self.instance.operator(Method::GET, "/v1/events?q=type:outside.refused", Value::Null).await;
        found["items"].as_array().unwrap().iter().map(|item| item["event"]["reason"].as_str().unwrap_or_default().to_owned()).collect()
    }
}

/// The hidden fields of a form.
fn fields_of(page: &str) -> Vec<(String, String)> {
    let inputs = page.split("<input ").skip(1).filter(|input| input.contains("type=\"hidden\""));
    let attribute =
        |input: &str, name: &str| input.split(&format!("{name}=\"")).nth(1).unwrap().split('"').next().unwrap().replace("&#38;", "&").replace("&#x2B;", "+");
    inputs.map(|input| (attribute(input, "name"), attribute(input, "value"))).collect()
}

#[tokio::test]
async fn somebody_signs_in_with_a_saml_provider_by_either_binding_and_whatever_is_signed() {
    for (binding, sign) in [("redirect", "assertion"), ("post", "response"), ("redirect", "both")] {
        for storage in storages().await {
            let Some(school) = School::start(&storage, &format!("binding = \"{binding}\"\n{CREATES}")).await else { return };
            school.person(json!({"sign": sign, "attributes": {"mail": "ada@school.example", "displayName": "Ada Lovelace"}})).await;
            let browser = school.instance.browser();
            let landed = school.sign_in(&browser).await;
            assert!(landed.ends_with("/account"), "{binding} {sign}: {landed} {:?}", school.reasons().await);
            let page = browser.get(&landed).await.text().await.unwrap();
            assert!(page.contains("Ada Lovelace") && page.contains("ada@school.example"), "{page}");
        }
    }
}

#[tokio::test]
async fn what_nobody_signed_was_signed_weakly_or_was_used_before_is_refused_and_the_ledger_says_why() {
    let Some(school) = School::start("sqlite", CREATES).await else { return };
    for (person, reason) in [
        (json!({"sign": "none"}), "neither the response nor the assertion is signed"),
        (json!({"hash": "sha1"}), "the signature has a hash that is not taken; it is SHA-256, SHA-384 or SHA-512"),
        (
            json!({"format": "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"}),
            "the NameID is transient, so it names nobody for good; name an attribute with `people.claims.subject`",
        ),
    ] {
        school.person(person).await;
        assert_eq!(school.sign_in(&school.instance.browser()).await, "401 Unauthorized");
        assert_eq!(school.reasons().await[0], reason);
    }
    school.person(json!({"attributes": {"mail": "ada@school.example"}})).await;
    // A response is good once, in the browser that asked for it.
    let (browser, other) = (school.instance.browser(), school.instance.browser());
    let mut fields = school.away(&browser).await;
    assert_eq!(school.bring(&other, &fields).await, "404 Not Found", "another browser has no part in it");
    assert_eq!(school.bring(&browser, &fields).await, "404 Not Found", "and took the errand with it");
    fields = school.away(&browser).await;
    assert!(school.bring(&browser, &fields).await.ends_with("/account"));
    assert_eq!(school.bring(&browser, &fields).await, "404 Not Found", "the state is used up");
    // The same assertion under the state of another request.
    let fresh = school.away(&browser).await;
    let swapped = vec![fields[0].clone(), fresh[1].clone()];
    assert_eq!(school.bring(&browser, &swapped).await, "401 Unauthorized");
    assert_eq!(school.reasons().await[0], "the response does not answer this request (InResponseTo)");
    // One that nobody asked for.
    let start = school.instance.browser().get(&format!("{}/start", school.peer.url)).await.text().await.unwrap();
    assert_eq!(school.bring(&browser, &fields_of(&start)).await, "404 Not Found");
    // A changed one, in the middle of what is signed.
    let fields = school.away(&browser).await;
    let xml = String::from_utf8(base64(&fields[0].1)).unwrap();
    let forged = xml.replace("ada@school.example", "eve@school.example");
    assert_ne!(forged, xml);
    assert_eq!(school.bring(&browser, &[("SAMLResponse".into(), encoded(&forged)), fields[1].clone()]).await, "401 Unauthorized");
    assert!(school.reasons().await[0].contains("that was changed"));
}

#[tokio::test]
async fn a_provider_may_send_people_unasked_only_where_it_is_told_to_and_an_assertion_is_good_once() {
    let Some(school) = School::start("sqlite", &format!("idp_initiated = true\n{CREATES}")).await else { return };
    let start = school.instance.browser().get(&format!("{}/start", school.peer.url)).await.text().await.unwrap();
    let fields = fields_of(&start);
    assert!(school.bring(&school.instance.browser(), &fields).await.ends_with("/account"), "{:?}", school.reasons().await);
    assert_eq!(school.bring(&school.instance.browser(), &fields).await, "401 Unauthorized");
    assert_eq!(school.reasons().await[0], "the assertion was used already");
}

#[tokio::test]
async fn who_signs_out_here_is_signed_out_there_and_the_other_way_round() {
    for storage in storages().await {
        let Some(school) = School::start(&storage, &format!("sign_out = true\n{CREATES}")).await else { return };
        let browser = school.instance.browser();
        let (own, is_in) = (school.instance.own(), async |browser: &Browser| browser.get(&format!("{}/account", school.instance.own())).await.status() == 200);
        assert!(school.sign_in(&browser).await.ends_with("/account") && is_in(&browser).await);
        // From there: a signed request through the browser; another signature, or the same request again, does nothing.
        let asked: Value = http().build().unwrap().get(format!("{}/test/logout", school.peer.url)).send().await.unwrap().json().await.unwrap();
        let request = asked["location"].as_str().unwrap();
        let forged = request.replacen("Signature=", "Signature=AAAA", 1);
        assert_eq!(browser.get(&forged).await.status(), 401);
        assert!(is_in(&browser).await);
        let ended = browser.get(request).await;
        let answer = location(&ended, request).unwrap();
        assert!(answer.starts_with(&format!("{}/slo?SAMLResponse=", school.peer.url)) && answer.contains("RelayState=their%20state"), "{answer}");
        let taken: Value = http().build().unwrap().get(&answer).send().await.unwrap().json().await.unwrap();
        assert_eq!(taken["status"], "urn:oasis:names:tc:SAML:2.0:status:Success", "their side verifies our signature");
        assert!(!is_in(&browser).await);
        assert_eq!(browser.get(request).await.status(), 400, "a logout request is good once");
        // From here.
        assert!(school.sign_in(&browser).await.ends_with("/account"));
        let policy = browser.get(&format!("{own}/sign-out")).await.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.contains(&format!("form-action 'self' {}", school.peer.url)), "{policy}");
        let out = browser.post(&format!("{own}/sign-out"), &[]).await;
        let there = location(&out, &own).unwrap();
        assert!(there.starts_with(&format!("{}/slo?SAMLRequest=", school.peer.url)), "{there}");
        let back = browser.get(&there).await;
        let back = location(&back, &there).unwrap();
        let last = browser.get(&back).await;
        assert_eq!(location(&last, &back).unwrap(), format!("{own}/signed-out"));
        assert!(!is_in(&browser).await);
    }
}

fn base64(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text).unwrap()
}

fn encoded(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}
