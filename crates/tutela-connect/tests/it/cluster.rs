//! Search clusters: what the projection relies on, the same for both products; and clusters that fail.

use std::sync::Arc;

use serde_json::{Value, json};
use testkit::{Fault, FaultProxy, SearchServer};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use tutela_app::port::{ClusterDocument, ClusterError, ClusterSearch, PutAnswer, SearchCluster};
use tutela_connect::{Cluster, ClusterSettings};

use crate::contract::install_tls;

/// Both products, or those that are installed.
fn servers() -> Vec<Arc<SearchServer>> {
    let found = [("TUTELA_OPENSEARCH", SearchServer::opensearch()), ("TUTELA_ELASTICSEARCH", SearchServer::elasticsearch())];
    let named = found.into_iter().filter_map(|(variable, server)| {
        if server.is_none() {
            testkit::skip(&format!("{variable} does not name a distribution"));
        }
        server
    });
    named.collect()
}

fn settings(url: &str, index: &str) -> ClusterSettings {
    let (url, index) = (url.to_owned(), index.to_owned());
    ClusterSettings { name: "opensearch", url, index, ca_file: None, username: None, password_file: None, api_key_file: None }
}

/// An index of its own for every test, since the servers are shared.
fn cluster(url: &str, index: &str) -> Cluster {
    install_tls();
    Cluster::new(settings(url, index)).unwrap()
}

fn mappings() -> Value {
    json!({"dynamic": false, "properties": {"n": {"type": "long"}, "kind": {"type": "keyword"}, "ip": {"type": "ip"}}})
}

fn document(id: &str, month: i64, source: &Value) -> ClusterDocument {
    ClusterDocument { id: id.into(), month, source: source.to_string().into_bytes() }
}

/// `{"n": 1}` to `{"n": count}`, the odd ones of October, the even ones of November.
fn numbered(count: i64) -> Vec<ClusterDocument> {
    (1..=count).map(|n| document(&format!("id-{n}"), if n % 2 == 1 { 202_610 } else { 202_611 }, &json!({"n": n, "kind": "number"}))).collect()
}

fn page(query: Value, after: Option<Value>, size: u32, source: bool) -> ClusterSearch {
    ClusterSearch { query, sort: json!([{"n": "asc"}]), after, size, source }
}

#[tokio::test]
async fn what_is_there_is_told_and_preparing_twice_changes_nothing() {
    for server in servers() {
        let cluster = cluster(&server.url, "prepare");
        for _ in 0..2 {
            // Configured as `opensearch`: the answer says what it really is.
            let product = cluster.prepare(&mappings()).await.unwrap();
            assert!(product.starts_with(&format!("{} ", server.name)) && product.ends_with(|c: char| c.is_ascii_digit()), "{product}");
        }
        assert_eq!(cluster.name(), "opensearch");
    }
}

