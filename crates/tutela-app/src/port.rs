//! Ports: what other people's systems do for us. `tutela-connect` implements them.

use std::{net::IpAddr, sync::Arc};

use serde_json::{Map, Value};
use tutela_core::{Secret, seam::BoxFuture};
use tutela_identity::federation::Call;
use tutela_privacy::{
    plan::{Change, StoreKind},
    schema::Schema,
};

/// A key provider: it keeps one key for each epoch and never shows it.
///
/// Every name of a key that it gives is exact: it names one version for good, and what was wrapped
/// by it is unwrapped by it and no other.
pub trait KeyProvider: Send + Sync {
    /// `local`, `vault` or `azure-keyvault`.
    fn name(&self) -> &'static str;

    /// Makes a key; `label` is a hint for its name. The answer names its exact version.
    fn create<'a>(&'a self, label: &'a str) -> BoxFuture<'a, Result<String, ProviderError>>;

    /// Wraps 32 bytes. Where the provider can bind a context to them, it does.
    fn wrap<'a>(&'a self, key: &'a str, clear: &'a [u8; 32], context: &'a [u8]) -> BoxFuture<'a, Result<Vec<u8>, ProviderError>>;

    /// Unwraps what [`KeyProvider::wrap`] gave. The caller checks that they are the right bytes.
    fn unwrap<'a>(&'a self, key: &'a str, wrapped: &'a [u8], context: &'a [u8]) -> BoxFuture<'a, Result<Secret<[u8; 32]>, ProviderError>>;

    /// Destroys a key for good. A key that is gone already counts as destroyed.
    fn destroy<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), ProviderError>>;

    /// What in the provider's own settings would destroy or rotate this key behind our back.
    fn warnings<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Vec<String>, ProviderError>>;
}

/// Why a provider did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// The key is destroyed or disabled there.
    #[error("the key provider no longer has the key: {0}")]
    Gone(String),
    /// It answered that we may not, or that the request is wrong.
    #[error("the key provider refused: {0}")]
    Refused(String),
    /// It does not answer, or not in time.
    #[error("the key provider does not answer: {0}")]
    Unavailable(String),
}

/// A search cluster that the ledger is projected into.
///
/// A document goes to the index of its month, `{index}-{yyyymm}`, under its own id: one that is sent
/// twice is there once. All indexes of one projection share the alias `{index}`.
pub trait SearchCluster: Send + Sync {
    /// `elasticsearch` or `opensearch`, as configured.
    fn name(&self) -> &'static str;

    /// Writes the index template with `mappings`; may be called again at any time. The answer says
    /// what is really there, for example `opensearch 2.19.3`.
    fn prepare<'a>(&'a self, mappings: &'a Value) -> BoxFuture<'a, Result<String, ClusterError>>;

    /// Writes documents where their ids are not there yet: one answer each, in order.
    fn put<'a>(&'a self, documents: &'a [ClusterDocument]) -> BoxFuture<'a, Result<Vec<PutAnswer>, ClusterError>>;

    /// One page of documents.
    fn search<'a>(&'a self, request: &'a ClusterSearch) -> BoxFuture<'a, Result<Vec<ClusterHit>, ClusterError>>;

    /// Number of documents that match `query`.
    fn count<'a>(&'a self, query: &'a Value) -> BoxFuture<'a, Result<u64, ClusterError>>;

    /// Deletes every document that matches `query`, and gives their number.
    fn delete<'a>(&'a self, query: &'a Value) -> BoxFuture<'a, Result<u64, ClusterError>>;

    /// Drops the indexes of months before `month` (yyyymm), or all of them. Gives their names.
    fn drop_before(&self, month: Option<i64>) -> BoxFuture<'_, Result<Vec<String>, ClusterError>>;

    /// Makes what was written visible to searches.
    fn refresh(&self) -> BoxFuture<'_, Result<(), ClusterError>>;
}

/// A document on its way to a search cluster.
#[derive(Debug, Clone)]
pub struct ClusterDocument {
    /// The event's id.
    pub id: String,
    /// Month it was recorded in (yyyymm).
    pub month: i64,
    /// JSON on one line.
    pub source: Vec<u8>,
}

/// A search in a cluster.
#[derive(Debug, Clone)]
pub struct ClusterSearch {
    /// What to find, in the query DSL that both products share.
    pub query: Value,
    /// Fields to sort by.
    pub sort: Value,
    /// The `sort` of the last hit of the page before.
    pub after: Option<Value>,
    /// Hits of a page.
    pub size: u32,
    /// Whether hits carry their documents.
    pub source: bool,
}

/// A document that was found.
#[derive(Debug, Clone)]
pub struct ClusterHit {
    /// The event's id.
    pub id: String,
    /// Values of the fields that were sorted by.
    pub sort: Value,
    /// The document; null where it was not asked for.
    pub source: Value,
}

/// What became of one document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PutAnswer {
    /// It was there already.
    Already,
    /// Not now: the cluster has too much to do.
    Busy(String),
    /// Never as it is: it does not fit the mapping.
    Refused(String),
    /// Written.
    Stored,
}

