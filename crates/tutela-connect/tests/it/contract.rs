//! What the key ring relies on, the same for every provider.

use std::sync::Arc;

use testkit::{AZURE_CLIENT, AZURE_TENANT, AzureDouble, OpenBao};
use tutela_app::port::{KeyProvider, ProviderError};
use tutela_connect::{AzureConfig, AzureKeyVault, Local, Vault, VaultConfig};
use tutela_core::SystemEnv;

pub fn install_tls() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

pub fn vault(bao: &OpenBao) -> Vault {
    install_tls();
    Vault::new(VaultConfig { address: bao.url.clone(), token_file: bao.token_file.clone(), ..VaultConfig::default() }).unwrap()
}

pub fn azure(double: &AzureDouble) -> AzureKeyVault {
    install_tls();
    let config = AzureConfig {
        vault_url: double.url.clone(),
        tenant_id: AZURE_TENANT.into(),
        client_id: AZURE_CLIENT.into(),
        client_secret_file: Some(double.secret_file.clone()),
        ca_file: Some(double.cert.clone()),
        any_challenge_resource: true,
        ..AzureConfig::default()
    };
    AzureKeyVault::new(config).unwrap()
}

/// Everything that holds for every provider. `binds` says whether it authenticates a context.
async fn passes(provider: &dyn KeyProvider, binds: bool) {
    let (one, two) = (provider.create("tutela-contract-1").await.unwrap(), provider.create("tutela-contract-2").await.unwrap());
    assert_ne!(one, two);
    let clear = [7; 32];
    let wrapped = provider.wrap(&one, &clear, b"epoch 1").await.unwrap();
    assert!(!wrapped.windows(32).any(|w| w == clear), "nothing in clear leaves");
    assert_ne!(wrapped, provider.wrap(&one, &clear, b"epoch 1").await.unwrap(), "wrapping is not deterministic");
    assert_eq!(provider.unwrap(&one, &wrapped, b"epoch 1").await.unwrap().open(), &clear);

    // Not by another key, not changed, not under another context where there is one.
    assert!(provider.unwrap(&two, &wrapped, b"epoch 1").await.is_err());
    let mut changed = wrapped.clone();
    let last = changed.len() - 4;
    changed[last] = if changed[last] == b'A' { b'B' } else { b'A' };
    assert!(provider.unwrap(&one, &changed, b"epoch 1").await.is_err());
    assert_eq!(provider.unwrap(&one, &wrapped, b"epoch 2").await.is_err(), binds);
    assert_eq!(provider.warnings(&one).await.unwrap(), Vec::<String>::new());

    // Destroyed is destroyed, says so, and can be said twice.
    provider.destroy(&one).await.unwrap();
    provider.destroy(&one).await.unwrap();
    assert!(matches!(provider.unwrap(&one, &wrapped, b"epoch 1").await, Err(ProviderError::Gone(_))));
    let other = provider.wrap(&two, &clear, b"x").await.unwrap();
    assert_eq!(provider.unwrap(&two, &other, b"x").await.unwrap().open(), &clear, "the other key is not touched");

    // Names come from our database and still lead nowhere else.
    for bad in ["", "../x", "a/b/c", "a b"] {
        assert!(matches!(provider.unwrap(bad, &other, b"x").await, Err(ProviderError::Refused(_))), "{bad}");
    }
}

#[tokio::test]
async fn the_local_provider_passes() {
    let dir = tempfile::tempdir().unwrap();
    passes(&Local::new(dir.path().join("keys"), [1; 32], Arc::new(SystemEnv)), true).await;
}

#[tokio::test]
async fn a_local_key_file_is_of_no_use_without_the_root_key() {
    let dir = tempfile::tempdir().unwrap();
    let [mine, stranger] = [1, 2].map(|n| Local::new(dir.path().join("keys"), [n; 32], Arc::new(SystemEnv)));
    let key = mine.create("tutela-1").await.unwrap();
    let wrapped = mine.wrap(&key, &[7; 32], b"x").await.unwrap();
    assert!(stranger.unwrap(&key, &wrapped, b"x").await.is_err());
    let text = std::fs::read_to_string(dir.path().join("keys").join(&key)).unwrap();
    mine.destroy(&key).await.unwrap();
    assert!(!dir.path().join("keys").join(&key).exists() && text.starts_with("tut1."));
}

#[tokio::test]
async fn openbao_passes() {
    let Some(bao) = OpenBao::start() else { return testkit::skip("TUTELA_BAO does not name OpenBao") };
    passes(&vault(&bao), true).await;
}

#[tokio::test]
async fn azure_passes() {
    let Some(double) = AzureDouble::start() else { return testkit::skip("TUTELA_TEST_PYTHON does not name a Python") };
    // RSA wrap binds no context: that is why the ring keeps a check value.
    passes(&azure(&double), false).await;
}
