//! What is held of a person, as a package for them: for programs in JSON, as tables in CSV, and as a page to read.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::{Cursor, Write as _},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tutela_api as api;
use tutela_core::Timestamp;
use tutela_privacy::{
    Relation,
    dataset::{self, Collection, Field},
    plan::fill,
    taxonomy::is_within,
    walk::Row,
};
use zip::{ZipWriter, write::SimpleFileOptions};

use super::{
    own_data,
    places::{Halt, Places},
    work::{Next, Work},
};
use crate::{App, Ctx, Error, html::escaped, usecase::search::hex};

const PURPOSE: &[u8] = b"subject package";
/// Address of the schema that an export follows.
pub const SCHEMA: &str = "urn:tutela:subject-export:1";
/// The schema itself (JSON Schema 2020-12).
pub const SCHEMA_TEXT: &str = include_str!("export.schema.json");
/// Bytes of a sealed part.
const PART: usize = 512 << 10;
/// Most bytes of objects in a package; what is left out is named.
const MOST_OBJECTS: u64 = 48 << 20;
/// What is held and never sent (11 CCR 7024(d)): that it is held is said in its place.
const NEVER_SENT: [&str; 5] = ["user.authorization", "user.authentication", "user.biometric", "user.government_id", "user.financial.account_number"];

/// Makes the package of a request.
pub(super) async fn step(app: &App, ctx: &Ctx, work: &mut Work, whole: bool) -> Result<Next, Halt> {
    let places = Places::look(app).await?;
    let mut made = Package { made_at: ctx.now, sections: BTreeMap::new(), files: Vec::new(), left_out: Vec::new() };
    let mut rows: BTreeMap<(String, String), u64> = BTreeMap::new();
    let learnt = {
        let walk = places.follow(app, places.walk(&work.whose.identities)).await?;
        for row in walk.rows() {
            let Some(collection) = dataset::collection(&places.datasets, &row.collection) else { continue };
            // What theirs only points to is sent where the map gives it a section.
            if row.relation != Relation::Owns && collection.own.section.is_none() {
                continue;
            }
            *rows.entry(row.collection.clone()).or_default() += 1;
            made.add(app, collection, row).await?;
        }
        walk.identities().clone()
    };
    for ((store, collection), rows) in rows {
        work.did(&store, &collection, "read", rows, ctx.now);
    }
    work.learn_accounts(&learnt);
    let person = work.person(app).await?;
    let held = if whole { Some(own_data::held(app, &person).await?) } else { None };
    let about = whole.then(|| about(app));
    let zip = made.zip(held.as_ref(), about.as_ref()).map_err(|_| Error::Internal("a package could not be written"))?;
    let expires = ctx.now + Duration::from_secs(u64::from(app.privacy.package_days) * 86_400);
    let export = serde_json::to_vec(&made.export()).map_err(|_| Error::Internal("an export could not be written"))?;
    let id = work.row.id;
    work.with(|changeset| changeset.subject_package_delete(id));
    // The export alone comes first, for programs; then the whole package.
    let parts = std::iter::once(export.as_slice()).chain(zip.chunks(PART));
    for (number, part) in parts.enumerate() {
        let sealed = app.seal_as(PURPOSE, &STANDARD.encode(part))?;
        work.with(|changeset| changeset.subject_package_insert(id, number as u32, &sealed, expires));
    }
    work.progress.package_until = Some(expires.to_string());
    Ok(Next::Completed)
}

/// The export and the package of a request; nothing where they have expired.
pub(super) async fn parts(app: &App, id: tutela_core::SubjectRequestId) -> Result<Option<(Vec<u8>, Vec<u8>)>, Error> {
    let mut opened = Vec::new();
    for sealed in app.store.subject_package_get(id, app.env.now()).await? {
        let text: String = app.open_as(PURPOSE, &sealed).ok_or(Error::Internal("a package does not open under this instance's key"))?;
        opened.push(STANDARD.decode(text).map_err(|_| Error::Internal("a package is malformed"))?);
    }
    Ok(opened.split_first().map(|(export, zip)| (export.clone(), zip.concat())))
}

struct Package {
    made_at: Timestamp,
    sections: BTreeMap<String, Vec<api::ExportedRecord>>,
    files: Vec<(String, Vec<u8>)>,
    left_out: Vec<String>,
}

impl Package {
    async fn add(&mut self, app: &App, collection: &Collection, row: &Row) -> Result<(), Halt> {
        let mut data = row.values.clone();
        for (name, value) in &mut data {
            let field = collection.fields.iter().find(|field| field.name == *name);
            if field.is_some_and(is_withheld) && !value.is_null() {
                *value = json!({"withheld": "it is held, and not sent for your safety"});
            }
        }
        if let Some(objects) = &collection.own.objects
            && let Ok(key) = fill(&objects.key, row)
            && let Some(store) = app.data_stores.get(&objects.store)
        {
            let failed = |e| Halt::of(&objects.store, e);
            for found in store.find("objects", "key", &[Value::from(key)]).await.map_err(failed)? {
                let Some(key) = found.get("key").and_then(Value::as_str) else { continue };
                let room = MOST_OBJECTS.saturating_sub(self.files.iter().map(|(_, bytes)| bytes.len() as u64).sum());
                match store.read(key, room).await.map_err(failed)? {
                    Some(bytes) => self.files.push((format!("objects/{}/{key}", objects.store), bytes)),
                    None => self.left_out.push(format!("{}/{key}", objects.store)),
                }
            }
        }
        let section = collection.own.section.clone().unwrap_or_else(|| collection.name.clone());
        let from = format!("{}.{}", row.collection.0, row.collection.1);
        self.sections.entry(section).or_default().push(api::ExportedRecord { from, data });
        Ok(())
    }

