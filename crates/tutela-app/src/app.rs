//! What every use case has at hand.

use std::sync::{Arc, OnceLock, Weak};

use arc_swap::ArcSwap;
use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tutela_compliance::Framework;
use tutela_core::{Actor, Env, Event, EventId, Occurrence, Principal, Request, Secret, Timestamp, seam::RuleExclusion};
use tutela_identity::{
    Algorithm, AuthenticatorKind, Denied, Permit, TokenKeys, authenticator::Passkeys, authorize, cookie::Cookies, federation::saml::SamlKey,
};
use tutela_kms::{RootKey, open_token, seal_token};
use tutela_ledger::{Signer, VerifyingKey};
use tutela_store::{Changeset, Record, Store};

use crate::{
    AuditConfig, ComplianceConfig, Ctx, DetectionParts, Error, IdentityConfig, LimitsConfig, PrivacyConfig, RequestSink, Rules,
    access::AccessCache,
    audit::Types,
    breaches::Breaches,
    guard::Guard,
    hasher::{self, Hasher},
    jobs,
    monitor::{self, settings::Detection},
    occurrence::{AccessDenied, ServerStarted, ServerStopped},
    outside::{OutsideProvider, OutsideProviders},
    port::{AlertSenders, GatewayControl, KeyProvider, MailSender, OutsideHttp, SearchCluster, SmsSender},
    projection::{self, Projection},
    record::Sealer,
    request_policy::Sessions,
    ring::{KmsSettings, Ring, RingSecrets},
    sink,
    usecase::{
        backup::{self, BackupPlan},
        block::{self, Blocks},
        epoch, event_type, exclusion, federation,
        handover::host_of,
        key, message, oauth,
        privacy::{
            banner::Choosers,
            consent::Consents,
            places::DataStores,
            purpose::{self, Purposes},
            work,
        },
        rule,
        sign_in::attempts::{self, Lanes},
        signing_key,
    },
    uses::{self, Uses},
};

/// The running application. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Inner>);

/// What [`App`] points to; its fields are for use cases only.
pub struct Inner {
    pub(crate) store: Store,
    pub(crate) env: Arc<dyn Env>,
    pub(crate) urls: Urls,
    pub(crate) identity: IdentityConfig,
    pub(crate) limits: LimitsConfig,
    pub(crate) cookies: Cookies,
    pub(crate) mail: Option<Arc<dyn MailSender>>,
    pub(crate) sms: Option<Arc<dyn SmsSender>>,
    pub(crate) alert_senders: AlertSenders,
    pub(crate) messages_due: [Notify; message::CHANNELS.len()],
    pub(crate) attempt_lanes: Lanes,
    pub(crate) passkeys: Option<Passkeys>,
    pub(crate) outside: OutsideProviders,
    /// How clients are told that sessions ended.
    pub(crate) clients_http: Option<Arc<dyn OutsideHttp>>,
    pub(crate) logouts_due: Notify,
    /// What requests to SAML providers are signed with, where there is any.
    pub(crate) saml_key: OnceLock<SamlKey>,
    /// The gateway, where this process has one.
    pub(crate) gateway: OnceLock<Arc<dyn GatewayControl>>,
    /// What is excepted from rules of the firewall.
    pub(crate) excluded: ArcSwap<Vec<RuleExclusion>>,
    pub(crate) compliance: ComplianceConfig,
    pub(crate) frameworks: Vec<Framework>,
    pub(crate) privacy: PrivacyConfig,
    /// What personal data is used for.
    pub(crate) purposes: ArcSwap<Purposes>,
    pub(crate) consents: Consents,
    pub(crate) choosers: Choosers,
    /// Where data of people is.
    pub(crate) data_stores: DataStores,
    /// There is something to do for a request of a person, and: one has moved.
    pub(crate) requests_due: Notify,
    pub(crate) requests_moved: Notify,
    pub(crate) detection: Detection,
    /// What the gateway refuses whole.
    pub(crate) blocked: ArcSwap<Blocks>,
    pub(crate) breaches: Breaches,
    /// What marks attempts, codes and successors of refresh tokens as ours.
    pub(crate) sign_in_key: Secret<[u8; 32]>,
    pub(crate) audit: AuditConfig,
    pub(crate) rules: Rules,
    pub(crate) types: Types,
    pub(crate) projection: Option<Projection>,
    pub(crate) backup: BackupPlan,
    /// Marks lines of the journal of erasures as ours.
    pub(crate) erasure_code: Secret<[u8; 32]>,
    /// Hashes fields of applications' events that are kept as hashes.
    pub(crate) field_hash: Secret<[u8; 32]>,
    pub(crate) ledger_key: VerifyingKey,
    pub(crate) sealer: Sealer,
    pub(crate) ring: Ring,
    pub(crate) uses: Uses,
    pub(crate) keys_due: Notify,
    /// Held by a probe, to its end.
    pub(crate) probing: tokio::sync::Mutex<()>,
    /// Held by whoever assesses, or looks at everything.
    pub(crate) assessing: tokio::sync::Mutex<()>,
    /// Held while accounts are compared with the ledger.
    pub(crate) comparing: tokio::sync::Mutex<()>,
    /// Held while keys are read for a backup, and while one is destroyed: no backup begins with a key
    /// and ends after it was destroyed.
    pub(crate) key_material: tokio::sync::Mutex<()>,
    note_signer: Signer,
    pub(crate) hasher: Hasher,
    /// What tokens are signed and checked with.
    pub(crate) token_keys: ArcSwap<TokenKeys>,
    pub(crate) sessions: Sessions,
    pub(crate) access: AccessCache,
    pub(crate) sink: RequestSink,
    pub(crate) started_at: Timestamp,
    stop: CancellationToken,
    pub(crate) tasks: TaskTracker,
}

