//! Outside providers in this process: how each is asked, and what it said of itself last.
//!
//! Discovery documents and keys are read when they are first needed and kept for ten minutes. A token under a key that
//! is not known has them read again, at most every half minute, so that a provider's rotation is seen at once and
//! nobody can make us ask without end. While a provider does not answer, what it said in the last day still counts.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::sync::Mutex;
use tutela_core::Timestamp;
use tutela_identity::{
    JwkSet,
    federation::{
        Call, Metadata, PeopleConfig,
        oauth2::Oauth2Provider,
        openid::OpenidProvider,
        saml::{IdpMetadata, SamlConfig},
    },
};

use crate::{
    Error,
    port::{OutsideError, OutsideHttp},
};

/// What kinds of documents are read: some providers answer 406 to whoever asks for JSON alone.
const DOCUMENTS: &str = "application/json, application/jwk-set+json, application/samlmetadata+xml, */*;q=0.1";
/// How long what a provider said of itself is taken without asking again.
const FRESH: Duration = Duration::from_secs(600);
/// How long it still counts while the provider does not answer.
const STALE: Duration = Duration::from_secs(86_400);
/// How long SAML metadata from an address are taken without asking again.
const HOUR: Duration = Duration::from_secs(3_600);
/// Least time between two askings for keys that were not there.
const AGAIN: Duration = Duration::from_secs(30);

/// One outside provider.
pub struct OutsideProvider {
    /// Its name in the configuration, the ledger and addresses.
    pub name: String,
    /// What its button says.
    pub label: String,
    /// How it is spoken to.
    pub way: Way,
    /// Who its people are here.
    pub people: PeopleConfig,
    /// Whether signing out here signs out there too.
    pub sign_out: bool,
    /// How it is reached.
    pub http: Arc<dyn OutsideHttp>,
    said: Mutex<Said>,
}

/// How a provider is spoken to.
pub enum Way {
    /// OpenID Connect.
    Openid(Box<OpenidProvider>),
    /// Plain OAuth 2.0.
    Oauth2(Box<Oauth2Provider>),
    /// SAML 2.0.
    Saml(Box<SamlProvider>),
}

/// A SAML provider as configured.
pub struct SamlProvider {
    /// Its section.
    pub config: SamlConfig,
    /// What stands in its metadata file, where it has one.
    pub file: Option<Vec<u8>>,
}

#[derive(Default)]
struct Said {
    metadata: Option<(Arc<Metadata>, Timestamp)>,
    keys: Option<(Arc<JwkSet>, Timestamp)>,
    /// When keys were last read because one was not there.
    missed: Option<Timestamp>,
    saml: Option<(Arc<IdpMetadata>, Timestamp)>,
}

/// All of them, by name.
pub(crate) struct OutsideProviders {
    by_name: BTreeMap<String, Arc<OutsideProvider>>,
}

impl OutsideProviders {
    pub(crate) fn new(providers: Vec<OutsideProvider>) -> Self {
        Self { by_name: providers.into_iter().map(|provider| (provider.name.clone(), Arc::new(provider))).collect() }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Arc<OutsideProvider>> {
        self.by_name.get(name)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<OutsideProvider>> {
        self.by_name.values()
    }
}

impl Way {
    /// Its protocol, as `identity.providers` names it.
    pub fn protocol(&self) -> &'static str {
        match self {
            Self::Openid(_) => "openid",
            Self::Oauth2(_) => "oauth2",
            Self::Saml(_) => "saml",
        }
    }
}

impl OutsideProvider {
    /// A provider that was not asked anything yet.
    pub fn new(name: &str, label: String, way: Way, people: PeopleConfig, sign_out: bool, http: Arc<dyn OutsideHttp>) -> Self {
        Self { name: name.to_owned(), label, way, people, sign_out, http, said: Mutex::default() }
    }

    fn unavailable(&self, why: impl Into<String>) -> Error {
        let why = why.into();
        tracing::warn!(provider = %self.name, why, "an outside provider does not answer as it should");
        Error::Provider { provider: self.label.clone(), why }
    }

    /// The body of an answer with status 200 or 201; refusals of a token endpoint are answers too, and their body says why.
    pub(crate) async fn ask(&self, call: &Call) -> Result<Vec<u8>, Error> {
        match self.http.send(call).await {
            Ok(answer) if matches!(answer.status, 200 | 201 | 400 | 401 | 403) => Ok(answer.body),
            Ok(answer) => Err(self.unavailable(format!("it answered with status {}", answer.status))),
            Err(e @ (OutsideError::Forbidden(..) | OutsideError::Unavailable(_))) => Err(self.unavailable(e.to_string())),
        }
    }