#[tokio::test]
async fn before_the_first_document_there_is_nothing_and_no_error() {
    for server in servers() {
        let cluster = cluster(&server.url, "nothing");
        assert_eq!(cluster.count(&json!({"match_all": {}})).await.unwrap(), 0);
        assert!(cluster.search(&page(json!({"match_all": {}}), None, 10, true)).await.unwrap().is_empty());
        assert_eq!(cluster.delete(&json!({"match_all": {}})).await.unwrap(), 0);
        assert!(cluster.drop_before(None).await.unwrap().is_empty());
        cluster.refresh().await.unwrap();
        assert!(cluster.put(&[]).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_document_that_is_sent_twice_is_there_once() {
    for server in servers() {
        let cluster = cluster(&server.url, "twice");
        cluster.prepare(&mappings()).await.unwrap();
        assert_eq!(cluster.put(&numbered(3)).await.unwrap(), vec![PutAnswer::Stored; 3]);
        let expected = [vec![PutAnswer::Already; 3], vec![PutAnswer::Stored; 2]].concat();
        assert_eq!(cluster.put(&numbered(5)).await.unwrap(), expected);
        cluster.refresh().await.unwrap();
        assert_eq!(cluster.count(&json!({"match_all": {}})).await.unwrap(), 5);
    }
}

#[tokio::test]
async fn a_document_that_does_not_fit_is_refused_beside_good_ones_and_its_value_is_not_told() {
    for server in servers() {
        let cluster = cluster(&server.url, "refused");
        cluster.prepare(&mappings()).await.unwrap();
        let long = "a".repeat(40_000);
        let documents = [
            document("1", 202_611, &json!({"n": 1})),
            document("2", 202_611, &json!({"n": 2, "ip": "somebody@example.com"})),
            document("3", 202_611, &json!({"n": 3, "kind": long})),
            ClusterDocument { id: "4".into(), month: 202_611, source: b"{}\n{}".to_vec() },
            document("5", 202_611, &json!({"n": 5, "unknown": {"field": true}})),
        ];
        let answers = cluster.put(&documents).await.unwrap();
        let [PutAnswer::Stored, PutAnswer::Refused(ip), PutAnswer::Refused(kind), PutAnswer::Refused(_), PutAnswer::Stored] = answers.as_slice() else {
            panic!("{answers:?}");
        };
        assert!(ip.contains("[ip]") && !ip.contains("somebody"), "{ip}");
        assert!(kind.contains('k') && !kind.contains("aaa") && !kind.contains("97, 97") && kind.len() <= 300, "{kind}");
    }
}

#[tokio::test]
async fn pages_follow_each_other_across_months() {
    for server in servers() {
        let cluster = cluster(&server.url, "pages");
        cluster.prepare(&mappings()).await.unwrap();
        cluster.put(&numbered(10)).await.unwrap();
        cluster.refresh().await.unwrap();
        let (mut after, mut seen) = (None, Vec::new());
        loop {
            let hits = cluster.search(&page(json!({"range": {"n": {"gte": 2}}}), after.clone(), 4, true)).await.unwrap();
            let Some(last) = hits.last() else { break };
            after = Some(last.sort.clone());
            seen.extend(hits.into_iter().map(|hit| (hit.id, hit.source["n"].clone())));
        }
        let expected: Vec<_> = (2..=10).map(|n| (format!("id-{n}"), json!(n))).collect();
        assert_eq!(seen, expected);
        let bare = cluster.search(&page(json!({"term": {"n": 7}}), None, 1, false)).await.unwrap();
        assert_eq!((bare[0].id.as_str(), &bare[0].sort, &bare[0].source), ("id-7", &json!([7]), &Value::Null));
        let wrong = cluster.search(&page(json!({"no_such_query": {}}), None, 1, false)).await;
        assert!(matches!(&wrong, Err(ClusterError::Refused(why)) if why.contains("no_such_query")), "{wrong:?}");
    }
}

#[tokio::test]
async fn deletion_leaves_only_what_does_not_match() {
    for server in servers() {
        let cluster = cluster(&server.url, "delete");
        cluster.prepare(&mappings()).await.unwrap();
        cluster.put(&numbered(12_000)).await.unwrap();
        // More than two pages; nothing was refreshed before, and the rest is visible at once.
        assert_eq!(cluster.delete(&json!({"range": {"n": {"gt": 5}}})).await.unwrap(), 11_995);
        assert_eq!(cluster.count(&json!({"match_all": {}})).await.unwrap(), 5);
        assert_eq!(cluster.delete(&json!({"range": {"n": {"gt": 5}}})).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn months_are_dropped_as_a_whole_and_those_of_others_stay() {
    for server in servers() {
        let mine = cluster(&server.url, "drop");
        let other = cluster(&server.url, "dropped");
        for cluster in [&mine, &other] {
            cluster.prepare(&mappings()).await.unwrap();
            cluster.put(&numbered(4)).await.unwrap();
            cluster.refresh().await.unwrap();
        }
        assert_eq!(mine.drop_before(Some(202_610)).await.unwrap(), Vec::<String>::new());
        assert_eq!(mine.drop_before(Some(202_611)).await.unwrap(), ["drop-202610"]);
        assert_eq!(mine.count(&json!({"match_all": {}})).await.unwrap(), 2);
        assert_eq!(mine.drop_before(None).await.unwrap(), ["drop-202611"]);
        assert_eq!((mine.count(&json!({"match_all": {}})).await.unwrap(), other.count(&json!({"match_all": {}})).await.unwrap()), (0, 4));
    }
}

#[tokio::test]
async fn a_field_that_is_declared_later_is_indexed_from_then_on() {
    for server in servers() {
        let cluster = cluster(&server.url, "later");
        cluster.prepare(&mappings()).await.unwrap();
        cluster.put(&[document("1", 202_611, &json!({"n": 1, "colour": "red"}))]).await.unwrap();
        let mut more = mappings();
        more["properties"]["colour"] = json!({"type": "keyword"});
        cluster.prepare(&more).await.unwrap();
        cluster.put(&[document("2", 202_611, &json!({"n": 2, "colour": "red"}))]).await.unwrap();
        cluster.refresh().await.unwrap();
        assert_eq!(cluster.count(&json!({"term": {"colour": "red"}})).await.unwrap(), 1);
        more["properties"]["n"] = json!({"type": "keyword"});
        let changed = cluster.prepare(&more).await;
        assert!(matches!(&changed, Err(ClusterError::Refused(why)) if why.contains("[n]")), "{changed:?}");
    }
}

#[tokio::test]
async fn what_the_cluster_has_no_room_for_is_busy_and_comes_in_later() {
    for server in servers() {
        let proxy = FaultProxy::start(&server).await;
        let cluster = cluster(&proxy.url, "busy");
        cluster.prepare(&mappings()).await.unwrap();
        proxy.set(Fault::BusyItems);
        let answers = cluster.put(&numbered(6)).await.unwrap();
        let busy: Vec<bool> = answers.iter().map(|answer| matches!(answer, PutAnswer::Busy(_))).collect();
        assert_eq!(busy, [false, false, true, false, false, true]);
        proxy.set(Fault::Pass);
        use PutAnswer::{Already, Stored};
        assert_eq!(cluster.put(&numbered(6)).await.unwrap(), [Already, Already, Stored, Already, Already, Stored]);
        assert_eq!(proxy.bulk_requests(), 2, "nothing is tried again inside");
    }
}

#[tokio::test]
async fn an_answer_that_is_lost_is_unavailable_and_the_next_one_says_already() {
    for server in servers() {
        let proxy = FaultProxy::start(&server).await;
        let cluster = cluster(&proxy.url, "lost");
        cluster.prepare(&mappings()).await.unwrap();
        for fault in [Fault::Refuse, Fault::Unavailable, Fault::LoseAnswer] {
            proxy.set(fault);
            assert!(matches!(cluster.put(&numbered(2)).await, Err(ClusterError::Unavailable(_))), "{fault:?}");
        }
        proxy.set(Fault::Pass);
        assert_eq!(cluster.put(&numbered(2)).await.unwrap(), vec![PutAnswer::Already; 2]);
    }
}

#[tokio::test]
async fn what_was_stored_is_there_after_a_crash() {
    let Some(server) = SearchServer::private_opensearch() else { return testkit::skip("TUTELA_OPENSEARCH does not name a distribution") };
    let cluster = cluster(&server.url, "crash");
    cluster.prepare(&mappings()).await.unwrap();
    assert_eq!(cluster.put(&numbered(50)).await.unwrap(), vec![PutAnswer::Stored; 50]);
    server.crash();
    assert!(matches!(cluster.put(&numbered(50)).await, Err(ClusterError::Unavailable(_))));
    server.start_again();
    assert_eq!(cluster.put(&numbered(50)).await.unwrap(), vec![PutAnswer::Already; 50]);
}

/// Answers every request with the same text; gives its address and, at the end, what was asked.
async fn canned(status: &str, body: &str) -> (String, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
    let task = tokio::spawn(async move {
        let mut asked = Vec::new();
        while asked.len() < 2 {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut bytes = Vec::new();
            while !whole(&bytes) {
                assert!(stream.read_buf(&mut bytes).await.unwrap() > 0, "a request is cut off");
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            asked.push(String::from_utf8_lossy(&bytes).into_owned());
        }
        asked
    });
    (url, task)
}

/// Whether a request has its head and all of its body.
fn whole(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.split("\r\ncontent-length:").nth(1).and_then(|rest| rest.split("\r\n").next()?.trim().parse().ok());
    body.len() >= length.unwrap_or(0)
}

#[tokio::test]
async fn a_refused_credential_is_refused_and_read_again_for_the_next_call() {
    install_tls();
    let (url, asked) = canned("401 Unauthorized", "Unauthorized").await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("key");
    std::fs::write(&file, "b2xk\n").unwrap();
    let cluster = Cluster::new(ClusterSettings { api_key_file: Some(file.clone()), ..settings(&url, "a") }).unwrap();
    std::fs::write(&file, "bmV3\n").unwrap();
    for _ in 0..2 {
        assert_eq!(cluster.prepare(&mappings()).await, Err(ClusterError::Refused("it answered 401 Unauthorized".into())));
    }
    let asked = asked.await.unwrap();
    assert!(asked[0].contains("ApiKey b2xk") && asked[1].contains("ApiKey bmV3"), "{asked:?}");
}

#[tokio::test]
async fn an_overloaded_cluster_and_one_that_is_no_cluster_are_told_apart() {
    install_tls();
    let overload = json!({"error": {"type": "es_rejected_execution_exception", "reason": "rejected execution"}, "status": 429}).to_string();
    let (busy, _asked) = canned("429 Too Many Requests", &overload).await;
    let error = cluster(&busy, "a").put(&numbered(1)).await.unwrap_err();
    assert!(matches!(&error, ClusterError::Unavailable(why) if why.contains("rejected execution")), "{error}");
    let (other, _asked) = canned("200 OK", "<html>hello</html>").await;
    assert!(matches!(cluster(&other, "a").prepare(&mappings()).await, Err(ClusterError::Refused(why)) if why.contains("neither")));
    assert!(matches!(cluster(&other, "a").put(&numbered(1)).await, Err(ClusterError::Unavailable(_))), "nothing is taken for stored");
}

#[tokio::test]
async fn a_port_that_nobody_listens_on_is_unavailable() {
    let cluster = cluster(&format!("http://{}", testkit::free_address()), "a");
    assert!(matches!(cluster.prepare(&mappings()).await, Err(ClusterError::Unavailable(_))));
    assert!(matches!(cluster.count(&json!({"match_all": {}})).await, Err(ClusterError::Unavailable(_))));
}
