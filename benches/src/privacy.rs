//! `privacy`: plan, access and erasure over HTTP as a person would wait for them: customers of the sample music shop in
//! SQLite, and one customer among a million, with ten orders each, in PostgreSQL, while others write to the same tables.
//! Beside it how often in a second it is decided whether something may be done.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use serde_json::{Value, json};
use testkit::tokio_postgres::{Client, NoTls};
use tutela_privacy::{Basis, Known, Notice, Purpose, Said, may};

use crate::{flags::Flags, machine, report::Report, server::Server, stats::median};

const SHOP_MAP: &str = "dataset:
- fides_key: shop
  collections:
  - name: customer
    tutela_meta: {section: profile}
    fields:
    - {name: id, data_categories: [user.unique_id], fides_meta: {primary_key: true, identity: customer}}
    - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email}}
    - {name: name, data_categories: [user.name]}
  - name: orders
    tutela_meta: {section: activity}
    fields:
    - {name: id, fides_meta: {primary_key: true}}
    - {name: customer_id, fides_meta: {references: [{dataset: shop, field: customer.id, direction: from}]}}
    - {name: street, data_categories: [user.contact.address.street]}
    - {name: total}
";

/// `privacy [--rounds N] [--orders N]`.
pub fn run(flags: &Flags) -> Result<(), String> {
    flags.only(&["rounds", "orders"])?;
    let (rounds, orders) = (flags.number("rounds", 9), flags.number("orders", 10_000_000));
    let mut report = Report::new("privacy");
    report.figure("consent_decisions_per_s", decisions());
    chinook(&mut report, rounds)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().map_err(|e| e.to_string())?;
    runtime.block_on(shop(&mut report, rounds, orders))?;
    // What the domain's best-known open peer took for the same, as it was measured on a machine of this size; not in this run.
    report.raw("fides_2_86_2", json!({"chinook_access_s": 3.7, "chinook_erasure": "half done after 33 s", "start_s": 57, "rss_mb": 900}));
    report.raw("load", json!({"rounds": rounds, "orders": orders}));
    report.finish()
}

/// How often in a second of one thread it is decided whether a purpose may be served.
fn decisions() -> f64 {
    let purpose = Purpose {
        name: "marketing.advertising".into(),
        title: "Advertising".into(),
        description: String::new(),
        basis: Basis::Consent,
        special_basis: None,
        required: false,
        sells: true,
        categories: vec!["user.behavior".into()],
        recipients: Vec::new(),
        retention_days: None,
        notice: Notice { version: "1".into(), text: "We do.".into(), language: "en".into(), renew: false },
    };
    const TIMES: u32 = 5_000_000;
    let begun = machine::thread_cpu();
    for number in 0..TIMES {
        let known = Known { said: Some((Said::Given, "1")), restricted: false, opted_out: number % 7 == 0, signal: number % 3 == 0 };
        std::hint::black_box(may(std::hint::black_box(&purpose), known, true));
    }
    f64::from(TIMES) / (machine::thread_cpu() - begun)
}

/// Customers of the sample shop, in SQLite.
fn chinook(report: &mut Report, rounds: u64) -> Result<(), String> {
    let shared = std::env::var("TUTELA_SHARED").unwrap_or_else(|_| "../shared".into());
    let source = Path::new(&shared).join("data/chinook/ChinookDatabase/DataSources/Chinook_Sqlite.sql");
    let sql = std::fs::read(&source).map_err(|e| format!("{}: {e}", source.display()))?;
    let dir = tempfile::tempdir().map_err(|e| e.to_string())?;
    let (database, map) = (dir.path().join("chinook.db"), dir.path().join("chinook.yml"));
    let text = String::from_utf8_lossy(&sql);
    let db = rusqlite::Connection::open(&database).map_err(|e| e.to_string())?;
    db.execute_batch(text.trim_start_matches('\u{feff}')).map_err(|e| e.to_string())?;
    std::fs::write(&map, include_str!("../../crates/tutela-privacy/tests/data/chinook.yml")).map_err(|e| e.to_string())?;
    let settings = format!(
        "[privacy.identities]\ncustomer_id = \"shop\"\n[privacy.stores.chinook]\nkind = \"sqlite\"\npath = \"{}\"\nmap = \"{}\"\n",
        database.display(),
        map.display()
    );
    let (server, _) = Server::start(dir.path(), &settings)?;
    let measured = Measured::rounds(&server, rounds, |round| round + 1)?;
    report.figure("chinook_plan_s", measured.plan);
    report.figure("chinook_access_s", measured.access);
    report.figure("chinook_erasure_s", measured.erasure);
    report.figure("chinook_residual_hits", measured.hits);
    report.figure("rss_mb", machine::rss_mb(server.pid())?);
    server.stop()
}

