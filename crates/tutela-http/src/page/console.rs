//! Console pages: overview and health.

use axum::{
    extract::State,
    http::{HeaderMap, Uri},
    response::Response,
};
use tutela_app::{Error, Query as LedgerQuery, account, health, search};

use super::{
    console_frame::Desk,
    show::{row, when_text},
};
use crate::{
    caller::Caller,
    view::{
        console::{HealthCheck, HealthPage, OverviewPage, Room},
        part::{ByteSize, Count, Identifier, Status, Tone},
    },
    web::Web,
};

macro_rules! desk {
    ($web:expr, $caller:expr, $headers:expr, $uri:expr) => {
        match Desk::open(&$web, $caller, &$headers, &$uri).await {
            Ok(desk) => desk,
            Err(answer) => return answer,
        }
    };
}
pub(super) use desk;

pub(crate) async fn overview(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri) -> Response {
    let desk = desk!(web, caller, headers, uri);
    match overview_page(&desk).await {
        Ok(page) => desk.show(&page),
        Err(e) => desk.failed(Room::Overview, &e),
    }
}

async fn overview_page(desk: &Desk) -> Result<OverviewPage, Error> {
    let (app, ctx) = (&desk.web.app, &desk.caller.ctx);
    let now_hour = ctx.now.secs().div_euclid(3_600);
    let by_hour = health::event_hours(app, ctx, 0).await?;
    let hours = (now_hour - 23..=now_hour)
        .map(|hour| (format!("{:02}:00", hour.rem_euclid(24)), by_hour.iter().find(|(h, _)| *h == hour).map_or(0, |(_, n)| *n)))
        .collect();
    let probe = health::probe(app).await;
    let latest = search::search(app, ctx, &LedgerQuery::default(), None, 6).await?;
    Ok(OverviewPage {
        frame: desk.frame(Room::Overview),
        events: Count(by_hour.iter().map(|(_, n)| n).sum()),
        ledger_size: ByteSize(health::ledger_bytes(app).await?),
        verified: if probe.checkpoint.is_some() {
            Status::new(Tone::Good, "checkpoint signed")
        } else {
            Status::new(Tone::Danger, "checkpoint does not verify")
        },
        checkpoint_at: latest.items.first().and_then(|e| e.event["recorded_at"].as_str()).map(when_text),
        checkpoint_size: Count(probe.checkpoint.map_or(0, |c| c.size)),
        live_sessions: Count(health::live_sessions(app, ctx).await?),
        accounts: Count(account::count(app, ctx).await?),
        requests_lost: Count(health::requests_lost(app)),
        hours,
        zone: "UTC".into(),
        latest: latest.items.iter().map(row).collect(),
    })
}

pub(crate) async fn health(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let probe = health::probe(&desk.web.app).await;
    let state = |good: bool| if good { Status::new(Tone::Good, "passing") } else { Status::new(Tone::Danger, "failing") };
    let lost = health::requests_lost(&desk.web.app);
    let checks = vec![
        HealthCheck {
            name: "Storage answers".into(),
            state: state(probe.storage_error.is_none()),
            detail: probe.storage_error.as_ref().map_or_else(
                || "The database takes reads and its last commit is durable.".into(),
                |_| "The database does not answer; the reason is in the server's log.".into(),
            ),
        },
        HealthCheck {
            name: "Ledger head is signed".into(),
            state: state(probe.checkpoint.is_some()),
            detail: "The newest checkpoint carries this instance's signature. `tutela audit verify` hashes every event again.".into(),
        },
        HealthCheck {
            name: "Requests are recorded".into(),
            state: if lost == 0 { state(true) } else { Status::new(Tone::Attention, "losing") },
            detail: format!("{lost} requests since the start have no record because the queue was full."),
        },
    ];
    let root: String = probe.checkpoint.as_ref().map(|c| c.root.iter().map(|b| format!("{b:02x}")).collect()).unwrap_or_default();
    desk.show(&HealthPage {
        frame: desk.frame(Room::Settings),
        overall: state(probe.is_ready()),
        checks,
        version: desk.web.version.into(),
        storage: probe.storage.into(),
        uptime: duration(desk.caller.ctx.now.since(probe.started_at).as_secs()),
        ledger_size: Count(probe.checkpoint.as_ref().map_or(0, |c| c.size)),
        ledger_root: Identifier::new(root),
    })
}

fn duration(seconds: u64) -> String {
    match (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60) {
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}
