use reqwest::Method;
use serde_json::{Value, json};
use testkit::{OPENID_PEER_SECRET, OpenidPeer};

use crate::server::{Browser, Instance, http, location, storages};

/// Where a provider sends people back to, before the instance has a port.
struct Corp {
    instance: Instance,
    peer: OpenidPeer,
}

impl Corp {
    /// An instance whose people can sign in with the npm provider; `wish` is for the provider, `section` for ours.
    async fn start(storage: &str, wish: Value, section: &str) -> Option<Self> {
        Self::start_as("openid", storage, wish, |issuer| format!("issuer = \"{issuer}\"\n{section}\n")).await
    }

    /// As `start`, by `protocol`.
    async fn start_as(protocol: &str, storage: &str, wish: Value, section: impl Fn(&str) -> String) -> Option<Self> {
        let instance = Instance::new(storage, "");
        let own = instance.own();
        let mut wish = wish;
        wish["redirect_uris"] = json!([format!("{own}/sign-in/with/corp/callback")]);
        if wish["auth"] == "private_key_jwt" {
            wish["jwks_uri"] = json!(format!("{own}/.well-known/jwks.json"));
        }
        wish["backchannel_logout_uri"] = json!(format!("{own}/sign-in/with/corp/logout"));
        let Some(peer) = OpenidPeer::start(&wish) else {
            testkit::skip("TUTELA_FEDERATION does not name the peers of federation");
            return None;
        };
        std::fs::write(instance.dir.path().join("corp.secret"), format!("{OPENID_PEER_SECRET}\n")).unwrap();
        let file = instance.dir.path().join("tutela.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        let secret = if wish["auth"] == "private_key_jwt" { "client_auth = \"private_key_jwt\"" } else { "client_secret_file = \"corp.secret\"" };
        let more = format!(
            "[identity]\nproviders = [\"{protocol}\"]\n[identity.{protocol}.corp]\nlabel = \"Corp\"\nclient_id = \"tutela\"\n{secret}\n{}\n\
             [identity.{protocol}.corp.network]\nallow_private = true\n",
            section(&peer.issuer)
        );
        std::fs::write(&file, text.replace("[identity.password]", &format!("{more}[identity.password]"))).unwrap();
        instance.run().await;
        Some(Self { instance, peer })
    }

    /// Who signs in there from now on.
    async fn person(&self, claims: Value) {
        self.tell("person", claims).await;
    }

    async fn tell(&self, what: &str, value: Value) {
        let done = http().build().unwrap().put(format!("{}/test/{what}", self.peer.issuer)).json(&value).send().await.unwrap();
        assert_eq!(done.status(), 200);
    }

    /// Goes to the provider and comes back with its answer, which is not taken yet.
    async fn away(&self, browser: &Browser, to: &str) -> String {
        let mut at = format!("{}{to}", self.instance.own());
        for _ in 0..12 {
            let response = browser.get(&at).await;
            let headers = response.headers().clone();
            let next = headers.get("location").unwrap_or_else(|| panic!("{at} led nowhere: {}", response.status())).to_str().unwrap().to_owned();
            at = if next.starts_with('/') { format!("{}{next}", at.splitn(4, '/').take(3).collect::<Vec<_>>().join("/")) } else { next };
            if at.contains("/callback?") {
                return at;
            }
        }
        panic!("it never came back: {at}");
    }

    /// Goes to the provider, comes back, and gives where that leads.
    async fn sign_in(&self, browser: &Browser) -> String {
        let back = self.away(browser, "/sign-in/with/corp?to=").await;
        let response = browser.get(&back).await;
        location(&response, &back).unwrap_or_else(|| response.status().to_string())
    }

    /// The page that the provider answers with, which posts its answer.
    async fn page(&self, browser: &Browser, to: &str) -> String {
        let mut at = format!("{}{to}", self.instance.own());
        for _ in 0..12 {
            let response = browser.get(&at).await;
            let Some(next) = response.headers().get("location").map(|v| v.to_str().unwrap().to_owned()) else { return response.text().await.unwrap() };
            at = if next.starts_with('/') { format!("{}{next}", at.splitn(4, '/').take(3).collect::<Vec<_>>().join("/")) } else { next };
        }
        panic!("there is no page: {at}");
    }

    /// A client without cookies, as a server or another site's page is.
    fn bare(&self) -> reqwest::Client {
        let here = [std::net::SocketAddr::from(([127, 0, 0, 1], 0))];
        http().redirect(reqwest::redirect::Policy::none()).resolve_to_addrs("tutela.localhost", &here).build().unwrap()
    }

