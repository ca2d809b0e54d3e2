//! What the gateway and the pages ask about a request: sessions by token, and signing in on a
//! guarded host. Answers come from a cache that is at most [`STALENESS`] old; the change feed
//! drops what was ended, at once on this node and within a second on others.

use std::{net::IpAddr, sync::Arc, time::Duration};

use moka::sync::Cache;
use tokio_util::sync::CancellationToken;
use tutela_core::{
    ClientId, Principal, SessionId, Timestamp,
    seam::{
        Asked, BoxFuture, Caller, Choice, Chosen, ConsentMissing, Identity, Proof, Refusal, RequestPolicy, RuleExclusion, SignInAnswer, SignInEnd, SignInStart,
        TokenClient, TokenFacts, Wanted, Who,
    },
};
use tutela_identity::{AccessClaims, Client, IDENTITY_LIFE, IdentityClaims, Session, Token, TokenHash, TokenKind};
use tutela_store::Changeset;
use uuid::Uuid;

use crate::{
    App, Ctx, Error,
    federation::{self, Foreign},
    handover, oauth, session,
    usecase::{
        block, event_type, exclusion,
        privacy::{banner, consent, purpose},
        rule, signing_key,
    },
};

/// How old an answer may be at the most.
pub(crate) const STALENESS: Duration = Duration::from_secs(5);
/// How long one identity token serves the requests of a session on a route.
const TOKEN_REUSE: Duration = Duration::from_secs(30);
const CACHED_SESSIONS: u64 = 50_000;

/// A live session and who holds it.
#[derive(Debug, Clone)]
pub struct Live {
    /// The session on this host.
    pub session: Session,
    /// Its holder.
    pub identity: Arc<Identity>,
}

/// What a bearer token is worth.
#[derive(Debug, Clone)]
pub enum Bearer {
    /// Good; it is a client's own.
    Client(Client, Box<AccessClaims>),
    /// None of ours.
    Foreign,
    /// Good; the session it belongs to lives.
    Live(Live, Box<AccessClaims>),
    /// Ours, and not good.
    Refused,
}

/// Caches of sessions, clients and identity tokens.
pub struct Sessions {
    live: Cache<TokenHash, (Live, Timestamp)>,
    clients: Cache<TokenHash, (Client, Timestamp)>,
    tokens: Cache<(SessionId, Arc<str>), (Arc<str>, Timestamp)>,
    /// Logins, accounts and clients that changed, and when; what was read before that counts no more.
    changed: Cache<Uuid, Timestamp>,
}

impl Sessions {
    pub(crate) fn new() -> Self {
        let brief = || Cache::builder().max_capacity(CACHED_SESSIONS).time_to_live(TOKEN_REUSE);
        Self {
            live: brief().build(),
            clients: Cache::builder().max_capacity(10_000).time_to_live(TOKEN_REUSE).build(),
            tokens: Cache::builder().max_capacity(CACHED_SESSIONS).time_to_live(TOKEN_REUSE).build(),
            changed: Cache::builder().max_capacity(CACHED_SESSIONS * 2).time_to_live(TOKEN_REUSE).build(),
        }
    }

    pub(crate) fn is_fresh(&self, read_at: Timestamp, now: Timestamp, about: &[Uuid]) -> bool {
        let young = now >= read_at && now.since(read_at) < STALENESS;
        young && self.is_unchanged(read_at, about)
    }

    /// Whether none of `about` was announced as changed since `at`.
    fn is_unchanged(&self, at: Timestamp, about: &[Uuid]) -> bool {
        about.iter().all(|id| self.changed.get(id).is_none_or(|changed_at| changed_at < at))
    }

    fn drop_all(&self) {
        self.live.invalidate_all();
        self.clients.invalidate_all();
        self.tokens.invalidate_all();
    }
}

impl App {
    /// The live session behind `token` on `host`.
    pub async fn live_session(&self, host: &str, token: &str, now: Timestamp) -> Result<Option<Live>, Error> {
        let Some(token) = Token::parse(TokenKind::Session, token) else { return Ok(None) };
        let hash = token.hash();
        if let Some((live, read_at)) = self.sessions.live.get(&hash)
            && self.sessions.is_fresh(read_at, now, &[live.session.login.0, live.session.account.0])
        {
            return Ok((live.session.host == host && live.session.is_live(now)).then_some(live));
        }
        let read_at = self.env.now();
        let Some(live) = session::find_live(self, host, hash, now).await? else { return Ok(None) };
        self.sessions.live.insert(hash, (live.clone(), read_at));
        Ok(Some(live))
    }

