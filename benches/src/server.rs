//! A running `tutela serve` with a configuration of its own.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::http::{Connection, get, json, post};

const READY_WITHIN: Duration = Duration::from_secs(60);
const STOPPED_WITHIN: Duration = Duration::from_secs(20);
/// Host of the default `admin_url`, which the admin listener asks for.
const ADMIN_HOST: &str = "console.tutela.localhost:8081";

/// The process is ended when this is dropped.
#[derive(Debug)]
pub struct Server {
    /// Port of the public listener.
    pub port: u16,
    socket: PathBuf,
    child: Child,
}

impl Server {
    /// Starts the program on SQLite in `dir`; gives the time from exec to the first 200 of `/readyz`.
    /// `more` is added to the configuration.
    pub fn start(dir: &Path, more: &str) -> Result<(Self, Duration), String> {
        let (port, admin) = (free_port()?, free_port()?);
        let (data, config) = (dir.join("data"), dir.join("tutela.toml"));
        fs::create_dir_all(&data).map_err(|e| format!("{}: {e}", data.display()))?;
        let text = format!(
            "data = \"{}\"\n[server]\nlisten = \"127.0.0.1:{port}\"\n[admin]\nlisten = \"127.0.0.1:{admin}\"\n[storage]\nurl = \"sqlite\"\n{more}",
            data.display()
        );
        fs::write(&config, text).map_err(|e| format!("{}: {e}", config.display()))?;
        let log = fs::File::create(dir.join("log")).map_err(|e| e.to_string())?;
        let errors = log.try_clone().map_err(|e| e.to_string())?;
        let mut command = Command::new(program()?);
        command.arg("serve").arg("--config").arg(&config).current_dir(dir).stdin(Stdio::null()).stdout(log).stderr(errors);
        let begun = Instant::now();
        let child = command.spawn().map_err(|e| format!("tutela serve: {e}"))?;
        let mut server = Self { port, socket: data.join("admin.sock"), child };
        loop {
            if status(admin, ADMIN_HOST, "/readyz") == Some(200) {
                return Ok((server, begun.elapsed()));
            }
            let ended = server.child.try_wait().map_err(|e| e.to_string())?;
            if ended.is_some() || begun.elapsed() > READY_WITHIN {
                return Err(format!("tutela serve did not become ready; its log:\n{}", fs::read_to_string(dir.join("log")).unwrap_or_default()));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Asks as an operator, over the admin socket.
    pub fn operate(&self, path: &str, body: &Value) -> Result<Value, String> {
        let stream = UnixStream::connect(&self.socket).map_err(|e| format!("{}: {e}", self.socket.display()))?;
        json(&Connection::new(stream).ask_well(&post("admin.sock", path, &[], &body.to_string()))?)
    }

    /// Reads as an operator, over the admin socket.
    pub fn read(&self, path: &str) -> Result<Value, String> {
        let stream = UnixStream::connect(&self.socket).map_err(|e| format!("{}: {e}", self.socket.display()))?;
        json(&Connection::new(stream).ask_well(&get("admin.sock", path, &[]))?)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to stop and waits until it has, so that everything is written.
    pub fn stop(mut self) -> Result<(), String> {
        Command::new("kill").arg("-INT").arg(self.pid().to_string()).status().map_err(|e| format!("kill: {e}"))?;
        let asked = Instant::now();
        while asked.elapsed() < STOPPED_WITHIN {
            match self.child.try_wait().map_err(|e| e.to_string())? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(format!("tutela serve ended with {status}")),
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        }
        Err(format!("tutela serve did not stop within {} s", STOPPED_WITHIN.as_secs()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The release build of `tutela`, named by `TUTELA_BIN`.
pub fn program() -> Result<PathBuf, String> {
    let program = std::env::var_os("TUTELA_BIN").map(PathBuf::from).ok_or("TUTELA_BIN does not name the program: use `cargo xtask bench`")?;
    if program.is_file() { Ok(program) } else { Err(format!("{} is not there", program.display())) }
}

/// A port that was free a moment ago.
pub fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(|e| e.to_string())?;
    listener.local_addr().map(|address| address.port()).map_err(|e| e.to_string())
}

/// Status of a GET on loopback; `None` where nothing answers.
pub fn status(port: u16, host: &str, path: &str) -> Option<u16> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").as_bytes()).ok()?;
    let mut answer = String::new();
    stream.take(4_096).read_to_string(&mut answer).ok()?;
    answer.split(' ').nth(1)?.parse().ok()
}