/// What the background work takes its work from.
pub(crate) struct Queues {
    requests: sink::Handed,
    used: tokio::sync::mpsc::Receiver<uses::Waiting>,
}

/// Where people reach this instance.
#[derive(Debug, Clone)]
pub struct Urls {
    /// The own host, for example `http://tutela.localhost:8080`.
    pub public: String,
    /// The console, for example `http://console.tutela.localhost:8081`.
    pub admin: String,
}

/// What an application is made of.
pub struct Parts {
    /// Our own data.
    pub store: Store,
    /// Clock and randomness.
    pub env: Arc<dyn Env>,
    /// Where people reach us.
    pub urls: Urls,
    /// `[identity]`.
    pub identity: IdentityConfig,
    /// `[limits]`.
    pub limits: LimitsConfig,
    /// Sends mail, where a server is configured.
    pub mail: Option<Arc<dyn MailSender>>,
    /// Sends text messages, where a carrier is configured.
    pub sms: Option<Arc<dyn SmsSender>>,
    /// Tells people of alerts.
    pub alert_senders: AlertSenders,
    /// Outside providers that people sign in with.
    pub outside: Vec<OutsideProvider>,
    /// Tells clients that sessions ended; a restore tells nobody.
    pub clients_http: Option<Arc<dyn OutsideHttp>>,
    /// `[compliance]`.
    pub compliance: ComplianceConfig,
    /// `[privacy]`.
    pub privacy: PrivacyConfig,
    /// The stores of `[privacy.stores]`.
    pub data_stores: DataStores,
    /// What the ledger is watched for.
    pub detection: DetectionParts,
    /// The guard that the store was opened with.
    pub guard: Guard,
    /// `[audit]`.
    pub audit: AuditConfig,
    /// How long which events are kept.
    pub rules: Rules,
    /// Backups of the whole instance.
    pub backup: BackupPlan,
    /// Where events are projected to, as `audit.storage` says.
    pub cluster: Option<Arc<dyn SearchCluster>>,
    /// The instance's root key.
    pub root: RootKey,
    /// `[kms]`.
    pub kms: KmsSettings,
    /// Key providers; the one named in `kms` must be among them.
    pub providers: Vec<Arc<dyn KeyProvider>>,
    /// The key that checks the ledger's checkpoints.
    pub ledger_key: VerifyingKey,
    /// This program's version.
    pub version: &'static str,
}

impl std::ops::Deref for App {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl From<Arc<Inner>> for App {
    fn from(inner: Arc<Inner>) -> Self {
        Self(inner)
    }
}

impl App {
    /// Starts the application: keys, background work, and the record that it is ready.
    pub async fn start(parts: Parts) -> Result<Self, Error> {
        let (version, guard) = (parts.version, parts.guard.clone());
        let (app, queues) = Self::open(parts).await?;
        guard.arm(&app);
        let ctx = Ctx::new(&*app.env, Principal::System("server"));
        epoch::ensure(&app, &ctx).await?;
        key::ensure_default(&app, &ctx).await?;
        signing_key::ensure(&app, &ctx, Algorithm::EdDsa).await?;
        federation::ensure_saml_key(&app, &ctx).await?;
        app.commit(&ctx, ServerStarted::new(version, app.store.engine_name()), |c| c).await?;
        if let Err(e) = backup::journal(&app).await {
            tracing::warn!(error = %e, "the journal of erasures cannot be written; a restored backup would not know of them");
        }
        app.run(queues);
        // What a process that died had begun goes on at once.
        app.wake_keys();
        Ok(app)
    }

