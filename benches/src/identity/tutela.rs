//! Ours: `tutela serve` on SQLite, with people who have a password, and a client that introspects.

use std::path::Path;

use serde_json::{Value, json};

use super::{
    PEOPLE,
    load::{Peer, Step, Wire},
};
use crate::{
    http::{json as json_of, post},
    server::Server,
};

/// Host of the default `public_url`.
const HOST: &str = "tutela.localhost:8080";
const PASSWORD: &str = "seven plain ponies graze";

/// A running server.
pub struct Tutela {
    server: Server,
    api_key: String,
    dir: std::path::PathBuf,
}

impl Tutela {
    /// Starts it in `dir` with more configuration, and makes the people.
    pub fn start(dir: &Path, more: &str) -> Result<Self, String> {
        std::fs::create_dir_all(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
        let (server, _) = Server::start(dir, more)?;
        let mut tutela = Self { server, api_key: String::new(), dir: dir.to_owned() };
        let client = tutela.server.operate("/v1/clients", &json!({"name": "bench", "scopes": ["tokens:introspect", "permissions:check"]}))?;
        tutela.api_key = client["api_key"].as_str().ok_or("the new client has no `api_key`")?.to_owned();
        for number in 0..PEOPLE {
            tutela.server.operate("/v1/accounts", &json!({"email": email(number), "name": "Ada", "password": PASSWORD, "roles": []}))?;
        }
        Ok(tutela)
    }

    /// What one password hash costs here.
    pub fn hash_cost(&self) -> Result<Value, String> {
        let log = std::fs::read_to_string(self.dir.join("log")).map_err(|e| e.to_string())?;
        Ok(log.lines().find(|line| line.contains("the cost of a password hash was measured")).map_or(Value::Null, |line| json!(line)))
    }

    /// Asks it to stop and waits until it has.
    pub fn stop(self) -> Result<(), String> {
        self.server.stop()
    }

    fn sign_in(&self, wire: &mut Wire, number: usize, device: Option<&str>) -> Result<Value, String> {
        let mut body = json!({"email": email(number), "password": PASSWORD});
        if let Some(device) = device {
            body["device_token"] = json!(device);
        }
        let answer = json_of(&wire.ask_well(&post(HOST, "/v1/sign-in", &[], &body.to_string()))?)?;
        if answer["state"] == "done" { Ok(answer["tokens"].clone()) } else { Err(format!("the sign-in is not done: {answer}")) }
    }

    fn introspect(&self, wire: &mut Wire, token: &str) -> Result<(), String> {
        let key = format!("Authorization: Bearer {}", self.api_key);
        let answer = json_of(&wire.ask_well(&post(HOST, "/v1/tokens/introspect", &[&key], &json!({"token": token}).to_string()))?)?;
        if answer["active"] == true { Ok(()) } else { Err(format!("the token is not active: {answer}")) }
    }
}

impl Peer for Tutela {
    fn name(&self) -> &'static str {
        "tutela"
    }

    fn pid(&self) -> u32 {
        self.server.pid()
    }

    fn port(&self) -> u16 {
        self.server.port
    }

    fn step(&self, what: &'static str, connection: usize) -> Step<'_> {
        let mut kept: Option<Value> = None;
        Box::new(move |wire| match (what, &kept) {
            ("sign_in", _) => {
                // Each connection is a person of its own, from a device that the account knows.
                let device = kept.as_ref().and_then(|kept| kept["device_token"].as_str().map(str::to_owned));
                let tokens = self.sign_in(wire, connection, device.as_deref())?;
                if tokens["device_token"].is_string() {
                    kept = Some(tokens);
                }
                Ok(())
            }
            (_, None) => {
                kept = Some(self.sign_in(wire, connection, None)?);
                Ok(())
            }
            ("refresh", Some(tokens)) => {
                let device = tokens["device_token"].clone();
                let body = json!({"refresh_token": tokens["refresh_token"], "device_token": device}).to_string();
                let mut next = json_of(&wire.ask_well(&post(HOST, "/v1/tokens/refresh", &[], &body))?)?;
                next["device_token"] = device;
                kept = Some(next);
                Ok(())
            }
            (_, Some(tokens)) => self.introspect(wire, tokens["access_token"].as_str().unwrap_or_default()),
        })
    }

    fn session(&self, wire: &mut Wire, number: u64) -> Result<(), String> {
        let tokens = self.sign_in(wire, number as usize % PEOPLE, None)?;
        self.introspect(wire, tokens["access_token"].as_str().unwrap_or_default())
    }
}

fn email(number: usize) -> String {
    format!("person{number}@example.com")
}