    fn export(&self) -> api::SubjectExport {
        api::SubjectExport { schema: SCHEMA.into(), made_at: self.made_at.to_string(), sections: self.sections.clone() }
    }

    /// All files in one, with a list of their hashes.
    fn zip(&self, held: Option<&Value>, about: Option<&Value>) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
        let mut files: Vec<(String, Vec<u8>)> =
            vec![("data.json".into(), serde_json::to_vec_pretty(&self.export())?), ("schema.json".into(), SCHEMA_TEXT.into())];
        let mut tables: BTreeMap<(&String, &String), Vec<&api::ExportedRecord>> = BTreeMap::new();
        for (section, record) in self.sections.iter().flat_map(|(section, records)| records.iter().map(move |record| (section, record))) {
            tables.entry((section, &record.from)).or_default().push(record);
        }
        for ((section, from), records) in &tables {
            files.push((format!("{section}/{from}.csv"), csv_of(records)?));
        }
        for (name, value) in [("tutela.json", held), ("about.json", about)] {
            if let Some(value) = value {
                files.push((name.into(), serde_json::to_vec_pretty(value)?));
            }
        }
        files.push(("index.html".into(), page(&tables, about, &self.left_out, self.made_at).into_bytes()));
        files.extend(self.files.iter().cloned());
        let hashes: BTreeMap<&str, String> = files.iter().map(|(name, bytes)| (name.as_str(), hex(&tutela_ledger::sha256(bytes)))).collect();
        let manifest = json!({"made_at": self.made_at.to_string(), "sha256": hashes, "left_out": self.left_out});
        files.push(("manifest.json".into(), serde_json::to_vec_pretty(&manifest)?));
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in &files {
            zip.start_file(name.as_str(), SimpleFileOptions::default())?;
            zip.write_all(bytes)?;
        }
        Ok(zip.finish()?.into_inner())
    }
}

/// Whether a value never leaves.
pub(crate) fn is_withheld(field: &Field) -> bool {
    field.own.withhold || field.categories.iter().any(|category| NEVER_SENT.iter().any(|never| is_within(category, never)))
}

/// What the law has us say beside the data (Art. 15(1)(a) to (h)).
fn about(app: &App) -> Value {
    let purposes = app.purposes.load();
    let purposes: Vec<Value> = purposes
        .values()
        .map(|purpose| {
            json!({
                "purpose": purpose.name, "title": purpose.title, "ground": purpose.basis, "categories": purpose.categories, "recipients": purpose.recipients,
                "kept_for_days": purpose.retention_days, "sold_or_shared": purpose.sells, "notice": purpose.notice.text,
            })
        })
        .collect();
    json!({
        "controller": app.privacy.controller,
        "contact": app.privacy.contact,
        "purposes": purposes,
        "rights": "You may ask that it is put right, erased or restricted, object to it, take it along, and complain to a supervisory authority.",
        "ask_at": format!("{}{}", app.urls.public, super::consent::PAGE),
    })
}

fn columns(records: &[&api::ExportedRecord]) -> Vec<String> {
    let mut columns: Vec<String> = Vec::new();
    for name in records.iter().flat_map(|record| record.data.keys()) {
        if !columns.contains(name) {
            columns.push(name.clone());
        }
    }
    columns
}

fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

fn csv_of(records: &[&api::ExportedRecord]) -> Result<Vec<u8>, csv::Error> {
    let columns = columns(records);
    let mut out = csv::Writer::from_writer(Vec::new());
    out.write_record(&columns)?;
    for record in records {
        // A cell that begins like a formula is a text: what people wrote must not run in a spreadsheet.
        let safe = |text: String| if text.starts_with(['=', '+', '-', '@', '\t', '\r']) && text.parse::<f64>().is_err() { format!("'{text}") } else { text };
        out.write_record(columns.iter().map(|name| safe(cell(record.data.get(name)))))?;
    }
    out.into_inner().map_err(|e| csv::Error::from(e.into_error()))
}

fn page(tables: &BTreeMap<(&String, &String), Vec<&api::ExportedRecord>>, about: Option<&Value>, left_out: &[String], made_at: Timestamp) -> String {
    let mut html = String::from(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>Your data</title>\
         <style>:root{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem}table{border-collapse:collapse}\
         td,th{border:1px solid #8888;padding:.3rem .6rem;text-align:left;vertical-align:top}div{overflow-x:auto}</style></head><body><main><h1>Your data</h1>",
    );
    let _ = write!(html, "<p>Made on {made_at}. The same stands in <code>data.json</code> for programs, and in CSV for spreadsheets.</p>");
    for purpose in about.and_then(|about| about["purposes"].as_array()).into_iter().flatten() {
        let text = |name: &str| escaped(purpose[name].as_str().unwrap_or_default());
        let _ = write!(html, "<h2>{}</h2><p>{} ({})</p>", text("title"), text("notice"), text("ground"));
    }
    for ((section, from), records) in tables {
        let columns = columns(records);
        let _ = write!(html, "<h2>{}: {}</h2><div><table><thead><tr>", escaped(section), escaped(from));
        for name in &columns {
            let _ = write!(html, "<th scope=\"col\">{}</th>", escaped(name));
        }
        html.push_str("</tr></thead><tbody>");
        for record in records {
            html.push_str("<tr>");
            for name in &columns {
                let _ = write!(html, "<td>{}</td>", escaped(&cell(record.data.get(name))));
            }
            html.push_str("</tr>");
        }
        html.push_str("</tbody></table></div>");
    }
    if !left_out.is_empty() {
        let _ = write!(html, "<h2>Not in this file, for its size</h2><p>{}</p>", escaped(&left_out.join(", ")));
    }
    html + "</main></body></html>"
}
