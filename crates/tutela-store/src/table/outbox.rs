//! PostgreSQL's outbox: events of business transactions on their way to the log.

use tutela_core::{EventId, seam::Facts};
use tutela_ledger::{Batch, Entry};

use crate::{
    Error, IndexRow, Record,
    sql::statements,
    value::{Row, Value},
};

statements! {
    OUTBOX_DELETE on Postgres (Ints) = "DELETE FROM outbox WHERE n = ANY($1)";
    OUTBOX_INSERT on Postgres (Ids, Times, Times, Blobs, Blobs, Texts) = "INSERT INTO outbox (id, time, recorded_at, body, items, tokens) SELECT * FROM unnest($1, $2, $3, $4, $5, $6)";
    OUTBOX_TAKE on Postgres (Int) = "SELECT n, id, time, recorded_at, body, items, tokens FROM outbox ORDER BY n LIMIT $1";
    OUTBOX_WAITING on Postgres () = "SELECT count(*) FROM outbox";
}

/// Records as columns of one insert.
pub(crate) fn columns(records: &[Record]) -> Vec<Value> {
    vec![
        Value::Ids(records.iter().map(|r| r.entry.id.0).collect()),
        Value::Times(records.iter().map(|r| r.entry.time).collect()),
        Value::Times(records.iter().map(|r| r.entry.recorded_at).collect()),
        Value::Blobs(records.iter().map(|r| r.entry.body.clone()).collect()),
        Value::Blobs(records.iter().map(|r| pack(r.entry.items.as_ref())).collect()),
        Value::Texts(records.iter().map(|r| index_text(&r.index)).collect()),
    ]
}

/// Rows of [`OUTBOX_TAKE`] as records, with their numbers.
pub(crate) fn read(rows: &[Row]) -> Result<(Vec<i64>, Vec<Record>), Error> {
    let mut numbers = Vec::with_capacity(rows.len());
    let mut records = Vec::with_capacity(rows.len());
    for row in rows {
        let mut entry = Entry::new(EventId(row.get(1)?), row.get(2)?, row.get(3)?, row.get(4)?)?;
        let (items, tokens): (Vec<u8>, String) = (row.get(5)?, row.get(6)?);
        entry.items = unpack(&items)?;
        numbers.push(row.get(0)?);
        records.push(Record { entry, index: index_rows(&tokens), facts: Facts::default() });
    }
    Ok((numbers, records))
}

/// Each body behind its length in four bytes; empty for an ordinary entry.
fn pack(batch: Option<&Batch>) -> Vec<u8> {
    let mut out = Vec::new();
    for body in batch.iter().flat_map(|b| b.bodies()) {
        out.extend_from_slice(&(body.len() as u32).to_be_bytes());
        out.extend_from_slice(body);
    }
    out
}

fn unpack(mut bytes: &[u8]) -> Result<Option<Batch>, Error> {
    let short = || Error::Decode("a batch in the outbox is cut off".into());
    let mut bodies = Vec::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk::<4>().ok_or_else(short)?;
        let (body, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize).ok_or_else(short)?;
        bodies.push(body.to_vec());
        bytes = rest;
    }
    Ok((!bodies.is_empty()).then(|| Batch::new(bodies).0))
}

/// One line a row: number of the record, then its tokens.
fn index_text(rows: &[IndexRow]) -> String {
    let lines: Vec<String> = rows.iter().map(|row| format!("{} {}", row.item, row.tokens.join(" "))).collect();
    lines.join("\n")
}

fn index_rows(text: &str) -> Vec<IndexRow> {
    let row = |line: &str| {
        let mut words = line.split(' ');
        let item = words.next()?.parse().ok()?;
        Some(IndexRow { item, tokens: words.map(str::to_owned).collect() })
    };
    text.lines().filter_map(row).collect()
}
