//! What every use case has at hand.

use std::sync::Arc;

use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tutela_core::{Actor, Env, Event, EventId, Occurrence, Principal, Request, Timestamp};
use tutela_identity::{Denied, IdentitySigner, Permit, authorize};
use tutela_kms::RootKey;
use tutela_ledger::VerifyingKey;
use tutela_store::{Changeset, Record, Store};

use crate::{
    AuditConfig, Ctx, Error, IdentityConfig, RequestSink,
    hasher::Hasher,
    jobs,
    policy::Sessions,
    record::Sealer,
    registry::{AccessDenied, ServerStarted, ServerStopped},
    sink,
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
    pub(crate) audit: AuditConfig,
    pub(crate) ledger_key: VerifyingKey,
    pub(crate) sealer: Sealer,
    pub(crate) hasher: Hasher,
    pub(crate) signer: IdentitySigner,
    pub(crate) sessions: Sessions,
    pub(crate) sink: RequestSink,
    pub(crate) started_at: Timestamp,
    stop: CancellationToken,
    tasks: TaskTracker,
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
    /// `[audit]`.
    pub audit: AuditConfig,
    /// The instance's root key.
    pub root: RootKey,
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

impl App {
    /// Starts the application's background work and records that it is ready.
    pub async fn start(parts: Parts) -> Result<Self, Error> {
        let signer = IdentitySigner::new(&parts.root.derive(&[b"identity token"])?)?;
        let (sink, queue) = sink::channel();
        let started_at = parts.env.now();
        let app = Self(Arc::new(Inner {
            sessions: Sessions::new(),
            hasher: Hasher::new(parts.identity.password),
            sealer: Sealer::new(parts.root, Arc::clone(&parts.env)),
            store: parts.store,
            env: parts.env,
            urls: parts.urls,
            identity: parts.identity,
            audit: parts.audit,
            ledger_key: parts.ledger_key,
            signer,
            sink,
            started_at,
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }));
        let ctx = Ctx::new(&*app.env, Principal::System("server"));
        app.commit(&ctx, ServerStarted { version: parts.version, storage: app.store.engine_name() }, |c| c).await?;
        app.tasks.spawn(sink::run(app.clone(), queue));
        app.tasks.spawn(jobs::run(app.clone(), app.stop.clone()));
        app.tasks.spawn(crate::policy::follow_changes(app.clone(), app.stop.clone()));
        Ok(app)
    }

    /// Flushes what waits, records the stop, and closes the store.
    pub async fn stop(&self) {
        self.sink.close();
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        let ctx = Ctx::new(&*self.env, Principal::System("server"));
        if let Err(e) = self.commit(&ctx, ServerStopped, |c| c).await {
            tracing::warn!(error = %e, "the stop could not be recorded");
        }
        self.store.close().await;
    }

    /// Cancelled when the application stops; streams end with it.
    pub fn stopping(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// The clock and randomness.
    pub fn env(&self) -> &dyn Env {
        &*self.env
    }

    /// Where people reach this instance.
    pub fn urls(&self) -> &Urls {
        &self.urls
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
                self.commit(ctx, AccessDenied { permission }, |c| c).await?;
                Err(Error::Denied(permission))
            }
        }
    }

    /// Whether the caller of a long request may still be served: its session or key has not ended since.
    pub(crate) async fn still_there(&self, ctx: &Ctx) -> Result<(), Error> {
        let now = self.env.now();
        let there = match &ctx.principal {
            Principal::Account { session, .. } => self.store.session_get(*session).await?.is_some_and(|s| s.ended_at.is_none() && now < s.expires_at),
            Principal::Client { id, .. } => self.store.client_get(*id).await?.is_some_and(|row| row.revoked_at.is_none() && now < row.client.expires_at),
            Principal::Operator { .. } | Principal::System(_) => true,
            Principal::Anonymous => false,
        };
        if there { Ok(()) } else { Err(Error::Unauthenticated("the session or key of this request has ended")) }
    }

    /// Commits one event, with whatever `change` adds to its changeset.
    pub(crate) async fn commit<T: Occurrence>(&self, ctx: &Ctx, what: T, change: impl FnOnce(Changeset) -> Changeset) -> Result<(), Error> {
        let record = self.record(ctx, what)?;
        Ok(self.store.commit(change(Changeset::of(record))).await?)
    }

    /// Makes the record of one of our own events in this context.
    pub(crate) fn record<T: Occurrence>(&self, ctx: &Ctx, what: T) -> Result<Record, Error> {
        let mut event = Event::new(what, EventId::batch(ctx.now, &mut { self.env() }), ctx.now);
        event.actor = Actor::from(&ctx.principal);
        event.session = event.session.or(ctx.principal.session());
        event.source = ctx.source();
        event.request = Some(Request { id: Some(ctx.request), ..Request::default() });
        self.sealer.seal(&event)
    }
}
