//! Taking events out in bulk: oldest first, in the form that somebody else reads, with proofs that
//! a stranger can check. That it was done is an event, recorded before the first line leaves.

use std::collections::VecDeque;

use serde_json::{Value, json};
use tutela_api as api;
use tutela_ledger::{Checkpoint, Query};
use tutela_store::{Bounds, LogRow, Position};

use super::{
    ledger, search,
    search::{bounds, rows, shown_anyway, tokens},
};
use crate::{
    App, Ctx, Error,
    export::{HEADER, Integrity, Outgoing, ecs, line, ocsf},
    occurrence::LedgerExported,
    record::Facets,
};

/// Entries or index rows that are read at a time.
const STEP: u64 = 512;

/// How exported events are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    /// Comma-separated values (RFC 4180), with a header.
    Csv,
    /// Elastic Common Schema, one JSON object a line.
    Ecs,
    /// As `GET /v1/events` shows them, one JSON object a line.
    Jsonl,
    /// Open Cybersecurity Schema Framework, one JSON object a line.
    Ocsf,
}

impl ExportFormat {
    /// From its name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Csv, Self::Ecs, Self::Jsonl, Self::Ocsf].into_iter().find(|format| format.as_str() == name)
    }

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Ecs => "ecs",
            Self::Jsonl => "jsonl",
            Self::Ocsf => "ocsf",
        }
    }
}

/// An export under way: everything that stood in the log when it began.
pub struct Export {
    app: App,
    ctx: Ctx,
    query: Query,
    format: ExportFormat,
    proofs: bool,
    checkpoint: String,
    from: u64,
    to: u64,
    /// What the index found, where the query narrows it; oldest first.
    found: Option<VecDeque<Position>>,
    begun: bool,
    ended: bool,
}

/// Begins an export: records it, and fixes the checkpoint that all of it stands under.
pub async fn begin(app: &App, ctx: &Ctx, text: &str, format: ExportFormat, proofs: bool) -> Result<Export, Error> {
    app.permit(ctx, "ledger:export").await?;
    let query = search::query(text)?;
    if proofs && format == ExportFormat::Csv {
        return Err(Error::invalid("proofs", "a table has no place for proofs; use `jsonl`, `ecs` or `ocsf`"));
    }
    app.store.settle().await?;
    let (size, checkpoint) = app.store.log_head().await?;
    let first = app.store.log_first().await?;
    let (from, to) = match bounds(app, &query, None).await? {
        Some((bounds, before)) => (bounds.from.max(first), before.map_or(size, |b| b.entry.min(size))),
        None => (size, size),
    };
    app.commit(ctx, LedgerExported::new(format.as_str(), text, proofs, from, to), |c| c).await?;
    let found = if query.terms.is_empty() { None } else { Some(matches(app, &query, from, to).await?) };
    Ok(Export { app: app.clone(), ctx: ctx.clone(), query, format, proofs, checkpoint, from, to, found, begun: false, ended: false })
}

/// Begins an export of events that are known by their places, oldest first, with proofs under one checkpoint.
pub(crate) async fn of_positions(app: &App, ctx: &Ctx, what: &str, positions: VecDeque<Position>) -> Result<Export, Error> {
    let (size, checkpoint) = app.store.log_head().await?;
    let ends = positions.front().zip(positions.back()).map_or((size, size), |(first, last)| (first.entry, last.entry + 1));
    let format = ExportFormat::Jsonl;
    app.commit(ctx, LedgerExported::new(format.as_str(), what, true, ends.0, ends.1), |c| c).await?;
    let (query, found) = (search::query("")?, Some(positions));
    Ok(Export { app: app.clone(), ctx: ctx.clone(), query, format, proofs: true, checkpoint, from: ends.0, to: ends.1, found, begun: false, ended: false })
}

/// Every position the index holds for a query, oldest first.
async fn matches(app: &App, query: &Query, from: u64, to: u64) -> Result<VecDeque<Position>, Error> {
    let of = |month: i64| tokens(app, query, month).map_err(|e| tutela_store::Error::Internal(e.to_string()));
    let (mut out, mut before) = (VecDeque::new(), Some(Position { entry: to, item: Some(0) }));
    loop {
        let page = app.store.search(&of, Bounds { from, before }, 10_000).await?;
        before = page.last().copied();
        let last = page.len() < 10_000;
        page.into_iter().for_each(|position| out.push_front(position));
        if last {
            return Ok(out);
        }
    }
}

