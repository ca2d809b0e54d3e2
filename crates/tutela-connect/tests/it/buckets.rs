//! Erasing from a bucket of a real server: with every version, and nothing of anybody else.

use serde_json::{Map, Value, json};
use testkit::S3Server;
use tutela_app::{
    StoreConfig, StoreType,
    port::{DataError, DataStore},
};
use tutela_connect::data_store;
use tutela_privacy::plan::Change;

use crate::contract::install_tls;

fn server() -> Option<S3Server> {
    let server = S3Server::start();
    if server.is_none() {
        testkit::skip("TUTELA_S3 does not name versitygw");
    }
    server
}

fn store(server: &S3Server, bucket: &str) -> std::sync::Arc<dyn DataStore> {
    install_tls();
    let config = StoreConfig {
        url: Some(server.url.clone()),
        bucket: Some(bucket.into()),
        access_key: Some("admin".into()),
        secret_file: Some(server.secret_file.clone()),
        ..StoreConfig::of(StoreType::S3)
    };
    data_store(&config).unwrap()
}

fn gone(key: &str) -> [Change; 1] {
    [Change { collection: "objects".into(), key: Map::from_iter([("key".to_owned(), json!(key))]), set: None }]
}

async fn keys(store: &dyn DataStore, key: &str) -> Vec<(String, u64)> {
    let rows = store.find("objects", "key", &[Value::from(key)]).await.unwrap();
    rows.iter().map(|row| (row["key"].as_str().unwrap().to_owned(), row["versions"].as_u64().unwrap())).collect()
}

#[tokio::test]
async fn all_versions_go_and_what_only_begins_alike_stays() {
    let Some(server) = server() else { return };
    server.bucket("pictures", false);
    let store = store(&server, "pictures");
    store.schema().await.unwrap();
    for (path, times) in [("1/a%26b%20%C3%A4.jpg", 3), ("1/deep/er.jpg", 1), ("10/a.jpg", 2), ("1.jpg", 1), ("1.jpg.bak", 1)] {
        for n in 0..times {
            server.ask("PUT", &format!("pictures/{path}"), Some(&format!("picture {n}")), &[]);
        }
    }
    // Deleted as an application does it: hidden, and still there.
    server.ask("DELETE", "pictures/1/deep/er.jpg", None, &[]);
    // An upload that broke off: in no list of objects, and its first part is there.
    let begun = server.ask("POST", "pictures/1/film.mp4?uploads=", None, &[]);
    let upload = begun.split_once("<UploadId>").and_then(|(_, rest)| rest.split_once('<')).unwrap().0;
    server.ask("PUT", &format!("pictures/1/film.mp4?partNumber=1&uploadId={upload}"), Some("film"), &[]);
    server.ask("POST", "pictures/10/film.mp4?uploads=", None, &[]);
    let before = [("1/a&b ä.jpg".to_owned(), 3), ("1/deep/er.jpg".to_owned(), 1), ("1/film.mp4".to_owned(), 0)];
    assert_eq!(keys(&*store, "1/").await, before);
    assert_eq!(store.read("1/a&b ä.jpg", 100).await.unwrap().unwrap(), b"picture 2");
    assert_eq!(store.read("1/a&b ä.jpg", 3).await.unwrap(), None, "no room for it");
    assert_eq!(store.read("1/deep/er.jpg", 100).await.unwrap(), None, "hidden");

    for _ in 0..2 {
        store.apply(&gone("1/"), "token").await.unwrap();
        store.apply(&gone("1.jpg"), "token").await.unwrap();
    }
    assert_eq!((keys(&*store, "1/").await, keys(&*store, "1.jpg").await), (vec![], vec![]));
    let left = server.ask("GET", "pictures?versions=", None, &[]);
    assert!(!left.contains("<Key>1/") && !left.contains("<DeleteMarker>") && left.contains("<Key>10/a.jpg</Key>"), "{left}");
    assert_eq!(
        (keys(&*store, "10/").await, keys(&*store, "1.jpg.bak").await),
        (vec![("10/a.jpg".into(), 2), ("10/film.mp4".into(), 0)], vec![("1.jpg.bak".into(), 1)])
    );

    for bad in ["", "/", "a/../b", "a/./b"] {
        let refused = store.apply(&gone(bad), "token").await;
        assert!(bad.contains('.') || matches!(refused, Err(DataError::Refused(_))), "{bad}: {refused:?}");
        assert!(!matches!(store.read(bad, 10).await, Ok(Some(_))), "{bad}");
    }
}

#[tokio::test]
async fn more_than_a_page_of_versions_go() {
    let Some(server) = server() else { return };
    server.bucket("many", false);
    // One call of curl for many objects: its own pattern of addresses.
    server.ask("PUT", "many/7/[1-1100].jpg", Some("x"), &[]);
    let store = store(&server, "many");
    assert_eq!(keys(&*store, "7/").await.len(), 1_100);
    store.apply(&gone("7/"), "token").await.unwrap();
    assert!(keys(&*store, "7/").await.is_empty());
}

#[tokio::test]
async fn what_is_under_a_hold_is_refused_by_name_and_who_is_not_let_in_too() {
    let Some(server) = server() else { return };
    server.bucket("locked", true);
    server.ask("PUT", "locked/1/a.jpg", Some("picture"), &[]);
    server.ask("PUT", "locked/1/a.jpg?legal-hold=", Some("<LegalHold><Status>ON</Status></LegalHold>"), &["content-md5: oK1+ndJbG6HuGA87LDxznw=="]);
    let held = store(&server, "locked").apply(&gone("1/"), "token").await;
    let Err(DataError::Refused(why)) = held else { panic!("{held:?}") };
    assert!(why.contains("403") && why.contains("legal hold") && !why.contains("1/a.jpg"), "{why}");

    let nobody = store(&server, "nowhere").schema().await;
    assert!(matches!(nobody, Err(DataError::Refused(_))), "{nobody:?}");
    std::fs::write(&server.secret_file, "wrong").unwrap();
    let wrong = store(&server, "locked").apply(&gone("1/"), "token").await;
    assert!(matches!(&wrong, Err(DataError::Refused(why)) if why.contains("SignatureDoesNotMatch")), "{wrong:?}");
}
