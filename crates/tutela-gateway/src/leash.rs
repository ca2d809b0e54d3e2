//! What goes on for long (an upload, a stream, a WebSocket) ends when the session or the route behind it does.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::{HeaderMap, Method};
use tokio::time::Instant;
use tutela_core::{
    Timestamp,
    seam::{BoxFuture, Caller, Proof},
};

use crate::{
    Gateway,
    identity::{self, Seen},
    mask,
    routes::Route,
};

/// By what somebody was let in.
#[derive(Debug, Clone)]
pub(crate) enum Credential {
    /// The cookie of a session.
    Session(String),
    /// An access token.
    Token(String),
}

/// What has to stay as it was.
pub(crate) struct Held {
    pub gateway: Gateway,
    pub host: String,
    pub path: String,
    pub route: Arc<Route>,
    pub credential: Option<Credential>,
    /// Whether card numbers are masked for whoever it is.
    pub masks: bool,
    /// When the request came: how fresh the sign-in has to be was judged then.
    pub asked: Timestamp,
}

/// Looks again and again whether it has.
pub(crate) struct Leash {
    held: Arc<Held>,
    every: Duration,
    next: Instant,
    looking: Option<BoxFuture<'static, bool>>,
}

impl Leash {
    pub(crate) fn new(held: Held) -> Self {
        let every = held.gateway.0.policy.staleness().max(Duration::from_millis(500));
        Self { held: Arc::new(held), every, next: Instant::now() + every, looking: None }
    }

    /// When it looks next; while it looks, that tells by itself.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.looking.is_none().then_some(self.next)
    }

    /// Ready once it is over.
    pub(crate) fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let now = Instant::now();
        if self.looking.is_none() {
            if now < self.next {
                return Poll::Pending;
            }
            let held = Arc::clone(&self.held);
            self.looking = Some(Box::pin(async move { held.holds().await }));
        }
        let Some(looking) = &mut self.looking else { return Poll::Pending };
        if std::task::ready!(Pin::new(looking).poll(cx)) {
            self.looking = None;
            self.next = now + self.every;
            return Poll::Pending;
        }
        Poll::Ready(())
    }

    /// Waits until it is over.
    pub(crate) async fn over(mut self) {
        loop {
            tokio::time::sleep_until(self.next).await;
            let held = Arc::clone(&self.held);
            if !held.holds().await {
                return;
            }
            self.next = Instant::now() + self.every;
        }
    }
}

impl Held {
    async fn holds(&self) -> bool {
        let inner = &*self.gateway.0;
        let current = inner.current.load_full();
        let same = current.routes.find(&self.host, &self.path).is_some_and(|route| route.config == self.route.config);
        if !same {
            return false;
        }
        let policy = &*inner.policy;
        let now = inner.env.now();
        let caller = match &self.credential {
            None => return true,
            Some(Credential::Session(token)) => match policy.session(&self.host, token, now).await {
                Ok(Some(identity)) => Caller::session(identity),
                // Where nobody can say whether it still holds: no, then.
                Ok(None) | Err(_) => return false,
            },
            Some(Credential::Token(token)) => match policy.access_token(token, &self.route.name, &self.route.config.issuers, now).await {
                Ok(Proof::Good(caller)) => *caller,
                Ok(Proof::Foreign | Proof::Refused) | Err(_) => return false,
            },
        };
        let seen = Seen { method: &Method::POST, headers: &HeaderMap::new(), origin: "", path_and_query: "/", now: self.asked };
        let sees_no_more = self.masks || !mask::is_for(&self.route.config, Some(&caller));
        sees_no_more && identity::check(self.gateway.door(), &self.route, Some(&caller), &seen).is_ok()
    }
}
