//! Providers that are too heavy for every commit: Keycloak by OpenID Connect and by SAML, and crewjam's SAML provider.
//! `cargo xtask peers federation` runs them, with what a commit runs beside them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, dead_code, reason = "test code; not every helper is used here")]

/// A person with a browser.
#[path = "../it/people.rs"]
mod people;
/// A server in a temporary folder, and a browser-like client.
#[path = "../it/server.rs"]
mod server;

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
};

use reqwest::{Method, Response};
use serde_json::{Value, json};
use testkit::KeycloakServer;

use crate::server::{Browser, Instance, answer, http, location};

const PEOPLE: &str = "create = true\ntrust_email = true\n";

/// What an administrator of Keycloak does.
async fn administer(server: &KeycloakServer, method: Method, path: &str, body: Value) -> Value {
    let base = format!("http://127.0.0.1:{}", server.port);
    let form = [("grant_type", "password"), ("client_id", "admin-cli"), ("username", "admin"), ("password", "admin")];
    let client = http().build().unwrap();
    let tokens = client.post(format!("{base}/realms/master/protocol/openid-connect/token")).form(&form).send().await.unwrap();
    let (status, found) = answer(tokens).await;
    let token = found["access_token"].as_str().unwrap_or_else(|| panic!("{path}: no token for the administrator: {status} {found}")).to_owned();
    let request = client.request(method, format!("{base}{path}")).bearer_auth(token);
    let request = if body.is_null() { request } else { request.json(&body) };
    let (status, found) = answer(request.send().await.unwrap()).await;
    assert!((200..300).contains(&status), "{path}: {status} {found}");
    found
}

/// A realm with Ada in it, who is a member of staff.
async fn realm(server: &KeycloakServer, name: &str, client: Value) {
    administer(server, Method::POST, "/admin/realms", json!({"realm": name, "enabled": true, "sslRequired": "none"})).await;
    administer(server, Method::POST, &format!("/admin/realms/{name}/clients"), client).await;
    let ada = json!({"username": "ada", "enabled": true, "email": "ada@corp.example", "emailVerified": true, "firstName": "Ada", "lastName": "Lovelace",
        "credentials": [{"type": "password", "value": "of ada", "temporary": false}]});
    administer(server, Method::POST, &format!("/admin/realms/{name}/users"), ada).await;
}

/// An instance that knows the provider and does not run yet; `section` follows its heading.
fn prepared(protocol: &str, section: impl FnOnce(&str) -> String) -> Instance {
    let instance = Instance::new("sqlite", "");
    std::fs::write(instance.dir.path().join("corp.secret"), "s + & =\n").unwrap();
    let file = instance.dir.path().join("tutela.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let more = format!(
        "[identity]\nproviders = [\"{protocol}\"]\n[identity.{protocol}.corp]\nlabel = \"Corp\"\n{}[identity.{protocol}.corp.network]\nallow_private = true\n",
        section(&instance.own())
    );
    std::fs::write(&file, text.replace("[identity.password]", &format!("{more}[identity.password]"))).unwrap();
    instance
}

/// Follows redirects until there is a page.
async fn follow(browser: &Browser, at: &str) -> (String, Response) {
    let mut at = at.to_owned();
    for _ in 0..15 {
        let response = browser.get(&at).await;
        let Some(next) = response.headers().get("location").map(|v| v.to_str().unwrap().to_owned()) else { return (at, response) };
        at = absolute(&at, &next);
    }
    panic!("no end of redirects: {at}");
}

fn absolute(at: &str, next: &str) -> String {
    if next.starts_with('/') { format!("{}{next}", at.splitn(4, '/').take(3).collect::<Vec<_>>().join("/")) } else { next.to_owned() }
}

/// The form of a page: where it goes, and its hidden fields.
fn form(page: &str, at: &str) -> (String, Vec<(String, String)>) {
    let plain = |text: &str| text.replace("&amp;", "&").replace("&#34;", "\"").replace("&#43;", "+").replace("&#x3d;", "=").replace("&#61;", "=");
    let of = |tag: &str, name: &str| {
        let found = tag.split(&format!("{name}=\"")).nth(1).and_then(|rest| rest.split('"').next());
        found.map(plain)
    };
    let tag = page.split("<form").nth(1).unwrap_or_else(|| panic!("no form at {at}: {page}"));
    let action = of(tag.split('>').next().unwrap(), "action").filter(|action| !action.is_empty()).map_or_else(|| at.to_owned(), |action| absolute(at, &action));
    let inputs = tag.split("<input").skip(1).map(|input| input.split('>').next().unwrap());
    let hidden = inputs.filter(|input| input.to_lowercase().contains("type=\"hidden\"")).filter_map(|input| Some((of(input, "name")?, of(input, "value")?)));
    (action, hidden.collect())
}

async fn send(browser: &Browser, action: &str, fields: &[(String, String)]) -> Response {
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    browser.post(action, &fields).await
}

