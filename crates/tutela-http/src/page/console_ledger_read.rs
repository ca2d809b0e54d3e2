//! Reading the ledger as a whole, in the console: figures, event types, export.

use std::{cmp::Reverse, collections::BTreeMap};

use axum::{
    extract::{Query, State},
    http::{HeaderMap, Uri},
    response::Response,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use tutela_api as api;
use tutela_app::{
    Error, ExportFormat, Query as LedgerQuery, event_type, ledger,
    search::{self, By},
};
use tutela_core::Timestamp;

use super::{console::desk, console_frame::Desk, console_keys::said, see_other, show::outcome};
use crate::{
    caller::Caller,
    view::{
        console::Room,
        ledger::{ExportPage, FiguresPage, Tab, Tabs, TallyRow, TypeGroup, TypeRow, TypesPage},
        part::{Choice, Count},
    },
    web::Web,
};

const DAY: i64 = 86_400;

/// The list of events with a query.
pub(super) fn events_of(query: &str) -> String {
    if query.is_empty() { "/ledger".to_owned() } else { format!("/ledger?q={}", encoded(query)) }
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

// === Figures ===

/// A span that can be chosen.
struct Span {
    days: i64,
    label: &'static str,
    /// What one bar stands for: few enough bars that a phone can show them.
    step: &'static str,
}

static SPANS: [Span; 4] = [
    Span { days: 7, label: "7 days", step: "day" },
    Span { days: 30, label: "30 days", step: "day" },
    Span { days: 91, label: "13 weeks", step: "week" },
    Span { days: 365, label: "365 days", step: "month" },
];

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Chosen {
    days: String,
}

pub(crate) async fn figures(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri, Query(chosen): Query<Chosen>) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let [_, usual, ..] = &SPANS;
    let span = SPANS.iter().find(|span| span.days.to_string() == chosen.days).unwrap_or(usual);
    match figures_page(&desk, span).await {
        Ok(page) => desk.show(&page),
        Err(e) => desk.failed(Room::Ledger, &e),
    }
}

async fn figures_page(desk: &Desk, span: &Span) -> Result<FiguresPage, Error> {
    let (app, ctx) = (&desk.web.app, &desk.caller.ctx);
    let today = ctx.now.secs().div_euclid(DAY);
    let first = today - span.days + 1;
    let query = LedgerQuery { after: Some(Timestamp::from_secs(first * DAY)), ..LedgerQuery::default() };
    let by_day = search::counts(app, ctx, &query, By::Day).await?;
    let kinds = search::counts(app, ctx, &query, By::Type).await?;
    let outcomes = search::counts(app, ctx, &query, By::Outcome).await?;
    let first_day = date(first);
    Ok(FiguresPage {
        frame: desk.frame(Room::Ledger),
        tabs: Tabs { at: Tab::Figures },
        spans: SPANS.iter().map(|one| Choice { value: one.days.to_string(), label: one.label.into(), selected: one.days == span.days }).collect(),
        span: span.label.into(),
        total: Count(by_day.total),
        step: span.step,
        bars: bars(span, first, today, by_day),
        kinds: tally(kinds, |kind| row(kind, "type", &first_day)),
        outcomes: tally(outcomes, |word| TallyRow { outcome: Some(outcome(word)), ..row(word, "outcome", &first_day) }),
        first_day,
    })
}

/// One bar for each step, with those that count nothing.
fn bars(span: &Span, first: i64, today: i64, by_day: api::Counts) -> Vec<(String, u64)> {
    let by_day: BTreeMap<String, u64> = by_day.counts.into_iter().map(|count| (count.key, count.events)).collect();
    let mut bars: Vec<(String, u64)> = Vec::new();
    for day in first..=today {
        let events = by_day.get(&Timestamp::from_secs(day * DAY).to_string()).copied().unwrap_or(0);
        let label = match span.step {
            "month" => date(day).get(..7).unwrap_or_default().to_owned(),
            "week" => date(day - (day - first).rem_euclid(7)).get(5..).unwrap_or_default().to_owned(),
            _ => date(day).get(5..).unwrap_or_default().to_owned(),
        };
        match bars.last_mut() {
            Some((last, sum)) if *last == label => *sum += events,
            _ => bars.push((label, events)),
        }
    }
    bars
}

/// A day since 1970 as `2026-11-22`.
fn date(day: i64) -> String {
    Timestamp::from_secs(day * DAY).to_string().get(..10).unwrap_or_default().to_owned()
}

/// Most events first.
fn tally(counts: api::Counts, row: impl Fn(&str) -> TallyRow) -> Vec<TallyRow> {
    let (mut all, total) = (counts.counts, counts.total);
    all.sort_by_key(|count| Reverse(count.events));
    all.iter().map(|count| TallyRow { events: Count(count.events), share: share(count.events, total), ..row(&count.key) }).collect()
}

fn row(value: &str, field: &str, first_day: &str) -> TallyRow {
    TallyRow {
        name: value.to_owned(),
        outcome: None,
        events_url: events_of(&format!("{field}:{value} after:{first_day}")),
        events: Count(0),
        share: String::new(),
    }
}

fn share(part: u64, whole: u64) -> String {
    match u128::from(part) * 100 / u128::from(whole.max(1)) {
        0 if part > 0 => "below 1 %".to_owned(),
        percent => format!("{percent} %"),
    }
}

// === Event types ===

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Looked {
    q: String,
}

pub(crate) async fn types(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri, Query(looked): Query<Looked>) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let all = match event_type::list(&desk.web.app, &desk.caller.ctx).await {
        Ok(all) => all,
        Err(e) => return desk.failed(Room::Ledger, &e),
    };
    let query = looked.q.trim().to_owned();
    let wanted = query.to_lowercase();
    let total = Count(all.len() as u64);
    let matching: Vec<api::EventType> = all.into_iter().filter(|one| fits(&one.declaration, &wanted)).collect();
    let groups = [
        ("api", "Declared by applications", "Over the API; changed and taken back with PUT and DELETE /v1/event-types/NAME."),
        ("configuration", "Declared in the configuration", "Under [audit] event_types; changed there."),
        ("tutela", "Part of tutela", "Declared by this program; they cannot be changed."),
    ]
    .map(|(id, title, note)| TypeGroup { id, title, note, rows: matching.iter().filter(|one| one.origin == id).map(type_row).collect() });
    desk.show(&TypesPage {
        frame: desk.frame(Room::Ledger),
        tabs: Tabs { at: Tab::Types },
        query,
        total,
        found: Count(matching.len() as u64),
        groups: groups.into_iter().filter(|group| !group.rows.is_empty()).collect(),
    })
}

