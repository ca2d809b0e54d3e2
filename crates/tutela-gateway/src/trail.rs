//! The record of a request while it is under way: which stages it went through, and how long each took.

use std::{net::IpAddr, time::Instant};

use http::{Request, header};
use tutela_core::{
    Actor, RequestId, Timestamp,
    seam::{RequestRecord, Stage},
};

use crate::limits::Tally;

/// Longest path that a record keeps, in characters.
const LONGEST_PATH: usize = 512;
/// Longest name of a browser or program.
const LONGEST_AGENT: usize = 256;

/// A record that is being written.
pub(crate) struct Trail {
    pub record: RequestRecord,
    pub tally: Tally,
    began: Instant,
    since: Instant,
}

impl Trail {
    pub(crate) fn new<B>(request: &Request<B>, ip: IpAddr, id: RequestId, now: Timestamp) -> Self {
        let agent = request.headers().get(header::USER_AGENT).and_then(|v| v.to_str().ok());
        let record = RequestRecord {
            time: now,
            route: None,
            method: request.method().as_str().chars().take(32).collect(),
            path: request.uri().path().chars().take(LONGEST_PATH).collect(),
            status: 0,
            actor: Actor::Anonymous,
            ip,
            user_agent: agent.map(|agent| agent.chars().take(LONGEST_AGENT).collect()),
            duration_us: 0,
            bytes: None,
            id,
            stages: Vec::with_capacity(6),
            refused_by: None,
            inspection: None,
            limits: Vec::new(),
        };
        let began = Instant::now();
        Self { record, tally: Tally::default(), began, since: began }
    }

    /// A stage is done; one that is entered again takes longer.
    pub(crate) fn passed(&mut self, stage: Stage) {
        let now = Instant::now();
        let took = micros(now.duration_since(self.since));
        self.since = now;
        match self.record.stages.iter_mut().find(|(known, _)| *known == stage) {
            Some((_, sum)) => *sum += took,
            None => self.record.stages.push((stage, took)),
        }
    }

    /// A stage refuses the request.
    pub(crate) fn refused(&mut self, stage: Stage) {
        self.passed(stage);
        self.record.refused_by = Some(stage);
    }

    /// The request is answered.
    pub(crate) fn end(mut self, status: u16, bytes: Option<u64>) -> RequestRecord {
        self.record.status = status;
        self.record.bytes = bytes;
        self.record.limits = self.tally.counts;
        self.record.duration_us = micros(self.began.elapsed());
        self.record
    }
}

fn micros(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