/// Signs in at Keycloak's page, and gives its answer and where that came from.
async fn at_keycloak(browser: &Browser, at: &str, page: Response) -> (String, Response) {
    let (action, mut fields) = form(&page.text().await.unwrap(), at);
    fields.extend([("username".to_owned(), "ada".to_owned()), ("password".to_owned(), "of ada".to_owned())]);
    let response = send(browser, &action, &fields).await;
    (action, response)
}

/// Where Keycloak's answer leads.
async fn led(action: &str, response: Response) -> String {
    let Some(next) = response.headers().get("location").map(|next| next.to_str().unwrap().to_owned()) else {
        panic!("{} and no way on: {}", response.status(), response.text().await.unwrap())
    };
    absolute(action, &next)
}

/// The account that somebody is signed in to.
async fn account(browser: &Browser, instance: &Instance) -> String {
    let page = browser.get(&format!("{}/account", instance.own())).await;
    assert_eq!(page.status(), 200, "nobody is signed in");
    page.text().await.unwrap()
}

/// Posts a SAML response of another site's page to us, and goes on from there.
async fn bring(browser: &Browser, page: &str, at: &str, instance: &Instance) {
    let (action, fields) = form(page, at);
    assert!(action.contains("/sign-in/with/corp/callback"), "{action}: {page}");
    let response = send(browser, &action, &fields).await;
    let next = location(&response, &action).unwrap_or_else(|| panic!("{}", response.status()));
    let (at, response) = follow(browser, &next).await;
    let (_, refused) = instance.operator(Method::GET, "/v1/events?q=type:outside.refused", Value::Null).await;
    assert_eq!(response.status(), 200, "{at}: {}", refused["items"][0]["event"]["reason"]);
}

#[tokio::test]
async fn keycloak_by_openid_connect_and_by_saml() {
    let dir = tempfile::tempdir().unwrap();
    let Some(server) = KeycloakServer::start(dir.path()) else {
        return testkit::skip("TUTELA_KEYCLOAK does not name Keycloak's folder");
    };
    let server = server.unwrap();
    by_openid_connect(&server).await;
    by_saml(&server).await;
}

async fn by_openid_connect(server: &KeycloakServer) {
    let issuer = format!("http://127.0.0.1:{}/realms/openid", server.port);
    let instance = prepared("openid", |_| {
        format!(
            "kind = \"keycloak\"\nissuer = \"{issuer}\"\nclient_id = \"tutela\"\nclient_secret_file = \"corp.secret\"\nsign_out = true\n\
             [identity.openid.corp.people]\n{PEOPLE}"
        )
    });
    let own = instance.own();
    let client = json!({"clientId": "tutela", "secret": "s + & =", "publicClient": false, "redirectUris": [format!("{own}/sign-in/with/corp/callback")],
        "attributes": {"pkce.code.challenge.method": "S256", "post.logout.redirect.uris": format!("{own}/signed-out")}});
    realm(server, "openid", client).await;
    instance.run().await;
    for _ in 0..2 {
        let browser = instance.browser();
        let (at, page) = follow(&browser, &format!("{}/sign-in/with/corp?to=", instance.own())).await;
        let (action, response) = at_keycloak(&browser, &at, page).await;
        let (_, response) = follow(&browser, &led(&action, response).await).await;
        assert_eq!(response.status(), 200);
        assert!(account(&browser, &instance).await.contains("Ada Lovelace"));
    }
    // Another key signs from now on, and is taken at once.
    let components = administer(server, Method::GET, "/admin/realms/openid/components?type=org.keycloak.keys.KeyProvider", Value::Null).await;
    let parent = components[0]["parentId"].clone();
    let newer = json!({"name": "newer", "providerId": "rsa-generated", "providerType": "org.keycloak.keys.KeyProvider", "parentId": parent,
        "config": {"priority": ["1000"], "enabled": ["true"], "active": ["true"], "algorithm": ["RS256"], "keySize": ["2048"]}});
    administer(server, Method::POST, "/admin/realms/openid/components", newer).await;
    let browser = instance.browser();
    let (at, page) = follow(&browser, &format!("{}/sign-in/with/corp?to=", instance.own())).await;
    let (action, response) = at_keycloak(&browser, &at, page).await;
    follow(&browser, &led(&action, response).await).await;
    assert!(account(&browser, &instance).await.contains("ada@corp.example"));
    // Signing out here leads to its own way out.
    let response = browser.submit(&instance, "/sign-out", &[]).await;
    assert!(location(&response, &instance.own()).unwrap().starts_with(&format!("{issuer}/protocol/openid-connect/logout?")));
}

