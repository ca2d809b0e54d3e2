//! Counting together: one number a key in Redis or Valkey, changed by the same arithmetic as here.
//!
//! Each check is one round trip: a script reads the number, decides and writes it back, by the store's own clock. What it
//! says is what [`Rate::decide`](tutela_limits::Rate::decide) says of the same number; a test holds the two against each other.

use std::{
    fmt::Write as _,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use aws_lc_rs::digest::{SHA256, digest};
use redis::{Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, Script, TlsCertificates, aio::ConnectionManager, aio::ConnectionManagerConfig};
use tokio::sync::OnceCell;
use tutela_limits::{Algorithm, Decision, Rate};

use super::config::SharedLimitsConfig;

/// How long a store that did not answer is left alone.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a connection to it may take.
const CONNECT: Duration = Duration::from_secs(5);

/// `{allowed, remaining, reset, retry_after}` in microseconds; the number is when the bucket is full.
const GCRA: &str = r"
local t = redis.call('TIME')
local now, each, room = t[1] * 1000000 + t[2], tonumber(ARGV[1]), tonumber(ARGV[2])
local full = tonumber(redis.call('GET', KEYS[1]) or '0')
full = math.min(math.max(full, now), now + room)
local after = full + each
if after - now > room then return {0, 0, full - now, after - now - room} end
redis.call('SET', KEYS[1], string.format('%.0f', after), 'PX', math.ceil((after - now) / 1000))
return {1, math.floor((room - (after - now)) / each), after - now, 0}";

/// As above; kept are the window's number, the count before, and the count in it.
const SLIDING: &str = r"
local t = redis.call('TIME')
local now, window, most = t[1] * 1000000 + t[2], tonumber(ARGV[1]), tonumber(ARGV[2])
local index = math.floor(now / window)
local left = window - now % window
local kept = redis.call('HMGET', KEYS[1], 'i', 'b', 'c')
local known, before, current = tonumber(kept[1] or index), tonumber(kept[2] or 0), tonumber(kept[3] or 0)
if index == known + 1 then before, current = current, 0 elseif index ~= known then before, current = 0, 0 end
local weighed = current * window + before * left
if weighed + window > most * window then
  local over = weighed + window - most * window
  local wait
  if before > 0 and current < most then wait = math.min(math.ceil(over / before), left)
  else wait = left + math.ceil(window * math.max(current + 1 - most, 0) / math.max(current, 1)) end
  return {0, 0, left + window, wait}
end
redis.call('HSET', KEYS[1], 'i', string.format('%.0f', index), 'b', before, 'c', current + 1)
redis.call('PEXPIRE', KEYS[1], math.ceil(2 * window / 1000))
return {1, math.floor((most * window - weighed - window) / window), left + window, 0}";

/// The store.
pub(crate) struct Shared {
    pub config: SharedLimitsConfig,
    client: Client,
    manager: Arc<OnceCell<ConnectionManager>>,
    gcra: Script,
    sliding: Script,
    /// Not before then, because it did not answer.
    again: Arc<Mutex<Option<Instant>>>,
    down: AtomicBool,
}

impl Shared {
    /// Reads the files that `config` names; connects nowhere yet.
    pub(crate) fn new(config: &SharedLimitsConfig) -> Result<Self, String> {
        config.check()?;
        let info = config.url.as_str().into_connection_info().map_err(|e| format!("`url`: {e}"))?;
        let mut access = info.redis_settings().clone();
        if let Some(user) = &config.username {
            access = access.set_username(user.as_str());
        }
        if let Some(file) = &config.password_file {
            access = access.set_password(read("password_file", file)?.trim_end_matches(['\r', '\n']));
        }
        let info: ConnectionInfo = info.set_redis_settings(access);
        let client = match (info.addr(), &config.ca_file) {
            (ConnectionAddr::TcpTls { .. }, Some(ca)) => {
                let certificates = TlsCertificates { client_tls: None, root_cert: Some(read("ca_file", ca)?.into_bytes()) };
                Client::build_with_tls(info, certificates)
            }
            _ => Client::open(info),
        };
        let client = client.map_err(|e| format!("`url`: {e}"))?;
        let (gcra, sliding) = (Script::new(GCRA), Script::new(SLIDING));
        Ok(Self { config: config.clone(), client, manager: Arc::default(), gcra, sliding, again: Arc::default(), down: AtomicBool::new(false) })
    }

    /// Decides about a request of `who`; nothing where the store does not answer.
    pub(crate) async fn decide(&self, limit: &str, who: &str, rate: &Rate) -> Option<Decision> {
        if resting(&self.again) {
            return None;
        }
        let patience = Duration::from_millis(u64::from(self.config.timeout_ms));
        let answered = tokio::time::timeout(patience, self.ask(limit, who, rate)).await;
        let answer = match answered {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(e)) => Err(e.to_string()),
            Err(_) => Err(format!("it did not answer within {} ms", self.config.timeout_ms)),
        };
        *self.again.lock().unwrap_or_else(PoisonError::into_inner) = answer.is_err().then(|| Instant::now() + PAUSE);
        metrics::gauge!("tutela_shared_limits_down").set(f64::from(u8::from(answer.is_err())));
        match answer {
            Ok((allowed, remaining, reset, wait)) => {
                if self.down.swap(false, Ordering::Relaxed) {
                    tracing::warn!("limits are counted together again: the store of `gateway.shared_limits` answers");
                }
                let allowed = allowed == 1;
                let retry_after = (!allowed).then(|| Duration::from_micros(wait));
                Some(Decision { allowed, remaining, reset: Duration::from_micros(reset), retry_after })
            }
            Err(why) => {
                if !self.down.swap(true, Ordering::Relaxed) {
                    tracing::error!(why, "the store of `gateway.shared_limits` does not answer; each limit does as its `on_backend_down` says");
                }
                None
            }
        }
    }

    /// Whether it did not answer when it was asked last.
    pub(crate) fn is_down(&self) -> bool {
        self.down.load(Ordering::Relaxed)
    }

    async fn ask(&self, limit: &str, who: &str, rate: &Rate) -> redis::RedisResult<(u8, u32, u64, u64)> {
        let window = u64::try_from(rate.window.duration().as_micros()).unwrap_or(u64::MAX);
        let (script, first, second) = match rate.algorithm {
            Algorithm::Gcra => {
                let each = window / u64::from(rate.requests.max(1));
                (&self.gcra, each, each.saturating_mul(u64::from(rate.burst.unwrap_or(rate.requests))))
            }
            Algorithm::SlidingWindow => (&self.sliding, window, u64::from(rate.requests)),
        };
        let mut manager = self.manager().await?;
        script.key(key(limit, who)).arg(first).arg(second).invoke_async(&mut manager).await
    }

    /// Forgets what was counted for `who`.
    pub(crate) async fn forget(&self, limit: &str, who: &str) -> Result<(), String> {
        let patience = Duration::from_millis(u64::from(self.config.timeout_ms).max(1_000));
        let forget = async {
            let mut manager = self.manager().await?;
            redis::cmd("DEL").arg(key(limit, who)).query_async::<()>(&mut manager).await
        };
        tokio::time::timeout(patience, forget).await.map_err(|_| "the store of `gateway.shared_limits` does not answer".to_owned())?.map_err(|e| e.to_string())
    }

    /// Connects in a task of its own: it goes on when the request that it began for waits no longer.
    async fn manager(&self) -> redis::RedisResult<ConnectionManager> {
        if let Some(manager) = self.manager.get() {
            return Ok(manager.clone());
        }
        let (client, cell, again) = (self.client.clone(), Arc::clone(&self.manager), Arc::clone(&self.again));
        let connect = async move || {
            // Of those who came together, one tries.
            if resting(&again) {
                return Err(std::io::Error::from(std::io::ErrorKind::NotConnected).into());
            }
            let config = ConnectionManagerConfig::new().set_connection_timeout(Some(CONNECT)).set_number_of_retries(1);
            client.get_connection_manager_with_config(config).await
        };
        let connected = tokio::spawn(async move { cell.get_or_try_init(connect).await.cloned() });
        connected.await.unwrap_or_else(|e| Err(std::io::Error::other(e).into()))
    }
}