    /// An application whose keys are loaded and that does nothing by itself yet.
    async fn open(parts: Parts) -> Result<(Self, Queues), Error> {
        let opened = Self::open_without_epochs(parts).await?;
        opened.0.ring.load_epochs().await?;
        signing_key::load(&opened.0).await?;
        event_type::load(&opened.0).await?;
        exclusion::load(&opened.0).await?;
        block::load(&opened.0).await?;
        rule::load(&opened.0).await?;
        purpose::load(&opened.0).await?;
        Ok(opened)
    }

    /// As [`App::open`], for a restore: earlier epochs may be lost.
    pub(crate) async fn open_without_epochs(parts: Parts) -> Result<(Self, Queues), Error> {
        let note_signer = Signer::new(&parts.store.instance().origin, &parts.root.derive(&[b"ledger signing"])?)?;
        let sign_in_key = Secret::new(parts.root.derive(&[b"sign-in"])?);
        let cost = hasher::cost(&parts.store, &parts.identity.password, &*parts.env).await?;
        let own_host = host_of(&parts.urls.public);
        let passkeys = parts.identity.passkeys.then(|| Passkeys::new(own_host, &[parts.urls.public.as_str()], own_host)).transpose()?;
        let secrets = RingSecrets {
            subject_tag: tutela_core::Secret::new(parts.root.derive(&[b"subject tag"])?),
            epoch_check: tutela_core::Secret::new(parts.root.derive(&[b"epoch check"])?),
        };
        let field_hash = Secret::new(parts.root.derive(&[b"field hash"])?);
        let erasure_code = Secret::new(parts.root.derive(&[b"erasure journal"])?);
        let detection_secret = Secret::new(parts.root.derive(&[b"detection"])?);
        let context_tag = parts.root.derive(&[b"context tag"])?;
        let (sink, requests) = sink::channel();
        let (uses, used) = uses::channel(context_tag);
        let started_at = parts.env.now();
        let ring = Ring::new(parts.store.clone(), Arc::clone(&parts.env), parts.kms, parts.providers, secrets);
        let longest = parts.rules.classes().iter().map(|class| parts.rules.of(class).days).max();
        let retention_days = parts.audit.retention_days.or(longest).unwrap_or(365);
        if let Some(cluster) = &parts.cluster {
            for rule in parts.rules.classes().iter().map(|class| parts.rules.of(class)).filter(|rule| rule.days != retention_days) {
                tracing::warn!(class = %rule.class, ledger_days = rule.days, cluster_days = retention_days, cluster = cluster.name(), "events of this class are kept for another time in the ledger ({}) than in the search cluster (audit.retention_days)", rule.source);
            }
        }
        let projection = parts.cluster.map(|cluster| Projection { cluster, retention_days, woken: Notify::new() });
        let app = Self(Arc::new(Inner {
            sessions: Sessions::new(),
            access: AccessCache::new(),
            hasher: Hasher::new(cost),
            cookies: Cookies { secure: parts.identity.session.secure, http_only: parts.identity.session.http_only },
            breaches: Breaches::new(&parts.identity.password),
            limits: parts.limits,
            mail: parts.mail,
            sms: parts.sms,
            alert_senders: parts.alert_senders,
            messages_due: std::array::from_fn(|_| Notify::new()),
            attempt_lanes: Lanes::default(),
            passkeys,
            outside: OutsideProviders::new(parts.outside),
            clients_http: parts.clients_http,
            logouts_due: Notify::new(),
            saml_key: OnceLock::new(),
            gateway: OnceLock::new(),
            excluded: ArcSwap::default(),
            frameworks: parts.compliance.assessed().map_err(|e| Error::invalid("compliance.files", e))?,
            compliance: parts.compliance,
            privacy: parts.privacy,
            purposes: ArcSwap::default(),
            consents: Consents::new(),
            choosers: Choosers::new(),
            data_stores: parts.data_stores,
            requests_due: Notify::new(),
            requests_moved: Notify::new(),
            detection: Detection::new(parts.detection, detection_secret)?,
            blocked: ArcSwap::default(),
            sign_in_key,
            sealer: Sealer::new(parts.root, Arc::clone(&parts.env)),
            ring,
            uses,
            note_signer,
            keys_due: Notify::new(),
            probing: tokio::sync::Mutex::default(),
            assessing: tokio::sync::Mutex::default(),
            comparing: tokio::sync::Mutex::default(),
            key_material: tokio::sync::Mutex::default(),
            store: parts.store,
            env: parts.env,
            urls: parts.urls,
            identity: parts.identity,
            types: Types::new(&parts.audit.event_types),
            projection,
            rules: parts.rules,
            field_hash,
            erasure_code,
            backup: parts.backup,
            audit: parts.audit,
            ledger_key: parts.ledger_key,
            token_keys: ArcSwap::default(),
            sink,
            started_at,
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }));
        Ok((app, Queues { requests, used }))
    }

