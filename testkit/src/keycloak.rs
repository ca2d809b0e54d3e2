//! Keycloak in production mode on a PostgreSQL of its own. `TUTELA_KEYCLOAK` names its folder, built once.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::{PostgresServer, free_address};

const READY_WITHIN: Duration = Duration::from_secs(180);

/// The server; ended when dropped, before its database. Its administrator is `admin` with the password `admin`.
pub struct KeycloakServer {
    /// Where it listens on loopback.
    pub port: u16,
    home: PathBuf,
    child: Child,
    _database: PostgresServer,
}

impl KeycloakServer {
    /// Starts it with its log in `dir`; `None` where its folder is not named. `Err` says why it did not come up.
    pub fn start(dir: &Path) -> Option<Result<Self, String>> {
        let home = std::env::var_os("TUTELA_KEYCLOAK").filter(|name| !name.is_empty()).map(PathBuf::from)?;
        Some(Self::launch(home, dir))
    }

    fn launch(home: PathBuf, dir: &Path) -> Result<Self, String> {
        let (port, database_port) = (free_address().port(), free_address().port());
        let database = PostgresServer::start_on(database_port, &[]).ok_or("PostgreSQL is not installed; Keycloak runs on it")?;
        let log = dir.join("keycloak.log");
        let out = File::create(&log).map_err(|e| e.to_string())?;
        let errors = out.try_clone().map_err(|e| e.to_string())?;
        let mut command = Command::new(home.join("bin/kc.sh"));
        command.args(["start", "--optimized", "--http-enabled=true", "--hostname-strict=false", "--http-host=127.0.0.1", "--cache=local"]);
        command.arg(format!("--http-port={port}")).arg(format!("--db-url=jdbc:postgresql://127.0.0.1:{database_port}/postgres"));
        command.args(["--db-username=tutela", "--db-password=none"]);
        command.env("KC_BOOTSTRAP_ADMIN_USERNAME", "admin").env("KC_BOOTSTRAP_ADMIN_PASSWORD", "admin");
        let child = command.stdin(Stdio::null()).stdout(out).stderr(errors).spawn().map_err(|e| format!("{}: {e}", home.display()))?;
        let mut server = Self { port, home, child, _database: database };
        let begun = Instant::now();
        while !server.answers() {
            if server.child.try_wait().map_err(|e| e.to_string())?.is_some() || begun.elapsed() > READY_WITHIN {
                return Err(format!("Keycloak did not become ready; its log:\n{}", std::fs::read_to_string(&log).unwrap_or_default()));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(server)
    }

    /// Whether its administrator is let in: they are made last, after its pages answer already.
    fn answers(&self) -> bool {
        let ask = || -> std::io::Result<bool> {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
            stream.set_read_timeout(Some(Duration::from_secs(5)))?;
            let form = "grant_type=password&client_id=admin-cli&username=admin&password=admin";
            let head = "POST /realms/master/protocol/openid-connect/token HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close";
            write!(stream, "{head}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}", form.len())?;
            let mut answer = String::new();
            stream.take(4_096).read_to_string(&mut answer)?;
            Ok(answer.starts_with("HTTP/1.1 200"))
        };
        ask().unwrap_or(false)
    }

    /// The process that does the work: the shell script's only child.
    pub fn java(&self) -> u32 {
        let out = Command::new("pgrep").args(["-P", &self.child.id().to_string()]).output();
        out.ok().and_then(|out| String::from_utf8_lossy(&out.stdout).split_whitespace().next()?.parse().ok()).unwrap_or(self.child.id())
    }

    /// Its version.
    pub fn version(&self) -> String {
        let text = std::fs::read_to_string(self.home.join("version.txt")).unwrap_or_default();
        text.trim().rsplit(' ').next().unwrap_or("unknown").to_owned()
    }
}

impl Drop for KeycloakServer {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-KILL", &self.java().to_string()]).status();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