fn resting(again: &Mutex<Option<Instant>>) -> bool {
    again.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|again| Instant::now() < again)
}

/// Addresses and accounts do not stand in the store in clear.
fn key(limit: &str, who: &str) -> String {
    let hash = digest(&SHA256, format!("{limit}\n{who}").as_bytes());
    let mut key = format!("tutela:limit:{limit}:");
    hash.as_ref()[..16].iter().for_each(|byte| {
        let _ = write!(key, "{byte:02x}");
    });
    key
}

fn read(setting: &str, file: &Path) -> Result<String, String> {
    std::fs::read_to_string(file).map_err(|e| format!("`{setting}`: {}: {e}", file.display()))
}

#[cfg(test)]
mod tests {
    use tutela_core::{Env as _, Span, SystemEnv};

    use super::*;
    use crate::OnBackendDown;

    fn config(url: String) -> SharedLimitsConfig {
        SharedLimitsConfig { url, username: None, password_file: None, ca_file: None, timeout_ms: 2_000, on_backend_down: OnBackendDown::Local }
    }

    /// The store's clock is its own, so what it says is compared with what is said here at a moment between before and after.
    #[tokio::test]
    async fn the_store_says_what_is_said_here() {
        let Some(server) = testkit::RedisServer::start() else { return testkit::skip("neither Redis nor Valkey is installed") };
        let shared = Shared::new(&config(format!("redis://{}", server.address))).unwrap();
        let rate = |requests, window, burst, algorithm| Rate { requests, window, burst, algorithm };
        for (number, rate) in [
            rate(100, Span::minutes(1), Some(20), Algorithm::Gcra),
            rate(5, Span::seconds(1), None, Algorithm::Gcra),
            rate(10, Span::minutes(10), None, Algorithm::SlidingWindow),
            rate(3, Span::seconds(1), None, Algorithm::SlidingWindow),
        ]
        .into_iter()
        .enumerate()
        {
            let (mut state, mut allowed) = (None, 0);
            for step in 0..60_u32 {
                let now = || SystemEnv.now();
                let before = now();
                let there = shared.decide("test", &format!("who {number}"), &rate).await.unwrap();
                let after = now();
                let ((_, early), (next, late)) = (rate.decide(state, before), rate.decide(state, after));
                state = Some(next);
                allowed += u32::from(there.allowed);
                assert!(there.allowed == early.allowed || there.allowed == late.allowed, "{rate:?} {step}: {there:?} {early:?} {late:?}");
                let near = |there: Duration, early: Duration, late: Duration| {
                    let slack = Duration::from_millis(20) + (after.since(before)) * 2;
                    there <= early.max(late) + slack && there + slack >= early.min(late)
                };
                if there.allowed == late.allowed && early.allowed == late.allowed {
                    assert!(there.remaining.abs_diff(late.remaining) <= 1, "{rate:?} {step}: {there:?} {late:?}");
                    assert!(near(there.reset, early.reset, late.reset), "{rate:?} {step}: {there:?} {early:?} {late:?}");
                    let waits = [there, early, late].map(|decision| decision.retry_after.unwrap_or_default());
                    assert!(near(waits[0], waits[1], waits[2]), "{rate:?} {step}: {there:?} {early:?} {late:?}");
                }
                if there.allowed != late.allowed {
                    // At the very edge the two clocks may differ: go on from what the store has decided.
                    state = None;
                    shared.forget("test", &format!("who {number}")).await.unwrap();
                }
            }
            assert!(allowed < 60, "{rate:?}: somebody was refused");
        }
    }

