//! Reading the ledger: search, one event, counts, and following it as it grows.

use serde_json::Value;
use tutela_api as api;
use tutela_core::{AccountId, ErrorKind, EventId, Timestamp};
use tutela_ledger::query::{Field, Query, Term};
use tutela_store::{Bounds, LogRow, Match, Position};

use crate::{
    App, Ctx, Error,
    record::{Facets, indexed_network, words},
};

/// Most events of one page.
pub const MAX_PAGE: u32 = 1_000;
/// Index rows that one page looks at; a page that found less says where to go on.
pub(crate) const MAX_LOOKED_AT: usize = 20_000;

/// One page of events, newest first; `next` continues below it.
pub struct Found {
    /// The events, opened for the reader.
    pub items: Vec<api::StoredEvent>,
    /// Where the next page begins.
    pub next: Option<Position>,
}

/// Reads a query; what is wrong with it names the place.
pub fn query(text: &str) -> Result<Query, Error> {
    Query::parse(text).map_err(|e| Error::Query { at: e.at.start, message: e.message })
}

/// Searches the ledger. Times are compared with when an event happened, not with when it was recorded.
pub async fn search(app: &App, ctx: &Ctx, query: &Query, before: Option<Position>, limit: u32) -> Result<Found, Error> {
    app.permit(ctx, "ledger:read").await?;
    page(app, query, before, limit).await
}

/// What the caller did and what was done to their account, newest first, without their single requests.
pub async fn own(app: &App, ctx: &Ctx, before: Option<&str>) -> Result<Found, Error> {
    const PAGE: usize = 50;
    let id = super::session::own_account(ctx)?;
    let before = before.map(|text| text.parse::<Position>().map_err(|_| Error::invalid("cursor", "this is not a cursor of this list"))).transpose()?;
    own_page(app, id, before, PAGE).await
}

async fn own_page(app: &App, id: AccountId, before: Option<Position>, size: usize) -> Result<Found, Error> {
    let mut items = Vec::new();
    for text in [format!("actor:{id} -type:gateway.*"), format!("resource:account/{id}")] {
        items.extend(page(app, &query(&text)?, before, size as u32).await?.items);
    }
    let place = |event: &api::StoredEvent| event.position.parse::<Position>().ok();
    items.sort_by_key(|event| std::cmp::Reverse(place(event)));
    items.dedup_by(|a, b| a.position == b.position);
    items.truncate(size);
    let next = if items.len() == size { items.last().and_then(place) } else { None };
    Ok(Found { items, next })
}

/// The newest events of an account, for its owner's package.
pub(crate) async fn of_account(app: &App, id: AccountId, most: usize) -> Result<Vec<api::StoredEvent>, Error> {
    let (mut items, mut before) = (Vec::new(), None);
    loop {
        let found = own_page(app, id, before, 200).await?;
        items.extend(found.items);
        before = found.next;
        if before.is_none() || items.len() >= most {
            items.truncate(most);
            return Ok(items);
        }
    }
}

async fn page(app: &App, query: &Query, before: Option<Position>, limit: u32) -> Result<Found, Error> {
    let limit = limit.clamp(1, MAX_PAGE) as usize;
    let mut found = Found { items: Vec::new(), next: None };
    if let Some(ids) = query.terms.iter().find(|term| term.field == Field::Id && !term.excluded) {
        for id in ids.values.iter().filter_map(|id| id.parse::<EventId>().ok()) {
            let Some(row) = app.store.log_get(id).await? else { continue };
            let event = shown_anyway(app, &row).await?;
            found.items.extend(Facets::read(&event.event).fit(query).then_some(event));
        }
        return Ok(found);
    }
    // A page is compared as a whole, however few are asked for.
    let page = limit.max(100);
    let Some((bounds, mut before)) = bounds(app, query, before).await? else { return Ok(found) };
    let tokens = |month: i64| tokens(app, query, month).map_err(|e| tutela_store::Error::Internal(e.to_string()));
    let mut looked_at = 0;
    loop {
        let positions = app.store.search(&tokens, Bounds { before, ..bounds }, page as u32).await?;
        let exhausted = positions.len() < page;
        looked_at += positions.len();
        before = positions.last().copied();
        for row in app.store.log_rows(&positions).await? {
            let event = shown_anyway(app, &row).await?;
            if Facets::read(&event.event).fit(query) {
                found.items.push(event);
                if found.items.len() == limit {
                    found.next = Some(Position { entry: row.position.entry, item: Some(row.position.item.unwrap_or(0)) });
                    return Ok(found);
                }
            }
        }
        if exhausted {
            return Ok(found);
        }
        if looked_at >= MAX_LOOKED_AT {
            found.next = before;
            return Ok(found);
        }
    }
}

