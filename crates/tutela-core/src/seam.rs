//! Three traits where floors meet without knowing each other: declared here, implemented by
//! `app`, wired by the binary.

use std::{future::Future, net::IpAddr, pin::Pin, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{AccountId, Actor, AuthStrength, BlockId, Grants, Pii, RequestId, SessionId, Timestamp};

/// A boxed future, so that the seams can be trait objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

// === CommitGuard: what has to happen in the very commit of an event ===

/// Called by the store for each event before the commit that holds it.
///
/// It must be fast and pure: it runs on the writer. What it returns is written in the same
/// transaction, so a bounded rule acts in the commit of the offence.
pub trait CommitGuard: Send + Sync {
    /// The effects of one event.
    fn effects(&self, facts: &Facts) -> Vec<Effect>;
}

/// Clear facts of an event for the guard; they live only as long as the commit.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// The event's type.
    pub kind: String,
    /// When it happened.
    pub time: Option<Timestamp>,
    /// The account it is about.
    pub account: Option<AccountId>,
    /// Where it came from.
    pub ip: Option<IpAddr>,
}

/// Plain data that the store turns into statements. Keys are locked in order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Adds `by` to the counter `key`.
    CounterAdd {
        /// What is counted, for example `sign-in-failed/<account>`.
        key: String,
        /// How much.
        by: i64,
    },
    /// Moves the counter `key` into `into` and sets it to zero.
    CounterMove {
        /// The counter that ends.
        key: String,
        /// Where its value is kept.
        into: String,
    },
    /// Counts an offence of an address, and blocks the address where that makes too many.
    Strike(Strike),
}

/// An offence that a rule counts in its own commit, and the block that follows where it is one too many.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Strike {
    /// The rule's name.
    pub rule: String,
    /// A keyed hash of the address's network.
    pub tag: [u8; 32],
    /// When it happened.
    pub at: Timestamp,
    /// How many are too many …
    pub count: u32,
    /// … since then.
    pub since: Timestamp,
    /// The id of the block that may follow.
    pub block: BlockId,
    /// The network, sealed.
    pub sealed: String,
    /// Until when it is blocked: the first time, the second time and every further time …
    pub until: [Timestamp; 3],
    /// … since then. Nothing is blocked where …
    pub again_since: Timestamp,
    /// … so many people have signed in from there with two factors since then.
    pub shared_by: u64,
}

// === RequestPolicy: what the gateway asks before a request may pass ===

/// Answers the gateway's questions, from caches whose staleness is at most [`RequestPolicy::staleness`].
pub trait RequestPolicy: Send + Sync {
    /// How old an answer may be at the most; revocations reach the gateway within this time.
    fn staleness(&self) -> Duration;