    /// The first connection takes longer than an answer may, as a TLS handshake over a long way does.
    #[tokio::test]
    async fn a_store_that_is_far_away_is_reached_all_the_same() {
        let Some(server) = testkit::RedisServer::start() else { return testkit::skip("neither Redis nor Valkey is installed") };
        let far = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("redis://{}", far.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut client, _)) = far.accept().await {
                let mut store = tokio::net::TcpStream::connect(server.address).await.unwrap();
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(500)).await;
                    tokio::io::copy_bidirectional(&mut client, &mut store).await
                });
            }
        });
        let shared = Shared::new(&SharedLimitsConfig { timeout_ms: 100, ..config(url) }).unwrap();
        let rate = Rate { requests: 100, window: Span::minutes(1), burst: None, algorithm: Algorithm::Gcra };
        assert!(shared.decide("test", "somebody", &rate).await.is_none(), "nobody waits longer than was said");
        let reached = async {
            while shared.decide("test", "somebody", &rate).await.is_none() {
                tokio::task::yield_now().await
            }
        };
        tokio::time::timeout(Duration::from_secs(20), reached).await.unwrap();
    }

    #[test]
    fn what_would_go_in_clear_is_refused() {
        for (url, fine) in [
            ("redis://127.0.0.1:6379", true),
            ("redis://localhost", true),
            ("rediss://valkey.internal:6379", true),
            ("unix:///run/valkey.sock", true),
            ("redis://valkey.internal:6379", false),
            ("rediss://user:secret@valkey.internal", false),
            ("http://127.0.0.1", false),
        ] {
            assert_eq!(config(url.to_owned()).check().is_ok(), fine, "{url}");
        }
    }
}
