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
        let instance = Instance::new(storage, "");
        let own = instance.own();
        let mut wish = wish;
        wish["redirect_uris"] = json!([format!("{own}/sign-in/with/corp/callback")]);
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
            "[identity]\nproviders = [\"openid\"]\n[identity.openid.corp]\nlabel = \"Corp\"\nissuer = \"{}\"\nclient_id = \"tutela\"\n{secret}\n{section}\n\
             [identity.openid.corp.network]\nallow_private = true\n",
            peer.issuer
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
