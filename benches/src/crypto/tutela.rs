//! Ours: `tutela serve` as it comes, with a client that may seal and open.

use std::path::Path;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde_json::{Value, json};

use super::{BATCH, PLAINTEXT, load::Target};
use crate::{
    http::{Connection, json as json_of, post},
    server::Server,
};

/// Host of the default `public_url`.
const HOST: &str = "tutela.localhost:8080";
const ENCRYPT: &str = "/v1/crypto/encrypt";

/// A running server and the key of its client.
pub struct Tutela {
    server: Server,
    api_key: String,
}

impl Tutela {
    /// Starts it in `dir`, and checks that each item of a batch comes back sealed and opens again.
    pub fn start(dir: &Path) -> Result<Self, String> {
        let (server, _) = Server::start(dir, "")?;
        let api_key = api_key(&server)?;
        let tutela = Self { server, api_key };
        tutela.check().map_err(|e| format!("tutela: {e}"))?;
        Ok(tutela)
    }

    /// What is measured: each item is bound to a context of its own.
    pub fn target(&self) -> Target {
        let one = item(0).to_string();
        let many = Value::from((0..BATCH).map(item).collect::<Vec<_>>()).to_string();
        Target { name: "tutela", port: self.server.port, pid: self.server.pid(), single: self.post(ENCRYPT, &one), batch: self.post(ENCRYPT, &many) }
    }

    /// Asks it to stop and waits until it has.
    pub fn stop(self) -> Result<(), String> {
        self.server.stop()
    }

    fn post(&self, path: &str, body: &str) -> Vec<u8> {
        post(HOST, path, &[&format!("Authorization: Bearer {}", self.api_key)], body)
    }

    /// A batch answers 200 whatever becomes of its items, so they are looked at once.
    fn check(&self) -> Result<(), String> {
        let mut connection = Connection::open(self.server.port)?;
        let sealed: Value = json_of(&connection.ask_well(&self.target().batch)?)?;
        let results = sealed["results"].as_array().ok_or("a batch has no results")?;
        let messages: Vec<&str> = results.iter().filter_map(|result| result["message"].as_str()).collect();
        if messages.len() != BATCH {
            return Err(format!("{} of {BATCH} items were sealed; the first result is {}", messages.len(), sealed["results"][0]));
        }
        let asked = json!({"message": messages[1], "context": context(1)}).to_string();
        let opened: Value = json_of(&connection.ask_well(&self.post("/v1/crypto/decrypt", &asked))?)?;
        if opened["plaintext"] == BASE64.encode(PLAINTEXT) { Ok(()) } else { Err(format!("what was sealed opens as {opened}")) }
    }
}

fn item(number: usize) -> Value {
    json!({"plaintext": BASE64.encode(PLAINTEXT), "context": context(number)})
}

fn context(number: usize) -> String {
    format!("patient/{number}")
}

/// A client's key, made as an operator would.
fn api_key(server: &Server) -> Result<String, String> {
    let made = server.operate("/v1/clients", &json!({"name": "bench", "scopes": ["crypto:encrypt", "crypto:decrypt"]}))?;
    made["api_key"].as_str().map(str::to_owned).ok_or_else(|| "the new client has no `api_key`".to_owned())
}
