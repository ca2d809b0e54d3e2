//! What Linux tells of the machine and of processes (`proc(5)`).

use std::{fs, path::Path, process::Command};

use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

/// `USER_HZ`: the unit of times in `/proc`, 100 on every Linux that Rust's std supports.
const TICKS_PER_SECOND: f64 = 100.0;

/// Model, cores, memory and kernel; nothing that names the machine or its owner.
pub fn describe() -> Value {
    let field = |file: &str, name: &str| {
        let text = fs::read_to_string(file).unwrap_or_default();
        let found = text.lines().find(|line| line.starts_with(name)).and_then(|line| line.split_once(':'));
        found.map(|(_, value)| value.trim().to_owned())
    };
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").map(|text| text.trim().to_owned()).ok();
    let load = fs::read_to_string("/proc/loadavg").map(|text| text.split(' ').take(3).collect::<Vec<_>>().join(" ")).ok();
    json!({
        "cpu": field("/proc/cpuinfo", "model name"),
        "cores": std::thread::available_parallelism().map(usize::from).unwrap_or(1),
        "memory": field("/proc/meminfo", "MemTotal"),
        "kernel": kernel,
        "load_at_the_end": load,
    })
}

/// First line that a program prints about its version, on either stream.
pub fn version(program: &str, flag: &str) -> Option<String> {
    let out = Command::new(program).arg(flag).output().ok()?;
    let text = [out.stdout, out.stderr].concat();
    String::from_utf8_lossy(&text).lines().find(|line| !line.trim().is_empty()).map(|line| line.trim().to_owned())
}

/// CPU seconds of this process.
pub fn own_cpu() -> Result<f64, String> {
    let stat = Stat::of("self")?;
    Ok((stat.user + stat.system) / TICKS_PER_SECOND)
}

/// CPU seconds of processes that this one started and that have ended.
pub fn ended_cpu() -> Result<f64, String> {
    Ok(Stat::of("self")?.ended / TICKS_PER_SECOND)
}

/// CPU seconds of this thread, to the nanosecond.
pub fn thread_cpu() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// CPU seconds of a process, of those it started, and of those of them that have ended.
pub fn tree_cpu(pid: u32) -> Result<f64, String> {
    let mut tree = vec![pid];
    let mut ticks = 0.0;
    let all: Vec<(u32, Stat)> = fs::read_dir("/proc")
        .map_err(|e| e.to_string())?
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        // A process may end between listing and reading; its parent has its time then.
        .filter_map(|id| Stat::of(&id.to_string()).ok().map(|stat| (id, stat)))
        .collect();
    let mut next = 0;
    while let Some(parent) = tree.get(next).copied() {
        tree.extend(all.iter().filter(|(_, stat)| stat.parent == parent).map(|(id, _)| *id));
        let own = all.iter().find(|(id, _)| *id == parent);
        ticks += own.map_or(0.0, |(_, stat)| stat.user + stat.system + stat.ended);
        next += 1;
    }
    if all.iter().any(|(id, _)| *id == pid) { Ok(ticks / TICKS_PER_SECOND) } else { Err(format!("process {pid} is gone")) }
}

/// Resident memory of a process in MB (10^6 bytes).
pub fn rss_mb(pid: u32) -> Result<f64, String> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).map_err(|e| format!("process {pid}: {e}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok()).ok_or("there is no VmRSS")?;
    Ok(kib * 1_024.0 / 1e6)
}

/// Kind of the file system that holds `path`, for example `ext4` or `tmpfs`.
pub fn file_system(path: &Path) -> Option<String> {
    let path = path.canonicalize().ok()?;
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    let fields = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        Some((words.next()?.to_owned(), words.next()?.to_owned()))
    });
    fields.filter(|(at, _)| path.starts_with(at)).max_by_key(|(at, _)| at.len()).map(|(_, kind)| kind)
}

/// What `/proc/PID/stat` tells, in ticks.
struct Stat {
    parent: u32,
    user: f64,
    system: f64,
    /// Of children that have ended.
    ended: f64,
}

impl Stat {
    fn of(process: &str) -> Result<Self, String> {
        let text = fs::read_to_string(format!("/proc/{process}/stat")).map_err(|e| format!("process {process}: {e}"))?;
        Self::parse(&text).ok_or_else(|| format!("process {process}: its stat cannot be read"))
    }

    fn parse(text: &str) -> Option<Self> {
        // The name stands in parentheses and may hold anything, more of them too.
        let (_, rest) = text.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split(' ').collect();
        let number = |index: usize| fields.get(index)?.parse::<f64>().ok();
        Some(Self { parent: fields.get(1)?.parse().ok()?, user: number(11)?, system: number(12)?, ended: number(13)? + number(14)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_is_read_behind_a_name_with_parentheses() {
        let stat = Stat::parse("77 (a) b) (c) S 12 77 77 0 -1 4194560 1 2 3 4 150 50 7 3 20 0 1 0 5 6 7").unwrap();
        assert_eq!((stat.parent, stat.user, stat.system, stat.ended), (12, 150.0, 50.0, 10.0));
    }

    #[test]
    fn this_process_has_a_parent_some_memory_and_a_file_system() {
        let pid = std::process::id();
        assert!(tree_cpu(pid).is_ok() && own_cpu().is_ok() && thread_cpu() > 0.0);
        assert!(rss_mb(pid).unwrap() > 0.1);
        assert!(file_system(Path::new("/proc")).is_some());
    }
}
