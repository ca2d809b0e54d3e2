//! What people ask for about their data, over real databases of somebody else's.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode},
    routing::{delete, get},
};
use reqwest::Method;
use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::server::{Instance, location, storages, until};

/// The sample music shop as a database of somebody else's, SQLite or PostgreSQL, with its map.
pub struct Shop {
    pub folder: TempDir,
    /// `sqlite`, or where the PostgreSQL database is.
    place: String,
}

impl Shop {
    /// Nothing where the sample data is not there.
    pub async fn new(postgres: Option<&str>) -> Option<Self> {
        let folder = TempDir::new().unwrap();
        let map = include_str!("../../../tutela-privacy/tests/data/chinook.yml");
        let shop = match postgres {
            None => {
                let shop = Self { folder, place: "sqlite".into() };
                shop.map(map);
                shop
            }
            Some(url) => {
                let shop = Self { folder, place: url.to_owned() };
                shop.map(&snake(map));
                shop
            }
        };
        shop.fill().await?;
        Some(shop)
    }

    /// Everything as the sample has it, as a backup that is put back would.
    pub async fn fill(&self) -> Option<()> {
        let sources = testkit::shared("chinook/ChinookDatabase/DataSources")?;
        let read = |name: &str| String::from_utf8_lossy(&std::fs::read(sources.join(name)).unwrap()).trim_start_matches('\u{feff}').to_owned();
        if self.is_sqlite() {
            let _ = std::fs::remove_file(self.folder.path().join("chinook.db"));
            self.sqlite().execute_batch(&read("Chinook_Sqlite.sql")).unwrap();
            // What its making left behind in half-empty pages is not ours to find.
            self.sqlite().execute_batch("PRAGMA secure_delete = ON; VACUUM").unwrap();
        } else {
            let sql = read("Chinook_PostgreSql.sql");
            // The file makes the database first, with commands of psql; this one is there.
            let (_, sql) = sql.split_once("\\c chinook;").unwrap();
            self.query("DROP SCHEMA public CASCADE; CREATE SCHEMA public").await;
            self.query(sql).await;
        }
        Some(())
    }

    pub fn is_sqlite(&self) -> bool {
        self.place == "sqlite"
    }

    fn sqlite(&self) -> Connection {
        Connection::open(self.folder.path().join("chinook.db")).unwrap()
    }

    fn map(&self, text: &str) {
        std::fs::write(self.folder.path().join("chinook.yml"), text).unwrap();
    }

    fn change_map(&self, change: impl FnOnce(String) -> String) {
        let file = self.folder.path().join("chinook.yml");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(file, change(text)).unwrap();
    }

    /// Runs statements in PostgreSQL; the first cell of the last answer.
    pub async fn query(&self, sql: &str) -> i64 {
        let (client, connection) = testkit::tokio_postgres::connect(&self.place, testkit::tokio_postgres::NoTls).await.unwrap();
        let driver = tokio::spawn(connection);
        let answer = client.simple_query(sql).await.unwrap();
        drop(client);
        let _ = driver.await;
        let cell = |message: &testkit::tokio_postgres::SimpleQueryMessage| match message {
            testkit::tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0)?.parse().ok(),
            _ => None,
        };
        answer.iter().rev().find_map(cell).unwrap_or(0)
    }

    /// A number, from SQL with the names of SQLite's form.
    pub async fn number(&self, sql: &str) -> i64 {
        if self.is_sqlite() { self.sqlite().query_row(sql, [], |row| row.get(0)).unwrap() } else { self.query(&snake(sql)).await }
    }

    pub async fn execute(&self, sql: &str) {
        if self.is_sqlite() {
            self.sqlite().execute_batch(sql).unwrap();
        } else {
            self.query(&snake(sql)).await;
        }
    }

    pub fn settings(&self) -> String {
        let map = self.folder.path().join("chinook.yml").display().to_string();
        let place = if self.is_sqlite() {
            format!("kind = \"sqlite\"\npath = \"{}\"", self.folder.path().join("chinook.db").display())
        } else {
            format!("kind = \"postgresql\"\nurl = \"{}\"", self.place)
        };
        format!("[privacy.identities]\ncustomer_id = \"shop\"\nemployee_id = \"staff\"\n[privacy.stores.chinook]\nmap = \"{map}\"\n{place}\n")
    }
}

/// As PostgreSQL's form of the sample names it: `InvoiceLine` is `invoice_line`.
fn snake(text: &str) -> String {
    let words = [
        "InvoiceLineId",
        "InvoiceLine",
        "InvoiceId",
        "InvoiceDate",
        "Invoice",
        "CustomerId",
        "Customer",
        "EmployeeId",
        "Employee",
        "FirstName",
        "LastName",
        "PostalCode",
        "SupportRepId",
        "ReportsTo",
        "BillingAddress",
        "BillingCity",
        "TrackId",
        "Track",
        "Company",
        "Address",
        "City",
        "State",
        "Country",
        "Phone",
        "Fax",
        "Email",
    ];
    words.iter().fold(text.to_owned(), |text, word| {
        let mut snake = String::new();
        for (at, letter) in word.char_indices() {
            if letter.is_uppercase() && at > 0 {
                snake.push('_');
            }
            snake.extend(letter.to_lowercase());
        }
        text.replace(word, &snake)
    })
}

