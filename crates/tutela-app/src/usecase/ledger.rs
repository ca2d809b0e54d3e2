//! The ledger for outsiders: checkpoint, tiles, proofs, and the bytes as they are sealed.

use tutela_core::EventId;
use tutela_ledger::{Batch, Checkpoint, ItemProof, Span, TilePath, TlogProof, inclusion_ranges};
use tutela_store::{LogRow, Position};

use crate::{App, Ctx, Error, usecase::search};

/// The last signed checkpoint, as a signed note.
pub async fn checkpoint(app: &App, ctx: &Ctx) -> Result<String, Error> {
    app.permit(ctx, "ledger:read").await?;
    Ok(app.store.log_head().await?.1)
}

/// The key that checks checkpoints, `name+hash+key`. It is public.
pub fn key(app: &App) -> String {
    app.ledger_key.to_string()
}

/// The hashes of a tile (C2SP tlog-tiles).
pub async fn tile(app: &App, ctx: &Ctx, path: TilePath) -> Result<Vec<u8>, Error> {
    app.permit(ctx, "ledger:read").await?;
    let span = Span { level: path.level, start: path.index * 256, count: u64::from(path.width) };
    let hashes = app.store.log_span(span).await?;
    if hashes.len() < usize::from(path.width) {
        return Err(Error::NotFound("tile"));
    }
    Ok(hashes.concat())
}

/// Proof that an event stands in the log (C2SP tlog-proof).
pub async fn proof(app: &App, ctx: &Ctx, id: EventId) -> Result<TlogProof, Error> {
    app.permit(ctx, "ledger:read").await?;
    let row = search::sequenced(app, id).await?;
    prove(app, row).await
}

/// Proof for the event at a position.
pub async fn proof_at(app: &App, ctx: &Ctx, position: Position) -> Result<TlogProof, Error> {
    app.permit(ctx, "ledger:read").await?;
    let row = app.store.log_at(position).await?.ok_or(Error::NotFound("event"))?;
    prove(app, row).await
}

async fn prove(app: &App, row: LogRow) -> Result<TlogProof, Error> {
    let note = app.store.log_head().await?.1;
    prove_under(app, row, &note).await
}

/// Proof under a certain checkpoint.
pub(crate) async fn prove_under(app: &App, row: LogRow, note: &str) -> Result<TlogProof, Error> {
    let size = Checkpoint::parse(note)?.size;
    let index = row.position.entry;
    let mut hashes = Vec::new();
    for range in inclusion_ranges(index, size) {
        hashes.push(app.store.log_subtree(range).await?);
    }
    let item = match row.position.item {
        None => None,
        Some(item) => {
            let leaf = app.store.log_at(Position { entry: index, item: None }).await?.ok_or(Error::NotFound("event"))?;
            let (batch, _) = Batch::new(app.store.log_items(index).await?);
            Some(ItemProof::new(&batch, item, leaf.body).ok_or(Error::NotFound("event"))?)
        }
    };
    Ok(TlogProof { index, hashes, checkpoint: note.to_owned(), item })
}

/// An entry as the ledger keeps it.
pub struct SealedEntry {
    /// Its position.
    pub position: u64,
    /// Its id.
    pub id: EventId,
    /// Its leaf hash.
    pub leaf: tutela_ledger::Hash,
    /// Its canonical bytes; gone where it has expired.
    pub body: Option<Vec<u8>>,
    /// The records of a batch.
    pub items: Vec<Vec<u8>>,
}

/// Entries `from..from + limit` as they are sealed, each with its records, oldest first.
pub async fn entries(app: &App, ctx: &Ctx, from: u64, limit: u64) -> Result<Vec<SealedEntry>, Error> {
    app.permit(ctx, "ledger:read").await?;
    let to = from.saturating_add(limit.min(1_000));
    let mut items = app.store.log_items_range(from, to).await?.into_iter().peekable();
    let mut out = Vec::new();
    for (position, id, leaf, body) in app.store.log_scan(from, to).await? {
        let mut entry = SealedEntry { position, id, leaf, body, items: Vec::new() };
        while let Some((_, item)) = items.next_if(|(at, _)| at.entry <= position) {
            entry.items.push(item);
        }
        out.push(entry);
    }
    Ok(out)
}
