//! Where a search cluster is, and how it lets us in.

use std::path::PathBuf;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use tutela_core::Secret;

use crate::http::{check_url, read_secret};

/// Longest name of an index, so that the month still fits behind it (both products: 255 bytes).
const MAX_INDEX: usize = 200;

/// Where a search cluster is, and how it lets us in.
#[derive(Debug, Clone)]
pub struct ClusterSettings {
    /// `elasticsearch` or `opensearch`.
    pub name: &'static str,
    /// Address, for example `https://search.example.com:9200`.
    pub url: String,
    /// What the names of its indexes begin with, and the name of their alias.
    pub index: String,
    /// File with the CA that signed its certificate; the system's roots where absent.
    pub ca_file: Option<PathBuf>,
    /// User, together with `password_file`.
    pub username: Option<String>,
    /// File with the user's password; it is read again after a refusal, so it may be replaced.
    pub password_file: Option<PathBuf>,
    /// File with an API key in its encoded form, in place of user and password.
    pub api_key_file: Option<PathBuf>,
}

impl ClusterSettings {
    /// Refuses what cannot work.
    pub fn check(&self) -> Result<(), String> {
        check_url(&self.url, "audit.cluster.url")?;
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let first = self.index.bytes().next().is_some_and(plain);
        if !first || self.index.len() > MAX_INDEX || !self.index.bytes().all(|b| plain(b) || b == b'-' || b == b'_') {
            return Err(format!("audit.cluster.index: `{}` is not a name of `a-z 0-9 - _` that begins with a letter or digit", self.index));
        }
        match (&self.username, &self.password_file, &self.api_key_file) {
            (None, None, _) => Ok(()),
            (Some(name), Some(_), None) if !name.is_empty() && !name.contains(':') => Ok(()),
            (Some(_), Some(_), None) => Err("audit.cluster.username: a user's name is not empty and has no colon".into()),
            _ => Err("audit.cluster: give either `username` with `password_file`, or `api_key_file`, or none of them".into()),
        }
    }

    /// The value of the header that lets us in.
    pub(super) fn authorization(&self) -> Result<Option<Secret<String>>, String> {
        if let (Some(name), Some(file)) = (&self.username, &self.password_file) {
            let pair = Secret::new(format!("{name}:{}", read_secret(file)?.open()));
            return Ok(Some(Secret::new(format!("Basic {}", BASE64.encode(pair.open())))));
        }
        let Some(file) = &self.api_key_file else { return Ok(None) };
        Ok(Some(Secret::new(format!("ApiKey {}", read_secret(file)?.open()))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(url: &str, index: &str) -> ClusterSettings {
        let (url, index) = (url.into(), index.into());
        ClusterSettings { name: "opensearch", url, index, ca_file: None, username: None, password_file: None, api_key_file: None }
    }

    #[test]
    fn settings_that_cannot_work_are_refused_by_the_name_of_their_field() {
        let good = settings("http://127.0.0.1:9200", "tutela-audit");
        assert_eq!(good.check(), Ok(()));
        for index in ["", "-a", "_a", "Audit", "a*", "a.b", "a/b", "é", &"a".repeat(201)] {
            assert!(settings(&good.url, index).check().is_err_and(|e| e.starts_with("audit.cluster.index")), "{index}");
        }
        assert!(settings("http://search.example.com", "a").check().is_err_and(|e| e.starts_with("audit.cluster.url")));
        let (name, file) = (Some("tutela".to_owned()), Some(PathBuf::from("f")));
        assert_eq!(ClusterSettings { username: name.clone(), password_file: file.clone(), ..good.clone() }.check(), Ok(()));
        assert_eq!(ClusterSettings { api_key_file: file.clone(), ..good.clone() }.check(), Ok(()));
        assert!(ClusterSettings { username: name.clone(), ..good.clone() }.check().is_err());
        assert!(ClusterSettings { password_file: file.clone(), ..good.clone() }.check().is_err());
        assert!(ClusterSettings { username: name, password_file: file.clone(), api_key_file: file, ..good }.check().is_err());
    }

    #[test]
    fn a_credential_is_read_from_its_file_without_its_line_feed() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("secret");
        std::fs::write(&file, "s3cret\n").unwrap();
        let none = settings("http://127.0.0.1:9200", "a");
        let opened = |settings: ClusterSettings| settings.authorization().unwrap().map(|secret| secret.open().clone());
        assert_eq!(opened(none.clone()), None);
        let user = ClusterSettings { username: Some("tutela".into()), password_file: Some(file.clone()), ..none.clone() };
        assert_eq!(opened(user).unwrap(), format!("Basic {}", BASE64.encode("tutela:s3cret")));
        assert_eq!(opened(ClusterSettings { api_key_file: Some(file), ..none }).unwrap(), "ApiKey s3cret");
    }
}
