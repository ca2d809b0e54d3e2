//! Real OpenSearch and Elasticsearch on loopback, in temporary folders.
//!
//! `TUTELA_OPENSEARCH` and `TUTELA_ELASTICSEARCH` name the unpacked distributions; `cargo xtask test`
//! sets both. A distribution is only read: settings, data and logs of every server are its own.
//! Small heaps, the serial collector and the first compiler only: 6 s and 270 MiB, 10 s and 430 MiB.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, OnceLock, PoisonError, mpsc},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::{
    free_address,
    postgres::{is_root, own},
};

/// A server of one node, without login. Stopped when dropped, and when this process dies.
pub struct SearchServer {
    /// Its address.
    pub url: String,
    /// `elasticsearch` or `opensearch`.
    pub name: &'static str,
    pub(crate) address: SocketAddr,
    program: PathBuf,
    dir: TempDir,
    child: Mutex<Option<Child>>,
}

/// What differs between the two, when they are started.
struct Product {
    name: &'static str,
    /// Variable that names the unpacked distribution.
    variable: &'static str,
    /// What the names of its own variables begin with.
    prefix: &'static str,
    setting: &'static str,
}

const OPENSEARCH: Product = Product { name: "opensearch", variable: "TUTELA_OPENSEARCH", prefix: "OPENSEARCH", setting: "" };
const ELASTICSEARCH: Product = Product { name: "elasticsearch", variable: "TUTELA_ELASTICSEARCH", prefix: "ES", setting: "xpack.security.enabled: false\n" };

const JVM_OPTIONS: &str =
    "-Xms256m\n-Xmx512m\n-XX:+UseSerialGC\n-XX:TieredStopAtLevel=1\n-XX:-AlwaysPreTouch\n-XX:+ExitOnOutOfMemoryError\n18-:-Djava.security.manager=allow\n";

impl SearchServer {
    /// One OpenSearch for all tests of this process; `None` where it is not named.
    pub fn opensearch() -> Option<Arc<Self>> {
        static SERVER: OnceLock<Option<Arc<SearchServer>>> = OnceLock::new();
        SERVER.get_or_init(|| Self::start(&OPENSEARCH).map(Arc::new)).clone()
    }

    /// One Elasticsearch for all tests of this process; `None` where it is not named.
    pub fn elasticsearch() -> Option<Arc<Self>> {
        static SERVER: OnceLock<Option<Arc<SearchServer>>> = OnceLock::new();
        SERVER.get_or_init(|| Self::start(&ELASTICSEARCH).map(Arc::new)).clone()
    }

    /// An OpenSearch that belongs to one test alone, which may stop it.
    pub fn private_opensearch() -> Option<Self> {
        Self::start(&OPENSEARCH)
    }

    /// An Elasticsearch that belongs to one test alone, which may stop it.
    pub fn private_elasticsearch() -> Option<Self> {
        Self::start(&ELASTICSEARCH)
    }

    fn start(product: &Product) -> Option<Self> {
        let distribution = readable(Path::new(&std::env::var_os(product.variable)?));
        let dir = tempfile::Builder::new().prefix("tutela-search").tempdir().unwrap();
        let (address, transport) = (free_address(), free_address());
        let config = dir.path().join("config");
        for folder in ["config", "data", "logs", "tmp"] {
            std::fs::create_dir(dir.path().join(folder)).unwrap();
        }
        let path = dir.path().display();
        let settings = format!(
            "network.host: 127.0.0.1\nhttp.port: {}\ntransport.port: {}\ndiscovery.type: single-node\npath.data: {path}/data\npath.logs: {path}/logs\n\
             cluster.routing.allocation.disk.threshold_enabled: false\n{}",
            address.port(),
            transport.port(),
            product.setting
        );
        std::fs::write(config.join(format!("{}.yml", product.name)), settings).unwrap();
        std::fs::write(config.join("jvm.options"), format!("{JVM_OPTIONS}-Djava.io.tmpdir={path}/tmp\n")).unwrap();
        std::fs::create_dir(config.join("jvm.options.d")).unwrap();
        std::fs::copy(distribution.join("config/log4j2.properties"), config.join("log4j2.properties")).unwrap();
        own(dir.path());
        let program = distribution.join("bin").join(product.name);
        let server = Self { url: format!("http://{address}"), name: product.name, address, program, dir, child: Mutex::default() };
        server.start_as(product.prefix);
        Some(server)
    }

    /// Starts it again after [`SearchServer::stop`] or [`SearchServer::crash`], on the same port and data.
    pub fn start_again(&self) {
        self.start_as(if self.name == OPENSEARCH.name { OPENSEARCH.prefix } else { ELASTICSEARCH.prefix });
    }

