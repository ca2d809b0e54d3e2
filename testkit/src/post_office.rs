//! A real mail server, and doubles of a carrier and of a webhook's receiver, in a process of their own.

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

/// The servers; ended when dropped.
pub struct PostOffice {
    /// Port of the mail server: STARTTLS with [`cert`](Self::cert), user `tutela`.
    pub smtp: u16,
    /// Address of the carrier and of `/hook`.
    pub url: String,
    /// The mail server's certificate, which is its own CA.
    pub cert: PathBuf,
    /// File with the mail server's password.
    pub password_file: PathBuf,
    received: Arc<Mutex<Vec<Value>>>,
    child: Child,
    _dir: TempDir,
}

impl PostOffice {
    /// Starts them; `None` where there is no Python for it. `more` is passed on.
    pub fn start(more: &[&str]) -> Option<Self> {
        let python = PathBuf::from(std::env::var_os("TUTELA_TEST_PYTHON")?);
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../xtask/doubles/post_office.py");
        let dir = tempfile::Builder::new().prefix("tutela-post").tempdir().ok()?;
        let password_file = dir.path().join("password");
        std::fs::write(&password_file, "p\u{e4}ss word\n").ok()?;
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(&python).arg("-B").arg(&program).arg(dir.path()).args(more);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready: Value = serde_json::from_str(&lines.next().expect("the post office did not open").unwrap()).unwrap();
        let received = Arc::new(Mutex::new(Vec::new()));
        let inbox = Arc::clone(&received);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                inbox.lock().unwrap().push(serde_json::from_str(&line).unwrap());
            }
        });
        let cert = PathBuf::from(ready["cert"].as_str().unwrap());
        let url = format!("http://127.0.0.1:{}", ready["http"]);
        Some(Self { smtp: ready["smtp"].as_u64().unwrap() as u16, url, cert, password_file, received, child, _dir: dir })
    }

    /// Everything that arrived so far.
    pub fn received(&self) -> Vec<Value> {
        self.received.lock().unwrap().clone()
    }

    /// What fits, once it has arrived.
    pub async fn wait(&self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(found) = self.received().into_iter().rev().find(&fits) {
                return found;
            }
            assert!(Instant::now() < deadline, "{what} did not arrive: {:?}", self.received());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for PostOffice {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