async fn by_saml(server: &KeycloakServer) {
    let metadata = format!("http://127.0.0.1:{}/realms/saml/protocol/saml/descriptor", server.port);
    let claims = "[identity.saml.corp.people.claims]\nemail = \"email\"\nname = \"name\"\n";
    let instance = prepared("saml", |_| format!("metadata_url = \"{metadata}\"\n[identity.saml.corp.people]\n{PEOPLE}{claims}"));
    let own = instance.own();
    let attribute = |name: &str, of: &str| {
        json!({"name": name, "protocol": "saml", "protocolMapper": "saml-user-property-mapper",
            "config": {"attribute.name": name, "attribute.nameformat": "Basic", "user.attribute": of, "friendly.name": name}})
    };
    let client = json!({
        "clientId": format!("{own}/sign-in/with/corp/metadata"), "protocol": "saml", "redirectUris": [format!("{own}/sign-in/with/corp/callback")],
        "attributes": {"saml.assertion.signature": "true", "saml.server.signature": "false", "saml.client.signature": "false",
            "saml_name_id_format": "persistent", "saml.force.post.binding": "true", "saml.authnstatement": "true",
            "saml_assertion_consumer_url_post": format!("{own}/sign-in/with/corp/callback")},
        "protocolMappers": [attribute("email", "email"), attribute("name", "firstName")],
    });
    realm(server, "saml", client).await;
    instance.run().await;
    let browser = instance.browser();
    let (at, page) = follow(&browser, &format!("{own}/sign-in/with/corp?to=")).await;
    let (action, response) = at_keycloak(&browser, &at, page).await;
    assert_eq!(response.status(), 200);
    bring(&browser, &response.text().await.unwrap(), &action, &instance).await;
    assert!(account(&browser, &instance).await.contains("ada@corp.example"));
}

/// crewjam's provider; ended when dropped.
struct Crewjam {
    url: String,
    child: Child,
}

impl Crewjam {
    fn start() -> Option<Self> {
        let program = std::env::var_os("TUTELA_SAMLIDP")?;
        let port = testkit::free_address().port();
        let mut child = Command::new(program).arg(port.to_string()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        lines.next().unwrap().unwrap();
        // The rest is read to its end, or it would stop at a pipe that is closed.
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self { url: format!("http://127.0.0.1:{port}"), child })
    }

    async fn put(&self, path: &str, body: String) {
        let done = http().build().unwrap().put(format!("{}{path}", self.url)).body(body).send().await.unwrap();
        assert!(done.status().is_success(), "{path}: {}", done.status());
    }
}

impl Drop for Crewjam {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn crewjam_by_saml() {
    let Some(peer) = Crewjam::start() else {
        return testkit::skip("TUTELA_SAMLIDP does not name crewjam's provider");
    };
    // Its NameID is another one each time, so the name that somebody signs in with there is what they are known by.
    let claims = "[identity.saml.corp.people.claims]\nsubject = \"urn:oid:0.9.2342.19200300.100.1.1\"\nemail = \"urn:oid:1.3.6.1.4.1.5923.1.1.1.6\"\nname = \"urn:oid:2.5.4.3\"\n";
    let section = format!("metadata_url = \"{}/metadata\"\n[identity.saml.corp.people]\n{PEOPLE}{claims}", peer.url);
    let instance = prepared("saml", |_| section);
    instance.run().await;
    let here = [std::net::SocketAddr::from(([127, 0, 0, 1], 0))];
    let reader = http().resolve_to_addrs("tutela.localhost", &here).build().unwrap();
    let about_us = reader.get(format!("{}/sign-in/with/corp/metadata", instance.own())).send().await.unwrap().text().await.unwrap();
    // It encrypts for any key that it finds, one that signs too; assertions that are encrypted are not taken.
    let keys = about_us
        .split("<md:KeyDescriptor")
        .skip(1)
        .map(|rest| format!("<md:KeyDescriptor{}</md:KeyDescriptor>", rest.split("</md:KeyDescriptor>").next().unwrap()));
    let about_us = keys.fold(about_us.clone(), |text, key| text.replace(&key, ""));
    peer.put("/services/tutela", about_us).await;
    let ada =
        json!({"name": "ada", "password": "of ada", "email": "ada@corp.example", "common_name": "Ada Lovelace", "surname": "Lovelace", "given_name": "Ada"});
    peer.put("/users/ada", ada.to_string()).await;
    let browser = instance.browser();
    let (at, page) = follow(&browser, &format!("{}/sign-in/with/corp?to=", instance.own())).await;
    let (action, mut fields) = form(&page.text().await.unwrap(), &at);
    fields.extend([("user".to_owned(), "ada".to_owned()), ("password".to_owned(), "of ada".to_owned())]);
    assert_eq!(send(&browser, &action, &fields).await.status(), 200);
    // Whoever has a session there is asked nothing more.
    let page = browser.get(&at).await.text().await.unwrap();
    bring(&browser, &page, &at, &instance).await;
    assert!(account(&browser, &instance).await.contains("ada@corp.example"));
}