/// Both kinds of shop, each with an instance on the other kind of storage than the shop's own where there is one.
pub async fn shops() -> Vec<(Shop, String)> {
    let mut all = Vec::new();
    for storage in storages().await {
        let url = if storage == "sqlite" { None } else { storages().await.into_iter().nth(1) };
        if let Some(shop) = Shop::new(url.as_deref()).await {
            all.push((shop, storage));
        }
    }
    all
}

pub fn customer(id: u32) -> Value {
    json!({"namespace": "shop", "value": id})
}

pub async fn ask(instance: &Instance, kind: &str, subject: Value) -> Value {
    asked(instance, json!({"subject": subject, "type": kind})).await
}

async fn asked(instance: &Instance, body: Value) -> Value {
    let (status, answer) = instance.operator(Method::POST, "/v1/subject-requests?wait=60", body).await;
    assert_eq!(status, 201, "{answer}");
    answer
}

async fn show(instance: &Instance, request: &Value) -> Value {
    instance.operator(Method::GET, &format!("/v1/subject-requests/{}", request["id"].as_str().unwrap()), Value::Null).await.1
}

pub fn rows(request: &Value, done: &str) -> u64 {
    request["steps"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|step| step["done"] == done && step["store"] != "tutela")
        .map(|step| step["rows"].as_u64().unwrap())
        .sum()
}

#[tokio::test]
async fn a_customer_gets_all_of_it_and_is_erased_to_the_last_row() {
    for (shop, storage) in shops().await {
        let instance = Instance::start(&storage, &shop.settings()).await;
        // What is held: 46 rows of one customer.
        let access = ask(&instance, "access", customer(1)).await;
        assert_eq!((access["status"].as_str().unwrap(), rows(&access, "read")), ("completed", 46), "{storage}: {access}");
        let id = access["id"].as_str().unwrap();
        let (status, export) = instance.operator(Method::GET, &format!("/v1/subject-requests/{id}/export"), Value::Null).await;
        assert_eq!((status, export["sections"]["profile"].as_array().unwrap().len(), export["sections"]["activity"].as_array().unwrap().len()), (200, 1, 45));
        assert!(export["sections"]["profile"][0]["data"].to_string().contains("luisg@embraer.com.br"));
        let out = instance.data().join("package.zip");
        let fetched = instance.cli(&["privacy", "request", "fetch", id, "--out", out.to_str().unwrap()]).await;
        assert!(fetched.status.success(), "{fetched:?}");
        let listed = std::process::Command::new("unzip").args(["-l", out.to_str().unwrap()]).output().unwrap();
        let listed = String::from_utf8_lossy(&listed.stdout).to_string();
        for name in ["data.json", "schema.json", "manifest.json", "index.html", "about.json", "tutela.json", ".csv"] {
            assert!(listed.contains(name), "{name}: {listed}");
        }
        // The plan says so beforehand, and touches nothing.
        let plan = instance.cli(&["privacy", "plan", "--namespace", "shop", "--value", "1"]).await;
        let said = String::from_utf8_lossy(&plan.stdout).to_string();
        assert!(plan.status.success() && said.contains("deleted") && said.contains("38"), "{plan:?}");
        assert_eq!(shop.number("SELECT count(*) FROM Customer WHERE CustomerId = 1").await, 1);
        let (customers, invoices) = (shop.number("SELECT count(*) FROM Customer").await, shop.number("SELECT count(*) FROM Invoice").await);
        let erased = ask(&instance, "erasure", customer(1)).await;
        assert_eq!((erased["status"].as_str().unwrap(), rows(&erased, "deleted"), rows(&erased, "masked")), ("completed", 46, 0), "{storage}: {erased}");
        let receipt = &erased["receipt"]["receipt"];
        assert_eq!((&receipt["status"], &receipt["residual_scan"]), (&json!("completed"), &json!({"stores": ["chinook"], "hits": 0})));
        assert_eq!(shop.number("SELECT count(*) FROM Customer").await, customers - 1);
        assert_eq!(shop.number("SELECT count(*) FROM Invoice").await, invoices - 7);
        // The confirmation checks without a server, and not when a number in it was changed.
        let (_, key) = instance.operator(Method::GET, "/v1/ledger/key", Value::Null).await;
        let file = instance.data().join("receipt.json");
        let text = erased["receipt"].to_string();
        for (text, good) in [(text.clone(), true), (text.replace("\"rows\":38", "\"rows\":39"), false)] {
            std::fs::write(&file, text).unwrap();
            let out = instance.cli(&["privacy", "receipt", "verify", file.to_str().unwrap(), "--key", key.as_str().unwrap().trim()]).await;
            assert_eq!(out.status.success(), good, "{out:?}");
        }
        // Nothing of the package, nor of what was to be done, is kept.
        let (status, _) = instance.operator(Method::GET, &format!("/v1/subject-requests/{id}/export"), Value::Null).await;
        assert_eq!(status, 404);
        // Whoever is not there any more is erased as well.
        let again = ask(&instance, "erasure", customer(1)).await;
        assert_eq!((again["status"].as_str().unwrap(), rows(&again, "deleted")), ("completed", 0), "{again}");
        let (_, events) = instance.operator(Method::GET, "/v1/events?q=type:subject_request.completed", Value::Null).await;
        assert_eq!(events["items"].as_array().unwrap().len(), 3);
        for file in ["tutela.db", "tutela.db-wal"] {
            let bytes = std::fs::read(instance.data().join(file)).unwrap_or_default();
            assert!(!String::from_utf8_lossy(&bytes).contains("luisg@embraer"), "{file}");
        }
        if shop.is_sqlite() {
            for file in ["chinook.db", "chinook.db-wal"] {
                let bytes = std::fs::read(shop.folder.path().join(file)).unwrap_or_default();
                assert!(!String::from_utf8_lossy(&bytes).contains("luisg@embraer"), "{file}");
            }
        }
    }
}