    /// The live session behind an access token for `audience`. The signature is checked each time; whether the session
    /// lives comes from the cache, so that a token of an ended session is refused within a second though it is good for minutes.
    pub async fn live_token(&self, token: &str, audience: &str, now: Timestamp) -> Result<Bearer, Error> {
        let claims: AccessClaims = match self.signer().verify(token, &self.urls.public, &[audience], now) {
            Ok(claims) => claims,
            Err(e) if e.is_about_another_signer() => return Ok(Bearer::Foreign),
            Err(_) => return Ok(Bearer::Refused),
        };
        match claims.sid.as_deref().map(str::parse::<SessionId>) {
            Some(Ok(session)) => Ok(self.live_login(session, now).await?.map_or(Bearer::Refused, |live| Bearer::Live(live, Box::new(claims)))),
            None if claims.sub == claims.client_id => {
                let client = self.client_by_id(&claims.client_id, now).await?;
                Ok(client.map_or(Bearer::Refused, |client| Bearer::Client(client, Box::new(claims))))
            }
            None | Some(Err(_)) => Ok(Bearer::Refused),
        }
    }

    /// The live session of a token (a login, or the part of one at a client) and who holds it, from memory where it was
    /// asked for in the last seconds and has not changed since.
    pub(crate) async fn live_login(&self, id: SessionId, now: Timestamp) -> Result<Option<Live>, Error> {
        let key = self.keyed_hash(b"token session", id.0.as_bytes());
        if let Some((live, read_at)) = self.sessions.live.get(&key)
            && self.sessions.is_fresh(read_at, now, &[live.session.login.0, live.session.account.0])
        {
            return Ok(live.session.is_live(now).then_some(live));
        }
        let read_at = self.env.now();
        let Some(session) = self.store.session_get(id).await?.filter(|s| s.is_live(now)) else { return Ok(None) };
        if session.login != id && !self.store.session_get(session.login).await?.is_some_and(|login| login.is_live(now)) {
            return Ok(None);
        }
        let Some(identity) = session::identity_of(self, session.account, session.login, &session.assurance).await? else { return Ok(None) };
        let live = Live { session, identity: Arc::new(identity) };
        self.sessions.live.insert(key, (live.clone(), read_at));
        Ok(Some(live))
    }

    /// The client behind an API key.
    pub async fn live_client(&self, key: &str, now: Timestamp) -> Result<Option<Client>, Error> {
        let Some(token) = Token::parse(TokenKind::ApiKey, key) else { return Ok(None) };
        let hash = token.hash();
        if let Some((client, read_at)) = self.sessions.clients.get(&hash)
            && self.sessions.is_fresh(read_at, now, &[client.id.0])
        {
            return Ok(Some(client));
        }
        let read_at = self.env.now();
        let Some(row) = self.store.client_get_by_key(hash).await?.filter(|row| row.revoked_at.is_none()) else { return Ok(None) };
        self.sessions.clients.insert(hash, (row.client.clone(), read_at));
        Ok(Some(row.client))
    }

    /// The client of this id, if it was not revoked, as far as its keys work.
    pub(crate) async fn client_by_id(&self, id: &str, now: Timestamp) -> Result<Option<Client>, Error> {
        let Ok(id) = id.parse::<ClientId>() else { return Ok(None) };
        let key = self.keyed_hash(b"client", id.0.as_bytes());
        if let Some((client, read_at)) = self.sessions.clients.get(&key)
            && self.sessions.is_fresh(read_at, now, &[id.0])
        {
            return Ok(Some(client));
        }
        let read_at = self.env.now();
        let Some(row) = self.store.client_get(id).await?.filter(|row| row.revoked_at.is_none()) else { return Ok(None) };
        self.sessions.clients.insert(key, (row.client.clone(), read_at));
        Ok(Some(row.client))
    }

    /// Writes that a session was used; whoever asks does not wait for it.
    pub(crate) fn touch_later(&self, session: &Session, now: Timestamp) {
        if let Some(touched) = session.touch(session::life_on(self, &session.host), now) {
            let store = self.store.clone();
            tokio::spawn(async move {
                if let Err(e) = store.commit(Changeset::session_touch(&touched)).await {
                    tracing::debug!(error = %e, "a session's last use was not written");
                }
            });
        }
    }