    async fn fetch<T>(&self, url: &str, read: impl FnOnce(&[u8]) -> Result<T, tutela_identity::Error>) -> Result<Arc<T>, Error> {
        let call = Call { accept: DOCUMENTS, ..Call::get(url) };
        let answer = self.http.send(&call).await.map_err(|e| self.unavailable(e.to_string()))?;
        if answer.status != 200 {
            return Err(self.unavailable(format!("`{url}` answered with status {}", answer.status)));
        }
        read(&answer.body).map(Arc::new).map_err(|e| self.unavailable(format!("`{url}`: {e}")))
    }

    /// What the provider says of itself.
    pub(crate) async fn metadata(&self, openid: &OpenidProvider, now: Timestamp) -> Result<Arc<Metadata>, Error> {
        let mut said = self.said.lock().await;
        if let Some((metadata, _)) = said.metadata.as_ref().filter(|(_, at)| is_within(FRESH, *at, now)) {
            return Ok(Arc::clone(metadata));
        }
        match self.fetch(&Metadata::address(openid.issuer()), |body| openid.read_metadata(body)).await {
            Ok(metadata) => {
                said.metadata = Some((Arc::clone(&metadata), now));
                Ok(metadata)
            }
            Err(e) => match &said.metadata {
                Some((metadata, at)) if is_within(STALE, *at, now) => Ok(Arc::clone(metadata)),
                _ => Err(e),
            },
        }
    }

    /// The metadata of a SAML provider.
    pub(crate) async fn saml_metadata(&self, saml: &SamlProvider, now: Timestamp) -> Result<Arc<IdpMetadata>, Error> {
        let mut said = self.said.lock().await;
        let of_file = saml.file.is_some();
        if let Some((metadata, _)) = said.saml.as_ref().filter(|(_, at)| of_file || is_within(HOUR, *at, now)) {
            return Ok(Arc::clone(metadata));
        }
        let provider = saml.config.provider_id.as_deref();
        let read = match (&saml.file, &saml.config.metadata_url) {
            (Some(file), _) => IdpMetadata::read(file, provider).map(Arc::new).map_err(|e| self.unavailable(e.to_string())),
            (None, Some(url)) => self.fetch(url, |body| IdpMetadata::read(body, provider)).await,
            (None, None) => Err(Error::Internal("a SAML provider without metadata")),
        };
        match (read, &said.saml) {
            (Ok(metadata), _) => {
                said.saml = Some((Arc::clone(&metadata), now));
                Ok(metadata)
            }
            (Err(_), Some((metadata, at))) if is_within(STALE, *at, now) => Ok(Arc::clone(metadata)),
            (Err(e), _) => Err(e),
        }
    }

    /// Whether it is there at this moment: what it says of itself can be read. Plain OAuth 2.0 has nothing to ask for.
    pub(crate) async fn look(&self, now: Timestamp) -> Result<(), Error> {
        let openid = match &self.way {
            Way::Openid(openid) => openid,
            Way::Saml(saml) => return self.saml_metadata(saml, now).await.map(drop),
            Way::Oauth2(_) => return Ok(()),
        };
        let metadata = self.fetch(&Metadata::address(openid.issuer()), |body| openid.read_metadata(body)).await?;
        let keys = self.fetch(&metadata.jwks_uri, JwkSet::parse).await?;
        if keys.is_empty() {
            return Err(self.unavailable("it publishes no key that a signature could be checked with"));
        }
        *self.said.lock().await = Said { metadata: Some((metadata, now)), keys: Some((keys, now)), ..Said::default() };
        Ok(())
    }

    /// The provider's keys, with the one called `id` among them where the provider has it.
    pub(crate) async fn keys(&self, metadata: &Metadata, id: Option<&str>, now: Timestamp) -> Result<Arc<JwkSet>, Error> {
        let mut said = self.said.lock().await;
        if let Some((keys, at)) = &said.keys {
            let lacks = id.is_some_and(|id| !keys.has(id));
            let again = lacks && said.missed.is_none_or(|missed| !is_within(AGAIN, missed, now));
            if !again && is_within(FRESH, *at, now) {
                return Ok(Arc::clone(keys));
            }
            if lacks {
                said.missed = Some(now);
            }
        }
        match self.fetch(&metadata.jwks_uri, JwkSet::parse).await {
            Ok(keys) => {
                said.keys = Some((Arc::clone(&keys), now));
                Ok(keys)
            }
            Err(e) => match &said.keys {
                Some((keys, at)) if is_within(STALE, *at, now) => Ok(Arc::clone(keys)),
                _ => Err(e),
            },
        }
    }
}

/// A clock that jumped back makes nothing fresh.
fn is_within(span: Duration, at: Timestamp, now: Timestamp) -> bool {
    now >= at && now.since(at) < span
}