#[tokio::test]
async fn what_speaks_against_an_erasure_is_said_and_nothing_is_touched() {
    for (shop, storage) in shops().await {
        let instance = Instance::start(&storage, &shop.settings()).await;
        // An employee whom others report to: the way leads to other people.
        let stopped = ask(&instance, "erasure", json!({"namespace": "staff", "value": 2})).await;
        assert_eq!(stopped["status"], "stopped", "{stopped}");
        let why = stopped["problems"][0]["why"].as_str().unwrap();
        assert!(why.contains("than the person's") && why.contains("relation: refers"), "{why}");
        // A table that nobody mapped leads to the customer.
        shop.execute("CREATE TABLE loyalty (id INTEGER PRIMARY KEY, CustomerId INTEGER NOT NULL REFERENCES Customer (CustomerId)); INSERT INTO loyalty VALUES (1, 2), (2, 3)").await;
        let stopped = ask(&instance, "erasure", customer(2)).await;
        let why = stopped["problems"].to_string();
        assert!(stopped["status"] == "stopped" && why.contains("chinook.loyalty.") && why.contains("1 rows lead to rows that go"), "{stopped}");
        let (_, stores) = instance.operator(Method::GET, "/v1/datasets", Value::Null).await;
        assert!(stores.to_string().contains("it is not mapped, and its"), "{stores}");
        // A text that names them where nobody mapped it is found before the end is confirmed.
        shop.execute("DELETE FROM loyalty; CREATE TABLE notes (id INTEGER PRIMARY KEY, text VARCHAR(200)); INSERT INTO notes VALUES (1, 'leonekohler@surfeu.de called again')").await;
        let id = stopped["id"].as_str().unwrap();
        let (_, run) = instance.operator(Method::POST, &format!("/v1/subject-requests/{id}/run?wait=60"), Value::Null).await;
        assert!(run["status"] == "stopped" && run["problems"].to_string().contains("chinook.notes.text"), "{run}");
        shop.execute("UPDATE notes SET text = 'somebody called again'").await;
        let (_, run) = instance.operator(Method::POST, &format!("/v1/subject-requests/{id}/run?wait=60"), Value::Null).await;
        assert_eq!((&run["status"], rows(&run, "deleted")), (&json!("completed"), 46), "{run}");
        for (body, field, why) in [
            (json!({"subject": customer(3), "type": "oblivion"}), "type", "Invalid request type: oblivion; under gdpr there are access, rectification"),
            (json!({"subject": customer(3), "type": "erasure", "law": "ccpa"}), "type", "do_not_sell, access, delete, correct"),
            (json!({"subject": customer(3), "type": "access", "law": "bdsg"}), "law", "none of gdpr, ccpa"),
            (json!({"subject": customer(3), "type": "rectification"}), "corrections", "say what it becomes"),
            (json!({"subject": customer(3), "type": "access", "corrections": {"a.b": 1}}), "corrections", "belong to"),
        ] {
            let (status, problem) = instance.operator(Method::POST, "/v1/subject-requests", body).await;
            assert!(status == 422 && problem["errors"][0]["field"] == field && problem.to_string().contains(why), "{problem}");
        }
    }
}