    fn identity_claims(&self, caller: &Caller, route: &str, now: Timestamp) -> IdentityClaims {
        let client = caller.token.as_ref().and_then(|token| token.client.as_ref());
        let nobody = IdentityClaims {
            iss: self.urls.public.clone(),
            aud: route.to_owned(),
            sub: String::new(),
            sid: String::new(),
            client_id: client.map(|client| client.id.clone()),
            idp: None,
            scope: caller.token.as_ref().map(|token| token.scopes.join(" ")).unwrap_or_default(),
            name: String::new(),
            email: String::new(),
            roles: Vec::new(),
            permissions: Vec::new(),
            acr: String::new(),
            amr: Vec::new(),
            auth_time: 0,
            iat: now.secs(),
            exp: now.secs() + IDENTITY_LIFE,
        };
        match &caller.who {
            Who::Client => {
                let (sub, name) = client.map(|client| (client.id.clone(), client.name.clone().unwrap_or_default())).unwrap_or_default();
                IdentityClaims { sub, name, ..nobody }
            }
            Who::Outside { issuer, subject } => IdentityClaims { sub: subject.clone(), idp: Some(issuer.clone()), ..nobody },
            Who::Person(identity) => IdentityClaims {
                sub: identity.account.to_string(),
                sid: identity.session.to_string(),
                name: identity.name.clone(),
                email: identity.email.clone(),
                roles: identity.roles.clone(),
                permissions: identity.grants.iter().map(str::to_owned).collect(),
                acr: identity.strength.acr().to_owned(),
                amr: identity.methods.clone(),
                auth_time: identity.auth_time.secs(),
                ..nobody
            },
        }
    }

    /// What a token is worth for a guarded application.
    async fn prove(&self, token: &str, audience: &str, issuers: &[String], now: Timestamp) -> Result<Proof, Error> {
        let facts = |claims: &AccessClaims, client: Option<Client>| {
            let scopes = tutela_identity::oauth::words(&claims.scope).map(str::to_owned).collect();
            TokenFacts { client: client.map(|client| TokenClient { id: client.id.to_string(), name: Some(client.name) }), scopes }
        };
        let good = |who, token| Ok(Proof::Good(Box::new(Caller { who, token: Some(token) })));
        match self.live_token(token, audience, now).await? {
            Bearer::Refused => Ok(Proof::Refused),
            Bearer::Client(client, claims) => good(Who::Client, facts(&claims, Some(client))),
            Bearer::Live(live, claims) => {
                let client = match oauth::client_of(&live.session.host) {
                    Some(id) => match self.client_by_id(&id.to_string(), now).await? {
                        Some(client) => Some(client),
                        None => return Ok(Proof::Refused),
                    },
                    None => None,
                };
                good(Who::Person(live.identity), facts(&claims, client))
            }
            Bearer::Foreign => Ok(match federation::prove(self, token, issuers, now).await? {
                Foreign::Unknown => Proof::Foreign,
                Foreign::Refused => Proof::Refused,
                Foreign::Good { issuer, holder } => {
                    let client = holder.client.map(|id| TokenClient { id, name: None });
                    let token = Some(TokenFacts { client, scopes: holder.scopes });
                    Proof::Good(Box::new(Caller { who: Who::Outside { issuer, subject: holder.subject }, token }))
                }
            }),
        }
    }
}

impl RequestPolicy for App {
    fn exclusions(&self) -> Arc<Vec<RuleExclusion>> {
        self.excluded.load_full()
    }

    fn blocked(&self, address: IpAddr, now: Timestamp) -> Option<Timestamp> {
        self.blocked.load().until(address, now)
    }

    fn consent<'a>(&'a self, who: Asked<'a>, purposes: &'a [String], signal: bool) -> BoxFuture<'a, Result<Option<ConsentMissing>, Refusal>> {
        Box::pin(async move { consent::missing(self, &banner::subject(who), purposes, signal).await.map_err(refusal) })
    }

    fn choices<'a>(&'a self, who: Option<Asked<'a>>, signal: bool) -> BoxFuture<'a, Result<Vec<Choice>, Refusal>> {
        Box::pin(async move { banner::choices(self, who, signal).await.map_err(refusal) })
    }

    fn choose<'a>(&'a self, who: Asked<'a>, chosen: &'a [Chosen], from: IpAddr, now: Timestamp) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move { banner::choose(self, who, chosen, from, now).await.map_err(refusal) })
    }

    fn staleness(&self) -> Duration {
        STALENESS
    }

    fn session<'a>(&'a self, host: &'a str, token: &'a str, now: Timestamp) -> BoxFuture<'a, Result<Option<Arc<Identity>>, Refusal>> {
        Box::pin(async move { self.live_session(host, token, now).await.map(|live| live.map(|l| l.identity)).map_err(refusal) })
    }

    fn access_token<'a>(&'a self, token: &'a str, audience: &'a str, issuers: &'a [String], now: Timestamp) -> BoxFuture<'a, Result<Proof, Refusal>> {
        Box::pin(async move { self.prove(token, audience, issuers, now).await.map_err(refusal) })
    }

    fn begin_sign_in(&self, origin: &str, return_to: &str, wanted: Wanted, now: Timestamp) -> SignInStart {
        handover::begin(self, origin, return_to, wanted, now)
    }

    fn finish_sign_in<'a>(&'a self, answer: SignInAnswer<'a>, now: Timestamp) -> BoxFuture<'a, Result<SignInEnd, Refusal>> {
        let ctx = Ctx { now, ..Ctx::new(self.env(), Principal::Anonymous) };
        Box::pin(async move { handover::finish(self, &ctx, answer).await.map_err(refusal) })
    }

    fn sign_out<'a>(&'a self, host: &'a str, token: &'a str, now: Timestamp) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move {
            let Some(live) = self.live_session(host, token, now).await.map_err(refusal)? else { return Ok(()) };
            let ctx = Ctx { now, ..Ctx::new(self.env(), Principal::Anonymous) };
            let ctx = ctx.as_account(live.identity.account, live.identity.session, live.identity.strength, live.identity.grants.clone());
            session::sign_out(self, &ctx).await.map_err(refusal)
        })
    }

    fn identity_token(&self, caller: &Caller, route: &str, now: Timestamp) -> Result<Arc<str>, Refusal> {
        let make = || self.signer().sign(&self.identity_claims(caller, route, now), now).map(Arc::from).map_err(|_| Refusal::Unavailable);
        // One token serves the requests of a browser's session for a while.
        let (Who::Person(identity), None) = (&caller.who, &caller.token) else { return make() };
        let key = (identity.session, Arc::from(route));
        if let Some((token, made_at)) = self.sessions.tokens.get(&key)
            && now >= made_at
            && now.since(made_at) < TOKEN_REUSE
            && self.sessions.is_unchanged(made_at, &[identity.session.0, identity.account.0])
        {
            return Ok(token);
        }
        let token: Arc<str> = make()?;
        self.sessions.tokens.insert(key, (Arc::clone(&token), now));
        Ok(token)
    }
}

