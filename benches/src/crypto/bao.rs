//! The peer: OpenBao's transit engine in development mode, in memory, without an audit device.
//!
//! Its items carry no associated data: OpenBao refuses a batch of 480 that has any, for its number
//! of strings. So it seals a little less than we do.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde_json::{Value, json};

use super::{BATCH, PLAINTEXT, load::Target};
use crate::{
    http::{Connection, post},
    machine,
    server::{free_port, status},
};

const READY_WITHIN: Duration = Duration::from_secs(60);
const HOST: &str = "127.0.0.1";
const TOKEN: &str = "bench";
const ENCRYPT: &str = "/v1/transit/encrypt/bench";

/// A running server; ended when dropped.
pub struct Bao {
    program: PathBuf,
    port: u16,
    child: Child,
}

impl Bao {
    /// Starts the program that `TUTELA_BAO` names, with a key to seal with; `None` where it names none.
    pub fn start(dir: &Path) -> Result<Option<Self>, String> {
        let Some(program) = std::env::var_os("TUTELA_BAO").filter(|name| !name.is_empty()).map(PathBuf::from) else { return Ok(None) };
        let home = dir.join("bao");
        std::fs::create_dir_all(&home).map_err(|e| format!("{}: {e}", home.display()))?;
        let log = File::create(home.join("log")).map_err(|e| e.to_string())?;
        let errors = log.try_clone().map_err(|e| e.to_string())?;
        let port = free_port()?;
        let mut command = Command::new(&program);
        command.args(["server", "-dev", "-dev-no-store-token", &format!("-dev-root-token-id={TOKEN}"), &format!("-dev-listen-address={HOST}:{port}")]);
        command.env_clear().env("HOME", &home).current_dir(&home).stdin(Stdio::null()).stdout(log).stderr(errors);
        let child = command.spawn().map_err(|e| format!("{}: {e}", program.display()))?;
        let mut bao = Self { program, port, child };
        bao.wait().map_err(|e| format!("OpenBao: {e}; its log:\n{}", std::fs::read_to_string(home.join("log")).unwrap_or_default()))?;
        bao.prepare().map_err(|e| format!("OpenBao: {e}"))?;
        Ok(Some(bao))
    }

    /// What is measured.
    pub fn target(&self) -> Target {
        Target { name: "openbao", port: self.port, pid: self.child.id(), single: ask(ENCRYPT, &item()), batch: ask(ENCRYPT, &many()) }
    }

    /// What it says of itself.
    pub fn version(&self) -> Option<String> {
        machine::version(&self.program.to_string_lossy(), "version")
    }

    fn wait(&mut self) -> Result<(), String> {
        let begun = Instant::now();
        while status(self.port, HOST, "/v1/sys/health") != Some(200) {
            if self.child.try_wait().map_err(|e| e.to_string())?.is_some() || begun.elapsed() > READY_WITHIN {
                return Err("it did not become ready".into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Mounts the engine, makes the key, and checks that each item of a batch comes back sealed.
    fn prepare(&self) -> Result<(), String> {
        let mut connection = Connection::open(self.port)?;
        connection.ask_well(&ask("/v1/sys/mounts/transit", &json!({"type": "transit"})))?;
        connection.ask_well(&ask("/v1/transit/keys/bench", &json!({})))?;
        let sealed = connection.ask_well(&self.target().batch)?;
        let sealed: Value = serde_json::from_slice(&sealed).map_err(|e| format!("the answer is not JSON: {e}"))?;
        let results = sealed["data"]["batch_results"].as_array().map_or(0, |results| results.iter().filter(|result| result["ciphertext"].is_string()).count());
        if results == BATCH { Ok(()) } else { Err(format!("{results} of {BATCH} items were sealed")) }
    }
}

impl Drop for Bao {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn item() -> Value {
    json!({"plaintext": BASE64.encode(PLAINTEXT)})
}

fn many() -> Value {
    json!({"batch_input": vec![item(); BATCH]})
}

fn ask(path: &str, body: &Value) -> Vec<u8> {
    post(HOST, path, &[&format!("X-Vault-Token: {TOKEN}")], &body.to_string())
}