    /// Who the holder of a guarded host's session token is. `Ok(None)`: nobody, or no longer.
    fn session<'a>(&'a self, host: &'a str, token: &'a str, now: Timestamp) -> BoxFuture<'a, Result<Option<Arc<Identity>>, Refusal>>;

    /// Who the holder of an access token for `audience` is; tokens of these outside `issuers` count too.
    fn access_token<'a>(&'a self, token: &'a str, audience: &'a str, issuers: &'a [String], now: Timestamp) -> BoxFuture<'a, Result<Proof, Refusal>>;

    /// Where a browser is sent that has no session, or none that is `wanted`, and the transaction cookie it must bring back.
    fn begin_sign_in(&self, origin: &str, return_to: &str, wanted: Wanted, now: Timestamp) -> SignInStart;

    /// Exchanges the single-use code of the own host for a session on this host.
    fn finish_sign_in<'a>(&'a self, answer: SignInAnswer<'a>, now: Timestamp) -> BoxFuture<'a, Result<SignInEnd, Refusal>>;

    /// Ends the session of `token` everywhere it is signed in.
    fn sign_out<'a>(&'a self, host: &'a str, token: &'a str, now: Timestamp) -> BoxFuture<'a, Result<(), Refusal>>;

    /// A signed statement for the upstream of `route` who this is; at most 60 s of life.
    fn identity_token(&self, caller: &Caller, route: &str, now: Timestamp) -> Result<Arc<str>, Refusal>;

    /// Until when an address is refused whole, whatever it asks for.
    fn blocked(&self, address: IpAddr, now: Timestamp) -> Option<Timestamp>;

    /// What a person has not agreed to of some purposes; nothing where their data may be used for all of them. `signal` is
    /// whether their browser sent `Sec-GPC: 1`.
    fn consent<'a>(&'a self, who: Asked<'a>, purposes: &'a [String], signal: bool) -> BoxFuture<'a, Result<Option<ConsentMissing>, Refusal>>;

    /// What can be chosen on a guarded host, with what `who` has said; nobody has said nothing yet.
    fn choices<'a>(&'a self, who: Option<Asked<'a>>, signal: bool) -> BoxFuture<'a, Result<Vec<Choice>, Refusal>>;

    /// Writes down what was chosen, all of it or nothing. `Invalid` where a purpose or its notice is not one that is shown
    /// now, or one address chooses too often.
    fn choose<'a>(&'a self, who: Asked<'a>, chosen: &'a [Chosen], from: IpAddr, now: Timestamp) -> BoxFuture<'a, Result<(), Refusal>>;

    /// What is excepted from rules of the firewall; the same list until it changes.
    fn exclusions(&self) -> Arc<Vec<RuleExclusion>>;
}

/// Whose consent is asked for.
#[derive(Clone, Copy)]
pub enum Asked<'a> {
    /// A person who is signed in.
    Person(&'a Identity),
    /// A browser that nobody is signed in with, by what its cookie holds.
    Visitor(&'a str),
}

/// A purpose that somebody can say yes or no to.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Choice {
    /// Its name.
    pub purpose: String,
    /// For people.
    pub title: String,
    /// The words of its notice.
    pub notice: String,
    /// Which words these are.
    pub notice_version: String,
    /// Who gets data for it.
    pub recipients: Vec<String>,
    /// Whether data is sold or shared for it.
    pub sells: bool,
    /// What was said; nothing yet where absent, or where the notice has changed since so that it is asked again.
    pub given: Option<bool>,
    /// Whether it may be done now, whatever was said: who has opted out, or had processing restricted, said no to it too.
    pub allowed: bool,
}

/// What somebody says to a purpose whose notice they were shown.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chosen {
    /// Its name.
    pub purpose: String,
    /// The version of the notice that was shown.
    pub notice_version: String,
    /// Yes or no.
    pub given: bool,
}

/// What a person's data may not be used for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentMissing {
    /// The purposes.
    pub purposes: Vec<MissingPurpose>,
    /// Where the person can agree.
    pub give_at: String,
}

/// A purpose that a person's data may not be used for.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct MissingPurpose {
    /// Its name.
    pub purpose: String,
    /// For people.
    pub title: String,
    /// `consent_missing`, `refused`, `objected`, `opted_out` or `restricted`.
    pub why: &'static str,
    /// The version of its notice.
    pub notice_version: String,
    /// The words of its notice.
    pub notice: String,
}

/// A rule of the firewall that does not look at one place, or at nothing, on a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleExclusion {
    /// The route's name.
    pub route: String,
    /// The rule's id.
    pub rule: u64,
    /// The place, as reports have it: `ARGS:comment`; all of them where absent.
    pub place: Option<String>,
    /// When it ends.
    pub until: Timestamp,
}

/// What an access token is worth.
#[derive(Debug, Clone)]
pub enum Proof {
    /// It is none that we know; somebody else may.
    Foreign,
    /// It is good, and this is its holder.
    Good(Box<Caller>),
    /// It is ours or a named issuer's, and expired, revoked or for somebody else.
    Refused,
}

/// Who asks a guarded application for something.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who.
    pub who: Who,
    /// What their access token says beside that; nothing where it is a browser's session.
    pub token: Option<TokenFacts>,
}

