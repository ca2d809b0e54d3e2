//! Keys and what is sealed under them.

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream::BoxStream};
use reqwest::{Body, Method, header};
use serde_json::Value;
use tutela_api::{
    Decrypted, DestroyRequest, Encrypted, Epoch, ErasureCertificate, Items, Key, KeyBackup, KeyChange, KeyJob, NewKey, Page, ProviderCheck, Reason, Rewrapped,
    SubjectAction, SubjectKey, SubjectQuestion,
};

use crate::{Client, Error, checked, escape, with_query};

/// Pieces of a stream as they come.
pub type Pieces = BoxStream<'static, Result<Bytes, Error>>;

impl Client {
    /// Seals one item.
    pub async fn encrypt(&self, item: &Value) -> Result<Encrypted, Error> {
        self.send(self.request(Method::POST, "/v1/crypto/encrypt").json(item)).await
    }

    /// Opens one message.
    pub async fn decrypt(&self, item: &Value) -> Result<Decrypted, Error> {
        self.send(self.request(Method::POST, "/v1/crypto/decrypt").json(item)).await
    }

    /// Seals up to 10,000 messages again under the newest versions of their keys.
    pub async fn rewrap(&self, items: &[Value]) -> Result<Items<Rewrapped>, Error> {
        self.send(self.request(Method::POST, "/v1/crypto/rewrap").json(items)).await
    }

    /// Seals a stream of any length. The answer begins before the request has ended: read while it is sent.
    pub async fn encrypt_stream(
        &self,
        key: &str,
        algorithm: Option<&str>,
        context: Option<&str>,
        body: impl Stream<Item = std::io::Result<Vec<u8>>> + Send + 'static,
    ) -> Result<Pieces, Error> {
        let mut query = vec![("key", key.to_owned())];
        query.extend(algorithm.map(|a| ("algorithm", a.to_owned())));
        self.stream(&with_query("/v1/crypto/streams/encrypt", &query), context, body).await
    }

    /// Opens a stream of any length. What comes before an error is checked, and is not all of it.
    pub async fn decrypt_stream(&self, context: Option<&str>, body: impl Stream<Item = std::io::Result<Vec<u8>>> + Send + 'static) -> Result<Pieces, Error> {
        self.stream("/v1/crypto/streams/decrypt", context, body).await
    }

    async fn stream(&self, path: &str, context: Option<&str>, body: impl Stream<Item = std::io::Result<Vec<u8>>> + Send + 'static) -> Result<Pieces, Error> {
        let mut request = self.request(Method::POST, path).header(header::CONTENT_TYPE, "application/octet-stream").body(Body::wrap_stream(body));
        if let Some(context) = context {
            request = request.header("Tutela-Context", escape(context));
        }
        Ok(checked(request.send().await?).await?.bytes_stream().map_err(Error::from).boxed())
    }

    /// Named keys.
    pub async fn keys(&self) -> Result<Page<Key>, Error> {
        self.send(self.request(Method::GET, "/v1/crypto/keys")).await
    }

    /// One key by name or id.
    pub async fn key(&self, key: &str) -> Result<Key, Error> {
        self.send(self.request(Method::GET, &of(key, ""))).await
    }

    /// Makes a key.
    pub async fn key_create(&self, new: &NewKey) -> Result<Key, Error> {
        self.send(self.request(Method::POST, "/v1/crypto/keys").json(new)).await
    }

    /// Changes a key.
    pub async fn key_change(&self, key: &str, change: &KeyChange) -> Result<Key, Error> {
        self.send(self.request(Method::PATCH, &of(key, "")).json(change)).await
    }

    /// Makes a new version.
    pub async fn key_rotate(&self, key: &str) -> Result<Key, Error> {
        self.send(self.request(Method::POST, &of(key, "/rotate"))).await
    }

    /// Destroys a key after a wait.
    pub async fn key_destroy(&self, key: &str, request: &DestroyRequest) -> Result<Key, Error> {
        self.send(self.request(Method::POST, &of(key, "/destroy")).json(request)).await
    }

    /// Undoes a destruction that waits.
    pub async fn key_keep(&self, key: &str) -> Result<Key, Error> {
        self.send(self.request(Method::POST, &of(key, "/keep"))).await
    }

    /// Provider epochs.
    pub async fn epochs(&self) -> Result<Page<Epoch>, Error> {
        self.send(self.request(Method::GET, "/v1/crypto/epochs")).await
    }

    /// Makes a new provider key.
    pub async fn epoch_rotate(&self) -> Result<Epoch, Error> {
        self.send(self.request(Method::POST, "/v1/crypto/epochs")).await
    }

    /// Destroys an epoch's provider key.
    pub async fn epoch_destroy(&self, number: u64, reason: &Reason) -> Result<Epoch, Error> {
        self.send(self.request(Method::POST, &format!("/v1/crypto/epochs/{number}/destroy")).json(reason)).await
    }

    /// Rewrap jobs, newest first.
    pub async fn key_jobs(&self) -> Result<Page<KeyJob>, Error> {
        self.send(self.request(Method::GET, "/v1/crypto/jobs")).await
    }

    /// Starts a rewrap job.
    pub async fn key_rewrap(&self) -> Result<KeyJob, Error> {
        self.send(self.request(Method::POST, "/v1/crypto/jobs")).await
    }

    /// Key backups, newest first.
    pub async fn key_backups(&self) -> Result<Page<KeyBackup>, Error> {
        self.send(self.request(Method::GET, "/v1/crypto/backups")).await
    }

    /// Backs up all keys.
    pub async fn key_back_up(&self) -> Result<KeyBackup, Error> {
        self.send(self.request(Method::POST, "/v1/crypto/backups")).await
    }

    /// Rehearses a restore.
    pub async fn key_rehearse(&self) -> Result<KeyBackup, Error> {
        self.send(self.request(Method::POST, "/v1/crypto/backups/rehearse")).await
    }

    /// The key of a data subject.
    pub async fn subject_key(&self, question: &SubjectQuestion) -> Result<SubjectKey, Error> {
        self.send(self.request(Method::POST, "/v1/crypto/subjects/key").json(question)).await
    }

    /// Destroys the key of a data subject.
    pub async fn subject_erase(&self, action: &SubjectAction) -> Result<ErasureCertificate, Error> {
        self.send(self.request(Method::POST, "/v1/crypto/subjects/erase").json(action)).await
    }

    /// Places a legal hold.
    pub async fn subject_hold(&self, action: &SubjectAction) -> Result<SubjectKey, Error> {
        self.send(self.request(Method::POST, "/v1/crypto/subjects/hold").json(action)).await
    }

    /// Ends a legal hold.
    pub async fn subject_release(&self, action: &SubjectAction) -> Result<SubjectKey, Error> {
        self.send(self.request(Method::POST, "/v1/crypto/subjects/release").json(action)).await
    }

    /// The certificate of an erasure.
    pub async fn erasure(&self, key: &str) -> Result<ErasureCertificate, Error> {
        self.send(self.request(Method::GET, &format!("/v1/crypto/erasures/{}", escape(key)))).await
    }

    /// Checks the key provider.
    pub async fn provider_check(&self) -> Result<ProviderCheck, Error> {
        self.send(self.request(Method::POST, "/v1/crypto/provider/check")).await
    }
}

fn of(key: &str, rest: &str) -> String {
    format!("/v1/crypto/keys/{}{rest}", escape(key))
}
