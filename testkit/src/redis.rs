//! A real Redis or Valkey, without persistence, on a port of its own.

use std::{
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::free_address;

/// A server.
pub struct RedisServer {
    /// Where it listens.
    pub address: SocketAddr,
    child: Option<Child>,
    dir: TempDir,
}

impl RedisServer {
    /// Starts a server; `None` where neither program is installed.
    pub fn start() -> Option<Self> {
        let dir = tempfile::Builder::new().prefix("tutela-redis").tempdir().ok()?;
        let mut server = Self { address: free_address(), child: None, dir };
        server.run().then_some(server)
    }

    /// Starts it again at the same address, empty.
    pub fn start_again(&mut self) {
        assert!(self.run(), "it was there before");
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Stops it for a while, as a network that swallows packets would.
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, name: &str) {
        let pid = self.child.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }

    fn run(&mut self) -> bool {
        let Some(program) =
            ["redis-server", "valkey-server"].into_iter().find(|name| Command::new(name).arg("--version").stdout(Stdio::null()).status().is_ok())
        else {
            return false;
        };
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", program, "--bind", "127.0.0.1", "--port", &self.address.port().to_string()]);
        command.args(["--save", "", "--appendonly", "no", "--dir"]).arg(self.dir.path());
        self.child = Some(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        let deadline = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(self.address).is_err() {
            assert!(Instant::now() < deadline, "{program} did not start");
            std::thread::sleep(Duration::from_millis(10));
        }
        true
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}
