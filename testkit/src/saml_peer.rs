//! A SAML identity provider over pysaml2 and xmlsec1, in a process of its own.

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

/// The provider; ended when dropped.
pub struct SamlPeer {
    /// Its address.
    pub url: String,
    child: Child,
    _dir: TempDir,
}

impl SamlPeer {
    /// Starts it; `None` where there is no Python for it.
    pub fn start() -> Option<Self> {
        let python = PathBuf::from(std::env::var_os("TUTELA_TEST_PYTHON")?);
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../xtask/doubles/saml_idp.py");
        let dir = tempfile::Builder::new().prefix("tutela-saml").tempdir().ok()?;
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(&python).args(["-B", "-W", "ignore"]).arg(&program).arg(dir.path());
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready: Value = serde_json::from_str(&lines.next().expect("the identity provider did not open; is xmlsec1 installed?").unwrap()).unwrap();
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self { url: ready["url"].as_str().unwrap().to_owned(), child, _dir: dir })
    }
}

impl Drop for SamlPeer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