    /// Begins the background work.
    pub(crate) fn run(&self, queues: Queues) {
        self.tasks.spawn(sink::run(self.clone(), queues.requests));
        self.tasks.spawn(uses::run(self.clone(), queues.used));
        self.tasks.spawn(projection::run(self.clone(), self.stop.clone()));
        self.tasks.spawn(jobs::run(self.clone(), self.stop.clone()));
        self.tasks.spawn(monitor::run(self.clone(), self.stop.clone()));
        self.tasks.spawn(attempts::run(self.clone(), self.stop.clone()));
        for channel in message::CHANNELS {
            self.tasks.spawn(message::run(self.clone(), channel, self.stop.clone()));
        }
        self.tasks.spawn(work::run(self.clone(), self.stop.clone()));
        self.tasks.spawn(oauth::told::run(self.clone(), self.stop.clone()));
        self.tasks.spawn(crate::request_policy::follow_changes(self.clone(), self.stop.clone()));
    }

    /// A way to it that does not keep it alive.
    pub(crate) fn downgrade(&self) -> Weak<Inner> {
        Arc::downgrade(&self.0)
    }

    /// Says which gateway this process has; it asks the application, so it is there later.
    pub fn attach(&self, gateway: Arc<dyn GatewayControl>) {
        if self.gateway.set(gateway).is_err() {
            tracing::error!("a second gateway was attached and is not used");
        }
    }

    /// Flushes what waits, records the stop, and closes the store.
    pub async fn stop(&self) {
        self.sink.close();
        self.uses.close();
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        let ctx = Ctx::new(&*self.env, Principal::System("server"));
        if let Err(e) = self.commit(&ctx, ServerStopped::new(), |c| c).await {
            tracing::warn!(error = %e, "the stop could not be recorded");
        }
        self.store.close().await;
    }

    /// Waits until everything that was recorded so far has its place in the ledger.
    pub async fn settle(&self) {
        if let Err(e) = self.store.settle().await {
            tracing::debug!(error = %e, "the ledger could not be settled");
        }
    }