/// Events as they are stored, newest first, with what is sealed in them left sealed: for the server's own reading.
pub(crate) struct ClearPage {
    pub items: Vec<(Position, Value)>,
    /// Where the next page begins.
    pub next: Option<Position>,
}

/// A page of events whose clear members fit `query`.
pub(crate) async fn clear_page(app: &App, query: &Query, before: Option<Position>, limit: u32) -> Result<ClearPage, Error> {
    let none = ClearPage { items: Vec::new(), next: None };
    let Some((bounds, before)) = bounds(app, query, before).await? else { return Ok(none) };
    let tokens = |month: i64| tokens(app, query, month).map_err(|e| tutela_store::Error::Internal(e.to_string()));
    let positions = app.store.search(&tokens, Bounds { before, ..bounds }, limit).await?;
    let next = if positions.len() < limit as usize { None } else { positions.last().copied() };
    let rows = app.store.log_rows(&positions).await?;
    let read = rows.into_iter().filter_map(|row| Some((row.position, serde_json::from_slice::<Value>(&row.body).ok()?)));
    Ok(ClearPage { items: read.filter(|(_, event)| Facets::read(event).fit(query)).collect(), next })
}

/// The part of the log that can hold events of the wanted time.
pub(crate) async fn bounds(app: &App, query: &Query, before: Option<Position>) -> Result<Option<(Bounds, Option<Position>)>, Error> {
    if query.after.is_none() && query.before.is_none() {
        return Ok(Some((Bounds { from: 0, before }, before)));
    }
    let after = query.after.unwrap_or(Timestamp::from_micros(0));
    let until = query.before.unwrap_or(Timestamp::from_secs(253_402_300_799));
    let Some((from, to)) = app.store.log_time_bounds(after, until).await? else { return Ok(None) };
    let end = Position { entry: to, item: Some(0) };
    let before = Some(before.map_or(end, |b| b.min(end)));
    Ok(Some((Bounds { from, before }, before)))
}

/// What index rows of `month` must carry to be worth opening.
pub(crate) fn tokens(app: &App, query: &Query, month: i64) -> Result<Match, Error> {
    let mut wanted = Match::default();
    for term in &query.terms {
        let groups = term.values.iter().map(|value| value_tokens(app, term.field, value, month)).collect::<Result<Vec<_>, Error>>()?;
        // A value that the index does not know narrows nothing; neither may it exclude.
        if groups.iter().any(Vec::is_empty) {
            continue;
        }
        match (term, groups.as_slice()) {
            (Term { excluded: false, .. }, [one]) => wanted.all.extend(one.iter().cloned()),
            // Any of several: the first token of each must do, the rest is compared on the opened event.
            (Term { excluded: false, .. }, many) => wanted.any.push(many.iter().filter_map(|group| group.first().cloned()).collect()),
            // A row may be left out only where a single token says all that is excluded.
            (Term { excluded: true, field, .. }, many) if exact(*field) => wanted.none.extend(many.iter().filter_map(|group| group.first().cloned())),
            (Term { excluded: true, .. }, _) => {}
        }
    }
    Ok(wanted)
}