#[tokio::test]
async fn what_the_law_has_us_keep_stays_masked_where_it_must_until_it_may_go() {
    for (shop, storage) in shops().await {
        // Invoices stay ten years; those of 2009 may go by now.
        let keep = "        tutela_meta: {section: activity, keep: {article: 'Art. 17(3)(b) GDPR; § 147 AO', reason: 'invoices are kept for the tax office', days: 36500, anchor: InvoiceDate}}\n";
        shop.change_map(|map| {
            let (name, keep, date) = if shop.is_sqlite() { ("Invoice", keep.to_owned(), "InvoiceDate") } else { ("invoice", snake(keep), "invoice_date") };
            let line = format!("      - name: {name}\n        tutela_meta: {{section: activity}}\n        fields:\n");
            assert!(map.contains(&line), "{map}");
            map.replacen(&line, &format!("      - name: {name}\n{keep}        fields:\n          - {{name: {date}}}\n"), 1)
        });
        let instance = Instance::start(&storage, &shop.settings()).await;
        let plan = instance.operator(Method::POST, "/v1/privacy/plan", customer(4)).await.1;
        assert_eq!(plan["problems"], json!([]), "{plan}");
        assert!(plan["notes"].to_string().contains("it is masked and stays, since rows of"), "{plan}");
        let kept = ask(&instance, "erasure", customer(4)).await;
        // The lines lead to invoices that stay, and go; the customer is masked, since invoices lead there.
        assert_eq!((kept["status"].as_str().unwrap(), rows(&kept, "deleted"), rows(&kept, "masked")), ("completed", 38, 1), "{kept}");
        assert_eq!((kept["kept"].as_array().unwrap().len(), kept["kept"][0]["rows"].as_u64().unwrap()), (7, 1), "each invoice has its own last day: {kept}");
        assert_eq!(shop.number("SELECT count(*) FROM Customer WHERE CustomerId = 4 AND Email LIKE '%@%'").await, 0);
        assert_eq!(shop.number("SELECT count(*) FROM Customer WHERE CustomerId = 4 AND Phone IS NULL AND LastName = ''").await, 1);
        assert_eq!(shop.number("SELECT count(*) FROM Invoice WHERE CustomerId = 4").await, 7);
        // Somebody decides to keep another's, and lets it go again: then it goes by itself.
        let place = if shop.is_sqlite() { "chinook.Invoice" } else { "chinook.invoice" };
        shop.change_map(|map| map.replace("days: 36500", "days: 1"));
        instance.stop("-TERM").await;
        instance.run().await;
        let hold = json!({"subject": customer(5), "place": place, "article": "Art. 17(3)(e) GDPR", "reason": "a dispute", "owner": "legal"});
        let (status, hold) = instance.operator(Method::POST, "/v1/privacy/holds", hold).await;
        assert_eq!(status, 201, "{hold}");
        let other = json!({"subject": customer(6), "place": place, "article": "Art. 17(3)(e) GDPR", "reason": "another dispute", "owner": "legal"});
        assert_eq!(instance.operator(Method::POST, "/v1/privacy/holds", other).await.0, 201);
        let others = ask(&instance, "erasure", customer(6)).await;
        assert_eq!((&others["status"], &others["kept"][0]["reason"]), (&json!("completed"), &json!("another dispute")), "{others}");
        let held = ask(&instance, "erasure", customer(5)).await;
        assert_eq!((rows(&held, "deleted"), &held["kept"][0]["reason"], &held["kept"][0]["rows"]), (38, &json!("a dispute"), &json!(7)), "{held}");
        let (status, _) = instance.operator(Method::DELETE, &format!("/v1/privacy/holds/{}?reason=settled", hold["id"].as_str().unwrap()), Value::Null).await;
        assert_eq!(status, 204);
        until("what was held is gone", async || shop.number("SELECT count(*) FROM Invoice WHERE CustomerId = 5").await == 0).await;
        until("nothing is kept any more", async || show(&instance, &held).await["kept"] == json!([])).await;
        assert_eq!(shop.number("SELECT count(*) FROM Invoice WHERE CustomerId = 6").await, 7, "what another hold keeps stays");
        assert_eq!(show(&instance, &others).await["kept"][0]["rows"], 7);
    }
}

#[tokio::test]
async fn what_is_wrong_is_put_right_everywhere_and_other_wishes_count() {
    for (shop, storage) in shops().await {
        let instance = Instance::start(&storage, &shop.settings()).await;
        let column = if shop.is_sqlite() { "chinook.Customer.City" } else { "chinook.customer.city" };
        let right = asked(
            &instance,
            json!({"subject": customer(1), "type": "rectification", "corrections": {"user.contact.address.street": "Rua Nova 1", column: "Lisboa"}}),
        )
        .await;
        assert_eq!((right["status"].as_str().unwrap(), rows(&right, "changed")), ("completed", 8), "{right}");
        assert_eq!(shop.number("SELECT count(*) FROM Invoice WHERE BillingAddress = 'Rua Nova 1'").await, 7);
        assert_eq!(shop.number("SELECT count(*) FROM Customer WHERE Address = 'Rua Nova 1' AND City = 'Lisboa'").await, 1);
        let wrong = asked(&instance, json!({"subject": customer(1), "type": "rectification", "corrections": {"user.shoe_size": "43"}})).await;
        assert!(wrong["status"] == "stopped" && wrong["problems"].to_string().contains("no row of the person has such a field"), "{wrong}");
        crate::privacy::set(&instance, crate::privacy::purpose("ads", "legitimate_interests", json!({"sells": true}))).await;
        let why = async || {
            let (_, answer) = instance.operator(Method::POST, "/v1/consents/check", json!({"subject": customer(1), "purposes": ["ads"]})).await;
            answer["missing"][0]["why"].as_str().unwrap_or("allowed").to_owned()
        };
        assert_eq!(why().await, "allowed");
        let sold = asked(&instance, json!({"subject": customer(1), "type": "do_not_sell", "law": "ccpa"})).await;
        assert_eq!((sold["status"].as_str().unwrap(), why().await.as_str()), ("completed", "opted_out"), "{sold}");
        let objected = ask(&instance, "objection", customer(1)).await;
        assert_eq!(objected["status"], "completed", "{objected}");
        let restricted = ask(&instance, "restriction", customer(1)).await;
        assert_eq!((restricted["status"].as_str().unwrap(), why().await.as_str()), ("completed", "restricted"), "{restricted}");
    }
}

