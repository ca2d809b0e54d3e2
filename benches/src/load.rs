//! A load from wrk against a proxy, the proxy's CPU time for it, and private proxies of others.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    machine,
    server::{self, free_port},
};

/// The host that every request names.
pub const HOST: &str = "bench.localhost";
/// Time for the server to write what it recorded; that work belongs to the requests.
const SETTLE: Duration = Duration::from_secs(2);

/// One run of wrk against one proxy, and the proxy's CPU time for it.
pub struct Round {
    /// Requests that were answered with 200.
    pub requests: u64,
    seconds: f64,
    cpu: f64,
    latency: Value,
}

impl Round {
    /// Asks a proxy for `target` for so long.
    pub fn of(port: u16, pid: u32, target: &str, time: Duration) -> Result<Self, String> {
        let before = machine::tree_cpu(pid)?;
        let begun = Instant::now();
        let mut wrk = Command::new("wrk");
        wrk.args(["-t1", "-c16", "--latency", &format!("-d{}s", time.as_secs()), "-H", &format!("Host: {HOST}:{port}")]);
        let out = wrk.arg(format!("http://127.0.0.1:{port}{target}")).output().map_err(|e| format!("wrk: {e}"))?;
        let seconds = begun.elapsed().as_secs_f64();
        std::thread::sleep(SETTLE);
        let cpu = machine::tree_cpu(pid)? - before;
        let (requests, latency) = read_wrk(&String::from_utf8_lossy(&out.stdout))?;
        Ok(Self { requests, seconds, cpu, latency })
    }

    /// Microseconds of CPU for one.
    pub fn cpu_us(&self) -> f64 {
        self.cpu * 1e6 / self.requests.max(1) as f64
    }

    /// How many a second.
    pub fn rate(&self) -> f64 {
        self.requests as f64 / self.seconds
    }

    /// All of it.
    pub fn json(&self) -> Value {
        json!({"requests": self.requests, "seconds": self.seconds, "cpu_s": self.cpu, "cpu_us": self.cpu_us(), "latency": self.latency})
    }
}

/// Number of requests and latencies; an error where an answer was not 200 or a connection broke.
fn read_wrk(text: &str) -> Result<(u64, Value), String> {
    if let Some(line) = text.lines().find(|line| line.contains("Non-2xx") || line.contains("Socket errors")) {
        return Err(format!("wrk: {}", line.trim()));
    }
    let requests =
        text.lines().find_map(|line| line.trim().split_once(" requests in ")?.0.parse::<u64>().ok()).ok_or_else(|| format!("wrk printed:\n{text}"))?;
    let lines = text.lines().map(str::trim).filter_map(|line| line.split_once('%'));
    let shares = lines.filter(|(share, _)| ["50", "90", "99"].contains(share)).map(|(share, value)| (format!("p{share}"), json!(value.trim())));
    Ok((requests, Value::Object(shares.collect())))
}

/// A private proxy of somebody else; ended when dropped.
pub struct Proxy {
    /// Where it listens.
    pub port: u16,
    child: Child,
}

impl Proxy {
    /// nginx with one worker; `server` writes what stands in its `http` block, `top` what stands before everything.
    pub fn nginx(dir: &Path, name: &str, top: &str, server: impl FnOnce(u16) -> String) -> Result<Self, String> {
        let (port, home) = (free_port()?, folder(dir, name)?);
        let temp = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|kind| format!("{kind}_temp_path {}/{kind};\n", home.display())).concat();
        let config = format!(
            "{top}\ndaemon off;\nworker_processes 1;\npid {0}/pid;\nerror_log {0}/error.log;\nevents {{ worker_connections 512; }}\nhttp {{\naccess_log off;\nkeepalive_requests 100000000;\n{temp}{1}\n}}\n",
            home.display(),
            server(port)
        );
        let file = home.join("nginx.conf");
        fs::write(&file, config).map_err(|e| e.to_string())?;
        let mut command = Command::new("nginx");
        command.arg("-p").arg(&home).arg("-c").arg(&file);
        Self::started(command, port, &home.join("error.log"))
    }

    /// An nginx that passes everything on to `backend`; `more` stands beside.
    pub fn nginx_before(dir: &Path, name: &str, top: &str, backend: u16, more: &str) -> Result<Self, String> {
        Self::nginx(dir, name, top, |port| {
            format!(
                "upstream app {{ server 127.0.0.1:{backend}; keepalive 64; }}\nserver {{ listen 127.0.0.1:{port}; {more} location / {{ proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection \"\"; }} }}"
            )
        })
    }

    /// HAProxy with one thread.
    pub fn haproxy_before(dir: &Path, backend: u16) -> Result<Self, String> {
        let (port, home) = (free_port()?, folder(dir, "haproxy")?);
        let file = home.join("haproxy.cfg");
        let config = format!(
            "global\n  nbthread 1\ndefaults\n  mode http\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n  option http-keep-alive\nfrontend in\n  bind 127.0.0.1:{port}\n  default_backend app\nbackend app\n  http-reuse always\n  server one 127.0.0.1:{backend}\n"
        );
        fs::write(&file, config).map_err(|e| e.to_string())?;
        let mut command = Command::new("haproxy");
        command.arg("-db").arg("-f").arg(&file);
        Self::started(command, port, &home.join("error.log"))
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    fn started(mut command: Command, port: u16, log: &Path) -> Result<Self, String> {
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().map_err(|e| format!("{name}: {e}"))?;
        let proxy = Self { port, child };
        let begun = Instant::now();
        while server::status(port, HOST, "/") != Some(200) {
            if begun.elapsed() > Duration::from_secs(20) {
                return Err(format!("{name} did not start: {}", fs::read_to_string(log).unwrap_or_default()));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(proxy)
    }
}

fn folder(dir: &Path, name: &str) -> Result<PathBuf, String> {
    let home = dir.join(name);
    fs::create_dir_all(&home).map_err(|e| e.to_string())?;
    Ok(home)
}

/// Something small to stand behind proxies: an nginx that always answers the same.
pub fn backend(dir: &Path) -> Result<Proxy, String> {
    Proxy::nginx(dir, "backend", "", |port| {
        format!("server {{ listen 127.0.0.1:{port}; location / {{ default_type text/plain; return 200 \"{}\"; }} }}", "tutela ".repeat(16))
    })
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // TERM lets a master end its worker; SIGKILL would leave it behind.
        let _ = Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_wrk_prints_is_read_and_errors_are_errors() {
        let good = "Running 4s test\n  Latency Distribution\n     50%  312.00us\n     75%  400.00us\n     99%    2.11ms\n  181234 requests in 4.00s, 40.01MB read\nRequests/sec:  45308.10\n";
        assert_eq!(read_wrk(good).unwrap(), (181_234, json!({"p50": "312.00us", "p99": "2.11ms"})));
        assert!(read_wrk(&format!("{good}  Non-2xx or 3xx responses: 7\n")).is_err());
        assert!(read_wrk("").is_err());
    }
}
