//! A private PostgreSQL on a unix socket in a temporary folder; initdb once per machine.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// A running server. Stopped when dropped, and when this process dies.
pub struct PostgresServer {
    dir: TempDir,
    child: Child,
}

/// One server for all tests of this process; `None` where PostgreSQL is not installed.
pub fn shared_postgres() -> Option<&'static PostgresServer> {
    static SERVER: OnceLock<Option<PostgresServer>> = OnceLock::new();
    SERVER
        .get_or_init(|| {
            // The parent-death signal follows the thread that spawned the child, so that thread must stay.
            let (send, receive) = std::sync::mpsc::channel();
            std::thread::spawn(move || {
                let _ = send.send(PostgresServer::start(&["fsync=off"]));
                loop {
                    std::thread::park();
                }
            });
            receive.recv().ok().flatten()
        })
        .as_ref()
}

impl PostgresServer {
    /// Starts a server with extra settings such as `fsync=off`; `None` where PostgreSQL is not installed.
    pub fn start(settings: &[&str]) -> Option<Self> {
        Self::launch(settings, 5432)
    }

    /// As [`start`](Self::start), for programs that know no unix sockets: it listens on this port of loopback too.
    pub fn start_on(port: u16, settings: &[&str]) -> Option<Self> {
        Self::launch(&[settings, &["listen_addresses=127.0.0.1", &format!("port={port}")]].concat(), port)
    }

    fn launch(settings: &[&str], port: u16) -> Option<Self> {
        let bin = binaries()?;
        let template = template(&bin)?;
        sweep();
        let dir = tempfile::Builder::new().prefix("tutela-pg").tempdir().ok()?;
        let status = Command::new("cp").arg("-a").arg(&template).arg(dir.path().join("data")).status().ok()?;
        assert!(status.success(), "the initialised folder could not be copied");
        own(dir.path());
        let mut command = as_nobody(&bin.join("postgres"));
        command.arg("-D").arg(dir.path().join("data")).arg("-k").arg(dir.path()).args(["-h", "", "-c", "max_connections=200"]);
        for setting in settings {
            command.args(["-c", setting]);
        }
        let log = std::fs::File::create(dir.path().join("log")).ok()?;
        let child = command.stdin(Stdio::null()).stdout(log.try_clone().ok()?).stderr(log).spawn().ok()?;
        let server = Self { dir, child };
        let deadline = Instant::now() + Duration::from_secs(30);
        while !Command::new(bin.join("pg_isready")).arg("-q").args(["-p", &port.to_string(), "-h"]).arg(server.dir.path()).status().ok()?.success() {
            assert!(Instant::now() < deadline, "PostgreSQL did not start: {}", std::fs::read_to_string(server.dir.path().join("log")).unwrap_or_default());
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(server)
    }

    /// URL of a database on this server.
    pub fn url(&self, database: &str) -> String {
        format!("host={} user=tutela dbname={database}", self.dir.path().display())
    }

    /// Makes an empty database and gives its URL.
    pub async fn fresh(&self, name: &str) -> String {
        let (client, connection) = tokio_postgres::connect(&self.url("postgres"), tokio_postgres::NoTls).await.unwrap();
        let driver = tokio::spawn(connection);
        client.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
        drop(client);
        let _ = driver.await;
        self.url(name)
    }

    /// The server's process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
    }
}

fn binaries() -> Option<PathBuf> {
    let mut versions: Vec<PathBuf> =
        std::fs::read_dir("/usr/lib/postgresql").ok()?.flatten().map(|e| e.path().join("bin")).filter(|p| p.join("initdb").exists()).collect();
    versions.sort();
    versions.pop()
}

/// Removes what servers left behind whose process is gone: the one that a whole test process shares is never dropped.
fn sweep() {
    for entry in std::fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten() {
        let path = entry.path();
        let ours = entry.file_name().to_string_lossy().starts_with("tutela-pg");
        // One that is only being made has no such file yet; one that stopped in good order has none any more.
        let started = std::fs::read_to_string(path.join("data/postmaster.pid")).ok();
        let dead = match started.as_ref().and_then(|text| text.lines().next()) {
            Some(pid) => !Path::new("/proc").join(pid.trim()).exists(),
            None => path.metadata().and_then(|m| m.modified()).is_ok_and(|at| at.elapsed().is_ok_and(|age| age > Duration::from_secs(3_600))),
        };
        if ours && dead {
            let _ = std::fs::remove_dir_all(&path);
        }
    }
}

/// An initialised data folder, made once per machine and version.
fn template(bin: &Path) -> Option<PathBuf> {
    let version = bin.parent()?.file_name()?.to_str()?.to_owned();
    let base = std::env::temp_dir().join(format!("tutela-initdb-{version}"));
    let done = base.join("data");
    if done.join("PG_VERSION").exists() {
        return Some(done);
    }
    let work = tempfile::Builder::new().prefix("tutela-initdb").tempdir().ok()?;
    own(work.path());
    let args = ["-U", "tutela", "--auth=trust", "-E", "UTF8", "--locale=C.UTF-8"];
    let out = as_nobody(&bin.join("initdb")).arg("-D").arg(work.path().join("data")).args(args).output().ok()?;
    assert!(out.status.success(), "initdb: {}", String::from_utf8_lossy(&out.stderr));
    // Of two processes that get here at once, one finds the other's folder in place.
    let _ = std::fs::rename(work.keep(), &base);
    done.join("PG_VERSION").exists().then_some(done)
}

pub(crate) fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|out| out.stdout == b"0\n")
}

/// PostgreSQL refuses to run as root; the signal ends it with us whatever happens.
fn as_nobody(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "INT"]);
    if is_root() {
        command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups"]);
    }
    command.arg(program);
    command
}

pub(crate) fn own(dir: &Path) {
    if is_root() {
        let _ = Command::new("chown").args(["-R", "nobody:nogroup"]).arg(dir).status();
    }
}