/// A service for subscriptions that can be told to fail.
#[derive(Clone, Default)]
struct Billing {
    rows: Arc<Mutex<Vec<Value>>>,
    down: Arc<AtomicBool>,
    tokens: Arc<Mutex<Vec<String>>>,
}

impl Billing {
    async fn start(&self) -> u16 {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let app = Router::new().route("/v1/subscriptions", get(Self::list)).route("/v1/subscriptions/{id}", delete(Self::cancel)).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        port
    }

    /// One a page.
    async fn list(State(of): State<Self>, Query(query): Query<std::collections::BTreeMap<String, String>>) -> Result<Json<Value>, StatusCode> {
        if of.down.load(Ordering::SeqCst) {
            return Err(StatusCode::SERVICE_UNAVAILABLE);
        }
        let rows: Vec<Value> = of.rows.lock().unwrap().iter().filter(|row| row["customer"] == query["customer"].as_str()).cloned().collect();
        let at: usize = query.get("at").map_or(0, |at| at.parse().unwrap());
        let next = (at + 1 < rows.len()).then(|| format!("/v1/subscriptions?customer={}&at={}", query["customer"], at + 1));
        Ok(Json(json!({"data": rows.get(at).into_iter().collect::<Vec<_>>(), "next": next})))
    }

    async fn cancel(State(of): State<Self>, Path(id): Path<String>, headers: HeaderMap) -> StatusCode {
        if of.down.load(Ordering::SeqCst) || headers["authorization"] != "Bearer s3cret" {
            return StatusCode::SERVICE_UNAVAILABLE;
        }
        of.tokens.lock().unwrap().push(headers["idempotency-key"].to_str().unwrap().to_owned());
        of.rows.lock().unwrap().retain(|row| row["id"] != id.as_str());
        StatusCode::NO_CONTENT
    }
}

const MAP: &str = r"
dataset:
- fides_key: app
  collections:
  - name: users
    tutela_meta: {section: profile}
    fields:
    - {name: id, data_categories: [user.unique_id], fides_meta: {primary_key: true, identity: app}}
    - {name: account, fides_meta: {identity: account}}
    - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email}}
  - name: pictures
    tutela_meta: {section: photos, objects: {store: pictures, key: '{file}'}}
    fields:
    - {name: id, fides_meta: {primary_key: true}}
    - {name: user_id, fides_meta: {references: [{dataset: app, field: users.id, direction: from}]}}
    - {name: file}
";

const BILLING_MAP: &str = r"
dataset:
- fides_key: billing
  collections:
  - name: subscriptions
    fields:
    - {name: id, fides_meta: {primary_key: true}}
    - {name: customer, fides_meta: {identity: email}}
";

const BILLING_API: &str = r#"
resources:
  subscriptions:
    find: {customer: "/v1/subscriptions?customer={value}"}
    rows: /data
    next: /next
    cancel: {method: DELETE, path: "/v1/subscriptions/{id}"}
"#;

/// An app with a database, pictures and subscriptions elsewhere.
fn app(folder: &std::path::Path, account: &str, billing: u16) -> String {
    let database = Connection::open(folder.join("app.db")).unwrap();
    database
        .execute_batch(&format!(
            "PRAGMA journal_mode = WAL;
             CREATE TABLE users (id INTEGER PRIMARY KEY, account TEXT, email TEXT NOT NULL);
             CREATE TABLE pictures (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE, file TEXT NOT NULL);
             INSERT INTO users VALUES (1, '{account}', 'ada@example.com'), (2, NULL, 'ben@example.com');
             INSERT INTO pictures VALUES (1, 1, 'one.png'), (2, 1, 'two.png'), (3, 2, 'three.png');"
        ))
        .unwrap();
    std::fs::create_dir(folder.join("pictures")).unwrap();
    for name in ["one.png", "two.png", "three.png"] {
        std::fs::write(folder.join("pictures").join(name), name).unwrap();
    }
    for (name, text) in [("app.yml", MAP), ("billing.yml", BILLING_MAP), ("api.yml", BILLING_API), ("token", "s3cret\n")] {
        std::fs::write(folder.join(name), text).unwrap();
    }
    let at = folder.display();
    format!(
        "[privacy.stores.app]\nkind = \"sqlite\"\npath = \"{at}/app.db\"\nmap = \"{at}/app.yml\"\n\
         [privacy.stores.pictures]\nkind = \"files\"\npath = \"{at}/pictures\"\n\
         [privacy.stores.billing]\nkind = \"service\"\nurl = \"http://127.0.0.1:{billing}\"\nmap = \"{at}/billing.yml\"\napi = \"{at}/api.yml\"\nsecret_file = \"{at}/token\"\n"
    )
}

fn subscription(id: &str, customer: &str) -> Value {
    json!({"id": id, "customer": customer, "plan": "plus"})
}

