//! The peer: Keycloak in production mode on PostgreSQL, whose own CPU is not counted.
//!
//! It signs people in with the password grant, which is the nearest it has to signing in from an application.

use std::path::Path;

use serde_json::{Value, json};
use testkit::KeycloakServer;

use super::{
    PEOPLE,
    load::{Peer, Step, Wire},
};
use crate::http::{Connection, json as json_of, post, post_form};

const HOST: &str = "127.0.0.1";
/// The password of every one of them.
pub const PASSWORD: &str = "seven plain ponies graze";
const CLIENT: &str = "client_id=bench&client_secret=bench";
const TOKEN: &str = "/realms/bench/protocol/openid-connect/token";

/// A running server.
pub struct Keycloak {
    server: KeycloakServer,
    /// The process whose CPU is counted.
    java: u32,
}

impl Keycloak {
    /// Starts what `TUTELA_KEYCLOAK` names, with a realm, a client and people; `None` where it names nothing.
    pub fn start(dir: &Path) -> Result<Option<Self>, String> {
        let Some(server) = KeycloakServer::start(dir).transpose()? else { return Ok(None) };
        let keycloak = Self { java: server.java(), server };
        keycloak.prepare().map_err(|e| format!("Keycloak: {e}"))?;
        Ok(Some(keycloak))
    }

    /// Its version.
    pub fn version(&self) -> String {
        self.server.version()
    }

    /// Has passwords hashed at next to no cost from the next sign-in on.
    pub fn make_hash_cheap(&self) -> Result<(), String> {
        let mut wire = Connection::open(self.server.port)?;
        let key = self.admin(&mut wire)?;
        let realm = json!({"passwordPolicy": "hashAlgorithm(pbkdf2-sha512) and hashIterations(1)"});
        self.write(&mut wire, &key, "PUT", "/admin/realms/bench", &realm)?;
        // The first sign-in of each hashes anew; it is not to be counted.
        (0..PEOPLE).try_for_each(|number| self.sign_in(&mut wire, number).map(|_| ()))
    }

    fn prepare(&self) -> Result<(), String> {
        let mut wire = Connection::open(self.server.port)?;
        let key = self.admin(&mut wire)?;
        // Tokens of a day, so that a warm session is measured and not its end.
        let realm = json!({"realm": "bench", "enabled": true, "sslRequired": "none", "accessTokenLifespan": 3600, "revokeRefreshToken": true});
        self.write(&mut wire, &key, "POST", "/admin/realms", &realm)?;
        // It introspects only tokens that name the client who asks.
        let audience = json!({
            "name": "audience", "protocol": "openid-connect", "protocolMapper": "oidc-audience-mapper",
            "config": {"included.client.audience": "bench", "access.token.claim": "true", "introspection.token.claim": "true"},
        });
        let client = json!({
            "clientId": "bench", "secret": "bench", "redirectUris": ["https://app.example/cb"], "directAccessGrantsEnabled": true, "serviceAccountsEnabled": true, "publicClient": false,
            "protocolMappers": [audience],
        });
        self.write(&mut wire, &key, "POST", "/admin/realms/bench/clients", &client)?;
        for number in 0..PEOPLE {
            let person = json!({
                "username": name(number), "enabled": true, "email": format!("{}@example.com", name(number)), "emailVerified": true,
                "firstName": "Ada", "lastName": "Lovelace", "credentials": [{"type": "password", "value": PASSWORD, "temporary": false}],
            });
            self.write(&mut wire, &key, "POST", "/admin/realms/bench/users", &person)?;
        }
        Ok(())
    }

    fn admin(&self, wire: &mut Wire) -> Result<String, String> {
        let form = "grant_type=password&client_id=admin-cli&username=admin&password=admin";
        let tokens = json_of(&wire.ask_well(&post_form(HOST, "/realms/master/protocol/openid-connect/token", form))?)?;
        tokens["access_token"].as_str().map(|token| format!("Authorization: Bearer {token}")).ok_or_else(|| "the administrator has no token".to_owned())
    }

    fn write(&self, wire: &mut Wire, key: &str, method: &str, path: &str, body: &Value) -> Result<(), String> {
        let request = String::from_utf8_lossy(&post(HOST, path, &[key], &body.to_string())).replacen("POST", method, 1);
        wire.ask_well(request.as_bytes()).map(|_| ())
    }

    fn sign_in(&self, wire: &mut Wire, number: usize) -> Result<Value, String> {
        let form = format!("grant_type=password&{CLIENT}&username={}&password={}", name(number), PASSWORD.replace(' ', "+"));
        json_of(&wire.ask_well(&post_form(HOST, TOKEN, &form))?)
    }

    fn introspect(&self, wire: &mut Wire, tokens: &Value) -> Result<(), String> {
        let form = format!("{CLIENT}&token={}", tokens["access_token"].as_str().unwrap_or_default());
        let answer = json_of(&wire.ask_well(&post_form(HOST, &format!("{TOKEN}/introspect"), &form))?)?;
        if answer["active"] == true { Ok(()) } else { Err(format!("the token is not active: {answer}")) }
    }
}

impl Peer for Keycloak {
    fn name(&self) -> &'static str {
        "keycloak"
    }

    fn pid(&self) -> u32 {
        self.java
    }

    fn port(&self) -> u16 {
        self.server.port
    }

    fn step(&self, what: &'static str, connection: usize) -> Step<'_> {
        let mut kept: Option<Value> = None;
        Box::new(move |wire| match (what, &kept) {
            ("sign_in", _) => self.sign_in(wire, connection).map(|_| ()),
            (_, None) => {
                kept = Some(self.sign_in(wire, connection)?);
                Ok(())
            }
            ("refresh", Some(tokens)) => {
                let form = format!("grant_type=refresh_token&{CLIENT}&refresh_token={}", tokens["refresh_token"].as_str().unwrap_or_default());
                kept = Some(json_of(&wire.ask_well(&post_form(HOST, TOKEN, &form))?)?);
                Ok(())
            }
            (_, Some(tokens)) => self.introspect(wire, tokens),
        })
    }

    fn session(&self, wire: &mut Wire, number: u64) -> Result<(), String> {
        let tokens = self.sign_in(wire, number as usize % PEOPLE)?;
        self.introspect(wire, &tokens)
    }
}

/// Name of one of the people.
pub fn name(number: usize) -> String {
    format!("person{number}")
}