/// Why a search cluster did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClusterError {
    /// It answered that we may not, or that the request is wrong.
    #[error("the search cluster refused: {0}")]
    Refused(String),
    /// It does not answer, not in time, or has too much to do.
    #[error("the search cluster does not answer: {0}")]
    Unavailable(String),
}

/// Sends mail. A mail may be sent twice, after a crash; its id is the same then.
pub trait MailSender: Send + Sync {
    /// Hands a mail over to the next server; `Ok` means that it is there for good.
    fn send<'a>(&'a self, mail: &'a Mail) -> BoxFuture<'a, Result<(), SendError>>;
}

/// A mail in plain text.
#[derive(Clone)]
pub struct Mail {
    /// The same however often it is sent.
    pub id: String,
    /// To whom.
    pub to: String,
    /// In one line.
    pub subject: String,
    /// Lines of text.
    pub body: Secret<String>,
}

/// Sends text messages.
pub trait SmsSender: Send + Sync {
    /// Hands a message over to the carrier.
    fn send<'a>(&'a self, message: &'a TextMessage) -> BoxFuture<'a, Result<(), SendError>>;
}

/// A text message.
#[derive(Clone)]
pub struct TextMessage {
    /// The same however often it is sent.
    pub id: String,
    /// Phone number (E.164).
    pub to: String,
    /// The text.
    pub body: Secret<String>,
}

/// Tells people of an alert.
pub trait AlertSender: Send + Sync {
    /// Hands an alert over; `to` is a channel, a service or an address, by the name that the configuration gives it.
    /// `below` is what this gave back for the first notice of the same incident, where there was one: what follows stands
    /// below it.
    fn send<'a>(&'a self, to: &'a str, notice: &'a Notice, below: Option<&'a str>) -> BoxFuture<'a, Result<Option<String>, SendError>>;

    /// What was pressed, where a request is signed by whoever shows our buttons; nothing where it is not.
    fn pressed(&self, _timestamp: &str, _signature: &str, _body: &str, _now: tutela_core::Timestamp) -> Option<Pressed> {
        None
    }
}

/// A button of an alert that somebody has pressed.
pub struct Pressed {
    /// The incident that it belongs to.
    pub incident: String,
    /// `acknowledge` or `undo`.
    pub action: String,
    /// Who, in words.
    pub who: String,
}

/// What a notice is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// Somebody has to look.
    Opened,
    /// Another rule tells of the same, or it is graver than it was.
    More,
    /// Somebody looks.
    Acknowledged,
    /// It came further.
    Moved,
    /// It is over.
    Resolved,
    /// Nothing: somebody asked whether alerts arrive.
    Test,
}

impl NoticeKind {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::More => "more",
            Self::Acknowledged => "acknowledged",
            Self::Moved => "moved",
            Self::Resolved => "resolved",
            Self::Test => "test",
        }
    }
}

/// An alert, as it is told.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Notice {
    /// The same however often it is sent.
    pub id: String,
    /// What it is about.
    pub kind: NoticeKind,
    /// The incident that it belongs to.
    pub incident: Option<String>,
    /// `informational` to `critical`.
    pub level: String,
    /// What was found, in one line; may hold what attackers have written.
    pub title: String,
    /// About whom, how many, why, and where it stands in the ledger.
    pub details: String,
    /// The rule.
    pub rule: String,
    /// The same for everything about one incident.
    pub dedup: String,
    /// When (RFC 3339).
    pub time: String,
    /// This installation.
    pub source: String,
    /// Where more stands.
    pub link: String,
}

/// Knows where addresses are.
pub trait PlaceFinder: Send + Sync {
    /// Where that is; nothing where it is not known.
    fn find(&self, address: IpAddr) -> Option<Place>;
}

/// Where an address is, as far as it is known.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Place {
    /// ISO 3166-1, two letters.
    pub country: Option<String>,
    /// In English.
    pub city: Option<String>,
    /// About where.
    pub coordinates: Option<Coordinates>,
    /// Number and name of the network: `AS1221 Telstra`.
    pub network: Option<String>,
}

/// A point on the earth, in degrees, and how far off it may be.
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(missing_docs)]
pub struct Coordinates {
    pub latitude: f64,
    pub longitude: f64,
    pub radius_km: f64,
}

/// Who tells people of alerts; nothing where it is not configured.
#[derive(Clone, Default)]
pub struct AlertSenders {
    /// Slack.
    pub slack: Option<Arc<dyn AlertSender>>,
    /// PagerDuty.
    pub pagerduty: Option<Arc<dyn AlertSender>>,
    /// Addresses of the operator's.
    pub webhook: Option<Arc<dyn AlertSender>>,
}

/// Why a message was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// It is refused for good: another try would be refused too.
    #[error("refused: {0}")]
    Refused(String),
    /// It does not answer, or asks to wait.
    #[error("no answer: {0}")]
    Unavailable(String),
}

