//! Looks after the servers of an upstream: asks them whether they are well, and closes connections that nobody needs.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, header};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::time::MissedTickBehavior;

use super::{HealthConfig, Upstream, server::Server};

/// How often connections are looked at.
const TIDY: Duration = Duration::from_secs(30);

impl Upstream {
    /// Begins; ends by itself when the upstream is gone.
    pub(crate) fn watch(self: &Arc<Self>) {
        tokio::spawn(tidy(Arc::downgrade(self)));
        for number in 0..self.servers.len() {
            if let Some(health) = self.config.health.clone() {
                tokio::spawn(ask_on(Arc::downgrade(self), number, health));
            }
        }
    }
}

async fn tidy(upstream: Weak<Upstream>) {
    loop {
        tokio::time::sleep(TIDY).await;
        let Some(upstream) = upstream.upgrade() else { return };
        upstream.servers.iter().for_each(|server| server.tidy());
    }
}

async fn ask_on(upstream: Weak<Upstream>, number: usize, health: HealthConfig) {
    let mut ticks = tokio::time::interval(health.interval.duration());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(upstream) = upstream.upgrade() else { return };
        let Some(server) = upstream.servers.get(number) else { return };
        let answer = tokio::time::timeout(health.timeout.duration(), ask(server, &health)).await;
        let answer = answer.unwrap_or_else(|_| Err("it did not answer within `health.timeout`".into()));
        let turn = server.health.asked(answer.is_ok(), health.healthy, health.unhealthy);
        upstream.turned(server, turn, answer.as_ref().err().map_or("it says so", String::as_str));
    }
}

async fn ask(server: &Server, health: &HealthConfig) -> Result<(), String> {
    let stream = server.target.connect(health.timeout.duration()).await.map_err(|e| e.to_string())?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
    let connection = tokio::spawn(connection);
    let host = health.host.clone().unwrap_or_else(|| format!("{}:{}", server.target.host, server.target.port));
    let request = Request::get(&health.path).header(header::HOST, host).header(header::USER_AGENT, "tutela-health").header(header::CONNECTION, "close");
    let answer = sender.send_request(request.body(Empty::<Bytes>::new()).map_err(|e| e.to_string())?).await;
    connection.abort();
    let status = answer.map_err(|e| e.to_string())?.status().as_u16();
    let well = health.status.map_or((200..400).contains(&status), |wanted| status == wanted);
    if well { Ok(()) } else { Err(format!("it answered {status}")) }
}