/// Somebody who asks.
#[derive(Debug, Clone)]
pub enum Who {
    /// A client that acts for itself.
    Client,
    /// Somebody whom an outside issuer vouches for; what they may do here nobody has said.
    Outside {
        /// Name of the issuer in the configuration.
        issuer: String,
        /// What it calls them.
        subject: String,
    },
    /// A person with an account.
    Person(Arc<Identity>),
}

/// What an access token says of how it came about.
#[derive(Debug, Clone, Default)]
pub struct TokenFacts {
    /// The client that holds it: its id here, or what the outside issuer calls it.
    pub client: Option<TokenClient>,
    /// What it is for.
    pub scopes: Vec<String>,
}

/// The client that holds a token.
#[derive(Debug, Clone)]
pub struct TokenClient {
    /// Its id.
    pub id: String,
    /// Its name, where it is one of ours.
    pub name: Option<String>,
}

impl Caller {
    /// A person with a browser's session.
    pub fn session(identity: Arc<Identity>) -> Self {
        Self { who: Who::Person(identity), token: None }
    }

    /// The person, where it is one with an account.
    pub fn person(&self) -> Option<&Arc<Identity>> {
        match &self.who {
            Who::Person(identity) => Some(identity),
            Who::Client | Who::Outside { .. } => None,
        }
    }

    /// As whom the ledger knows them.
    pub fn actor(&self) -> Actor {
        match &self.who {
            Who::Person(identity) => Actor::Account(identity.account),
            Who::Outside { issuer, subject } => Actor::External { namespace: issuer.clone(), value: Pii::new(subject.clone()) },
            Who::Client => {
                let id = self.token.as_ref().and_then(|token| token.client.as_ref()).and_then(|client| client.id.parse().ok());
                id.map_or(Actor::Anonymous, Actor::Client)
            }
        }
    }
}

/// How strong and how fresh a sign-in has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// At least this strong.
    pub strength: AuthStrength,
    /// At least so many distinct factors; mail counts here, and for the strength it does not.
    pub factors: u8,
    /// Not older than this.
    pub max_age: Option<Duration>,
}

impl Default for Wanted {
    fn default() -> Self {
        Self { strength: AuthStrength::Aal1, factors: 1, max_age: None }
    }
}

impl Wanted {
    /// Whether somebody's sign-in is enough at `now`.
    pub fn is_met(&self, identity: &Identity, now: Timestamp) -> bool {
        let fresh = self.max_age.is_none_or(|age| now >= identity.auth_time && now.since(identity.auth_time) < age);
        fresh && identity.strength >= self.strength && (self.factors < 2 || identity.methods.iter().any(|method| method == "mfa"))
    }
}

/// A signed-in person as the gateway sees them.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The account.
    pub account: AccountId,
    /// The login session that this host's session hangs on.
    pub session: SessionId,
    /// Name shown to people.
    pub name: String,
    /// Mail address.
    pub email: String,
    /// Roles by name.
    pub roles: Vec<String>,
    /// Groups by name.
    pub groups: Vec<String>,
    /// What the roles allow.
    pub grants: Grants,
    /// How strongly the person proved who they are.
    pub strength: AuthStrength,
    /// By which methods (RFC 8176).
    pub methods: Vec<String>,
    /// When last.
    pub auth_time: Timestamp,
}

/// The first step of signing in on a guarded host.
#[derive(Debug, Clone)]
pub struct SignInStart {
    /// The own host's sign-in page, with the sealed transaction in it.
    pub location: String,
    /// Value of the host-only transaction cookie.
    pub cookie: String,
}

/// What a browser brings back from the own host.
#[derive(Debug, Clone, Copy)]
pub struct SignInAnswer<'a> {
    /// Origin of the guarded host, for example `http://photos.localhost:8080`.
    pub origin: &'a str,
    /// The single-use code.
    pub code: &'a str,
    /// The sealed transaction.
    pub state: &'a str,
    /// Value of the transaction cookie.
    pub cookie: &'a str,
}

/// The last step: a new session and the way back.
#[derive(Debug, Clone)]
pub struct SignInEnd {
    /// Token for the host-only session cookie.
    pub token: String,
    /// Path and query the browser wanted at first; always starts with one `/`.
    pub return_to: String,
}

