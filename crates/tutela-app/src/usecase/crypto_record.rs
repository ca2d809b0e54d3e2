//! Whole records under a field policy, and looking for values in sealed columns.

use serde_json::Value;
use tutela_api as api;
use tutela_kms::{CallerContext, Mode, NamedKey, Policy, Purpose, Suite, index_token, open_record, record_header, seal_record};
use tutela_store::Sealed;

use super::{
    crypto::{DEFAULT_KEY, Keys, Results, allowed, check_count, does_not_open},
    crypto_tally::{Pool, Tally},
    policy,
};
use crate::{App, Ctx, Error, ring::KeyError};

/// Longest id of a record, in bytes.
const MAX_RECORD_ID: usize = 512;

/// Seals the sensitive fields of each record.
pub async fn seal(app: &App, ctx: &Ctx, items: Vec<api::RecordItem>) -> Result<Results<api::RecordAnswer>, Error> {
    app.permit(ctx, "crypto:encrypt").await?;
    check_count(items.len())?;
    let (mut keys, mut tally, mut rng) = (Keys::default(), Tally::new("encrypt_record"), Pool::new(app.env(), items.len()));
    let mut out = Vec::with_capacity(items.len());
    for item in items {
        out.push(seal_one(app, item, &mut keys, &mut tally, &mut rng).await);
    }
    tally.record(app, ctx).await?;
    Ok(out)
}

async fn seal_one(app: &App, item: api::RecordItem, keys: &mut Keys, tally: &mut Tally, rng: &mut Pool<'_>) -> Result<api::RecordAnswer, Error> {
    let (name, policy) = policy::resolve(app, &item.policy).await?;
    check_id(&item.record_id)?;
    let (named, key) = keys.sealing(app, name.as_deref().unwrap_or(DEFAULT_KEY)).await?;
    may(&named, &policy)?;
    let suite = if named.suite == Suite::ChaCha20Poly1305 { named.suite } else { Suite::Aes256Gcm };
    allowed(app, suite)?;
    let record = seal_record(&key, suite, &policy, &item.record_id, item.record, &canonical, rng)?;
    tally.done(app, key.id, key.version, &CallerContext::None, Sealed { messages: 1, plain: 0, released: 0 });
    Ok(api::RecordAnswer { record })
}

/// Opens the sealed fields of each record. What was moved or mixed is refused.
pub async fn open(app: &App, ctx: &Ctx, items: Vec<api::RecordItem>) -> Result<Results<api::RecordAnswer>, Error> {
    app.permit(ctx, "crypto:decrypt").await?;
    check_count(items.len())?;
    let (mut keys, mut tally) = (Keys::default(), Tally::new("decrypt_record"));
    let mut out = Vec::with_capacity(items.len());
    for item in items {
        out.push(open_one(app, item, &mut keys, &mut tally).await);
    }
    tally.record(app, ctx).await?;
    Ok(out)
}

async fn open_one(app: &App, item: api::RecordItem, keys: &mut Keys, tally: &mut Tally) -> Result<api::RecordAnswer, Error> {
    let (_, policy) = policy::resolve(app, &item.policy).await?;
    check_id(&item.record_id)?;
    let header = record_header(&item.record)?;
    let key = keys.opening_counted(app, header.key, header.version, tally).await?;
    match open_record(&key, &policy, &item.record_id, item.record) {
        Ok(record) => {
            tally.done(app, key.id, key.version, &CallerContext::None, Sealed::default());
            Ok(api::RecordAnswer { record })
        }
        Err(e) => {
            tally.failed(key.id, key.version, e.detail());
            Err(if matches!(e, tutela_kms::Error::DoesNotOpen(_)) { does_not_open() } else { e.into() })
        }
    }
}

/// What stored columns must equal to hold each value: one token for every version that can still open.
pub async fn index(app: &App, ctx: &Ctx, items: Vec<api::IndexItem>) -> Result<Results<api::IndexAnswer>, Error> {
    app.permit(ctx, "crypto:encrypt").await?;
    check_count(items.len())?;
    let (mut keys, mut tally, mut rng) = (Keys::default(), Tally::new("index"), Pool::new(app.env(), items.len()));
    let mut out = Vec::with_capacity(items.len());
    for item in items {
        out.push(index_one(app, &item, &mut keys, &mut tally, &mut rng).await);
    }
    tally.record(app, ctx).await?;
    Ok(out)
}

async fn index_one(app: &App, item: &api::IndexItem, keys: &mut Keys, tally: &mut Tally, rng: &mut Pool<'_>) -> Result<api::IndexAnswer, Error> {
    let (name, policy) = policy::resolve(app, &item.policy).await?;
    let rule = policy.rule(&item.path).ok_or_else(|| Error::invalid("path", format!("the policy does not name the field `{}`", item.path)))?;
    let (named, key) = keys.sealing(app, name.as_deref().unwrap_or(DEFAULT_KEY)).await?;
    may(&named, &policy)?;
    let mut tokens = Vec::new();
    for version in (named.min_decryption_version..=named.version).rev() {
        match keys.opening(app, key.id, version).await {
            Ok(key) => tokens.push(index_token(&key, rule, &item.value, &canonical, rng)?),
            Err(Error::Key(KeyError::Destroyed | KeyError::Unknown)) => {}
            Err(e) => return Err(e),
        }
    }
    tally.done(app, key.id, key.version, &CallerContext::None, Sealed::default());
    Ok(api::IndexAnswer { tokens })
}

/// Refuses a policy whose modes the key is not made for.
fn may(named: &NamedKey, policy: &Policy) -> Result<(), Error> {
    let needed = policy.rules().iter().map(|rule| match rule.mode {
        Mode::Random => Purpose::Encrypt,
        Mode::Deterministic => Purpose::Deterministic,
        Mode::Equality => Purpose::Index,
    });
    std::iter::once(Purpose::Encrypt).chain(needed).try_for_each(|purpose| named.allow(purpose)).map_err(|text| Error::invalid("policy.key", text))
}

fn check_id(id: &str) -> Result<(), Error> {
    if id.is_empty() || id.len() > MAX_RECORD_ID { Err(Error::invalid("record_id", "a record's id has 1 to 512 bytes")) } else { Ok(()) }
}

fn canonical(value: &Value) -> Result<Vec<u8>, tutela_kms::Error> {
    tutela_ledger::canonical(value).map_err(|e| tutela_kms::Error::Field { path: "record".into(), text: e.to_string() })
}