fn fits(declared: &api::EventTypeBody, wanted: &str) -> bool {
    let texts = [&declared.name, &declared.sentence, &declared.class].into_iter().chain(declared.fields.iter().map(|field| &field.name));
    texts.into_iter().any(|text| text.to_lowercase().contains(wanted))
}

fn type_row(one: &api::EventType) -> TypeRow {
    let declared = &one.declaration;
    TypeRow {
        name: declared.name.clone(),
        sentence: declared.sentence.clone(),
        class: declared.class.clone(),
        severity: severity(declared.severity),
        ocsf: format!("{} / {}", declared.ocsf.class_uid, declared.ocsf.activity_id),
        ecs: format!("{} / {}", declared.ecs.category.join(", "), declared.ecs.r#type.join(", ")),
        fields: declared.fields.iter().map(|field| (field.name.clone(), field.personal)).collect(),
        events_url: events_of(&format!("type:{}", declared.name)),
    }
}

/// As OCSF names its `severity_id`.
fn severity(number: u8) -> String {
    let word = match number {
        1 => "informational",
        2 => "low",
        3 => "medium",
        4 => "high",
        5 => "critical",
        _ => "unknown",
    };
    format!("{number} {word}")
}

// === Export ===

/// The form's fields; an unchecked box is absent, and `download` tells the form from a link to it.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Wanted {
    q: String,
    format: String,
    proofs: String,
    download: String,
}