/// One customer among very many, in PostgreSQL, while others write to the same tables.
async fn shop(report: &mut Report, rounds: u64, orders: u64) -> Result<(), String> {
    let postgres = testkit::shared_postgres().ok_or("PostgreSQL is not installed")?;
    let url = postgres.fresh("shop").await;
    let connect = async || {
        let (client, connection) = testkit::tokio_postgres::connect(&url, NoTls).await.map_err(|e| e.to_string())?;
        tokio::spawn(connection);
        Ok::<Client, String>(client)
    };
    let client = connect().await?;
    let customers = (orders / 10).max(1_000);
    println!("filling a shop with {customers} customers and {orders} orders");
    client
        .batch_execute(&format!(
            "CREATE TABLE customer (id bigint PRIMARY KEY, email varchar(100) UNIQUE NOT NULL, name varchar(60) NOT NULL);
             INSERT INTO customer SELECT n, 'customer' || n || '@example.com', 'Customer ' || n FROM generate_series(1, {customers}) n;
             CREATE TABLE orders (id bigint PRIMARY KEY, customer_id bigint NOT NULL, street varchar(80), total numeric(10, 2));
             INSERT INTO orders SELECT n, 1 + n % {customers}, 'Street ' || n, n % 1000 FROM generate_series(1, {orders}) n;
             CREATE INDEX ON orders (customer_id);
             ALTER TABLE orders ADD FOREIGN KEY (customer_id) REFERENCES customer (id);
             ANALYZE"
        ))
        .await
        .map_err(|e| e.to_string())?;
    let dir = tempfile::tempdir().map_err(|e| e.to_string())?;
    let map = dir.path().join("shop.yml");
    std::fs::write(&map, SHOP_MAP).map_err(|e| e.to_string())?;
    let settings =
        format!("[privacy.identities]\ncustomer = \"shop\"\n[privacy.stores.shop]\nkind = \"postgresql\"\nurl = \"{url}\"\nmap = \"{}\"\n", map.display());
    let (server, _) = Server::start(dir.path(), &settings)?;
    // Others write meanwhile: how long the slowest of them waited.
    let (stop, writer) = (Arc::new(AtomicBool::new(false)), connect().await?);
    let stopped = Arc::clone(&stop);
    let others = tokio::spawn(async move {
        let (mut longest, mut number) = (0.0_f64, 0_i64);
        while !stopped.load(Ordering::SeqCst) {
            number = (number + 7_919) % 1_000_000;
            let begun = Instant::now();
            writer.execute("UPDATE orders SET total = total + 1 WHERE id = $1", &[&number]).await.map_err(|e| e.to_string())?;
            longest = longest.max(begun.elapsed().as_secs_f64() * 1_000.0);
        }
        Ok::<f64, String>(longest)
    });
    let measured = tokio::task::block_in_place(|| Measured::rounds(&server, rounds.min(5), |round| 500 + round * 31));
    stop.store(true, Ordering::SeqCst);
    let longest = others.await.map_err(|e| e.to_string())??;
    let measured = measured?;
    report.figure("shop_plan_s", measured.plan);
    report.figure("shop_access_s", measured.access);
    report.figure("shop_erasure_s", measured.erasure);
    report.figure("shop_residual_hits", measured.hits);
    report.figure("shop_others_longest_ms", longest);
    report.figure("shop_rss_mb", machine::rss_mb(server.pid())?);
    server.stop()
}

/// Seconds, and what was found at the end.
struct Measured {
    plan: f64,
    access: f64,
    erasure: f64,
    hits: f64,
}

impl Measured {
    fn rounds(server: &Server, rounds: u64, customer: impl Fn(u64) -> u64) -> Result<Self, String> {
        let (mut plans, mut accesses, mut erasures, mut hits) = (Vec::new(), Vec::new(), Vec::new(), 0.0);
        for round in 0..rounds {
            let subject = json!({"namespace": "shop", "value": customer(round)});
            let ask = |path: &str, body: Value| {
                let begun = Instant::now();
                let answer = server.operate(path, &body)?;
                Ok::<_, String>((begun.elapsed().as_secs_f64(), answer))
            };
            let request = |kind: &str| ask("/v1/subject-requests?wait=60", json!({"subject": subject, "type": kind}));
            let (took, plan) = ask("/v1/privacy/plan", subject.clone())?;
            if plan["steps"].as_array().is_none_or(Vec::is_empty) || plan["problems"] != json!([]) {
                return Err(format!("there is nothing to erase: {plan}"));
            }
            plans.push(took);
            let (took, access) = request("access")?;
            accesses.push(took);
            let (took, erased) = request("erasure")?;
            erasures.push(took);
            if access["status"] != "completed" || erased["status"] != "completed" {
                return Err(format!("not completed: {access} {erased}"));
            }
            hits += erased["receipt"]["receipt"]["residual_scan"]["hits"].as_f64().unwrap_or(1.0);
        }
        let most = |values: &[f64]| values.iter().copied().fold(0.0, f64::max);
        println!("plan {plans:?}\naccess {accesses:?}\nerasure {erasures:?}; the slowest {:.3} s", most(&erasures));
        Ok(Self { plan: median(plans), access: median(accesses), erasure: median(erasures), hits })
    }
}
