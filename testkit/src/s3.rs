//! A real server that speaks S3, with versions and locks; curl signs what tests put there.
//!
//! `TUTELA_S3` names versitygw; `cargo xtask test` sets it.

use std::{
    net::TcpStream,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::free_address;

const SECRET: &str = "adminsecret";
const VERSIONED: &str = r#"<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Status>Enabled</Status></VersioningConfiguration>"#;

/// A server.
pub struct S3Server {
    /// Where it is.
    pub url: String,
    /// The file with the secret of the key `admin`.
    pub secret_file: PathBuf,
    child: Child,
    _dir: TempDir,
}

impl S3Server {
    /// Starts one; `None` where its program is not named.
    pub fn start() -> Option<Self> {
        let program = std::env::var_os("TUTELA_S3")?;
        let dir = tempfile::Builder::new().prefix("tutela-s3").tempdir().ok()?;
        let (data, versions, secret_file) = (dir.path().join("data"), dir.path().join("versions"), dir.path().join("secret"));
        std::fs::create_dir_all(&data).ok()?;
        std::fs::create_dir_all(&versions).ok()?;
        std::fs::write(&secret_file, format!("{SECRET}\n")).ok()?;
        let address = free_address();
        let log = std::fs::File::create(dir.path().join("log")).ok()?;
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(program).args(["--port", &address.to_string(), "posix", "--versioning-dir"]).arg(versions).arg(data);
        command.env("ROOT_ACCESS_KEY", "admin").env("ROOT_SECRET_KEY", SECRET).stdin(Stdio::null());
        let mut child = command.stdout(log.try_clone().ok()?).stderr(log).spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(address).is_err() {
            let ended = child.try_wait().unwrap();
            let said = || std::fs::read_to_string(dir.path().join("log")).unwrap_or_default();
            assert!(ended.is_none() && Instant::now() < deadline, "versitygw did not start ({ended:?}): {}", said());
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(Self { url: format!("http://{address}"), secret_file, child, _dir: dir })
    }

    /// Makes a bucket that keeps versions; one with locks keeps them too.
    pub fn bucket(&self, name: &str, locks: bool) {
        let header = format!("x-amz-bucket-object-lock-enabled: {locks}");
        self.ask("PUT", name, None, &[&header]);
        if !locks {
            self.ask("PUT", &format!("{name}?versioning="), Some(VERSIONED), &[]);
        }
    }

    /// Asks it for something, signed; the answer.
    pub fn ask(&self, method: &str, path: &str, body: Option<&str>, headers: &[&str]) -> String {
        let mut command = Command::new("curl");
        command.args(["-sS", "--fail-with-body", "-X", method, "--aws-sigv4", "aws:amz:us-east-1:s3", "--user", &format!("admin:{SECRET}")]);
        command.args(["-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD"]);
        for header in headers {
            command.args(["-H", header]);
        }
        if let Some(body) = body {
            command.args(["--data-binary", body]);
        }
        let out = command.arg(format!("{}/{path}", self.url)).output().unwrap();
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        assert!(out.status.success(), "{method} {path}: {text} {}", String::from_utf8_lossy(&out.stderr));
        text
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