#[tokio::test]
async fn a_person_takes_their_data_along_and_deletes_their_account_with_all_that_hangs_on_it() {
    for storage in storages().await {
        let (folder, billing) = (TempDir::new().unwrap(), Billing::default());
        let port = billing.start().await;
        *billing.rows.lock().unwrap() =
            vec![subscription("s1", "ada@example.com"), subscription("s2", "ada@example.com"), subscription("s3", "ben@example.com")];
        let instance = Instance::start(&storage, "").await;
        let ada = instance.account("ada@example.com", &[]).await;
        let settings = app(folder.path(), &ada, port);
        instance.rewrite(|text| format!("{text}\n{settings}"));
        instance.stop("-TERM").await;
        instance.run().await;
        let browser = instance.browser();
        browser.sign_in_at(&format!("{}/account", instance.own()), "ada@example.com").await;
        let me = async |method: Method, path: &str, body: Value| {
            let url = format!("{}/v1/me/subject-requests{path}", instance.own());
            let request = browser.request(method, &url).header("origin", instance.own());
            crate::server::answer(if body.is_null() { request.send().await.unwrap() } else { request.json(&body).send().await.unwrap() }).await
        };
        let (status, made) = me(Method::POST, "?wait=60", json!({"type": "portability"})).await;
        assert_eq!((status, &made["status"]), (201, &json!("completed")), "{storage}: {made}");
        let url = format!("{}/v1/me/subject-requests/{}/package", instance.own(), made["id"].as_str().unwrap());
        let zip = browser.get(&url).await.bytes().await.unwrap();
        std::fs::write(folder.path().join("mine.zip"), &zip).unwrap();
        let read =
            |name: &str| std::process::Command::new("unzip").args(["-p", folder.path().join("mine.zip").to_str().unwrap(), name]).output().unwrap().stdout;
        assert_eq!(read("objects/pictures/one.png"), b"one.png");
        let manifest: Value = serde_json::from_slice(&read("manifest.json")).unwrap();
        assert!(manifest["sha256"].as_object().unwrap().len() >= 5 && !String::from_utf8_lossy(&read("data.json")).contains("three.png"), "{manifest}");
        // The service does not answer: what it has to be asked first is not begun, and goes on by itself.
        billing.down.store(true, Ordering::SeqCst);
        let (status, made) = me(Method::POST, "", json!({"type": "erasure"})).await;
        assert_eq!(status, 201, "{made}");
        let id = made["id"].as_str().unwrap().to_owned();
        until("the service is waited for", async || {
            me(Method::GET, &format!("/{id}"), Value::Null).await.1["problems"].to_string().contains("it does not answer")
        })
        .await;
        assert_eq!(me(Method::GET, &format!("/{id}"), Value::Null).await.1["status"], "pending");
        assert!(folder.path().join("pictures/one.png").exists());
        billing.down.store(false, Ordering::SeqCst);
        until("it is done", async || show(&instance, &json!({"id": id})).await["status"] == "completed").await;
        let done = show(&instance, &json!({"id": id})).await;
        let steps: Vec<(&str, u64)> =
            done["steps"].as_array().unwrap().iter().map(|step| (step["store"].as_str().unwrap(), step["rows"].as_u64().unwrap())).collect();
        assert_eq!(steps, [("billing", 2), ("pictures", 2), ("app", 2), ("app", 1), ("tutela", 1)], "subscriptions first, then pictures, then rows: {done}");
        assert_eq!(*billing.rows.lock().unwrap(), [subscription("s3", "ben@example.com")]);
        let tokens = billing.tokens.lock().unwrap().clone();
        assert!(tokens.len() == 2 && tokens[0] != tokens[1] && tokens.iter().all(|token| token.starts_with(&id)), "{tokens:?}");
        assert!(!folder.path().join("pictures/one.png").exists() && folder.path().join("pictures/three.png").exists());
        let (status, _) = instance.operator(Method::GET, &format!("/v1/accounts/{ada}"), Value::Null).await;
        assert_eq!(status, 404, "the account is gone");
        let (status, _) = me(Method::GET, "", Value::Null).await;
        assert_eq!(status, 401, "and its sessions");
        let (_, key) = instance.operator(Method::GET, "/v1/events?q=type:subject_request.received", Value::Null).await;
        assert!(!key.to_string().contains("ada@example.com"), "{key}");
    }
}

