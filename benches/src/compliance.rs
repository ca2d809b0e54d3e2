//! `compliance`: everything that every check needs, over a ledger of a million events and a mapped shop of a million rows in
//! PostgreSQL: the whole ledger hashed again, every row looked through for card numbers, the gateway probed, every control
//! judged. Then the same once more, after a little has changed. Beside it what PostgreSQL itself takes to
//! look the same rows through.

use std::time::Instant;

use serde_json::{Value, json};
use testkit::tokio_postgres::{Client, NoTls};

use crate::{flags::Flags, machine, report::Report, server::Server};

const MAP: &str = "dataset:
- fides_key: shop
  collections:
  - name: customer
    tutela_meta: {retention: {class: user_data, anchor: made}}
    fields:
    - {name: id, data_categories: [user.unique_id], fides_meta: {primary_key: true, identity: customer}}
    - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email}}
    - {name: name, data_categories: [user.name]}
    - {name: phone, data_categories: [user.contact.phone_number]}
    - {name: note, data_categories: [user.content]}
    - {name: made, data_categories: [system.operations]}
";
/// Events of one call.
const BATCH: u64 = 5_000;

/// `compliance [--events N] [--rows N]`.
pub fn run(flags: &Flags) -> Result<(), String> {
    flags.only(&["events", "rows"])?;
    let (events, rows) = (flags.number("events", 1_000_000), flags.number("rows", 1_000_000));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().map_err(|e| e.to_string())?;
    runtime.block_on(assessed(events, rows))
}

async fn assessed(events: u64, rows: u64) -> Result<(), String> {
    let mut report = Report::new("compliance");
    let postgres = testkit::shared_postgres().ok_or("PostgreSQL is not installed")?;
    let url = postgres.fresh("shop").await;
    let (client, connection) = testkit::tokio_postgres::connect(&url, NoTls).await.map_err(|e| e.to_string())?;
    tokio::spawn(connection);
    println!("filling a shop with {rows} customers and a ledger with {events} events");
    fill(&client, rows).await?;
    let dir = tempfile::tempdir().map_err(|e| e.to_string())?;
    let map = dir.path().join("shop.yml");
    std::fs::write(&map, MAP).map_err(|e| e.to_string())?;
    let settings = format!(
        "[compliance]\nframeworks = [\"gdpr\", \"hipaa\", \"pci-dss\", \"ccpa\"]\ndata_retention = {{user_data = 365}}\n\
         [[gateway.routes]]\nname = \"shop\"\nhost = \"shop.localhost\"\nupstream = \"http://127.0.0.1:9\"\nrequire = \"public\"\n\
         [privacy.stores.shop]\nkind = \"postgresql\"\nurl = \"{url}\"\nmap = \"{}\"\n",
        map.display()
    );
    let (server, _) = Server::start(dir.path(), &settings)?;
    tokio::task::block_in_place(|| record(&server, events))?;
    let first = tokio::task::block_in_place(|| Measured::now(&server, &mut report, ["first_s", "first_scan_s", "first_probe_s", "first_assess_s"]))?;
    // Two card numbers, one of them only looks like one.
    let planted = "UPDATE customer SET note = CASE id WHEN 7 THEN 'paid with 4111 1111 1111 1111' ELSE 'order 4111111111111112' END WHERE id IN (7, 8)";
    client.batch_execute(planted).await.map_err(|e| e.to_string())?;
    tokio::task::block_in_place(|| record(&server, events / 1_000))?;
    let again = tokio::task::block_in_place(|| Measured::now(&server, &mut report, ["again_s", "again_scan_s", "again_probe_s", "again_assess_s"]))?;
    let wrong = u32::from(first.found != json!({})) + u32::from(again.found != json!({"shop.customer.note": 1}));
    report.figure("wrongly_found", f64::from(wrong));
    report.figure("rss_mb", machine::rss_mb(server.pid())?);
    server.stop()?;
    report.figure("floor_s", floor(&client).await?);
    report.raw("load", json!({"events": events, "rows": rows, "routes": 1}));
    report.finish()
}

async fn fill(client: &Client, rows: u64) -> Result<(), String> {
    let sql = format!(
        "CREATE TABLE customer (id bigint PRIMARY KEY, email varchar(100) UNIQUE NOT NULL, name varchar(60), phone varchar(30), note text, made timestamptz NOT NULL);
         INSERT INTO customer SELECT n, 'customer' || n || '@example.com', 'Customer ' || n, '+41 44 ' || 1000000 + n % 9000000,
             'Asked on ' || date '2026-01-01' + (n % 300)::int || ' about order ' || 100000000000 + n || ' and was told', now() - n % 100 * interval '1 day'
             FROM generate_series(1, {rows}) n;
         ANALYZE"
    );
    client.batch_execute(&sql).await.map_err(|e| e.to_string())
}

fn record(server: &Server, events: u64) -> Result<(), String> {
    for begin in (0..events).step_by(BATCH as usize) {
        let batch: Vec<Value> = (begin..(begin + BATCH).min(events))
            .map(|n| {
                json!({"type": "data_access", "subject": {"namespace": "shop", "value": (n % 10_000).to_string()}, "resource": format!("customer/{n}"),
                       "action": "read", "metadata": {"screen": "orders"}})
            })
            .collect();
        server.operate("/v1/events", &Value::Array(batch))?;
    }
    Ok(())
}

struct Measured {
    found: Value,
}

impl Measured {
    fn now(server: &Server, report: &mut Report, names: [&'static str; 4]) -> Result<Self, String> {
        let begun = Instant::now();
        let timed = |path: &str| {
            let begun = Instant::now();
            let answer = server.operate(path, &json!({}))?;
            Ok::<_, String>((begun.elapsed().as_secs_f64(), answer))
        };
        let (scan, looked) = timed("/v1/compliance/scans")?;
        let (probe, probed) = timed("/v1/compliance/probes")?;
        let (assess, assessed) = timed("/v1/compliance/assessments")?;
        let whole = begun.elapsed().as_secs_f64();
        if !looked["flaw"].is_null() || looked["unlooked"] != json!([]) || probed["unprobed"] != json!([]) || assessed.as_array().map(Vec::len) != Some(4) {
            return Err(format!("not everything was looked at: {looked} {probed} {assessed}"));
        }
        println!("{}: scan {scan:.2} s, probe {probe:.2} s, assessment {assess:.2} s; {looked}", names[0]);
        for (name, took) in names.into_iter().zip([whole, scan, probe, assess]) {
            report.figure(name, took);
        }
        Ok(Self { found: looked["card_numbers"].clone() })
    }
}

/// Seconds in which PostgreSQL itself looks the same rows through for as many digits, without asking whether they are a card's.
async fn floor(client: &Client) -> Result<f64, String> {
    let begun = Instant::now();
    client.query_one("SELECT count(*) FROM customer c WHERE c::text ~ '[0-9]([ -]?[0-9]){12,18}'", &[]).await.map_err(|e| e.to_string())?;
    Ok(begun.elapsed().as_secs_f64())
}
