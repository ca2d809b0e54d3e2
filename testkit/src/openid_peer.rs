//! The certified OpenID provider and the certified client of npm, each as a process of its own. `TUTELA_FEDERATION` names the folder of
//! `xtask/federation` with its packages installed; `cargo xtask test` sets it.

use std::{
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};

/// The provider; ended when dropped.
pub struct OpenidPeer {
    /// Its issuer.
    pub issuer: String,
    wish: Value,
    child: Child,
}

/// The secret that we are registered with there.
pub const OPENID_PEER_SECRET: &str = "a secret with + & = in it";

impl OpenidPeer {
    /// Starts it; `None` where its packages are not named. `wish` says what it is to be like, beside its port.
    pub fn start(wish: &Value) -> Option<Self> {
        folder()?;
        let port = crate::free_address().port();
        let mut wish = wish.clone();
        wish["port"] = json!(port);
        let child = spawn("provider.mjs", &wish);
        Some(Self { issuer: format!("http://127.0.0.1:{port}"), wish, child })
    }

    /// Ends it, as a provider that is down.
    pub fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again at the same address, with other keys.
    pub fn restart(&mut self) {
        self.stop();
        self.child = spawn("provider.mjs", &self.wish);
    }
}

/// An application that people sign in to; ended when dropped.
pub struct ClientPeer {
    /// Its address.
    pub own: String,
    child: Child,
}

impl ClientPeer {
    /// An address for it, so that it can be registered before it starts; `None` where its packages are not named.
    pub fn address() -> Option<String> {
        folder()?;
        Some(format!("http://{}", crate::free_address()))
    }

    /// Starts it at an address that [`ClientPeer::address`] gave.
    pub fn start(own: &str, wish: &Value) -> Self {
        let mut wish = wish.clone();
        wish["port"] = json!(own.rsplit(':').next().and_then(|port| port.parse::<u16>().ok()));
        Self { own: own.to_owned(), child: spawn("client.mjs", &wish) }
    }
}

impl Drop for ClientPeer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn folder() -> Option<PathBuf> {
    std::env::var_os("TUTELA_FEDERATION").map(PathBuf::from)
}

fn spawn(program: &str, wish: &Value) -> Child {
    let folder = folder().unwrap_or_default();
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "node", program]).arg(wish.to_string()).current_dir(folder);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let errors = child.stderr.take().unwrap();
    std::thread::spawn(move || {
        BufReader::new(errors).lines().map_while(Result::ok).filter(|line| !line.contains("WARNING")).for_each(|line| eprintln!("peer: {line}"))
    });
    assert!(lines.next().is_some_and(|line| line.is_ok()), "{program} did not start");
    // The rest is read to its end, or it would stop at a full pipe.
    std::thread::spawn(move || lines.for_each(drop));
    child
}

impl Drop for OpenidPeer {
    fn drop(&mut self) {
        self.stop();
    }
}
