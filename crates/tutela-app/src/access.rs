//! What everybody may do, in memory: roles and groups as one snapshot, and what single accounts hold.
//!
//! At most [`STALENESS`](crate::request_policy) old; the change feed drops what was changed, at once on this node
//! and within a second on others.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use moka::sync::Cache;
use tutela_core::{AccountId, Timestamp};
use tutela_identity::{
    AccountState,
    access::{Access, Decision, Holder},
};

use crate::{App, Error};

/// Accounts whose roles and grants are kept in memory.
const CACHED_HOLDERS: u64 = 100_000;

/// The caches behind permission decisions.
pub(crate) struct AccessCache {
    shared: ArcSwapOption<(Access, Timestamp)>,
    holders: Cache<AccountId, (Arc<Holder>, Timestamp)>,
}

impl AccessCache {
    pub(crate) fn new() -> Self {
        let holders = Cache::builder().max_capacity(CACHED_HOLDERS).time_to_live(std::time::Duration::from_secs(30)).build();
        Self { shared: ArcSwapOption::empty(), holders }
    }

    pub(crate) fn drop_all(&self) {
        self.shared.store(None);
        self.holders.invalidate_all();
    }
}

impl App {
    /// Roles and groups.
    pub(crate) async fn access(&self, now: Timestamp) -> Result<Arc<(Access, Timestamp)>, Error> {
        if let Some(shared) = self.access.shared.load_full()
            && self.sessions.is_fresh(shared.1, now, &[])
        {
            return Ok(shared);
        }
        let read_at = self.env.now();
        let access = Access::new(self.store.role_list().await?, self.store.group_list().await?);
        let shared = Arc::new((access, read_at));
        self.access.shared.store(Some(Arc::clone(&shared)));
        Ok(shared)
    }

    /// What an account holds; nothing where it is not there.
    pub(crate) async fn holder(&self, id: AccountId, now: Timestamp) -> Result<Arc<Holder>, Error> {
        if let Some((holder, read_at)) = self.access.holders.get(&id)
            && self.sessions.is_fresh(read_at, now, &[id.0])
        {
            return Ok(holder);
        }
        let read_at = self.env.now();
        let active = self.store.account_get(id).await?.is_some_and(|account| account.state == AccountState::Active);
        let holder = Arc::new(Holder {
            active,
            roles: self.store.account_role_list(id).await?,
            groups: self.store.group_list_by_account(id).await?,
            grants: self.store.grant_list_by_account(id, now).await?,
        });
        self.access.holders.insert(id, (Arc::clone(&holder), read_at));
        Ok(holder)
    }

    /// Decides whether an account may do `wanted` on `resource`.
    pub async fn decide(&self, id: AccountId, wanted: &str, resource: Option<&str>, now: Timestamp) -> Result<Decision, Error> {
        let (access, holder) = (self.access(now).await?, self.holder(id, now).await?);
        Ok(access.0.decide(&holder, wanted, resource, now))
    }
}