fn refusal(e: Error) -> Refusal {
    match e.kind() {
        tutela_core::ErrorKind::Unavailable | tutela_core::ErrorKind::Internal | tutela_core::ErrorKind::Corrupt => {
            tracing::error!(error = %e, "the request policy cannot answer");
            Refusal::Unavailable
        }
        _ => Refusal::Invalid,
    }
}

/// Follows the change feed: every second, and at once after a change of this process.
pub(crate) async fn follow_changes(app: App, stop: CancellationToken) {
    /// Numbers may become visible late on PostgreSQL; so far back is looked again.
    const LOOK_BACK: u64 = 256;
    let mut last = app.store.change_last().await.unwrap_or(0);
    let mut seen = std::collections::VecDeque::new();
    loop {
        tokio::select! {
            () = app.store.changed() => {}
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
            () = stop.cancelled() => return,
        }
        let Ok(changes) = app.store.change_list(last.saturating_sub(LOOK_BACK), 10_000).await else {
            // What cannot be followed may not be trusted.
            app.forget_all();
            app.ring.forget_all();
            continue;
        };
        let now = app.env.now();
        for change in changes {
            if seen.contains(&change.seq) {
                continue;
            }
            seen.push_back(change.seq);
            if seen.len() > 2 * LOOK_BACK as usize {
                seen.pop_front();
            }
            last = last.max(change.seq);
            if let ("key", Ok(id)) = (change.topic.as_str(), change.key.parse::<Uuid>()) {
                app.ring.forget(tutela_core::KeyId(id)).await;
                continue;
            }
            if change.topic == "consent" {
                app.consents.forget(&change.key);
                continue;
            }
            let taken_up = match change.topic.as_str() {
                "block" => Some(block::load(&app).await),
                "epoch" => Some(app.ring.take_up_newest().await.map(drop).map_err(Error::from)),
                "event_type" => Some(event_type::load(&app).await),
                "purpose" => Some(purpose::load(&app).await),
                "rule" => Some(rule::load(&app).await),
                "exclusion" => Some(exclusion::load(&app).await),
                "signing_key" => Some(signing_key::load(&app).await),
                _ => None,
            };
            if let Some(done) = taken_up {
                if let Err(e) = done {
                    tracing::error!(error = %e, topic = change.topic, "what was changed could not be taken up yet");
                }
                continue;
            }
            match change.key.parse::<Uuid>() {
                Ok(id) => {
                    app.sessions.changed.insert(id, now);
                    // Whatever ends sessions is announced; whoever wants to hear of it does at once.
                    app.logouts_due.notify_one();
                }
                Err(_) => app.forget_all(),
            }
        }
    }
}

impl App {
    /// Marks a login, account or client as changed in this process's caches, before the answer goes out.
    pub(crate) fn forget(&self, id: Uuid) {
        self.sessions.changed.insert(id, self.env.now());
    }

    /// Drops all of this process's caches.
    pub(crate) fn forget_all(&self) {
        self.sessions.drop_all();
        self.access.drop_all();
        self.consents.drop_all();
    }
}
