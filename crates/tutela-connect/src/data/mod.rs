//! Stores of the operator's that hold data of people: read for who asks what is held, written as a plan says.

mod files;
mod postgres;
mod s3;
mod service;
mod sqlite;

use std::{borrow::Borrow, sync::Arc};

use tutela_app::{
    StoreConfig, StoreType,
    port::{DataStore, Hit},
};
use tutela_privacy::schema::{Column, ColumnKind};

/// A store as it is configured.
pub fn data_store(config: &StoreConfig) -> Result<Arc<dyn DataStore>, String> {
    let path = || config.path.clone().ok_or("`path` is missing");
    let url = || config.url.as_deref().ok_or("`url` is missing");
    let secret = || config.secret_file.as_deref().map(|file| crate::read_secret(file).map_err(|e| format!("secret_file: {e}"))).transpose();
    Ok(match config.kind {
        StoreType::Files => Arc::new(files::Files::new(path()?)),
        StoreType::Postgresql => Arc::new(postgres::Postgres::new(url()?, secret()?, config.schema.as_deref().unwrap_or("public"))?),
        StoreType::S3 => {
            let (bucket, access_key) = (config.bucket.as_deref().ok_or("`bucket` is missing")?, config.access_key.as_deref().ok_or("`access_key` is missing")?);
            let secret = secret()?.ok_or("`secret_file` is missing")?;
            Arc::new(s3::S3::new(url()?, bucket, config.region.as_deref(), access_key, secret, config.ca_file.as_deref())?)
        }
        StoreType::Service => {
            let file = config.api.as_deref().ok_or("`api` is missing")?;
            let api = std::fs::read_to_string(file).map_err(|e| format!("api: `{}`: {e}", file.display()))?;
            Arc::new(service::Service::new(url()?, &api, secret()?, config.ca_file.as_deref())?)
        }
        StoreType::Sqlite => Arc::new(sqlite::Sqlite::new(path()?)),
    })
}

/// The columns of a table in which something was found, by how many rows of each hold it.
fn hits<'a, C: Borrow<Column> + 'a>(table: &'a str, columns: &'a [C], counts: Vec<u64>) -> impl Iterator<Item = Hit> + 'a {
    let found = columns.iter().zip(counts).filter(|(_, rows)| *rows > 0);
    found.map(move |(column, rows)| Hit { table: table.to_owned(), column: column.borrow().name.clone(), rows })
}

/// A name as SQL has it. It comes from a map, and is quoted whatever stands in it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// What a column takes, from the name of its type.
fn kind_of(type_name: &str) -> ColumnKind {
    let name = type_name.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    if has(&["uuid"]) {
        ColumnKind::Uuid
    } else if has(&["json"]) {
        ColumnKind::Json
    } else if has(&["char", "text", "clob"]) {
        ColumnKind::Text
    } else if has(&["bool"]) {
        ColumnKind::Boolean
    } else if has(&["date", "timestamp"]) {
        ColumnKind::Date
    } else if has(&["int", "serial", "numeric", "decimal", "real", "double", "float", "money", "oid"]) && !has(&["interval", "point"]) {
        ColumnKind::Number
    } else if has(&["bytea", "blob"]) {
        ColumnKind::Bytes
    } else {
        ColumnKind::Other
    }
}
