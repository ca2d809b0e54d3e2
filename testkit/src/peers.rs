//! Real servers of others, in temporary folders: OpenBao, and the double of Azure Key Vault.
//!
//! `TUTELA_BAO` names OpenBao's program, `TUTELA_TEST_PYTHON` a Python with the packages of
//! `sdk/python/requirements-test.txt`; `cargo xtask test` sets both.

use std::{
    io::{BufRead as _, BufReader},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// OpenBao in development mode with a transit engine.
pub struct OpenBao {
    /// Its address.
    pub url: String,
    /// File with a token that may do everything.
    pub token_file: PathBuf,
    dir: TempDir,
    program: PathBuf,
    child: Child,
}

/// The double of Azure Key Vault.
pub struct AzureDouble {
    /// Its address.
    pub url: String,
    /// File with its certificate, which is its own CA.
    pub cert: PathBuf,
    /// File with the secret of the one application it knows.
    pub secret_file: PathBuf,
    child: Child,
    _dir: TempDir,
}

/// Tenant that the double belongs to.
pub const AZURE_TENANT: &str = "11111111-2222-3333-4444-555555555555";
/// The one application it knows.
pub const AZURE_CLIENT: &str = "tutela";

impl OpenBao {
    /// Starts a server; `None` where its program is not named.
    pub fn start() -> Option<Self> {
        let program = PathBuf::from(std::env::var_os("TUTELA_BAO")?);
        let dir = tempfile::Builder::new().prefix("tutela-bao").tempdir().ok()?;
        let address = free_address();
        let child = spawn(&program, dir.path(), &address.to_string());
        let bao = Self { url: format!("http://{address}"), token_file: dir.path().join("token"), dir, program, child };
        std::fs::write(&bao.token_file, "root\n").ok()?;
        bao.until_ready(address);
        bao.cli(&["secrets", "enable", "transit"]);
        Some(bao)
    }

    /// Runs a command of its own program against it.
    pub fn cli(&self, args: &[&str]) -> String {
        let mut command = Command::new(&self.program);
        command.args(args).env("BAO_ADDR", &self.url).env("BAO_TOKEN", "root").env("HOME", self.dir.path());
        let out = command.output().unwrap();
        assert!(out.status.success(), "bao {args:?}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).into_owned()
    }

    /// Stops it for a while, as a network that swallows packets would.
    pub fn pause(&self) {
        signal(&self.child, "-STOP");
    }

    /// Lets it go on.
    pub fn resume(&self) {
        signal(&self.child, "-CONT");
    }

    fn until_ready(&self, address: SocketAddr) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect(address).is_err() {
            assert!(Instant::now() < deadline, "OpenBao did not start: {}", std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn spawn(program: &Path, dir: &Path, address: &str) -> Child {
    let log = std::fs::File::create(dir.join("log")).unwrap();
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).arg(program);
    command.args(["server", "-dev", "-dev-no-store-token", "-dev-root-token-id=root", &format!("-dev-listen-address={address}")]);
    command.env("HOME", dir).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap()
}

impl AzureDouble {
    /// Starts the double; `None` where there is no Python for it.
    pub fn start() -> Option<Self> {
        let python = PathBuf::from(std::env::var_os("TUTELA_TEST_PYTHON")?);
        let doubles = Path::new(env!("CARGO_MANIFEST_DIR")).join("../xtask/doubles");
        let dir = tempfile::Builder::new().prefix("tutela-azure").tempdir().ok()?;
        let make = "import sys, pathlib; sys.path.insert(0, sys.argv[1]); from azure_harness import certificate; print(*certificate(pathlib.Path(sys.argv[2])), sep='\\n')";
        let out = Command::new(&python).args(["-B", "-c", make]).arg(&doubles).arg(dir.path()).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let paths = String::from_utf8(out.stdout).unwrap();
        let (cert, key) = paths.trim().split_once('\n')?;
        let secret_file = dir.path().join("client-secret");
        std::fs::write(&secret_file, "s3cret & = %\n").ok()?;
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(&python).arg("-B").arg(doubles.join("azure_key_vault.py"));
        command.args(["--port", "0", "--cert", cert, "--key", key, "--tenant", AZURE_TENANT, "--client", AZURE_CLIENT, "--secret-file"]).arg(&secret_file);
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut double = Self { url: String::new(), cert: PathBuf::from(cert), secret_file, child, _dir: dir };
        let mut line = String::new();
        BufReader::new(double.child.stdout.take()?).read_line(&mut line).ok()?;
        let ready: serde_json::Value = serde_json::from_str(&line).unwrap();
        double.url = ready["url"].as_str()?.to_owned();
        Some(double)
    }

    /// Stops it for a while.
    pub fn pause(&self) {
        signal(&self.child, "-STOP");
    }

    /// Lets it go on.
    pub fn resume(&self) {
        signal(&self.child, "-CONT");
    }
}

/// A port that nothing listens on, below those that the system hands out for connections. The one above it is free too:
/// OpenBao listens on both.
pub fn free_address() -> SocketAddr {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let n = std::process::id().wrapping_mul(97).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let of = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
        let port = 10_000 + 2 * (n % 11_000) as u16;
        if TcpListener::bind(of(port)).is_ok() && TcpListener::bind(of(port + 1)).is_ok() {
            return of(port);
        }
    }
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

impl Drop for OpenBao {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for AzureDouble {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
