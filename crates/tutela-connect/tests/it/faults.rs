//! Servers that are down, refuse, or are set up dangerously.

use testkit::{AZURE_TENANT, AzureDouble, OpenBao};
use tutela_app::port::{KeyProvider, ProviderError};
use tutela_connect::{AzureConfig, AzureKeyVault, Vault, VaultConfig};

use crate::contract::{azure, install_tls, vault};

#[tokio::test]
async fn what_does_not_answer_is_unavailable_and_not_gone() {
    install_tls();
    let dir = tempfile::tempdir().unwrap();
    let token_file = dir.path().join("token");
    std::fs::write(&token_file, "x").unwrap();
    let nobody = format!("http://{}", testkit::free_address());
    let vault = Vault::new(VaultConfig { address: nobody.clone(), token_file: token_file.clone(), ..VaultConfig::default() }).unwrap();
    assert!(matches!(vault.unwrap("a:1", b"vault:v1:x", b"").await, Err(ProviderError::Unavailable(_))));
    let config =
        AzureConfig { vault_url: nobody, tenant_id: "t".into(), client_id: "c".into(), client_secret_file: Some(token_file), ..AzureConfig::default() };
    assert!(matches!(AzureKeyVault::new(config).unwrap().unwrap("a/b", b"x", b"").await, Err(ProviderError::Unavailable(_))));
}

#[tokio::test]
async fn a_new_token_in_the_file_is_taken_up_without_a_restart() {
    let Some(bao) = OpenBao::start() else { return testkit::skip("TUTELA_BAO does not name OpenBao") };
    install_tls();
    let dir = tempfile::tempdir().unwrap();
    let token_file = dir.path().join("token");
    std::fs::write(&token_file, "worn-out\n").unwrap();
    let vault = Vault::new(VaultConfig { address: bao.url.clone(), token_file: token_file.clone(), ..VaultConfig::default() }).unwrap();
    assert!(matches!(vault.create("tutela-a").await, Err(ProviderError::Refused(_))));
    std::fs::copy(&bao.token_file, &token_file).unwrap();
    vault.create("tutela-a").await.unwrap();
}

#[tokio::test]
async fn settings_of_openbao_that_would_lose_keys_are_told() {
    let Some(bao) = OpenBao::start() else { return testkit::skip("TUTELA_BAO does not name OpenBao") };
    let vault = vault(&bao);
    let key = vault.create("tutela-warn").await.unwrap();
    assert!(vault.warnings(&key).await.unwrap().is_empty());
    bao.cli(&["write", "-f", "transit/keys/tutela-warn/rotate"]);
    bao.cli(&["write", "transit/keys/tutela-warn/config", "auto_rotate_period=720h", "deletion_allowed=true", "min_decryption_version=2"]);
    let warnings = vault.warnings(&key).await.unwrap().join("\n");
    for told in ["auto_rotate_period", "min_decryption_version", "deletion_allowed"] {
        assert!(warnings.contains(told), "{warnings}");
    }
    assert!(vault.warnings("tutela-none:1").await.unwrap()[0].contains("is not there"));
}

#[tokio::test]
async fn a_key_that_azure_rotated_still_unwraps_by_its_exact_version() {
    let Some(double) = AzureDouble::start() else { return testkit::skip("TUTELA_TEST_PYTHON does not name a Python") };
    let azure = azure(&double);
    let old = azure.create("tutela-rotated").await.unwrap();
    let wrapped = azure.wrap(&old, &[7; 32], b"").await.unwrap();
    // A second `create` of the same name makes a new version, as a rotation at the provider does.
    let new = azure.create("tutela-rotated").await.unwrap();
    assert_ne!(old, new);
    assert_eq!(azure.unwrap(&old, &wrapped, b"").await.unwrap().open(), &[7; 32]);
    assert!(azure.unwrap(&new, &wrapped, b"").await.is_err(), "the newest version does not open it");
}

#[tokio::test]
async fn a_vault_of_another_tenant_or_domain_gets_no_secret() {
    let Some(double) = AzureDouble::start() else { return testkit::skip("TUTELA_TEST_PYTHON does not name a Python") };
    install_tls();
    let config = |tenant: &str, any: bool| AzureConfig {
        vault_url: double.url.clone(),
        tenant_id: tenant.into(),
        client_id: "tutela".into(),
        client_secret_file: Some(double.secret_file.clone()),
        ca_file: Some(double.cert.clone()),
        any_challenge_resource: any,
        ..AzureConfig::default()
    };
    for (config, why) in [(config("99999999-0000-0000-0000-000000000000", true), "another tenant"), (config(AZURE_TENANT, false), "not its domain")] {
        match AzureKeyVault::new(config).unwrap().create("tutela-x").await {
            Err(ProviderError::Refused(text)) => assert!(text.contains(why), "{text}"),
            other => panic!("{why}: {other:?}"),
        }
    }
    // Without the CA the certificate is not trusted, and nothing is sent.
    let untrusted = AzureConfig { ca_file: None, ..config(AZURE_TENANT, true) };
    assert!(matches!(AzureKeyVault::new(untrusted).unwrap().create("tutela-x").await, Err(ProviderError::Unavailable(_))));
}