    fn start_as(&self, prefix: &str) {
        let mut child = self.child.lock().unwrap();
        assert!(child.is_none(), "{} runs already", self.name);
        *child = Some(spawn(self.command(prefix)));
        let deadline = Instant::now() + Duration::from_secs(120);
        while !self.is_ready() {
            let ended = child.as_mut().and_then(|child| child.try_wait().unwrap());
            assert!(ended.is_none() && Instant::now() < deadline, "{} did not start ({ended:?}): {}", self.name, self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Stops it for a while: connections are made, and nothing is answered.
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.signal("-CONT");
    }

    /// Stops it as an operator does.
    pub fn stop(&self) {
        self.end("-TERM");
    }

    /// Ends it in the middle of what it does.
    pub fn crash(&self) {
        self.end("-KILL");
    }

    fn end(&self, name: &str) {
        self.signal(name);
        if let Some(mut child) = self.child.lock().unwrap().take() {
            child.wait().unwrap();
        }
        // Elasticsearch is a launcher and a server: it is over when the port is free.
        let deadline = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(self.address).is_ok() {
            assert!(Instant::now() < deadline, "{} does not stop: {}", self.name, self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// To its whole process group.
    fn signal(&self, name: &str) {
        let child = self.child.lock().unwrap();
        let group = format!("-{}", child.as_ref().expect("it runs").id());
        assert!(Command::new("kill").args([name, "--", &group]).status().unwrap().success());
    }

    fn is_ready(&self) -> bool {
        let answer = get(self.address, "/_cluster/health?wait_for_status=yellow&timeout=1s");
        answer.is_ok_and(|answer| answer.lines().next().is_some_and(|line| line.contains(" 200 ")))
    }

    fn log(&self) -> String {
        let log = std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    fn command(&self, prefix: &str) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]);
        if is_root() {
            // Both refuse to run as root.
            command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups"]);
        }
        let log = std::fs::File::options().create(true).append(true).open(self.dir.path().join("log")).unwrap();
        command.arg(&self.program).process_group(0).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        // Nothing of our own environment changes how they run.
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", self.dir.path());
        command.env(format!("{prefix}_JAVA_HOME"), java_home());
        command.env(format!("{prefix}_PATH_CONF"), self.dir.path().join("config"));
        command.env(format!("{prefix}_TMPDIR"), self.dir.path().join("tmp"));
        command
    }
}

impl Drop for SearchServer {
    fn drop(&mut self) {
        if let Some(child) = self.child.get_mut().unwrap_or_else(PoisonError::into_inner) {
            let _ = Command::new("kill").args(["-KILL", "--", &format!("-{}", child.id())]).status();
            let _ = child.wait();
        }
    }
}

/// The parent-death signal follows the thread that spawned the child, so one thread that stays spawns them all.
fn spawn(command: Command) -> Child {
    type Order = (Command, mpsc::Sender<std::io::Result<Child>>);
    static ORDERS: OnceLock<mpsc::Sender<Order>> = OnceLock::new();
    let orders = ORDERS.get_or_init(|| {
        let (send, receive) = mpsc::channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, answer) in receive {
                let _ = answer.send(command.spawn());
            }
        });
        send
    });
    let (send, receive) = mpsc::channel();
    orders.send((command, send)).unwrap();
    receive.recv().unwrap().unwrap()
}

/// The distribution where the user that runs it can read it: nobody may not enter root's home. Copied once per machine.
fn readable(distribution: &Path) -> PathBuf {
    if !is_root() {
        return distribution.to_owned();
    }
    let name = distribution.file_name().unwrap().to_string_lossy();
    let copy = std::env::temp_dir().join(format!("tutela-{name}"));
    if !copy.exists() {
        let work = tempfile::Builder::new().prefix("tutela-search").tempdir().unwrap();
        let status = Command::new("cp").arg("-a").arg(distribution).arg(work.path().join("copy")).status().unwrap();
        assert!(status.success(), "`{}` could not be copied", distribution.display());
        // Of two processes that get here at once, one finds the other's folder in place.
        let _ = std::fs::rename(work.path().join("copy"), &copy);
    }
    copy
}

fn java_home() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let java = std::env::split_paths(&path).find_map(|dir| dir.join("java").canonicalize().ok()).expect("`java` is in PATH");
    java.ancestors().nth(2).unwrap().to_owned()
}

/// What a server answers to a `GET`, head and all.
fn get(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(stream, "GET {path} HTTP/1.0\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
