use std::{collections::BTreeMap, time::Duration};

use reqwest::Method;
use serde_json::json;
use testkit::PostOffice;

use crate::server::{Instance, storages};

/// Mails that are on their way when the server dies.
const MAILS: usize = 12;

fn settings(office: &PostOffice) -> String {
    format!(
        "[channels.smtp]\nhost = \"localhost\"\nport = {}\nca_file = \"{}\"\nusername = \"tutela\"\npassword_file = \"{}\"\nfrom = \"Photos <no-reply@example.com>\"\n",
        office.smtp,
        office.cert.display(),
        office.password_file.display()
    )
}

#[tokio::test]
async fn after_kill_9_every_mail_of_a_commit_arrives_and_one_that_came_twice_is_the_same_mail() {
    // On both engines at once: what was being sent stays leased to whoever died for half a minute.
    let mut rounds = tokio::task::JoinSet::new();
    for storage in storages().await {
        rounds.spawn(killed_while_sending(storage));
    }
    rounds.join_all().await;
}

async fn killed_while_sending(storage: String) {
    let Some(office) = PostOffice::start(&[]) else { return testkit::skip("TUTELA_TEST_PYTHON does not name a Python with aiosmtpd") };
    let instance = Instance::start(&storage, &settings(&office)).await;
    // Each invitation is a mail; the mail server takes two seconds for each.
    for number in 0..MAILS {
        let body = json!({"email": format!("slow{number}@example.com"), "name": "Ada", "roles": []});
        assert_eq!(instance.operator(Method::POST, "/v1/accounts", body).await.0, 201);
    }
    office.wait("a mail that is being taken", |got| got["taking"].is_array()).await;
    instance.stop("-KILL").await;
    let arrived = || {
        let mut ids: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for got in office.received().iter().filter(|got| got["mail"].is_array()) {
            ids.entry(got["mail"][0].as_str().unwrap().to_owned()).or_default().push(got["id"].as_str().unwrap().to_owned());
        }
        ids
    };
    assert!(arrived().len() < MAILS, "it was killed in the middle");
    instance.run().await;
    // Longer than `until` waits: a lease, and the mails one after another.
    let all = async {
        while arrived().len() < MAILS {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(90), all).await;
    let ids = arrived();
    assert!(waited.is_ok(), "{storage}: {:?}", ids.keys());
    for (to, ids) in &ids {
        assert!(ids.iter().all(|id| *id == ids[0]), "{to} got two mails where one was sent twice: {ids:?}");
    }
}