/// Why the policy gives no answer. Unknown is no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The code, cookie or transaction is wrong, used or too old.
    Invalid,
    /// A store that is needed does not answer.
    Unavailable,
}

// === EventSink: where the gateway hands its request records ===

/// Takes records without ever blocking; what does not fit is counted and the count recorded.
pub trait EventSink: Send + Sync {
    /// Hands over one record.
    fn record(&self, record: RequestRecord);

    /// Says that a server of an upstream is not well any more, or is again.
    fn upstream(&self, turn: UpstreamTurn);
}

/// A server of an upstream that fails, or is well again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamTurn {
    /// The upstream's name, or its address.
    pub upstream: String,
    /// The server's address.
    pub server: String,
    /// Whether it is well now.
    pub well: bool,
    /// Why that is said.
    pub why: String,
}

/// One request through the gateway.
#[derive(Debug, Clone)]
pub struct RequestRecord {
    /// When it came.
    pub time: Timestamp,
    /// The route's name; `None` where no route matched.
    pub route: Option<Arc<str>>,
    /// Method.
    pub method: String,
    /// Path without query, at most 512 bytes; personal until declared otherwise.
    pub path: String,
    /// Status of the answer; 0 where the client left before one.
    pub status: u16,
    /// Who asked.
    pub actor: Actor,
    /// The peer's address.
    pub ip: IpAddr,
    /// The `User-Agent` header, at most 256 bytes.
    pub user_agent: Option<String>,
    /// Microseconds from the head of the request to the head of the answer.
    pub duration_us: u64,
    /// Bytes of the answer's body as declared, where known.
    pub bytes: Option<u64>,
    /// Its id, which the application and a client that is refused are told.
    pub id: RequestId,
    /// The stages that it went through, in their order, and the microseconds that each took.
    pub stages: Vec<(Stage, u64)>,
    /// The stage that refused it; none where it came through.
    pub refused_by: Option<Stage>,
    /// What the firewall found.
    pub inspection: Option<Inspection>,
    /// What the limits counted.
    pub limits: Vec<LimitCount>,
}

/// What one limit said of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitCount {
    /// Its name.
    pub limit: String,
    /// How many more would have passed.
    pub left: u32,
    /// Whether it was one too many.
    pub refused: bool,
    /// Whether the limit refuses at all, or only counts.
    pub enforced: bool,
}

/// A stage of the way through the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The request line and headers as HTTP, the host and the path.
    Front,
    /// Addresses that are refused whole.
    Block,
    /// The firewall.
    Waf,
    /// Limits of how much.
    Limit,
    /// Who asks.
    Authentication,
    /// Whether they may.
    Authorization,
    /// Whether the person has agreed.
    Consent,
    /// The application.
    Upstream,
}

impl Stage {
    /// Its name in records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Front => "front",
            Self::Block => "block",
            Self::Waf => "waf",
            Self::Limit => "limit",
            Self::Authentication => "authentication",
            Self::Authorization => "authorization",
            Self::Consent => "consent",
            Self::Upstream => "upstream",
        }
    }
}

/// What the firewall found in a request.
#[derive(Debug, Clone, Default)]
pub struct Inspection {
    /// `block` or `detect`, as it was in force.
    pub mode: &'static str,
    /// Rules that matched, in their order.
    pub matched: Vec<MatchedRule>,
    /// The anomaly score.
    pub score: i64,
    /// Why not all of it was looked at.
    pub marks: Vec<String>,
    /// Whether the rules refuse it.
    pub would_refuse: bool,
    /// Whether it was refused.
    pub refused: bool,
    /// How many exclusions of the operator were in force for it.
    pub exclusions: usize,
}

/// A rule that matched.
#[derive(Debug, Clone)]
pub struct MatchedRule {
    /// Its id.
    pub rule: u64,
    /// What it says.
    pub message: String,
    /// Where it matched: `ARGS:id`.
    pub place: String,
    /// The beginning of what it matched; personal.
    pub value: String,
}