/// Whether one token of the index means just the value; networks and phrases are only narrowed.
fn exact(field: Field) -> bool {
    !matches!(field, Field::Ip | Field::Words | Field::Id)
}

/// The tokens a row with this value carries, all of them; none where the index cannot tell.
fn value_tokens(app: &App, field: Field, value: &str, month: i64) -> Result<Vec<String>, Error> {
    let keyed = |prefix: &str, word: &str| app.sealer.token(month, prefix, word);
    Ok(match field {
        Field::Type => vec![format!("t={value}")],
        Field::Outcome => vec![format!("o={value}")],
        Field::Severity => vec![format!("s={value}")],
        Field::Class => vec![format!("c={value}")],
        Field::Actor => vec![keyed("a", value)?],
        Field::Action => vec![keyed("x", value)?],
        Field::Resource => vec![keyed("r", value)?],
        Field::Session => vec![keyed("e", value)?],
        Field::Route => vec![keyed("g", value)?],
        Field::Ip => indexed_network(value).map(|net| keyed("i", &net)).transpose()?.into_iter().collect(),
        Field::Words => words(value).iter().map(|word| keyed("w", word)).collect::<Result<_, _>>()?,
        Field::Id => Vec::new(),
    })
}

/// Totals from the hours' roll-ups. A query may name types, outcomes and times, and nothing else.
pub async fn counts(app: &App, ctx: &Ctx, query: &Query, by: By) -> Result<api::Counts, Error> {
    app.permit(ctx, "ledger:read").await?;
    if let Some(term) = query.terms.iter().find(|term| !matches!(term.field, Field::Type | Field::Outcome)) {
        let message = format!("counts come from hourly totals, which know `type`, `outcome`, `after` and `before`, not `{}`", term.field);
        return Err(Error::invalid("q", message));
    }
    for (name, time) in [("after", query.after), ("before", query.before)] {
        if time.is_some_and(|time| time.micros().rem_euclid(3_600_000_000) != 0) {
            return Err(Error::invalid("q", format!("counts are kept by the hour: `{name}` needs a full hour, for example 2026-11-22T09:00:00Z")));
        }
    }
    let hour = |time: Option<Timestamp>, other: i64| time.map_or(other, |time| time.secs().div_euclid(3_600));
    let mut out: std::collections::BTreeMap<String, u64> = std::collections::BTreeMap::new();
    let fits = |field: Field, value: &str| {
        let of = query.terms.iter().filter(|term| term.field == field);
        of.into_iter()
            .all(|term| term.values.iter().any(|wanted| wanted == value || wanted.strip_suffix('*').is_some_and(|f| value.starts_with(f))) != term.excluded)
    };
    for total in app.store.event_totals(hour(query.after, 0), hour(query.before, i64::MAX)).await? {
        if !fits(Field::Type, &total.kind) || !fits(Field::Outcome, &total.outcome) {
            continue;
        }
        let key = match by {
            By::Hour => Timestamp::from_secs(total.hour * 3_600).to_string(),
            By::Day => Timestamp::from_secs(total.hour.div_euclid(24) * 86_400).to_string(),
            By::Outcome => total.outcome,
            By::Type => total.kind,
        };
        *out.entry(key).or_default() += total.events;
    }
    let total = out.values().sum();
    Ok(api::Counts { counts: out.into_iter().map(|(key, events)| api::Count { key, events }).collect(), total })
}

/// What counts are grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// By day (UTC).
    Day,
    /// By the hour they were recorded in.
    Hour,
    /// By how they ended.
    Outcome,
    /// By event type.
    Type,
}

/// An event by id, with its canonical bytes as they are sealed.
pub async fn get(app: &App, ctx: &Ctx, id: EventId) -> Result<(api::StoredEvent, Vec<u8>), Error> {
    app.permit(ctx, "ledger:read").await?;
    let row = sequenced(app, id).await?;
    Ok((shown(app, &row).await?, row.body))
}