/// Asks an outside provider. Where it may be reached, and whom it is trusted by, the implementation knows.
pub trait OutsideHttp: Send + Sync {
    /// Sends one request and reads the whole answer, which is bounded in time and in size. A redirect is an answer, and is not followed.
    fn send<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<OutsideAnswer, OutsideError>>;

    /// Refuses an address that it would never ask, by its shape alone.
    fn check(&self, url: &str) -> Result<(), OutsideError>;
}

/// What an outside provider answered.
pub struct OutsideAnswer {
    /// HTTP status.
    pub status: u16,
    /// The body, at most 1 MiB.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutsideError {
    /// It may not be asked there.
    #[error("`{0}` may not be asked: {1}")]
    Forbidden(String, String),
    /// It does not answer, not in time, or with too much.
    #[error("no answer: {0}")]
    Unavailable(String),
}

/// The gateway of this process, and the configuration that it was started with.
pub trait GatewayControl: Send + Sync {
    /// What it guards now, and how.
    fn status(&self) -> tutela_api::Gateway;

    /// Who would be refused by limits of requests now, as far as they were refused on this node.
    fn limited(&self) -> Vec<tutela_api::Limited>;

    /// Forgets what a limit has counted for somebody; whether they were refused on this node.
    fn lift<'a>(&'a self, limit: &'a str, who: &'a str) -> BoxFuture<'a, Result<bool, String>>;

    /// Sends a request to its own listener, as anybody on this machine could.
    fn ask<'a>(&'a self, host: &'a str, target: &'a str, cookie: Option<&'a str>) -> BoxFuture<'a, Result<Answered, String>>;

    /// Reads the configuration again and goes on with it; what is wrong with it is the error, and nothing changes then.
    fn reload(&self) -> BoxFuture<'_, Result<tutela_api::Reloaded, String>>;
}

/// What the gateway answered to a request of our own.
#[derive(Debug, Clone)]
pub struct Answered {
    /// The status.
    pub status: u16,
    /// The number under which its record stands in the ledger.
    pub request: Option<String>,
}

/// A store of the operator's with data of people. It is read, and written only as an approved plan says.
pub trait DataStore: Send + Sync {
    /// What kind.
    fn kind(&self) -> StoreKind;

    /// What it really looks like.
    fn schema(&self) -> BoxFuture<'_, Result<Schema, DataError>>;

    /// Rows of a collection in which a field has one of some values. A value that the field cannot hold is in none. Of
    /// objects the collection is `objects` and the field `key`; a key that ends with `/` means all below it.
    fn find<'a>(&'a self, collection: &'a str, field: &'a str, values: &'a [Value]) -> BoxFuture<'a, Result<Vec<Map<String, Value>>, DataError>>;

    /// Rows in which a date or moment lies before another one (RFC 3339), oldest first, without the first `skip`.
    fn older<'a>(
        &'a self,
        _collection: &'a str,
        _field: &'a str,
        _before: &'a str,
        _skip: u64,
        _most: u32,
    ) -> BoxFuture<'a, Result<Vec<Map<String, Value>>, DataError>> {
        Box::pin(async { Err(DataError::Refused("rows of this kind of store are not found by their age".into())) })
    }

    /// Values of a field in their own order, after one of them; each at least once, and nothing at the end.
    fn values<'a>(&'a self, _collection: &'a str, _field: &'a str, _after: Option<&'a Value>, _most: u32) -> BoxFuture<'a, Result<Vec<Value>, DataError>> {
        Box::pin(async { Err(DataError::Refused("what is in this kind of store cannot be gone through".into())) })
    }

    /// Makes changes, in order; where it is tables all of them or none. What was done already is done. `token` is the same
    /// for the same changes, however often they are tried.
    fn apply<'a>(&'a self, changes: &'a [Change], token: &'a str) -> BoxFuture<'a, Result<(), DataError>>;

    /// Where one of some texts stands, in any column of any table, those that nobody mapped too.
    fn scan<'a>(&'a self, needles: &'a [String]) -> BoxFuture<'a, Result<Vec<Hit>, DataError>>;

    /// Where texts and numbers stand that a test says yes to, in any column of any table.
    fn scan_for(&self, _is_it: fn(&str) -> bool) -> BoxFuture<'_, Result<Vec<Hit>, DataError>> {
        Box::pin(async { Err(DataError::Refused("what is in this kind of store cannot be looked through".into())) })
    }

    /// An object, up to `most` bytes; nothing where it is larger, or is none.
    fn read<'a>(&'a self, _key: &'a str, _most: u64) -> BoxFuture<'a, Result<Option<Vec<u8>>, DataError>> {
        Box::pin(async { Ok(None) })
    }
}

/// Where a text was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// The table.
    pub table: String,
    /// The column.
    pub column: String,
    /// In how many rows.
    pub rows: u64,
}

/// Why a store did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DataError {
    /// It would refuse the same again.
    #[error("it refused: {0}")]
    Refused(String),
    /// It does not answer, or not in time.
    #[error("it does not answer: {0}")]
    Unavailable(String),
}