#[tokio::test]
async fn a_right_that_is_off_is_refused_by_its_name_and_approval_is_waited_for() {
    let folder = TempDir::new().unwrap();
    let billing = Billing::default();
    let port = billing.start().await;
    let settings = app(folder.path(), "nobody", port);
    let rights = "[privacy]\napprove_erasures = true\n[privacy.data_subject_rights]\nportability = false\nrectification = false\naccess = false\n";
    let instance = Instance::start("sqlite", &format!("{rights}{settings}")).await;
    let ben = json!({"namespace": "app", "value": 2});
    for (kind, right, more) in [
        ("access", "access", json!({})),
        ("portability", "portability", json!({})),
        ("rectification", "rectification", json!({"corrections": {"user.contact.email": "x@example.com"}})),
    ] {
        let mut body = json!({"subject": ben, "type": kind});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let (status, problem) = instance.operator(Method::POST, "/v1/subject-requests", body).await;
        assert!(status == 403 && problem["detail"].as_str().unwrap().contains(&format!("privacy.data_subject_rights.{right}")), "{problem}");
    }
    // An erasure waits until somebody approves of its plan.
    let waiting = ask(&instance, "erasure", ben.clone()).await;
    assert_eq!((&waiting["status"], rows(&waiting, "deleted")), (&json!("waiting"), 0), "{waiting}");
    let same = ask(&instance, "erasure", ben).await;
    assert_eq!(same["id"], waiting["id"], "asked twice it is one request");
    let id = waiting["id"].as_str().unwrap();
    let (status, extended) = instance.operator(Method::POST, &format!("/v1/subject-requests/{id}/extend"), json!({"reason": "many stores"})).await;
    assert!(status == 200 && extended["extended"] == true && extended["answer_by"].as_str() > waiting["answer_by"].as_str(), "{extended}");
    let (status, _) = instance.operator(Method::POST, &format!("/v1/subject-requests/{id}/extend"), json!({"reason": "once more"})).await;
    assert_eq!(status, 409);
    let approved = instance.cli(&["privacy", "request", "approve", id]).await;
    assert!(approved.status.success(), "{approved:?}");
    until("it is done", async || show(&instance, &waiting).await["status"] == "completed").await;
    let refused = ask(&instance, "erasure", json!({"namespace": "app", "value": 1})).await;
    let (status, refused) = instance
        .operator(Method::POST, &format!("/v1/subject-requests/{}/refuse", refused["id"].as_str().unwrap()), json!({"reason": "somebody else asked"}))
        .await;
    assert_eq!((status, &refused["status"], &refused["reason"]), (200, &json!("refused"), &json!("somebody else asked")));
    assert!(folder.path().join("pictures/one.png").exists());
}

#[tokio::test]
async fn a_process_that_is_killed_at_any_step_goes_on_where_it_was() {
    for storage in storages().await {
        let (folder, billing) = (TempDir::new().unwrap(), Billing::default());
        let port = billing.start().await;
        let instance = Instance::start(&storage, &app(folder.path(), "nobody", port)).await;
        let database = Connection::open(folder.path().join("app.db")).unwrap();
        database.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
        // Where several nodes share a database, what one worked on is taken up when its lease is over: fewer rounds there.
        let (people, pause): (u32, u64) = if storage == "sqlite" { (12, 4) } else { (3, 16) };
        for n in 0..people {
            let (id, email) = (100 + n, format!("person{n}@example.com"));
            database.execute("INSERT INTO users VALUES (?1, NULL, ?2)", (id, &email)).unwrap();
            for picture in 0..3 {
                let file = format!("{n}-{picture}.png");
                database.execute("INSERT INTO pictures VALUES (?1, ?2, ?3)", (id * 10 + picture, id, &file)).unwrap();
                std::fs::write(folder.path().join("pictures").join(file), "x").unwrap();
            }
            billing.rows.lock().unwrap().push(subscription(&format!("s{n}"), &email));
        }
        for n in 0..people {
            let body = json!({"subject": {"namespace": "app", "value": 100 + n}, "type": "erasure"});
            let (status, made) = instance.operator(Method::POST, "/v1/subject-requests", body).await;
            assert_eq!(status, 201, "{made}");
            // A little later each time: before the plan, between steps, after the last one.
            tokio::time::sleep(std::time::Duration::from_millis(u64::from(n) * pause)).await;
            instance.stop("-KILL").await;
            instance.run().await;
            let done = || async { show(&instance, &made).await };
            until("it goes on and is done", async || done().await["status"] == "completed").await;
            let done = done().await;
            assert_eq!(rows(&done, "deleted"), 1 + 3 + 3 + 1, "{storage} {n}: every step is counted once: {done}");
        }
        let count = |sql: &str| database.query_row(sql, [], |row| row.get::<_, u32>(0)).unwrap();
        assert_eq!((count("SELECT count(*) FROM users"), count("SELECT count(*) FROM pictures")), (2, 3));
        assert_eq!(std::fs::read_dir(folder.path().join("pictures")).unwrap().count(), 3);
        assert!(billing.rows.lock().unwrap().is_empty());
        until("each is told of once", async || {
            let (_, events) = instance.operator(Method::GET, "/v1/events?q=type:subject_request.completed&limit=100", Value::Null).await;
            events["items"].as_array().unwrap().len() == people as usize
        })
        .await;
    }
}

