//! The search index on PostgreSQL: a partition a month, with a GIN index over the tokens.

use tokio_postgres::Transaction;

use super::postgres::execute_tx;
use crate::{
    Error, IndexChange,
    append::row_id,
    table::{ledger, search},
    value::Value,
};

/// Adds rows to indexes that are built anew.
pub(crate) async fn build_index(tx: &Transaction<'_>, rows: &[IndexChange]) -> Result<(), Error> {
    let mut months: std::collections::BTreeMap<i64, (i64, i64)> = std::collections::BTreeMap::new();
    for change in rows {
        let row = row_id(change.position.entry, change.position.item.unwrap_or(0));
        let (lowest, highest) = months.entry(change.month).or_insert((row, row));
        (*lowest, *highest) = ((*lowest).min(row), (*highest).max(row));
    }
    for (month, (lowest, highest)) in months {
        tx.batch_execute(&format!("CREATE TABLE IF NOT EXISTS event_index_{month} PARTITION OF event_index FOR VALUES IN ({month})")).await?;
        execute_tx(tx, &ledger::INDEX_MONTH_UPSERT, &[Value::Int(month), Value::Int(lowest), Value::Int(highest)]).await?;
    }
    insert_index(tx, rows.iter()).await
}

async fn insert_index(tx: &Transaction<'_>, rows: impl Iterator<Item = &IndexChange>) -> Result<(), Error> {
    let (mut months, mut ids, mut tokens) = (Vec::new(), Vec::new(), Vec::new());
    for change in rows {
        months.push(change.month);
        ids.push(row_id(change.position.entry, change.position.item.unwrap_or(0)));
        tokens.push(change.tokens.join(" "));
    }
    if !ids.is_empty() {
        execute_tx(tx, &ledger::INDEX_INSERT_MANY, &[Value::Ints(months), Value::Ints(ids), Value::Texts(tokens)]).await?;
    }
    Ok(())
}

/// Changes rows of the search index.
pub(crate) async fn change_index(tx: &Transaction<'_>, changes: &[IndexChange]) -> Result<(), Error> {
    let row = |change: &IndexChange| row_id(change.position.entry, change.position.item.unwrap_or(0));
    for change in changes {
        execute_tx(tx, &search::INDEX_DELETE, &[Value::Int(change.month), Value::Ints(vec![row(change)])]).await?;
    }
    insert_index(tx, changes.iter().filter(|change| !change.tokens.is_empty())).await
}