    /// Why answers were refused, the newest first.
    async fn reasons(&self) -> Vec<String> {
        self.events("outside.refused").await.iter().map(|item| item["event"]["reason"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// The newest events of a type.
    async fn events(&self, kind: &str) -> Vec<Value> {
        let (status, found) = self.instance.operator(Method::GET, &format!("/v1/events?q=type:{kind}"), Value::Null).await;
        assert_eq!(status, 200, "{found}");
        found["items"].as_array().unwrap().clone()
    }
}

const CREATES: &str = "[identity.openid.corp.people]\ncreate = true\ntrust_email = true\n";

fn ada() -> Value {
    json!({"sub": "ada-1", "email": "ada@corp.example", "email_verified": true, "name": "Ada Lovelace"})
}

#[tokio::test]
async fn somebody_new_signs_in_with_a_provider_and_is_the_same_person_the_next_time() {
    for storage in storages().await {
        let Some(corp) = Corp::start(&storage, json!({}), CREATES).await else { return };
        corp.person(ada()).await;
        for _ in 0..2 {
            let browser = corp.instance.browser();
            let landed = corp.sign_in(&browser).await;
            assert!(landed.ends_with("/account"), "{landed}");
            let page = browser.get(&landed).await.text().await.unwrap();
            assert!(page.contains("Ada Lovelace") && page.contains("ada@corp.example"), "{page}");
        }
        let (_, accounts) = corp.instance.operator(Method::GET, "/v1/accounts", Value::Null).await;
        assert_eq!(accounts["items"].as_array().unwrap().len(), 1, "{accounts}");
        assert_eq!(corp.events("outside.connected").await.len(), 1);
        assert_eq!(corp.events("session.started").await[0]["event"]["data"]["amr"], json!(["fed"]));
    }
}

#[tokio::test]
async fn every_way_to_ask_works_and_what_the_id_token_leaves_out_is_asked_for() {
    for (wish, section) in [
        (json!({"par": true, "algorithm": "ES256"}), ""),
        (json!({"auth": "client_secret_post", "userinfo": true}), "client_auth = \"client_secret_post\""),
        (json!({"algorithm": "EdDSA"}), "response_mode = \"form_post\""),
        (json!({"algorithm": "PS256"}), "algorithms = [\"PS256\"]"),
        (json!({"auth": "private_key_jwt", "par": true}), ""),
    ] {
        let Some(corp) = Corp::start("sqlite", wish.clone(), &format!("{section}\n{CREATES}")).await else { return };
        corp.person(ada()).await;
        let browser = corp.instance.browser();
        let landed = if section.contains("form_post") {
            // The provider's page posts without our cookies; the browser comes back for the answer by itself.
            let page = corp.page(&browser, "/sign-in/with/corp?to=").await;
            let callback = format!("{}/sign-in/with/corp/callback", corp.instance.own());
            let field = |name: &str| page.split(&format!("name=\"{name}\" value=\"")).nth(1).unwrap().split('"').next().unwrap().to_owned();
            let fields = ["code", "state", "iss"].map(|name| (name, field(name)));
            let posted = corp.bare().post(&callback).header("origin", &corp.peer.issuer).form(&fields).send().await.unwrap();
            let back = location(&posted, &callback).unwrap();
            let response = browser.get(&back).await;
            location(&response, &back).unwrap()
        } else {
            corp.sign_in(&browser).await
        };
        assert!(landed.ends_with("/account"), "{wish}: {landed}");
    }
}

#[tokio::test]
async fn a_provider_that_rotates_its_keys_is_believed_and_one_that_is_down_leaves_the_other_ways() {
    let Some(mut corp) = Corp::start("sqlite", json!({}), CREATES).await else { return };
    corp.person(ada()).await;
    assert!(corp.sign_in(&corp.instance.browser()).await.ends_with("/account"));
    // Other keys under the same issuer: the unknown key id has them read again at once, and once in half a minute.
    corp.peer.restart();
    corp.person(ada()).await;
    assert!(corp.sign_in(&corp.instance.browser()).await.ends_with("/account"));
    corp.peer.restart();
    corp.person(ada()).await;
    assert_eq!(corp.sign_in(&corp.instance.browser()).await, "401 Unauthorized");
    assert!(corp.reasons().await[0].contains("signature does not verify"), "{:?}", corp.reasons().await);
    corp.peer.stop();
    let browser = corp.instance.browser();
    // What it said of itself is known, so people are still sent there; what it says then is that it is gone.
    let leaving = browser.get(&format!("{}/sign-in/with/corp?to=", corp.instance.own())).await;
    assert_eq!(leaving.status(), 303);
    corp.instance.stop("-TERM").await;
    corp.instance.run().await;
    let down = browser.get(&format!("{}/sign-in/with/corp?to=", corp.instance.own())).await;
    assert_eq!(down.status(), 503);
    let page = down.text().await.unwrap();
    assert!(page.contains("Corp does not answer") && page.contains("/sign-in?to="), "{page}");
}

#[tokio::test]
async fn a_mail_address_connects_nobody_and_an_account_is_connected_by_whoever_proves_both() {
    for storage in storages().await {
        let Some(corp) = Corp::start(&storage, json!({}), CREATES).await else { return };
        let own = corp.instance.own();
        corp.instance.account("ada@corp.example", &[]).await;
        corp.person(ada()).await;
        let browser = corp.instance.browser();
        // The address is verified there, and there is an account with it here: that is no reason to let anybody in.
        let offer = corp.sign_in(&browser).await;
        let sealed = offer.split_once("/sign-in/connect?offer=").unwrap_or_else(|| panic!("{offer}")).1.to_owned();
        let page = browser.get(&offer).await.text().await.unwrap();
        let said = ["No account here is connected with it", "Corp (ada@corp.example)", "/sign-in?to=connect:"];
        assert!(said.iter().all(|text| page.contains(text)), "{page}");
        assert_eq!(corp.events("session.started").await.len(), 0);
        // In another browser the offer is worth nothing, signed in or not.
        let other = corp.instance.browser();
        assert_eq!(other.get(&offer).await.status(), 404);
        let signed_in = browser
            .post(&format!("{own}/sign-in"), &[("email", "ada@corp.example"), ("password", crate::server::PASSWORD), ("to", &format!("connect:{sealed}"))])
            .await;
        assert_eq!(location(&signed_in, &own).unwrap(), offer);
        assert!(browser.get(&offer).await.text().await.unwrap().contains("Connect your account"));
        let cross = browser.request(Method::POST, &format!("{own}/sign-in/connect")).header("origin", "https://evil.example").form(&[("offer", &sealed)]);
        assert_eq!(browser.send(&own, cross).await.status(), 403, "another site cannot press the button");
        let connected = browser.post(&format!("{own}/sign-in/connect"), &[("offer", &sealed)]).await;
        assert!(connected.text().await.unwrap().contains("Connected."));
        // From now on it signs in, and cannot be connected with another account.
        let fresh = corp.instance.browser();
        assert!(corp.sign_in(&fresh).await.ends_with("/account"));
        corp.instance.account("bob@corp.example", &[]).await;
        let bob = corp.instance.browser();
        bob.sign_in_at(&format!("{own}/sign-in"), "bob@corp.example").await;
        let back = corp.away(&bob, "/sign-in/with/corp?for=connect").await;
        let offer = location(&bob.get(&back).await, &back).unwrap();
        let sealed = offer.split_once("offer=").unwrap().1;
        let refused = bob.post(&format!("{own}/sign-in/connect"), &[("offer", sealed)]).await;
        assert_eq!(refused.status(), 409);
        assert!(refused.text().await.unwrap().contains("connected with an account here already"));
        // Whoever has a password can let go of it.
        let page = fresh.get(&format!("{own}/account/security")).await.text().await.unwrap();
        let id = page.split("/account/outside/").nth(1).unwrap().split('/').next().unwrap().to_owned();
        let behind_its_back = |sql: &str| {
            if storage == "sqlite" {
                rusqlite::Connection::open(corp.instance.data().join("tutela.db")).unwrap().execute_batch(sql).unwrap();
            }
        };
        behind_its_back("CREATE TABLE kept AS SELECT * FROM outside_identity");
        let gone = fresh.post(&format!("{own}/account/outside/{id}/disconnect"), &[]).await;
        assert_eq!(gone.status(), 200, "{}", gone.text().await.unwrap());
        assert!(corp.sign_in(&corp.instance.browser()).await.contains("/sign-in/connect?offer="));
        // Whoever has the database puts the row back: the next comparison with the ledger takes it away again.
        behind_its_back("INSERT INTO outside_identity SELECT * FROM kept");
        let (_, found) = corp.instance.operator(Method::POST, "/v1/accounts/verify", json!({})).await;
        let expected = if storage == "sqlite" { json!(["outsides"]) } else { json!([]) };
        assert_eq!(found["differences"].as_array().unwrap().iter().map(|one| one["what"].clone()).collect::<Value>(), expected, "{found}");
        assert!(corp.sign_in(&corp.instance.browser()).await.contains("/sign-in/connect?offer="));
    }
}

#[tokio::test]
async fn groups_strength_and_required_claims_are_as_configured_and_the_only_way_in_stays() {
    let section = format!(
        "{CREATES}groups = {{ staff = \"editors\" }}\nrequire = {{ hd = \"corp.example\" }}\n[identity.openid.corp.strength]\nacr_aal2 = [\"urn:test:mfa\"]\n"
    );
    let Some(corp) = Corp::start("sqlite", json!({}), &section).await else { return };
    let own = corp.instance.own();
    corp.instance.role("editor", &["photos:edit"]).await;
    let (status, _) = corp.instance.operator(Method::PUT, "/v1/groups", json!({"name": "editors", "roles": ["editor"]})).await;
    assert_eq!(status, 204);
    let with = |more: Value| {
        let mut person = ada();
        person.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        person
    };
    corp.person(with(json!({"hd": "elsewhere.example"}))).await;
    assert_eq!(corp.sign_in(&corp.instance.browser()).await, "401 Unauthorized");
    assert!(corp.reasons().await[0].contains("the claim `hd`"));
    let members = async || corp.instance.operator(Method::GET, "/v1/groups/editors/members", Value::Null).await.1["items"].as_array().unwrap().len();
    for (groups, acr, count, aal) in [(json!(["staff", "other"]), "urn:test:mfa", 1, "aal2"), (json!([]), "urn:test:one", 0, "aal1")] {
        corp.person(with(json!({"hd": "corp.example", "groups": groups, "acr": acr}))).await;
        let browser = corp.instance.browser();
        assert!(corp.sign_in(&browser).await.ends_with("/account"), "{:?}", corp.reasons().await);
        assert_eq!(members().await, count);
        assert_eq!(corp.events("session.started").await[0]["event"]["data"]["acr"], aal);
        let page = browser.get(&format!("{own}/account/security")).await.text().await.unwrap();
        let id = page.split("/account/outside/").nth(1).unwrap().split('/').next().unwrap().to_owned();
        assert_eq!(browser.post(&format!("{own}/account/outside/{id}/disconnect"), &[]).await.status(), 409, "there is no other way in");
    }
}

#[tokio::test]
async fn answers_that_are_cancelled_replayed_swapped_or_from_another_issuer_let_nobody_in() {
    let Some(corp) = Corp::start("sqlite", json!({}), CREATES).await else { return };
    corp.person(ada()).await;
    let browser = corp.instance.browser();
    corp.tell("deny", json!(true)).await;
    let back = corp.away(&browser, "/sign-in/with/corp?to=").await;
    let page = browser.get(&back).await;
    assert_eq!(page.status(), 200);
    assert!(page.text().await.unwrap().contains("You cancelled the sign-in at the provider."));
    corp.tell("deny", json!(false)).await;
    let status = async |browser: &Browser, url: &str| browser.get(url).await.status().as_u16();
    let back = corp.away(&browser, "/sign-in/with/corp?to=").await;
    assert_eq!(status(&corp.instance.browser(), &back).await, 404, "in a browser that was not sent there");
    assert_eq!(status(&browser, &back.replacen("state=", "state=x", 1)).await, 404, "under another state");
    assert_eq!(status(&browser, &back.replacen("iss=", "iss=x", 1)).await, 401, "from another issuer (RFC 9207)");
    assert_eq!(corp.reasons().await[0], "the answer is from another issuer (RFC 9207)");
    assert_eq!(status(&browser, &back).await, 404, "once more");
    let back = corp.away(&browser, "/sign-in/with/corp?to=").await;
    let without: String = back.split('&').filter(|field| !field.starts_with("iss=")).collect::<Vec<_>>().join("&");
    assert_eq!(status(&browser, &without).await, 401, "without saying from whom");
    // The code of one request with the state of another: the verifier does not fit.
    let (first, second) = (corp.away(&browser, "/sign-in/with/corp?to=").await, corp.away(&browser, "/sign-in/with/corp?to=").await);
    let code = |url: &str| url.split("code=").nth(1).unwrap().split('&').next().unwrap().to_owned();
    assert_eq!(status(&browser, &first.replace(&code(&first), &code(&second))).await, 401);
    assert_eq!(corp.reasons().await[0], "the token endpoint answered `invalid_grant`");
    assert_eq!(corp.events("session.started").await.len(), 0);
}

#[tokio::test]
async fn whoever_signs_in_only_there_proves_anew_there_and_a_logout_there_ends_the_session_here() {
    let Some(corp) = Corp::start("sqlite", json!({}), CREATES).await else { return };
    let own = corp.instance.own();
    corp.person(ada()).await;
    let browser = corp.instance.browser();
    assert!(corp.sign_in(&browser).await.ends_with("/account"));
    let asked = browser.get(&format!("{own}/step-up?acr=aal1&back=/account/security")).await;
    let next = location(&asked, &own).unwrap();
    let page = browser.get(&next).await.text().await.unwrap();
    assert!(page.contains("Prove it with an account that yours is connected with.") && page.contains("for=prove"), "{page}");
    let to = next.split_once("to=").unwrap().1.to_owned();
    // Somebody else's account there proves nothing about this one.
    corp.person(json!({"sub": "eve-1"})).await;
    let other = corp.instance.browser();
    for (name, value) in browser.all_cookies() {
        other.set_cookie("tutela.localhost", &name, &value);
    }
    let back = corp.away(&other, &format!("/sign-in/with/corp?to={to}&for=prove")).await;
    assert_eq!(other.get(&back).await.status(), 401);
    corp.person(ada()).await;
    let back = corp.away(&browser, &format!("/sign-in/with/corp?to={to}&for=prove")).await;
    let proven = browser.get(&back).await;
    assert_eq!(location(&proven, &own).unwrap(), format!("{own}/account/security"));
    assert_eq!(corp.events("session.strengthened").await.len(), 1);
    // The provider ends the session, and says so by a token that it signs.
    let logout = format!("{own}/sign-in/with/corp/logout");
    for bad in ["", "eyJhbGciOiJub25lIn0.e30."] {
        assert_eq!(corp.bare().post(&logout).form(&[("logout_token", bad)]).send().await.unwrap().status(), 400);
    }
    let mut at = format!("{}/session/end", corp.peer.issuer);
    let page = browser.get(&at).await.text().await.unwrap();
    let secret = page.split("name=\"xsrf\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    at.push_str("/confirm");
    browser.post(&at, &[("xsrf", secret), ("logout", "yes")]).await;
    crate::server::until("the end of the session", async || browser.get(&format!("{own}/account")).await.status() == 303).await;
    assert_eq!(corp.events("session.ended").await[0]["event"]["reason"], "ended_outside");
}

#[tokio::test]
async fn a_provider_that_speaks_plain_oauth_says_who_somebody_is_at_an_address_of_its_own() {
    for storage in storages().await {
        let section = |issuer: &str| {
            format!(
                "authorization_url = \"{issuer}/auth\"\ntoken_url = \"{issuer}/token\"\nuser_url = \"{issuer}/user\"\nemails_url = \"{issuer}/user/emails\"\n\
                 issuer = \"{issuer}\"\nscopes = [\"openid\"]\n[identity.oauth2.corp.people]\ncreate = true\ntrust_email = true\n"
            )
        };
        let Some(corp) = Corp::start_as("oauth2", &storage, json!({"auth": "client_secret_post"}), section).await else { return };
        let person = |id: u32, verified: bool| json!({"sub": format!("sub-{id}"), "id": id, "login": "ada", "email": format!("ada{id}@corp.example"), "email_verified": verified});
        corp.person(person(583_231, true)).await;
        let browser = corp.instance.browser();
        let landed = corp.sign_in(&browser).await;
        assert!(landed.ends_with("/account"), "{landed} {:?}", corp.reasons().await);
        let page = browser.get(&landed).await.text().await.unwrap();
        // The verified primary address, not the one that the profile shows; the login where there is no name.
        assert!(page.contains("ada583231@corp.example") && page.contains("<dd>ada <a") && !page.contains("shown@"), "{page}");
        assert!(corp.sign_in(&corp.instance.browser()).await.ends_with("/account"));
        // Without an address that is verified nobody gets an account.
        corp.person(person(7, false)).await;
        assert!(corp.sign_in(&corp.instance.browser()).await.contains("/sign-in/connect?offer="));
    }
}
