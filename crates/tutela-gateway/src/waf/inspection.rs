//! One request and its answer, in front of the rules.

use std::{sync::Arc, time::Duration};

use http::{Request, Response, StatusCode, Version};
use http_body_util::BodyExt as _;
use tokio::time::Instant;
use tutela_core::{Env, RequestId, seam};
use tutela_waf::{Report, Transaction, Verdict};

use super::{WafMode, budget::CpuTime, room::Share};
use crate::{Body, Error, config::seconds, handle::Way, held::Held, pages::answer};

/// Bodies longer than this are judged beside the other work, so that nobody waits for them.
const LONG: usize = 16_384;
/// How much of the processor's time phase 5 has, which only logs.
const LOGGING: Duration = Duration::from_millis(20);
/// Most rules that a record names.
const MOST_RULES: usize = 32;
/// Most bytes of what matched that a record keeps.
const KEPT: usize = 160;

/// The inspection of one request.
pub(crate) struct Inspection {
    transaction: Transaction,
    mode: WafMode,
    budget: Duration,
    used: Duration,
    share: Share,
    env: Arc<dyn Env>,
}

impl Inspection {
    pub(super) fn new(transaction: Transaction, mode: WafMode, budget: Duration, share: Share, env: Arc<dyn Env>) -> Self {
        Self { transaction, mode, budget, used: Duration::ZERO, share, env }
    }

    /// Runs one phase within what is left of the budget.
    fn run(&mut self, phase: impl FnOnce(&mut Transaction, &mut dyn tutela_waf::Budget) -> Verdict) -> Verdict {
        let mut budget = CpuTime::new(&self.env, self.budget.saturating_sub(self.used));
        let verdict = phase(&mut self.transaction, &mut budget);
        self.used += budget.used();
        verdict
    }

    /// Request line and headers.
    pub(crate) fn head<B>(&mut self, request: &Request<B>) -> Verdict {
        let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
        self.transaction.request_line(request.method().as_str().as_bytes(), target.as_bytes(), protocol(request.version()));
        for (name, value) in request.headers() {
            self.transaction.request_header(name.as_str().as_bytes(), value.as_bytes());
        }
        // HTTP/2 names the host in its target; rules look for it among the headers.
        if !request.headers().contains_key(http::header::HOST)
            && let Some(authority) = request.uri().authority()
        {
            self.transaction.request_header(b"host", authority.as_str().as_bytes());
        }
        self.run(Transaction::check_request_headers)
    }

    /// The body, as much of it as is inspected; what was read goes on from `held`.
    pub(crate) async fn body(mut self, held: &mut Held, way: &Way<'_>) -> Result<(Self, Verdict), Error> {
        let mut length = 0;
        if self.transaction.wants_request_body() {
            let config = &way.current.settings.gateway;
            let Self { transaction, share, .. } = &mut self;
            let mut crowded = false;
            held.read(seconds(config.idle_timeout), way.began + seconds(config.body_timeout), |data| {
                length += data.len();
                crowded = !share.take(data.len());
                !crowded && transaction.request_body(data) == data.len()
            })
            .await?;
            if crowded {
                return Err(Error::Crowded);
            }
        }
        if length < LONG {
            let verdict = self.run(Transaction::check_request_body);
            return Ok((self, verdict));
        }
        let judged = tokio::task::spawn_blocking(move || {
            let verdict = self.run(Transaction::check_request_body);
            (self, verdict)
        });
        judged.await.map_err(|_| Error::Inspection)
    }

    /// The application's answer; where rules look at its body, its beginning is held back until they have.
    pub(crate) async fn answer(&mut self, response: Response<Body>) -> (Response<Body>, Verdict) {
        let (head, body) = response.into_parts();
        self.transaction.response_line(protocol(head.version), head.status.as_u16());
        for (name, value) in &head.headers {
            self.transaction.response_header(name.as_str().as_bytes(), value.as_bytes());
        }
        let verdict = self.run(Transaction::check_response_headers);
        if verdict != Verdict::Pass || !self.transaction.wants_response_body() || head.headers.contains_key(http::header::CONTENT_ENCODING) {
            return (Response::from_parts(head, body), verdict);
        }
        let mut held = Held::new(body);
        let transaction = &mut self.transaction;
        // The body gives up by itself when nothing moves; what came until then is judged.
        let hour = Duration::from_secs(3_600);
        let _ = held.read(hour, Instant::now() + hour, |data| transaction.response_body(data) == data.len()).await;
        let verdict = self.run(Transaction::check_response_body);
        (Response::from_parts(head, held.map_err(Into::into).boxed_unsync()), verdict)
    }

    /// What is to be remembered of it.
    pub(crate) fn finish(mut self) -> seam::Inspection {
        self.run(Transaction::check_response_body);
        let Self { transaction, mode, env, .. } = self;
        let exclusions = transaction.exclusions();
        seam::Inspection { exclusions, ..record(transaction.finish(&mut CpuTime::new(&env, LOGGING)), mode) }
    }
}

fn protocol(version: Version) -> &'static [u8] {
    match version {
        Version::HTTP_10 => b"HTTP/1.0",
        Version::HTTP_2 => b"HTTP/2.0",
        Version::HTTP_3 => b"HTTP/3.0",
        _ => b"HTTP/1.1",
    }
}

fn record(report: Report, mode: WafMode) -> seam::Inspection {
    let score = report.scores.iter().filter(|(name, _)| name.ends_with("anomaly_score")).map(|(_, score)| *score).max();
    let matched = report.findings.iter().filter_map(|finding| {
        let first = finding.matched.first()?;
        let value = String::from_utf8_lossy(&first.value[..first.value.len().min(KEPT)]).into_owned();
        Some(seam::MatchedRule { rule: finding.rule, message: finding.message.clone(), place: first.place(), value })
    });
    seam::Inspection {
        mode: mode.as_str(),
        matched: matched.take(MOST_RULES).collect(),
        score: score.unwrap_or(0),
        marks: report.marks.iter().map(ToString::to_string).collect(),
        would_refuse: report.refusal.is_some(),
        refused: report.enforced,
        exclusions: 0,
    }
}

/// The answer to a refused request; nothing of the request stands in it but its number, which is ours.
pub(crate) fn refusal(page: bool, verdict: &Verdict, id: RequestId) -> Option<Response<Body>> {
    let Verdict::Refuse(refusal) = verdict else { return None };
    let status = StatusCode::from_u16(refusal.status).ok().filter(|status| !status.is_redirection()).unwrap_or(StatusCode::FORBIDDEN);
    let (title, detail) = match status.as_u16() {
        400 => ("The request cannot be read", "Its body is not what it says it is."),
        413 => ("The request is too large", "It is longer than what is inspected here."),
        503 => ("The request takes too long to inspect", "Send less at once."),
        _ => ("The request was refused", "It looks like an attack on this application."),
    };
    let detail = format!("{detail} If you think otherwise, tell whoever runs it this number: {id}");
    Some(answer(page, status, "refused", title, &detail))
}