    /// Cancelled when the application stops; streams end with it.
    pub fn stopping(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// The clock and randomness.
    pub fn env(&self) -> &dyn Env {
        &*self.env
    }

    /// Has the upkeep of keys run now instead of at its next turn.
    pub(crate) fn wake_keys(&self) {
        self.keys_due.notify_one();
    }

    /// Signs a text that others can check with the ledger's key.
    pub(crate) fn sign_note(&self, body: &str) -> String {
        self.note_signer.sign_note(body)
    }

    /// What tokens are signed and checked with at this moment.
    pub(crate) fn signer(&self) -> Arc<TokenKeys> {
        self.token_keys.load_full()
    }

    /// Where people reach this instance.
    pub fn urls(&self) -> &Urls {
        &self.urls
    }

    /// How our cookies are written.
    pub fn cookies(&self) -> Cookies {
        self.cookies
    }

    /// Whether this server sends mail.
    pub fn can_mail(&self) -> bool {
        self.mail.is_some()
    }

    /// Whether people can set up a kind of authenticator here.
    pub fn offers(&self, kind: AuthenticatorKind) -> bool {
        match kind {
            AuthenticatorKind::Passkey => self.passkeys.is_some(),
            AuthenticatorKind::Sms => self.identity.mfa.offers(kind) && self.sms.is_some(),
            AuthenticatorKind::Email => self.identity.mfa.offers(kind) && self.mail.is_some(),
            AuthenticatorKind::Outside | AuthenticatorKind::Password | AuthenticatorKind::Recovery | AuthenticatorKind::Totp => self.identity.mfa.offers(kind),
        }
    }

    /// What an event type means, in its declaration's sentence; its name where none is declared.
    pub fn sentence_of(&self, kind: &str) -> String {
        crate::event_types().find(|t| t.name == kind).map_or_else(|| kind.to_owned(), |t| t.sentence.to_owned())
    }

    /// Name of the own host.
    pub(crate) fn own_host(&self) -> &str {
        host_of(&self.urls.public)
    }

    /// HMAC-SHA-256 under the key of signing in; `use_of` keeps one use apart from another.
    pub(crate) fn keyed_hash(&self, use_of: &[u8], text: &[u8]) -> [u8; 32] {
        tutela_identity::keyed_hash(&self.sign_in_key, &[use_of, text])
    }

    /// Seals `what` for whoever brings it back; `purpose` keeps one use apart from another.
    pub(crate) fn seal_as(&self, purpose: &[u8], what: &impl Serialize) -> Result<String, Error> {
        let bytes = serde_json::to_vec(what).map_err(|_| Error::Internal("what is to be sealed could not be written down"))?;
        let bytes = Secret::new(bytes);
        Ok(seal_token(self.sealer.root(), purpose, bytes.open(), &mut { self.env() })?)
    }

    /// Opens what [`App::seal_as`] has sealed; `None` for anything else.
    pub(crate) fn open_as<T: DeserializeOwned>(&self, purpose: &[u8], sealed: &str) -> Option<T> {
        let bytes = Secret::new(open_token(self.sealer.root(), purpose, sealed).ok()?);
        serde_json::from_slice(bytes.open()).ok()
    }

    /// Where the gateway hands its request records.
    pub fn request_sink(&self) -> RequestSink {
        self.sink.clone()
    }

    /// Asks whether the caller may do `permission`. A refusal of somebody known is an event.
    pub async fn permit(&self, ctx: &Ctx, permission: &'static str) -> Result<Permit, Error> {
        match authorize(&ctx.principal, permission) {
            Ok(permit) => Ok(permit),
            Err(Denied { anonymous: true, .. }) => Err(Error::Unauthenticated("this needs a session or an API key")),
            Err(Denied { permission, .. }) => {
                self.commit(ctx, AccessDenied::new(permission), |c| c).await?;
                Err(Error::Denied(permission))
            }
        }
    }

    /// Whether the caller of a long request may still be served: its session or key has not ended since.
    pub(crate) async fn still_there(&self, ctx: &Ctx) -> Result<(), Error> {
        let now = self.env.now();
        let there = match &ctx.principal {
            Principal::Account { session, .. } => self.store.session_get(*session).await?.is_some_and(|s| s.ended_at.is_none() && now < s.expires_at),
            Principal::Client { id, .. } => {
                self.store.client_get(*id).await?.is_some_and(|row| row.revoked_at.is_none() && row.client.expires_at.is_none_or(|end| now < end))
            }
            Principal::Operator { .. } | Principal::System(_) => true,
            Principal::Anonymous => false,
        };
        if there { Ok(()) } else { Err(Error::Unauthenticated("the session or key of this request has ended")) }
    }

    /// Commits one event, with whatever `change` adds to its changeset.
    pub(crate) async fn commit<T: Occurrence>(&self, ctx: &Ctx, what: T, change: impl FnOnce(Changeset) -> Changeset) -> Result<(), Error> {
        let record = self.record(ctx, what).await?;
        Ok(self.store.commit(change(Changeset::of(record))).await?)
    }

    /// Makes the record of one of our own events in this context.
    pub(crate) async fn record<T: Occurrence>(&self, ctx: &Ctx, what: T) -> Result<Record, Error> {
        self.record_as(ctx, EventId::batch(ctx.now, &mut { self.env() }), what).await
    }

    /// The same, under an id that is known before.
    pub(crate) async fn record_as<T: Occurrence>(&self, ctx: &Ctx, id: EventId, what: T) -> Result<Record, Error> {
        let mut event = Event::new(what, id, ctx.now);
        event.actor = Actor::from(&ctx.principal);
        event.session = event.session.or(ctx.principal.session());
        event.source = ctx.source();
        event.request = Some(Request { id: Some(ctx.request), ..Request::default() });
        self.seal(&event).await
    }
}