/// An event that is durable; on PostgreSQL it may have to wait for its position first.
pub(crate) async fn sequenced(app: &App, id: EventId) -> Result<LogRow, Error> {
    if let Some(row) = app.store.log_get(id).await? {
        return Ok(row);
    }
    app.store.settle().await?;
    app.store.log_get(id).await?.ok_or(Error::NotFound("event"))
}

/// An event by position, with its canonical bytes as they are sealed.
pub async fn at(app: &App, ctx: &Ctx, position: Position) -> Result<(api::StoredEvent, Vec<u8>), Error> {
    app.permit(ctx, "ledger:read").await?;
    let row = app.store.log_at(position).await?.ok_or(Error::NotFound("event"))?;
    Ok((shown(app, &row).await?, row.body))
}

/// Follows the log: events from entry `from` on that fit, and where to go on. Waits until there is
/// something. Ends with an error once the caller's session or key has ended, or the server stops.
pub async fn follow(app: &App, ctx: &Ctx, query: &Query, from: u64) -> Result<(Vec<api::StoredEvent>, u64), Error> {
    app.permit(ctx, "ledger:read").await?;
    let mut size = app.store.watch_size();
    let stop = app.stopping();
    let upto = loop {
        let now = *size.borrow_and_update();
        if now > from {
            break now.min(from + 256);
        }
        tokio::select! {
            changed = size.changed() => changed.map_err(|_| Error::Internal("the store is closing"))?,
            () = stop.cancelled() => return Err(Error::Internal("the server is stopping")),
        }
    };
    app.still_there(ctx).await?;
    let mut out = range(app, from, upto).await?;
    out.retain(|event| Facets::read(&event.event).fit(query));
    Ok((out, upto))
}

/// The events of the entries `from..to`, oldest first, each record of a batch by itself.
pub(crate) async fn range(app: &App, from: u64, to: u64) -> Result<Vec<api::StoredEvent>, Error> {
    let mut out = Vec::new();
    for row in rows(app, from, to).await? {
        out.push(shown_anyway(app, &row).await?);
    }
    Ok(out)
}

/// As [`range`], sealed.
pub(crate) async fn rows(app: &App, from: u64, to: u64) -> Result<Vec<LogRow>, Error> {
    let mut out = Vec::new();
    let mut items = app.store.log_items_range(from, to).await?.into_iter().peekable();
    for row in app.store.log_range(from, to).await? {
        while items.next_if(|(position, _)| position.entry < row.position.entry).is_some() {}
        let mut batch = Vec::new();
        while let Some((position, body)) = items.next_if(|(position, _)| position.entry == row.position.entry) {
            batch.push(row.item(position.item.unwrap_or(0), body));
        }
        if batch.is_empty() { out.push(row) } else { out.extend(batch) }
    }
    Ok(out)
}

/// Number of entries of the log at this moment, as this process knows it.
pub fn size(app: &App) -> u64 {
    *app.store.watch_size().borrow()
}

pub(crate) async fn shown(app: &App, row: &LogRow) -> Result<api::StoredEvent, Error> {
    Ok(api::StoredEvent { position: row.position.to_string(), event: app.open_event(row).await?, leaf: hex(&row.leaf) })
}

/// As [`shown`]; what cannot be opened shows without what was sealed, and says so.
pub(crate) async fn shown_anyway(app: &App, row: &LogRow) -> Result<api::StoredEvent, Error> {
    match shown(app, row).await {
        Err(e) if e.kind() == ErrorKind::Corrupt => {
            tracing::error!(position = %row.position, error = %e, "an event cannot be opened; run `tutela audit verify`");
            let mut event: Value = serde_json::from_slice(&row.body).unwrap_or_default();
            if let Some(map) = event.as_object_mut() {
                map.remove("sealed");
                map.insert("unreadable".into(), true.into());
            }
            Ok(api::StoredEvent { position: row.position.to_string(), event, leaf: hex(&row.leaf) })
        }
        shown => shown,
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
