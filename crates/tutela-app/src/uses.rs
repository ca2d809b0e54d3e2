//! Every use of a key is an event, durable before the caller gets an answer.
//!
//! Uses that come while a commit is under way wait for the next one together. Those of the same
//! caller, key, version and operation become one event with their number; so under load a commit
//! holds few events, and alone a use is an event of its own. What was sealed is counted in the same
//! commit, against the budget of the plain suites.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use tokio::sync::{mpsc, oneshot};
use tutela_core::KeyId;
use tutela_kms::{BUDGET, CallerContext, event::KeyUsed, subject_tag};
use tutela_store::{Changeset, Sealed};

use crate::{App, Ctx, Error};

/// Uses that may wait for a commit.
const QUEUE: usize = 16_384;
/// Uses of one commit.
const BATCH: usize = 4_096;
/// Contexts that one event names.
const MAX_CONTEXTS: usize = 8;

/// What was done with one key.
#[derive(Debug, Clone)]
pub(crate) struct Use {
    pub operation: &'static str,
    pub key: KeyId,
    pub version: u32,
    /// How many items.
    pub count: u64,
    pub sealed: Sealed,
    /// What failed, by reason.
    pub failed: BTreeMap<&'static str, u64>,
    /// Keyed hashes of the first few contexts.
    pub contexts: Vec<String>,
}

/// A use that waits for its commit.
pub(crate) struct Waiting {
    ctx: Ctx,
    uses: Vec<Use>,
    reply: oneshot::Sender<Result<(), Error>>,
}

/// Where uses are handed over.
pub(crate) struct Uses {
    queue: Mutex<Option<mpsc::Sender<Waiting>>>,
    context_tag: [u8; 32],
}

pub(crate) fn channel(context_tag: [u8; 32]) -> (Uses, mpsc::Receiver<Waiting>) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    (Uses { queue: Mutex::new(Some(sender)), context_tag }, receiver)
}

impl Uses {
    /// Records uses. They are durable when this returns.
    pub(crate) async fn record(&self, ctx: &Ctx, uses: Vec<Use>) -> Result<(), Error> {
        if uses.is_empty() {
            return Ok(());
        }
        let sender = self.queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        let closed = || Error::Store(tutela_store::Error::Unavailable("the server is stopping".into()));
        let (reply, answer) = oneshot::channel();
        sender.ok_or_else(closed)?.send(Waiting { ctx: ctx.clone(), uses, reply }).await.map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    /// What stands for a context in an event; nothing for the empty one.
    pub(crate) fn context(&self, context: &CallerContext) -> Option<String> {
        if *context == CallerContext::None {
            return None;
        }
        let bytes = context.to_bytes();
        let text = String::from_utf8_lossy(&bytes);
        Some(subject_tag(&self.context_tag, &["context", &text])[..8].iter().map(|b| format!("{b:02x}")).collect())
    }

    pub(crate) fn close(&self) {
        self.queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
    }
}

impl Use {
    /// A use of nothing yet.
    pub(crate) fn new(operation: &'static str, key: KeyId, version: u32) -> Self {
        Self { operation, key, version, count: 0, sealed: Sealed::default(), failed: BTreeMap::new(), contexts: Vec::new() }
    }

    fn join(&mut self, other: &Self) {
        self.count += other.count;
        self.sealed.messages += other.sealed.messages;
        self.sealed.plain += other.sealed.plain;
        self.sealed.released += other.sealed.released;
        other.failed.iter().for_each(|(why, n)| *self.failed.entry(why).or_default() += n);
        for context in &other.contexts {
            if self.contexts.len() < MAX_CONTEXTS && !self.contexts.contains(context) {
                self.contexts.push(context.clone());
            }
        }
    }
}

/// Takes what is waiting, makes one changeset of it, and answers.
pub(crate) async fn run(app: App, mut queue: mpsc::Receiver<Waiting>) {
    let mut batch = Vec::with_capacity(256);
    while queue.recv_many(&mut batch, BATCH).await > 0 {
        let done = commit(&app, &batch.iter().collect::<Vec<_>>()).await;
        // A budget that is used up concerns one key only: the others are committed by themselves.
        let alone = matches!(&done, Err(Error::Store(tutela_store::Error::Conflict(_)))) && batch.len() > 1;
        let done = Arc::new(done);
        for waiting in batch.drain(..) {
            let answer = if alone { commit(&app, &[&waiting]).await } else { answer_of(&done) };
            // Whoever has gone does not need to know.
            let _ = waiting.reply.send(answer);
        }
    }
}

async fn commit(app: &App, batch: &[&Waiting]) -> Result<(), Error> {
    let mut groups: BTreeMap<_, (Ctx, Use)> = BTreeMap::new();
    let mut counts: BTreeMap<(KeyId, u32), Sealed> = BTreeMap::new();
    for waiting in batch {
        for used in &waiting.uses {
            let count = counts.entry((used.key, used.version)).or_default();
            count.messages += used.sealed.messages;
            count.plain += used.sealed.plain;
            count.released += used.sealed.released;
            let caller = (caller(&waiting.ctx), used.operation, used.key, used.version);
            groups.entry(caller).and_modify(|(_, group)| group.join(used)).or_insert_with(|| (waiting.ctx.clone(), used.clone()));
        }
    }
    let mut records = Vec::with_capacity(groups.len());
    for (ctx, used) in groups.into_values() {
        let event = KeyUsed::new(used.key, used.version, used.operation, used.count, used.failed.into_iter().collect(), used.contexts);
        records.push(app.record(&ctx, event).await?);
    }
    let Some(mut changeset) = Changeset::of_all(records) else { return Ok(()) };
    for ((key, version), sealed) in counts {
        if sealed != Sealed::default() {
            changeset = changeset.key_version_count(key, version, sealed, BUDGET);
        }
    }
    Ok(app.store.commit(changeset).await?)
}

/// Who asked, from where: uses of different callers never share an event.
fn caller(ctx: &Ctx) -> String {
    let who = tutela_core::Actor::from(&ctx.principal);
    format!("{who:?} {:?} {:?}", ctx.principal.session(), ctx.ip.as_ref().map(|ip| *ip.open()))
}

fn answer_of(done: &Result<(), Error>) -> Result<(), Error> {
    match done {
        Ok(()) => Ok(()),
        Err(Error::Store(e)) => Err(Error::Store(e.clone())),
        Err(Error::Key(e)) => Err(Error::Key(e.clone())),
        Err(e) => {
            tracing::error!(error = %e, "uses of keys could not be recorded; nothing of them was answered");
            Err(Error::Internal("the use of a key could not be recorded"))
        }
    }
}
