//! The same attack before tutela, fail2ban and rsigma: 200,000 lines, 10,000 addresses, 1,000 of which fail twelve times.
//!
//! Each counts more than five failures of one address within five minutes. tutela takes the lines as events over its
//! API, records them durably, and blocks; fail2ban follows a file; rsigma reads the same events as JSON lines.

use std::{
    fs::{self, File, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tutela_core::{Env as _, SystemEnv};

use crate::{
    http::{Connection, post},
    machine,
    report::Report,
    server::Server,
    stats::median,
};

const LINES: usize = 200_000;
const ADDRESSES: u64 = 10_000;
const ATTACKERS: usize = 1_000;
const HOST: &str = "tutela.localhost";
/// How long something may take before it is given up.
const PATIENCE: Duration = Duration::from_secs(180);

/// One attempt: from where, whether it failed, and when, in seconds after the first.
struct Line {
    address: String,
    failed: bool,
    second: u64,
}

/// What one of the programs needed.
struct Needed {
    cpu_s: f64,
    found: usize,
    rss_mb: f64,
}

/// Measures all that are installed.
pub fn measure(report: &mut Report) -> Result<(), String> {
    let dir = tempfile::tempdir().map_err(|e| e.to_string())?;
    let lines = lines();
    let (tutela, latency) = tutela(dir.path(), &lines)?;
    said("tutela, durable and blocked", &tutela);
    println!("tutela: from the sixth failure sent to its answer, which is after the block: {:.2} ms", median(latency.clone()));
    report.figure("tutela_lines_per_cpu_s", LINES as f64 / tutela.cpu_s);
    report.figure("tutela_block_ms", median(latency));
    report.figure("tutela_rss_mb", tutela.rss_mb);
    report.raw("tutela_found", json!(tutela.found));
    match fail2ban(dir.path(), &lines) {
        Ok((needed, latency)) => {
            said("fail2ban", &needed);
            println!("fail2ban: from the sixth line written to the ban in its log: {:.0} ms", median(latency.clone()));
            report.figure("fail2ban_lines_per_cpu_s", LINES as f64 / needed.cpu_s);
            report.figure("fail2ban_block_ms", median(latency));
            report.figure("fail2ban_rss_mb", needed.rss_mb);
            report.raw("fail2ban_found", json!(needed.found));
        }
        Err(why) => println!("skipped: fail2ban: {why}"),
    }
    match rsigma(dir.path(), &lines) {
        Ok(needed) => {
            said("rsigma, in memory", &needed);
            report.figure("rsigma_lines_per_cpu_s", LINES as f64 / needed.cpu_s);
            report.raw("rsigma_found", json!(needed.found));
        }
        Err(why) => println!("skipped: rsigma: {why}"),
    }
    let versions = json!({"fail2ban": machine::version("fail2ban-server", "--version"), "rsigma": program("rsigma").and_then(|path| machine::version(&path.display().to_string(), "--version"))});
    report.raw("peers", versions);
    Ok(())
}

fn said(name: &str, needed: &Needed) {
    println!("{name}: {:.0} lines a CPU second, {} of {ATTACKERS} found, {:.0} MB", LINES as f64 / needed.cpu_s, needed.found, needed.rss_mb);
}

fn address(number: u64) -> String {
    format!("198.18.{}.{}", number / 250, number % 250 + 1)
}

/// Attackers fail twelve times within a minute; everybody else fails four times at most.
fn lines() -> Vec<Line> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut chance = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    let step = ADDRESSES / ATTACKERS as u64;
    let mut failures = vec![0_u8; ADDRESSES as usize];
    let mut lines: Vec<Line> = Vec::with_capacity(LINES);
    for attacker in 0..ATTACKERS as u64 {
        let begin = chance(60);
        lines.extend((0..12).map(|n| Line { address: address(attacker * step), failed: true, second: begin + n * 5 }));
    }
    while lines.len() < LINES {
        let number = chance(ADDRESSES);
        let innocent = number % step != 0;
        let count = failures.get_mut(number as usize).map_or(0, |count| {
            *count += u8::from(innocent && *count < 4);
            *count
        });
        lines.push(Line { address: address(number), failed: innocent && count < 4 && chance(4) == 0, second: chance(120) });
    }
    lines.sort_by_key(|line| line.second);
    lines
}

/// The server: every line an event over the API, a thousand at a time, until all alerts are there.
fn tutela(dir: &Path, lines: &[Line]) -> Result<(Needed, Vec<f64>), String> {
    let rule = "[detection]\nown_rules = false\n[[detection.rules]]\nname = \"beside\"\ncondition = \"events > 5\"\nevents = \"app.sign_in_failed\"\nkey = \"ip\"\nwindow = \"5m\"\naction = \"block_ip\"\nmode = \"act\"\n";
    let (server, _) = Server::start(dir, rule)?;
    let client = server.operate("/v1/clients", &json!({"name": "bench", "scopes": ["events:write", "ledger:read"]}))?;
    let key = format!("Authorization: Bearer {}", client["api_key"].as_str().unwrap_or_default());
    let mut api = Connection::open(server.port)?;
    let event = |address: &str, failed: bool| json!({"type": if failed { "app.sign_in_failed" } else { "app.signed_in" }, "source": {"ip": address}, "metadata": {"agent": "Mozilla/5.0"}});
    let before = machine::tree_cpu(server.pid())?;
    for chunk in lines.chunks(1_000) {
        let batch: Value = chunk.iter().map(|line| event(&line.address, line.failed)).collect();
        api.ask_well(&post(HOST, "/v1/events", &[key.as_str()], &batch.to_string()))?;
    }
    let blocked = || server.read("/v1/blocks").ok().and_then(|blocks| blocks.as_array().or_else(|| blocks["items"].as_array()).map(Vec::len)).unwrap_or(0);
    wait(|| blocked() >= ATTACKERS, "not all were blocked")?;
    let found = blocked();
    // What follows the log has caught up where it rests.
    let cpu_s = settled(|| machine::tree_cpu(server.pid()))? - before;
    let rss_mb = machine::rss_mb(server.pid())?;
    let mut latency = Vec::new();
    for number in 0..20 {
        let address = format!("198.19.7.{}", number + 1);
        let one = post(HOST, "/v1/events", &[key.as_str()], &event(&address, true).to_string());
        for _ in 0..5 {
            api.ask_well(&one)?;
        }
        let begun = Instant::now();
        api.ask_well(&one)?;
        latency.push(begun.elapsed().as_secs_f64() * 1_000.0);
    }
    server.stop()?;
    Ok((Needed { cpu_s, found, rss_mb }, latency))
}

/// The figure once it has stood still for two seconds.
fn settled(mut figure: impl FnMut() -> Result<f64, String>) -> Result<f64, String> {
    let begun = Instant::now();
    let (mut last, mut since) = (figure()?, Instant::now());
    while begun.elapsed() < PATIENCE && since.elapsed() < Duration::from_secs(2) {
        std::thread::sleep(Duration::from_millis(200));
        let now = figure()?;
        if now - last > 0.03 {
            (last, since) = (now, Instant::now());
        }
    }
    figure()
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn program(name: &str) -> Option<PathBuf> {
    let variable = std::env::var_os(format!("TUTELA_{}", name.to_uppercase())).map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    variable.filter(|path| path.is_file()).or_else(|| std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.is_file()))
}

/// The server in front of a file that grows; its action is none, so that only finding is measured.
fn fail2ban(dir: &Path, lines: &[Line]) -> Result<(Needed, Vec<f64>), String> {
    let server = program("fail2ban-server").ok_or("it is not installed (apt-get install fail2ban)")?;
    let home = dir.join("fail2ban");
    let write = |name: &str, text: &str| -> Result<(), String> {
        let path = home.join(name);
        fs::create_dir_all(path.parent().unwrap_or(&home)).and_then(|()| fs::write(&path, text)).map_err(|e| format!("{}: {e}", path.display()))
    };
    let (watched, log) = (home.join("app.log"), home.join("fail2ban.log"));
    write("app.log", "")?;
    let settings = format!(
        "[Definition]\nloglevel = NOTICE\nlogtarget = STDERR\nsyslogsocket = auto\nsocket = {0}/socket\npidfile = {0}/pid\ndbfile = None\ndbpurgeage = 1d\ndbmaxmatches = 10\nallowipv6 = no\n[Thread]\nstacksize = 0\n",
        home.display()
    );
    write("fail2ban.conf", &settings)?;
    write("filter.d/app.conf", "[Definition]\nfailregex = ^\\s*app: sign_in\\.failed ip=<ADDR>\ndatepattern = ^EPOCH\n")?;
    write("action.d/none.conf", "[Definition]\nactionban =\nactionunban =\n")?;
    let jail = format!(
        "[app]\nenabled = true\nfilter = app\nlogpath = {}\nbackend = auto\nmaxretry = 6\nfindtime = 300\nbantime = 3600\nbanaction = none\naction = none\n",
        watched.display()
    );
    write("jail.conf", &jail)?;
    let of = |name: &str| home.join(name).display().to_string();
    let child = Command::new(&server)
        .args(["-f", "-c", &home.display().to_string(), "-s", &of("socket"), "-p", &of("pid"), "--logtarget", &log.display().to_string(), "start"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| e.to_string())?;
    let running = Running(child);
    let bans = || fs::read_to_string(&log).unwrap_or_default().matches("] Ban ").count();
    wait(|| home.join("socket").exists(), "it did not start")?;
    std::thread::sleep(Duration::from_secs(2));
    let before = machine::tree_cpu(running.0.id())?;
    // Its times are those of the lines: the last is now.
    let now = SystemEnv.now().secs();
    let mut file = OpenOptions::new().append(true).open(&watched).map_err(|e| e.to_string())?;
    let text = |line: &Line| {
        format!("{} app: sign_in.{} ip={} agent=Mozilla/5.0\n", now - 120 + line.second as i64, if line.failed { "failed" } else { "ok" }, line.address)
    };
    let all: String = lines.iter().map(text).collect();
    file.write_all(all.as_bytes()).map_err(|e| e.to_string())?;
    wait(|| bans() >= ATTACKERS, "not all were found").or_else(|why| if bans() > 0 { Ok(()) } else { Err(why) })?;
    let cpu_s = settled(|| machine::tree_cpu(running.0.id()))? - before;
    let (found, rss_mb) = (bans(), machine::rss_mb(running.0.id())?);
    let mut latency = Vec::new();
    for number in 0..10 {
        let address = format!("198.19.7.{}", number + 1);
        let now = SystemEnv.now().secs();
        let one = format!("{now} app: sign_in.failed ip={address} agent=Mozilla/5.0\n");
        file.write_all(one.repeat(5).as_bytes()).map_err(|e| e.to_string())?;
        std::thread::sleep(Duration::from_millis(1_500));
        let begun = Instant::now();
        file.write_all(one.as_bytes()).map_err(|e| e.to_string())?;
        wait(|| fs::read_to_string(&log).unwrap_or_default().contains(&format!("Ban {address}")), "a ban did not come")?;
        latency.push(begun.elapsed().as_secs_f64() * 1_000.0);
    }
    Ok((Needed { cpu_s, found, rss_mb }, latency))
}

fn wait(done: impl Fn() -> bool, why: &str) -> Result<(), String> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if done() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Err(why.to_owned())
}

/// Its command over the same events: one rule, one correlation.
fn rsigma(dir: &Path, lines: &[Line]) -> Result<Needed, String> {
    let program = program("rsigma").ok_or("it is not installed (cargo install rsigma)")?;
    let (rules, events, out) = (dir.join("rules.yml"), dir.join("events.ndjson"), dir.join("found.ndjson"));
    let text = "title: Failed\nname: failed\nid: 5f1b2c3d-0000-4000-8000-000000000001\nlogsource: {category: application}\ndetection:\n  selection: {type: app.sign_in_failed}\n  condition: selection\n---\ntitle: Many\nname: many\nid: 5f1b2c3d-0000-4000-8000-000000000002\ncorrelation:\n  type: event_count\n  rules: [failed]\n  group-by: [ip]\n  timespan: 5m\n  condition: {gte: 6}\n";
    fs::write(&rules, text).map_err(|e| e.to_string())?;
    let line = |line: &Line| {
        format!(
            "{}\n",
            json!({"type": if line.failed { "app.sign_in_failed" } else { "app.signed_in" }, "ip": line.address, "agent": "Mozilla/5.0", "timestamp": 1_767_603_600 + line.second})
        )
    };
    fs::write(&events, lines.iter().map(line).collect::<String>()).map_err(|e| e.to_string())?;
    let to = File::create(&out).map_err(|e| e.to_string())?;
    let before = machine::ended_cpu()?;
    let status = Command::new(&program)
        .args(["engine", "eval", "--rules", &rules.display().to_string(), "--event", &format!("@{}", events.display())])
        .stdin(Stdio::null())
        .stdout(to)
        .stderr(Stdio::null())
        .status()
        .map_err(|e| e.to_string())?;
    let cpu_s = machine::ended_cpu()? - before;
    if !status.success() {
        return Err(format!("it ended with {status}"));
    }
    let found = fs::read_to_string(&out).unwrap_or_default();
    let mut who: Vec<&str> = found.lines().filter(|line| line.contains("Many")).filter_map(|line| line.split("198.18.").nth(1)?.split('"').next()).collect();
    who.sort_unstable();
    who.dedup();
    Ok(Needed { cpu_s, found: who.len(), rss_mb: 0.0 })
}
