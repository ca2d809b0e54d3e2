//! Keys, and what wraps them.

use reqwest::Method;
use serde_json::json;

use super::{ALL, Seen, execute, send};
use crate::server::{Instance, storages};

#[tokio::test]
async fn keys_rotate() {
    for storage in storages().await {
        let seen = Seen::default();
        let instance = Instance::start(&storage, ALL).await;
        let key = json!({"name": "customers", "purposes": ["encrypt"], "rotation_schedule": "30 days"});
        send(&instance, Method::POST, "/v1/crypto/keys", key).await;
        seen.is(&instance, "keys-in-order", "pass").await;
        execute(&instance, &storage, "UPDATE named_key SET rotated_at = rotated_at - DAYS(100) WHERE name = 'customers'").await;
        seen.is(&instance, "keys-in-order", "fail").await;
        send(&instance, Method::POST, "/v1/crypto/keys/customers/rotate", json!({})).await;
        seen.is(&instance, "keys-in-order", "pass").await;
        seen.matches("key");
    }
}

#[tokio::test]
async fn what_wraps_them_is_elsewhere() {
    let Some(bao) = testkit::OpenBao::start() else { return testkit::skip("TUTELA_BAO does not name OpenBao") };
    let seen = Seen::default();
    let instance = Instance::start("sqlite", ALL).await;
    seen.is(&instance, "keys-wrapped", "fail").await;
    instance.stop("-INT").await;
    let section = format!("[kms]\nprovider = \"vault\"\n[kms.vault]\naddress = \"{}\"\ntoken_file = \"{}\"\n", bao.url, bao.token_file.display());
    instance.rewrite(|text| format!("{text}{section}"));
    instance.run().await;
    seen.is(&instance, "keys-wrapped", "pass").await;
    seen.matches("provider");
}
