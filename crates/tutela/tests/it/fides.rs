//! The sample database of Fides with its own map, unchanged: what is held of its customers, and their erasure.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    server::{Instance, storages},
    subject_request::{ask, rows},
};

const KEY: &str = "postgres_example_test_dataset";

/// How many rows each table has.
async fn counts(client: &testkit::tokio_postgres::Client) -> BTreeMap<String, i64> {
    let count = "SELECT relname::text, (xpath('/row/n/text()', query_to_xml('SELECT count(*) AS n FROM public.' || quote_ident(relname), false, true, '')))[1]::text::bigint
        FROM pg_stat_user_tables WHERE schemaname = 'public'";
    client.query(count, &[]).await.unwrap().iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// By how much each table has shrunk.
fn gone(before: &BTreeMap<String, i64>, after: &BTreeMap<String, i64>) -> Vec<(String, i64)> {
    before.iter().map(|(table, rows)| (table.clone(), rows - after[table])).filter(|(_, rows)| *rows != 0).collect()
}

fn listed(rows: &[(&str, i64)]) -> Vec<(String, i64)> {
    rows.iter().map(|(table, rows)| ((*table).to_owned(), *rows)).collect()
}

#[tokio::test]
async fn its_own_map_leads_to_every_row_of_a_customer_and_to_nobody_elses() {
    let storages = storages().await;
    let (Some(url), Some(data)) = (storages.get(1), testkit::shared("fides/src/fides/data/sample_project")) else { return };
    let (client, connection) = testkit::tokio_postgres::connect(url, testkit::tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute(&std::fs::read_to_string(data.join("postgres_sample.sql")).unwrap()).await.unwrap();
    let map = std::fs::read_to_string(data.join(format!("sample_resources/{KEY}.yml"))).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("map.yml");
    std::fs::write(&file, &map).unwrap();
    let settings = format!("[privacy.stores.{KEY}]\nkind = \"postgresql\"\nurl = \"{url}\"\nmap = \"{}\"\n", file.display());
    let instance = Instance::start("sqlite", &settings).await;
    let person = |n: u8| json!({"namespace": "email", "value": format!("customer-{n}@example.com")});
    let all = counts(&client).await;

    // Columns that nobody mapped are named; the map has eleven of fifteen tables.
    let status = instance.operator(Method::GET, "/v1/datasets", Value::Null).await.1;
    assert!(status.to_string().contains(&format!("{KEY}.orders.payment_card_id")), "{status}");

    // Its cards have nine digits and are none; one that is one is found, where it stands and not what it is.
    let scanned = async || instance.operator(Method::POST, "/v1/compliance/scans", Value::Null).await.1;
    let quiet = scanned().await;
    assert_eq!((&quiet["card_numbers"], &quiet["looked"], &quiet["unlooked"]), (&json!({}), &json!(2), &json!([])), "{quiet}");
    let (sample, card) = (client.query_one("SELECT id, ccn FROM payment_card LIMIT 1", &[]).await.unwrap(), "UPDATE payment_card SET ccn = $2 WHERE id = $1");
    let (id, number): (String, i64) = (sample.get(0), sample.get(1));
    client.execute(card, &[&id, &5_555_555_555_554_444_i64]).await.unwrap();
    let found = scanned().await;
    assert_eq!(found["card_numbers"], json!({format!("{KEY}.payment_card.ccn"): 1}), "{found}");
    client.execute(card, &[&id, &number]).await.unwrap();
    assert_eq!(scanned().await["card_numbers"], json!({}));

    // A row of customer 1 names a second address. Whose it is only the operator knows: nothing is touched until they say.
    let stopped = ask(&instance, "erasure", person(1)).await;
    let why = stopped["problems"].to_string();
    assert!(stopped["status"] == "stopped" && why.contains("service_request.alt_email") && why.contains("relation: owns"), "{stopped}");
    assert_eq!(gone(&all, &counts(&client).await), []);

    let access = ask(&instance, "access", person(2)).await;
    assert_eq!((&access["status"], rows(&access, "read")), (&json!("completed"), 7), "{access}");
    let erased = ask(&instance, "erasure", person(2)).await;
    assert_eq!(erased["status"], "completed", "{erased}");
    let of_two = [("customer", 1), ("login", 1), ("order_item", 1), ("orders", 1), ("payment_card", 1), ("service_request", 1), ("visit", 1)];
    let after_two = counts(&client).await;
    assert_eq!(gone(&all, &after_two), listed(&of_two));
    // Their address is only referred to in this map, and stays: that is said.
    let note = erased["notes"].to_string();
    assert!(note.contains(&format!("{KEY}.address")) && note.contains("customer.address_id"), "{note}");

    // One line under `tutela_meta` says that the second address is theirs too.
    let (before, after) = map.split_once("- name: alt_email\n").unwrap();
    std::fs::write(&file, format!("{before}- name: alt_email\n            tutela_meta: {{relation: owns}}\n{after}")).unwrap();
    instance.stop("-INT").await;
    instance.run().await;
    let run = format!("/v1/subject-requests/{}/run?wait=60", stopped["id"].as_str().unwrap());
    let again = instance.operator(Method::POST, &run, Value::Null).await.1;
    assert_eq!(again["status"], "completed", "{again}");
    let of_one = [("customer", 1), ("login", 6), ("order_item", 4), ("orders", 3), ("payment_card", 1), ("service_request", 1), ("visit", 1)];
    assert_eq!(gone(&after_two, &counts(&client).await), listed(&of_one));
}
