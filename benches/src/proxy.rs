//! `proxy`: CPU time of one proxied request, tutela with recording against nginx, in turn, with the
//! same small backend (another nginx) and the same load (wrk, 16 connections).

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    flags::Flags,
    machine,
    report::Report,
    server::{self, Server, free_port},
    stats::median,
};

const HOST: &str = "bench.localhost";
/// Time for the server to write what it recorded; that work belongs to the requests.
const SETTLE: Duration = Duration::from_secs(2);

/// `proxy [--rounds N] [--seconds N]`.
pub fn run(flags: &Flags) -> Result<(), String> {
    flags.only(&["rounds", "seconds"])?;
    let dir = tempfile::tempdir().map_err(|e| e.to_string())?;
    let backend = Nginx::start(dir.path(), "backend", |port| {
        format!("server {{ listen 127.0.0.1:{port}; location / {{ default_type text/plain; return 200 \"{}\"; }} }}", "tutela ".repeat(16))
    })?;
    let nginx = Nginx::start(dir.path(), "proxy", |port| {
        format!(
            "upstream app {{ server 127.0.0.1:{}; keepalive 64; }}\nserver {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection \"\"; }} }}",
            backend.port
        )
    })?;
    let (tutela, _) = Server::start(dir.path(), &route(backend.port))?;
    let mut rounds = Vec::new();
    let seconds = flags.seconds("seconds", 4);
    for _ in 0..flags.number("rounds", 3) {
        let a = Round::of(nginx.port, nginx.child.id(), seconds)?;
        let b = Round::of(tutela.port, tutela.pid(), seconds)?;
        println!("nginx {:.1} us, {:.0} requests/s; tutela {:.1} us, {:.0} requests/s", a.cpu_us(), a.rate(), b.cpu_us(), b.rate());
        rounds.push((a, b));
    }
    let rss = machine::rss_mb(tutela.pid())?;
    tutela.stop()?;
    let sent: u64 = rounds.iter().map(|(_, b)| b.requests).sum();
    let recorded = recorded(&dir.path().join("data"))?;

    let mut report = Report::new("proxy");
    report.raw("rounds", rounds.iter().map(|(a, b)| json!({"nginx": a.json(), "tutela": b.json()})).collect());
    report.raw("versions", json!({"nginx": machine::version("nginx", "-v"), "wrk": machine::version("wrk", "-v")}));
    report.raw("load", json!({"threads": 1, "connections": 16, "seconds": seconds.as_secs(), "body_bytes": 112}));
    report.figure("nginx_cpu_us", median(rounds.iter().map(|(a, _)| a.cpu_us()).collect()));
    report.figure("tutela_cpu_us", median(rounds.iter().map(|(_, b)| b.cpu_us()).collect()));
    report.figure("cpu_ratio_with_recording", median(rounds.iter().map(|(a, b)| b.cpu_us() / a.cpu_us()).collect()));
    report.figure("nginx_per_s", median(rounds.iter().map(|(a, _)| a.rate()).collect()));
    report.figure("tutela_per_s", median(rounds.iter().map(|(_, b)| b.rate()).collect()));
    report.figure("recorded_share", recorded as f64 / sent.max(1) as f64);
    report.figure("tutela_rss_mb", rss);
    report.finish()
}

/// The route under measurement, open to everybody.
fn route(backend: u16) -> String {
    format!("[[gateway.routes]]\nname = \"bench\"\nhost = \"{HOST}\"\nupstream = \"http://127.0.0.1:{backend}\"\nrequire = \"public\"\nwaf = \"off\"\n")
}

/// Request records in the log: each is an item of a batch leaf.
fn recorded(data: &Path) -> Result<u64, String> {
    let file = rusqlite::Connection::open(data.join("tutela.db")).map_err(|e| e.to_string())?;
    let count = file.query_row("SELECT count(*) FROM log_item", [], |row| row.get::<_, i64>(0)).map_err(|e| e.to_string())?;
    u64::try_from(count).map_err(|e| e.to_string())
}

/// One run of wrk against one proxy, and the proxy's CPU time for it.
struct Round {
    requests: u64,
    seconds: f64,
    cpu: f64,
    latency: Value,
}

impl Round {
    fn of(port: u16, pid: u32, time: Duration) -> Result<Self, String> {
        let before = machine::tree_cpu(pid)?;
        let begun = Instant::now();
        let mut wrk = Command::new("wrk");
        wrk.args(["-t1", "-c16", "--latency", &format!("-d{}s", time.as_secs()), "-H", &format!("Host: {HOST}:{port}")]);
        let out = wrk.arg(format!("http://127.0.0.1:{port}/")).output().map_err(|e| format!("wrk: {e}"))?;
        let seconds = begun.elapsed().as_secs_f64();
        std::thread::sleep(SETTLE);
        let cpu = machine::tree_cpu(pid)? - before;
        let (requests, latency) = read_wrk(&String::from_utf8_lossy(&out.stdout))?;
        Ok(Self { requests, seconds, cpu, latency })
    }

    fn cpu_us(&self) -> f64 {
        self.cpu * 1e6 / self.requests.max(1) as f64
    }

    fn rate(&self) -> f64 {
        self.requests as f64 / self.seconds
    }

    fn json(&self) -> Value {
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

/// A private nginx; ended when dropped.
struct Nginx {
    port: u16,
    child: Child,
}

impl Nginx {
    fn start(dir: &Path, name: &str, server: impl FnOnce(u16) -> String) -> Result<Self, String> {
        let (port, home) = (free_port()?, dir.join(name));
        fs::create_dir_all(&home).map_err(|e| e.to_string())?;
        let temp = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|kind| format!("{kind}_temp_path {}/{kind};\n", home.display())).concat();
        let config = format!(
            "daemon off;\nworker_processes 1;\npid {0}/pid;\nerror_log {0}/error.log;\nevents {{ worker_connections 512; }}\nhttp {{\naccess_log off;\nkeepalive_requests 100000000;\n{temp}{1}\n}}\n",
            home.display(),
            server(port)
        );
        let file = home.join("nginx.conf");
        fs::write(&file, config).map_err(|e| e.to_string())?;
        let mut command = Command::new("nginx");
        let child = command.arg("-p").arg(&home).arg("-c").arg(&file).stdin(Stdio::null()).spawn().map_err(|e| format!("nginx: {e}"))?;
        let nginx = Self { port, child };
        let begun = Instant::now();
        while server::status(port, HOST, "/") != Some(200) {
            if begun.elapsed() > Duration::from_secs(10) {
                return Err(format!("nginx did not start: {}", fs::read_to_string(home.join("error.log")).unwrap_or_default()));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(nginx)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // QUIT lets the master end its worker; SIGKILL would leave it behind.
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
