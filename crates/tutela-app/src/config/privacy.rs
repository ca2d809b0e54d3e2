use std::{collections::BTreeMap, path::PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tutela_core::Timestamp;

/// `[privacy]`: consent, and what people may ask for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PrivacyConfig {
    /// Whether a person's yes is waited for where consent is the ground of a purpose (GDPR Art. 6(1)(a)). Where it is off nobody is asked, and a no still counts.
    pub consent_required: bool,
    /// Who is responsible for the data (the controller), as receipts and the privacy centre name them.
    pub controller: String,
    /// How they are reached: a mail address or a page.
    pub contact: String,
    /// Since when Global Privacy Control is honoured on these hosts, as a date `2026-11-22`: answered at `/.well-known/gpc.json`. Where absent the address is left to the applications; the signal counts either way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpc_since: Option<String>,
    /// Whether guarded hosts have a banner for consent: the script `/_tutela/consent.js`, and the page `/_tutela/consent` for browsers without scripts. A browser that nobody is signed in with is then known by a cookie once it has chosen.
    pub banner: bool,
    /// What people may ask for.
    pub data_subject_rights: RightsConfig,
    /// Whether somebody approves of each erasure before anything is touched.
    pub approve_erasures: bool,
    /// Days that a package with a person's data can be fetched, 1 to 90.
    pub package_days: u32,
    /// What an identity of a map is called here: `user_id = "photos"` says that values of `identity: user_id` are the identifiers of the namespace `photos`. One that is not named is its own namespace; `account`, `email` and `phone_number` are an account's own.
    pub identities: BTreeMap<String, String>,
    /// Where data of people is: databases, folders, services, by the key of the dataset that maps them (`fides_key`); a folder by any name.
    pub stores: BTreeMap<String, StoreConfig>,
}

/// `[privacy.stores.NAME]`: a place with data of people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StoreConfig {
    /// What it is.
    pub kind: StoreType,
    /// The file that maps it: a dataset in the YAML that Fides writes. Folders and buckets have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub map: Option<PathBuf>,
    /// `sqlite`: the database file. `files`: the folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// `postgresql`: `postgresql://tutela@db.example.com/shop`. `service`, `s3`: its address, `https://billing.example.com`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// `postgresql`: the file with the password. `service`: the file with the bearer token. `s3`: the file with the secret of the access key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_file: Option<PathBuf>,
    /// `postgresql`: the schema that its tables are in; `public` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// `service`: the file that says how it is asked and told to cancel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api: Option<PathBuf>,
    /// `s3`: the bucket. All its objects are reached by path, `https://s3.example.com/BUCKET/KEY`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bucket: Option<String>,
    /// `s3`: the region that requests are signed for; `us-east-1` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// `s3`: the id of the access key; its secret is in `secret_file`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_key: Option<String>,
    /// `service`, `s3`: PEM file of a CA to trust in place of the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
}

/// What a place with data of people is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StoreType {
    /// A folder of files.
    Files,
    /// A PostgreSQL database.
    Postgresql,
    /// A bucket of S3 or of a server that speaks like it; erased with all versions.
    S3,
    /// A service that is asked over HTTP.
    Service,
    /// A SQLite database.
    Sqlite,
}

impl StoreConfig {
    /// One of a kind, of which nothing else is said yet.
    pub fn of(kind: StoreType) -> Self {
        Self { kind, map: None, path: None, url: None, secret_file: None, schema: None, api: None, bucket: None, region: None, access_key: None, ca_file: None }
    }

    /// Refuses what is missing, or belongs to another kind.
    fn check(&self) -> Result<(), String> {
        let (kind, needs, may): (&str, &[&str], &[&str]) = match self.kind {
            StoreType::Files => ("files", &["path"], &[]),
            StoreType::Postgresql => ("postgresql", &["map", "url"], &["secret_file", "schema"]),
            StoreType::S3 => ("s3", &["url", "bucket", "access_key", "secret_file"], &["region", "ca_file"]),
            StoreType::Service => ("service", &["map", "url", "api"], &["secret_file", "ca_file"]),
            StoreType::Sqlite => ("sqlite", &["map", "path"], &[]),
        };
        let given = [
            ("map", self.map.is_some()),
            ("path", self.path.is_some()),
            ("url", self.url.is_some()),
            ("secret_file", self.secret_file.is_some()),
            ("schema", self.schema.is_some()),
            ("api", self.api.is_some()),
            ("ca_file", self.ca_file.is_some()),
            ("bucket", self.bucket.is_some()),
            ("region", self.region.is_some()),
            ("access_key", self.access_key.is_some()),
        ];
        for (key, given) in given {
            match given {
                false if needs.contains(&key) => return Err(format!("a store of the kind `{kind}` needs `{key}`")),
                true if !needs.contains(&key) && !may.contains(&key) => return Err(format!("a store of the kind `{kind}` has no `{key}`")),
                _ => {}
            }
        }
        Ok(())
    }
}

/// `[privacy.data_subject_rights]`: what people may ask for. One that is off is answered with 403, and is a fact that reports show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RightsConfig {
    /// What is held about them (GDPR Art. 15).
    pub access: bool,
    /// That it is put right (Art. 16).
    pub rectification: bool,
    /// That it goes (Art. 17).
    pub erasure: bool,
    /// That they get it to take along (Art. 20).
    pub portability: bool,
}

impl Default for PrivacyConfig {
    fn default() -> Self {
        Self {
            consent_required: true,
            controller: "the operator of this service".into(),
            contact: String::new(),
            gpc_since: None,
            banner: false,
            data_subject_rights: RightsConfig::default(),
            approve_erasures: false,
            package_days: 7,
            identities: BTreeMap::new(),
            stores: BTreeMap::new(),
        }
    }
}

impl Default for RightsConfig {
    fn default() -> Self {
        Self { access: true, rectification: true, erasure: true, portability: true }
    }
}

impl PrivacyConfig {
    /// Refuses what makes no sense.
    pub fn check(&self) -> Result<(), String> {
        let date = |text: &String| text.len() == 10 && format!("{text}T00:00:00Z").parse::<Timestamp>().is_ok();
        if let Some(text) = self.gpc_since.as_ref().filter(|text| !date(text)) {
            return Err(format!("`gpc_since` is `{text}`, and is a date such as `2026-11-22`"));
        }
        if !(1..=90).contains(&self.package_days) {
            return Err(format!("`package_days` is {}, and is 1 to 90", self.package_days));
        }
        self.stores.iter().try_for_each(|(name, store)| store.check().map_err(|e| format!("`stores.{name}`: {e}")))
    }

    /// Paths that a configuration file may give relative to itself.
    pub fn paths(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        self.stores.values_mut().flat_map(|store| [&mut store.map, &mut store.path, &mut store.secret_file, &mut store.api, &mut store.ca_file]).flatten()
    }

    /// What is said of Global Privacy Control.
    pub fn gpc_json(&self) -> Option<String> {
        self.gpc_since.as_ref().map(|date| serde_json::json!({"gpc": true, "lastUpdate": date}).to_string())
    }
}
