//! What a call did with which keys, gathered while it runs, and randomness fetched for all of it at once.

use std::collections::BTreeMap;

use tutela_core::{Env, KeyId, Random};
use tutela_kms::CallerContext;
use tutela_store::Sealed;

use crate::{App, Ctx, Error, uses::Use};

/// Contexts of a call that are looked at for its events.
const CONTEXTS: usize = 8;

/// The uses of one call.
pub(super) struct Tally {
    operation: &'static str,
    uses: BTreeMap<(KeyId, u32), Use>,
    /// The context of the item before, and the key it was used with: items of a batch often share theirs.
    last: Option<(KeyId, u32, CallerContext)>,
}

impl Tally {
    pub(super) fn new(operation: &'static str) -> Self {
        Self { operation, uses: BTreeMap::new(), last: None }
    }

    /// Notes one item that was done.
    pub(super) fn done(&mut self, app: &App, key: KeyId, version: u32, context: &CallerContext, sealed: Sealed) {
        let known = self.last.as_ref().is_some_and(|(k, v, c)| (*k, *v) == (key, version) && c == context);
        let used = self.of(key, version);
        used.count += 1;
        used.sealed.messages += sealed.messages;
        used.sealed.plain += sealed.plain;
        used.sealed.released += sealed.released;
        if known || used.contexts.len() >= CONTEXTS {
            return;
        }
        if let Some(tag) = app.uses.context(context)
            && !used.contexts.contains(&tag)
        {
            used.contexts.push(tag);
        }
        self.last = Some((key, version, context.clone()));
    }

    /// Notes one item that failed, with the detail that only the ledger learns.
    pub(super) fn failed(&mut self, key: KeyId, version: u32, why: &'static str) {
        let used = self.of(key, version);
        used.count += 1;
        *used.failed.entry(why).or_default() += 1;
    }

    /// Notes messages that were moved away from a version.
    pub(super) fn released(&mut self, key: KeyId, version: u32) {
        self.of(key, version).sealed.released += 1;
    }

    /// Records everything. Only then may anything be answered.
    pub(super) async fn record(self, app: &App, ctx: &Ctx) -> Result<(), Error> {
        app.uses.record(ctx, self.uses.into_values().collect()).await
    }

    fn of(&mut self, key: KeyId, version: u32) -> &mut Use {
        self.uses.entry((key, version)).or_insert_with(|| Use::new(self.operation, key, version))
    }
}

/// Randomness for many items in one call of the system.
pub(super) struct Pool<'a> {
    env: &'a dyn Env,
    bytes: Vec<u8>,
    at: usize,
}

impl<'a> Pool<'a> {
    /// Room for `items` salts.
    pub(super) fn new(env: &'a dyn Env, items: usize) -> Self {
        let mut bytes = vec![0; 32 * items.clamp(1, 1_024)];
        env.fill(&mut bytes);
        Self { env, bytes, at: 0 }
    }
}

impl Random for Pool<'_> {
    fn fill(&mut self, out: &mut [u8]) {
        if out.len() > self.bytes.len() {
            return self.env.fill(out);
        }
        if self.at + out.len() > self.bytes.len() {
            self.env.fill(&mut self.bytes);
            self.at = 0;
        }
        // What was handed out is never handed out again.
        out.copy_from_slice(&self.bytes[self.at..self.at + out.len()]);
        self.bytes[self.at..self.at + out.len()].fill(0);
        self.at += out.len();
    }
}