#[tokio::test]
async fn what_is_over_its_time_goes_with_what_hangs_on_it_and_what_is_kept_stays() {
    for (shop, storage) in shops().await {
        let (table, place, date) =
            if shop.is_sqlite() { ("Invoice", "chinook.Invoice", "InvoiceDate") } else { ("invoice", "chinook.invoice", "invoice_date") };
        let line = format!("      - name: {table}\n        tutela_meta: {{section: activity}}\n        fields:\n");
        let with = format!(
            "      - name: {table}\n        tutela_meta: {{section: activity, retention: {{class: payment_data, anchor: {date}}}}}\n        fields:\n          - {{name: {date}}}\n"
        );
        shop.change_map(|map| map.replacen(&line, &with, 1));
        // All invoices but those of two customers are of this minute.
        let (now, old) = if shop.is_sqlite() { ("datetime('now')", "'2020-01-01 00:00:00'") } else { ("now()", "'2020-01-01'") };
        shop.execute(&format!("UPDATE Invoice SET InvoiceDate = {now}; UPDATE Invoice SET InvoiceDate = {old} WHERE CustomerId IN (7, 8)")).await;
        let lines = shop.number("SELECT count(*) FROM InvoiceLine").await;
        assert_eq!(shop.number("SELECT count(*) FROM Invoice WHERE CustomerId IN (7, 8)").await, 14);
        // What is held of somebody is held before the first run of the hour.
        let instance = Instance::start(&storage, &(shop.settings() + "[compliance.data_retention]\npayment_data = 36500\n")).await;
        let hold = json!({"subject": customer(8), "place": place, "article": "Art. 17(3)(e) GDPR", "reason": "a dispute", "owner": "legal"});
        assert_eq!(instance.operator(Method::POST, "/v1/privacy/holds", hold).await.0, 201);
        instance.stop("-TERM").await;
        instance.rewrite(|text| text.replace("payment_data = 36500", "payment_data = 180"));
        instance.run().await;
        let (_, seen) = instance.operator(Method::GET, "/v1/privacy/retention", Value::Null).await;
        assert_eq!((&seen[0]["place"], &seen[0]["class"], &seen[0]["days"]), (&json!(place), &json!("payment_data"), &json!(180)), "{seen}");
        let (status, went) = instance.operator(Method::POST, "/v1/privacy/retention/apply", Value::Null).await;
        assert_eq!((status, &went[0]["problem"]), (200, &Value::Null), "{went}");
        until("what is over its time is gone", async || shop.number("SELECT count(*) FROM Invoice WHERE CustomerId = 7").await == 0).await;
        assert_eq!(shop.number("SELECT count(*) FROM Invoice WHERE CustomerId = 8").await, 7, "what is held stays");
        assert_eq!(shop.number("SELECT count(*) FROM InvoiceLine").await, lines - 38, "with what hung on it");
        assert_eq!(shop.number("SELECT count(*) FROM Customer").await, 59);
        let out = instance.cli(&["privacy", "retention"]).await;
        assert!(out.status.success() && String::from_utf8_lossy(&out.stdout).contains("payment_data"), "{out:?}");
        until("it is told of", async || {
            let (_, events) = instance.operator(Method::GET, "/v1/events?q=type:data.expired", Value::Null).await;
            events["items"].as_array().unwrap().iter().map(|item| item["event"]["data"]["rows_gone"].as_u64().unwrap_or(0)).sum::<u64>() == 7
        })
        .await;
    }
}

#[tokio::test]
async fn whoever_has_an_address_asks_without_an_account_by_a_link_that_works_once() {
    for storage in storages().await {
        let (folder, billing) = (TempDir::new().unwrap(), Billing::default());
        let port = billing.start().await;
        let settings = app(folder.path(), "nobody", port);
        let instance = Instance::start(&storage, "").await;
        instance.rewrite(|text| format!("{text}\n[channels]\nlog = \"messages.jsonl\"\n{settings}"));
        instance.stop("-TERM").await;
        instance.run().await;
        let browser = instance.browser();
        let own = |path: &str| format!("{}{path}", instance.own());
        assert!(browser.get(&own("/privacy/ask")).await.text().await.unwrap().contains("Show me what you have of me"));
        // The answer is the same whoever it is; only who opens the link has the address.
        for email in ["ben@example.com", "nobody@example.com"] {
            let sent = browser.post(&own("/privacy/ask/access"), &[("email", email)]).await;
            assert!(sent.status() == 200 && sent.text().await.unwrap().contains("Look into your mail"));
        }
        let link = instance.mailed_link("ben@example.com", "/privacy/confirm/").await;
        let seen = browser.get(&link).await;
        assert!(seen.status() == 200 && seen.text().await.unwrap().contains("You get one file with everything"));
        let (_, none) = instance.operator(Method::GET, "/v1/subject-requests", Value::Null).await;
        assert_eq!(none["items"], json!([]), "opening it uses nothing up");
        let done = browser.post(&link, &[]).await;
        let status = location(&done, &link).unwrap();
        assert!(status.contains("/privacy/requests/"), "{status}");
        until("it is answered", async || {
            let (_, all) = instance.operator(Method::GET, "/v1/subject-requests", Value::Null).await;
            all["items"][0]["status"] == "completed"
        })
        .await;
        let again = browser.post(&link, &[]).await;
        assert_eq!(again.status(), 404, "it works once");
        // The package is mailed to the address, and to nobody else.
        let package = instance.mailed_link("ben@example.com", "/privacy/packages/").await;
        let zip = browser.get(&package).await.bytes().await.unwrap();
        std::fs::write(folder.path().join("ben.zip"), &zip).unwrap();
        let read =
            |name: &str| std::process::Command::new("unzip").args(["-p", folder.path().join("ben.zip").to_str().unwrap(), name]).output().unwrap().stdout;
        assert_eq!(read("objects/pictures/three.png"), b"three.png");
        assert!(!String::from_utf8_lossy(&read("data.json")).contains("ada@example.com"));
        let forged = browser.get(&format!("{package}x")).await;
        assert_eq!(forged.status(), 404);
        // Whoever is led to their own page without a session comes to it after signing in.
        instance.account("eve@example.com", &[]).await;
        let fresh = instance.browser();
        let (at, page) = fresh.sign_in_at(&own("/account/privacy"), "eve@example.com").await;
        assert!(at.ends_with("/account/privacy") && page.status() == 200, "{at}");
    }
}