impl Wanted {
    /// Refuses what the export would refuse, so that it is said beside the field.
    fn check(&self) -> Result<(), Error> {
        search::query(&self.q)?;
        match ExportFormat::parse(&self.format) {
            None => Err(Error::invalid("format", "choose one of the formats")),
            Some(ExportFormat::Csv) if !self.proofs.is_empty() => {
                Err(Error::invalid("proofs", "csv has no place for proofs; choose another format, or leave them out"))
            }
            Some(_) => Ok(()),
        }
    }

    fn address(&self) -> String {
        let proofs = if self.proofs.is_empty() { "" } else { "&proofs=true" };
        format!("/v1/events/export?q={}&format={}{proofs}", encoded(self.q.trim()), encoded(&self.format))
    }

    fn page(&self, desk: &Desk, wrong: Option<(String, String)>) -> ExportPage {
        let formats = [
            ("jsonl", "jsonl: as the API shows events, one a line"),
            ("csv", "csv: a table, for spreadsheets"),
            ("ocsf", "ocsf: Open Cybersecurity Schema Framework, one a line"),
            ("ecs", "ecs: Elastic Common Schema, one a line"),
        ];
        ExportPage {
            frame: desk.frame(Room::Ledger),
            tabs: Tabs { at: Tab::Export },
            query: self.q.clone(),
            formats: formats.map(|(value, label)| Choice { value: value.into(), label: label.into(), selected: self.format == value }).to_vec(),
            proofs: !self.proofs.is_empty(),
            key: ledger::key(&desk.web.app),
            wrong,
        }
    }
}

/// The form, or, once it is filled in, the way to the file.
pub(crate) async fn export(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri, Query(wanted): Query<Wanted>) -> Response {
    let desk = desk!(web, caller, headers, uri);
    if wanted.download.is_empty() {
        return desk.show(&wanted.page(&desk, None));
    }
    if let Err(e) = desk.web.app.permit(&desk.caller.ctx, "ledger:export").await {
        return desk.failed(Room::Ledger, &e);
    }
    match wanted.check() {
        Ok(()) => see_other(&wanted.address()),
        Err(e) => {
            let wrong = e.field().map_or_else(|| ("q".to_owned(), said(&e)), |(field, text)| (field.to_owned(), text.to_owned()));
            desk.show(&wanted.page(&desk, Some(wrong)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(days: &[(i64, u64)]) -> api::Counts {
        let counts = days.iter().map(|(day, events)| api::Count { key: Timestamp::from_secs(day * DAY).to_string(), events: *events }).collect();
        api::Counts { counts, total: days.iter().map(|(_, events)| events).sum() }
    }

    #[test]
    fn days_without_events_have_a_bar_and_weeks_add_up() {
        // 2026-11-22 is day 20,779 since 1970.
        let [seven, _, weeks, year] = &SPANS;
        let found = bars(seven, 20_773, 20_779, counts(&[(20_773, 4), (20_779, 1)]));
        assert_eq!(found.len(), 7);
        assert_eq!((found.first(), found.last()), (Some(&("11-16".to_owned(), 4)), Some(&("11-22".to_owned(), 1))));
        let found = bars(weeks, 20_689, 20_779, counts(&[(20_773, 4), (20_779, 1)]));
        assert_eq!((found.len(), found.last()), (13, Some(&("11-16".to_owned(), 5))));
        let found = bars(year, 20_415, 20_779, counts(&[(20_415, 2), (20_779, 1)]));
        assert_eq!((found.len(), found.first(), found.last()), (13, Some(&("2025-11".to_owned(), 2)), Some(&("2026-11".to_owned(), 1))));
    }

    #[test]
    fn a_small_share_is_not_none() {
        assert_eq!([share(0, 10), share(1, 1_000), share(1, 3), share(3, 3), share(0, 0)], ["0 %", "below 1 %", "33 %", "100 %", "0 %"]);
    }

    #[test]
    fn a_query_is_encoded_into_the_address() {
        assert_eq!(events_of("type:a.b after:2026-11-01"), "/ledger?q=type%3Aa%2Eb%20after%3A2026%2D11%2D01");
        assert_eq!(events_of(""), "/ledger");
    }
}