impl Export {
    /// The next lines; `None` at the end. Ends early with an error once the caller's session or key has ended.
    pub async fn next(&mut self) -> Result<Option<String>, Error> {
        if self.ended {
            return Ok(None);
        }
        let mut out = String::new();
        if !std::mem::replace(&mut self.begun, true) && self.format == ExportFormat::Csv {
            out.push_str(&HEADER.join(","));
            out.push_str("\r\n");
        }
        self.app.still_there(&self.ctx).await?;
        match self.rows().await? {
            Some(rows) => {
                for row in &rows {
                    let stored = shown_anyway(&self.app, row).await?;
                    if Facets::read(&stored.event).fit(&self.query) {
                        self.write(&mut out, row, &stored).await?;
                    }
                }
            }
            None => {
                self.ended = true;
                if self.proofs {
                    out.push_str(&json!({"checkpoint": self.checkpoint, "key": self.app.ledger_key.to_string()}).to_string());
                    out.push('\n');
                }
            }
        }
        Ok(Some(out))
    }

    /// The next rows that may fit.
    async fn rows(&mut self) -> Result<Option<Vec<LogRow>>, Error> {
        match &mut self.found {
            Some(found) => {
                let page: Vec<Position> = found.drain(..found.len().min(STEP as usize)).collect();
                if page.is_empty() { Ok(None) } else { Ok(Some(self.app.store.log_rows(&page).await?)) }
            }
            None if self.from >= self.to => Ok(None),
            None => {
                let to = self.to.min(self.from + STEP);
                let page = rows(&self.app, self.from, to).await?;
                self.from = to;
                Ok(Some(page))
            }
        }
    }

    async fn write(&self, out: &mut String, row: &LogRow, stored: &api::StoredEvent) -> Result<(), Error> {
        let declared = self.app.types.body(stored.event["type"].as_str().unwrap_or_default());
        let outgoing = Outgoing { stored, declared: &declared, origin: &self.app.store.instance().origin };
        let mut document = match self.format {
            ExportFormat::Csv => {
                out.push_str(&line(&outgoing));
                return Ok(());
            }
            ExportFormat::Ecs => ecs(&outgoing),
            ExportFormat::Jsonl => serde_json::to_value(stored).map_err(|_| Error::Internal("an event is not JSON"))?,
            ExportFormat::Ocsf => {
                let key = self.app.ledger_key.to_string();
                ocsf(&outgoing, &Integrity { authority: &key, checkpoint: self.proofs.then_some(self.checkpoint.as_str()) })
            }
        };
        if self.proofs {
            let proof = ledger::prove_under(&self.app, row.clone(), &self.checkpoint).await?;
            // Where each schema has room for what it does not know.
            let place = match self.format {
                ExportFormat::Ecs => &mut document["tutela"],
                ExportFormat::Ocsf => &mut document["unmapped"],
                ExportFormat::Csv | ExportFormat::Jsonl => &mut document,
            };
            place["sealed"] = String::from_utf8_lossy(&row.body).into_owned().into();
            place["proof"] = proof.to_string().into();
        }
        out.push_str(&document.to_string());
        out.push('\n');
        Ok(())
    }

    /// Number of entries that the export's checkpoint covers.
    pub fn size(&self) -> u64 {
        Checkpoint::parse(&self.checkpoint).map_or(0, |checkpoint| checkpoint.size)
    }
}

/// The example of a declared type in a format; for the reference and for checks of the mapping.
pub fn exported_example(format: ExportFormat, body: &api::EventTypeBody) -> Value {
    let stored = crate::export::example(body);
    let outgoing = Outgoing { stored: &stored, declared: body, origin: "tutela.example.com/019ab3a4" };
    match format {
        ExportFormat::Csv => Value::from(line(&outgoing)),
        ExportFormat::Ecs => ecs(&outgoing),
        ExportFormat::Jsonl => serde_json::to_value(&stored).unwrap_or_default(),
        ExportFormat::Ocsf => ocsf(&outgoing, &Integrity { authority: "tutela.example.com/019ab3a4+033de0ae+AQ==", checkpoint: None }),
    }
}
