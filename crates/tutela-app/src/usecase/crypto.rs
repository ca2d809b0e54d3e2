//! Sealing and opening messages for applications, one or up to 10,000 at a time.
//!
//! A call resolves its keys, seals or opens, records what it did, and only then answers. Whatever does
//! not open is one error to the caller; why stands in the event.

use std::{collections::BTreeMap, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use tutela_api as api;
use tutela_core::{KeyId, Subject};
use tutela_kms::{Binding, CallerContext, DataKey, Header, KeyState, Message, NamedKey, Parts, Purpose, Suite, first_nonce};
use tutela_store::Sealed;

use super::crypto_tally::{Pool, Tally};
use crate::{App, Ctx, Error, ring::KeyError, usecase::account::check_external};

/// Most items of one call.
pub const MAX_ITEMS: usize = 10_000;
/// The key where the caller names none.
pub const DEFAULT_KEY: &str = "default";

/// What each item became.
pub type Results<T> = Vec<Result<T, Error>>;

/// Seals each item.
pub async fn encrypt(app: &App, ctx: &Ctx, items: Vec<api::EncryptItem>) -> Result<Results<api::Encrypted>, Error> {
    app.permit(ctx, "crypto:encrypt").await?;
    check_count(items.len())?;
    let mut keys = Keys::default();
    let mut tally = Tally::new("encrypt");
    let mut rng = Pool::new(app.env(), items.len());
    let mut out = Vec::with_capacity(items.len());
    for item in items {
        out.push(encrypt_one(app, ctx, item, &mut keys, &mut tally, &mut rng).await);
    }
    tally.record(app, ctx).await?;
    Ok(out)
}

async fn encrypt_one(app: &App, ctx: &Ctx, item: api::EncryptItem, keys: &mut Keys, tally: &mut Tally, rng: &mut Pool<'_>) -> Result<api::Encrypted, Error> {
    let context = caller_context(item.context.as_ref())?;
    let suite = item.algorithm.as_deref().map(Suite::parse).transpose()?;
    let plaintext = plaintext_of(&item)?;
    let (key, suite) = match (&item.key, &item.subject) {
        (Some(_), Some(_)) => return Err(Error::invalid("subject", "a message is sealed under a key or for a data subject, not both")),
        (_, Some(subject)) => {
            let suite = suite.unwrap_or(Suite::Aes256Gcm);
            if suite.is_plain() || suite.is_deterministic() {
                return Err(Error::invalid("algorithm", "the keys of data subjects seal with `aes-256-gcm` or `chacha20-poly1305` only"));
            }
            let subject = subject_of(subject)?;
            (keys.subject(app, ctx, subject).await?, suite)
        }
        (name, None) => {
            let (named, key) = keys.sealing(app, name.as_deref().unwrap_or(DEFAULT_KEY)).await?;
            let suite = suite.unwrap_or(named.suite);
            named.allow(NamedKey::purpose_of(suite)).map_err(|text| Error::invalid("key", text))?;
            (key, suite)
        }
    };
    allowed(app, suite)?;
    let binding = Binding::Message(&context);
    let message = tutela_kms::seal(&key, suite, &binding, &plaintext, rng)?;
    tally.done(app, key.id, key.version, &context, Sealed { messages: 1, plain: u64::from(suite.is_plain()), released: 0 });
    let message = shown(&key, &binding, &message, item.form.unwrap_or(api::Form::Text), item.context)?;
    Ok(api::Encrypted { message, key_id: key.id.to_string(), key_version: key.version })
}

/// Opens each message.
pub async fn decrypt(app: &App, ctx: &Ctx, items: Vec<api::DecryptItem>) -> Result<Results<api::Decrypted>, Error> {
    app.permit(ctx, "crypto:decrypt").await?;
    check_count(items.len())?;
    let mut keys = Keys::default();
    let mut tally = Tally::new("decrypt");
    let mut out = Vec::with_capacity(items.len());
    for item in items {
        out.push(decrypt_one(app, &item, &mut keys, &mut tally).await);
    }
    tally.record(app, ctx).await?;
    Ok(out)
}

async fn decrypt_one(app: &App, item: &api::DecryptItem, keys: &mut Keys, tally: &mut Tally) -> Result<api::Decrypted, Error> {
    let context = caller_context(item.context.as_ref())?;
    let (key, clear) = open_one(app, &item.message, &context, keys, tally).await?;
    let mut out = api::Decrypted { key_id: key.id.to_string(), key_version: key.version, ..api::Decrypted::default() };
    match item.as_.unwrap_or(api::As::Base64) {
        api::As::Base64 => out.plaintext = Some(BASE64.encode(&clear)),
        api::As::Text => out.text = Some(String::from_utf8(clear).map_err(|_| Error::invalid("as", "the plaintext is not UTF-8; ask for `base64`"))?),
        api::As::Value => out.value = Some(serde_json::from_slice(&clear).map_err(|_| Error::invalid("as", "the plaintext is not JSON; ask for `base64`"))?),
    }
    Ok(out)
}

/// Opens each message and seals it again under the newest version of its key, or another key, bound to the same context.
pub async fn rewrap(app: &App, ctx: &Ctx, items: Vec<api::RewrapItem>) -> Result<Results<api::Rewrapped>, Error> {
    app.permit(ctx, "crypto:rewrap").await?;
    check_count(items.len())?;
    let mut keys = Keys::default();
    let mut tally = Tally::new("rewrap");
    let mut rng = Pool::new(app.env(), items.len());
    let mut out = Vec::with_capacity(items.len());
    for item in items {
        out.push(rewrap_one(app, item, &mut keys, &mut tally, &mut rng).await);
    }
    tally.record(app, ctx).await?;
    Ok(out)
}

async fn rewrap_one(app: &App, item: api::RewrapItem, keys: &mut Keys, tally: &mut Tally, rng: &mut Pool<'_>) -> Result<api::Rewrapped, Error> {
    let context = caller_context(item.context.as_ref())?;
    let (old, clear) = open_one(app, &item.message, &context, keys, tally).await?;
    let clear = tutela_core::Secret::new(clear);
    let message = message_of(&item.message)?;
    let named = match &item.to_key {
        Some(name) => Some(keys.sealing(app, name).await?),
        None => match app.ring.named(&old.id.to_string()).await {
            Ok(named) => Some(keys.sealing(app, &named.name).await?),
            // The key of a data subject has one version.
            Err(KeyError::Unknown) => None,
            Err(e) => return Err(e.into()),
        },
    };
    let binding = Binding::Message(&context);
    let form = item.form.unwrap_or(api::Form::Text);
    let (key, message, changed) = match named {
        Some((named, key)) if (key.id, key.version) != (old.id, old.version) => {
            let suite = message.header().suite;
            named.allow(NamedKey::purpose_of(suite)).map_err(|text| Error::invalid("to_key", text))?;
            allowed(app, suite)?;
            let sealed = tutela_kms::seal(&key, suite, &binding, clear.open(), rng)?;
            tally.done(app, key.id, key.version, &context, Sealed { messages: 1, plain: u64::from(suite.is_plain()), released: 0 });
            tally.released(old.id, old.version);
            (key, sealed, true)
        }
        _ => (old, message, false),
    };
    let shown = shown(&key, &binding, &message, form, item.context)?;
    Ok(api::Rewrapped { message: shown, changed, key_id: key.id.to_string(), key_version: key.version })
}

/// A new data key, sealed under a named key.
pub async fn data_key(app: &App, ctx: &Ctx, new: api::NewDataKey) -> Result<api::DataKey, Error> {
    app.permit(ctx, "crypto:encrypt").await?;
    let context = caller_context(new.context.as_ref())?;
    let (named, key) = Keys::default().sealing(app, new.key.as_deref().unwrap_or(DEFAULT_KEY)).await?;
    named.allow(Purpose::DataKey).map_err(|text| Error::invalid("key", text))?;
    allowed(app, Suite::Aes256Gcm)?;
    let mut rng = Pool::new(app.env(), 2);
    let clear: tutela_core::Secret<[u8; 32]> = tutela_core::Secret::new(tutela_core::random_bytes(&mut rng));
    let message = tutela_kms::seal(&key, Suite::Aes256Gcm, &Binding::Message(&context), clear.open(), &mut rng)?;
    let mut tally = Tally::new("data_key");
    tally.done(app, key.id, key.version, &context, Sealed { messages: 1, plain: 0, released: 0 });
    tally.record(app, ctx).await?;
    let plaintext = new.with_plaintext.then(|| BASE64.encode(clear.open()));
    Ok(api::DataKey { wrapped: message.to_text(), plaintext, key_id: key.id.to_string(), key_version: key.version })
}

async fn open_one(app: &App, message: &api::Message, context: &CallerContext, keys: &mut Keys, tally: &mut Tally) -> Result<(Arc<DataKey>, Vec<u8>), Error> {
    let parsed = message_of(message)?;
    let Header { key: id, version, .. } = parsed.header();
    let key = keys.opening_counted(app, id, version, tally).await?;
    let opened = same_parts(message, &key, context, &parsed).and_then(|()| tutela_kms::open(&key, &Binding::Message(context), &parsed));
    match opened {
        Ok(clear) => {
            tally.done(app, id, version, context, Sealed::default());
            Ok((key, clear))
        }
        Err(e) => {
            tally.failed(id, version, e.detail());
            Err(does_not_open())
        }
    }
}

/// The one public error for whatever does not open.
pub(super) fn does_not_open() -> Error {
    Error::Kms(tutela_kms::Error::DoesNotOpen(""))
}

/// The nonce and the context of a JSON form say nothing new; where they say something else, the message was changed.
fn same_parts(message: &api::Message, key: &DataKey, context: &CallerContext, parsed: &Message) -> Result<(), tutela_kms::Error> {
    let api::Message::Parts(parts) = message else { return Ok(()) };
    let nonce = first_nonce(key, &Binding::Message(context), parsed)?;
    if BASE64.decode(&parts.nonce).ok().as_deref() != Some(&nonce[..]) {
        return Err(tutela_kms::Error::DoesNotOpen("nonce"));
    }
    match &parts.context {
        Some(stated) if caller_context(Some(stated)).ok().as_ref() != Some(context) => Err(tutela_kms::Error::DoesNotOpen("context")),
        _ => Ok(()),
    }
}

// === Keys of one call ===

/// Keys that a call has resolved already.
#[derive(Default)]
pub(super) struct Keys {
    named: BTreeMap<String, (Arc<NamedKey>, Arc<DataKey>)>,
    held: BTreeMap<(KeyId, u32), Arc<DataKey>>,
    subjects: BTreeMap<Subject, Arc<DataKey>>,
}

impl Keys {
    /// A named key and its newest version.
    pub(super) async fn sealing(&mut self, app: &App, name: &str) -> Result<(Arc<NamedKey>, Arc<DataKey>), Error> {
        if let Some((named, key)) = self.named.get(name) {
            return Ok((Arc::clone(named), Arc::clone(key)));
        }
        let named = app.ring.named(name).await.map_err(|e| match e {
            KeyError::Unknown => {
                Error::invalid("key", format!("there is no key `{}`; make it with `tutela key create`", name.chars().take(64).collect::<String>()))
            }
            other => other.into(),
        })?;
        let key = app.ring.data_key(named.id, named.version).await?;
        self.named.insert(name.to_owned(), (Arc::clone(&named), Arc::clone(&key)));
        Ok((named, key))
    }

    /// The key a message names, where it may still open.
    pub(super) async fn opening(&mut self, app: &App, id: KeyId, version: u32) -> Result<Arc<DataKey>, Error> {
        if let Some(key) = self.held.get(&(id, version)) {
            return Ok(Arc::clone(key));
        }
        match app.ring.named(&id.to_string()).await {
            Ok(named) if named.state != KeyState::Active || version < named.min_decryption_version => return Err(KeyError::Destroyed.into()),
            Ok(_) | Err(KeyError::Unknown) => {}
            Err(e) => return Err(e.into()),
        }
        let key = app.ring.data_key(id, version).await?;
        self.held.insert((id, version), Arc::clone(&key));
        Ok(key)
    }

    /// As [`Keys::opening`]; a key that is not there or was destroyed is the one public error, and the latter counts.
    pub(super) async fn opening_counted(&mut self, app: &App, id: KeyId, version: u32, tally: &mut Tally) -> Result<Arc<DataKey>, Error> {
        match self.opening(app, id, version).await {
            Err(Error::Key(KeyError::Unknown)) => Err(does_not_open()),
            Err(Error::Key(KeyError::Destroyed)) => {
                tally.failed(id, version, "destroyed");
                Err(does_not_open())
            }
            found => found,
        }
    }

    async fn subject(&mut self, app: &App, ctx: &Ctx, subject: Subject) -> Result<Arc<DataKey>, Error> {
        if let Some(key) = self.subjects.get(&subject) {
            return Ok(Arc::clone(key));
        }
        let found = app.ring.subject_keys(&[&subject], ctx.now).await?;
        let key = found.get(&subject).cloned().ok_or(KeyError::Unknown)?;
        self.subjects.insert(subject, Arc::clone(&key));
        Ok(key)
    }
}

/// Refuses a suite that the configuration does not list.
pub(super) fn allowed(app: &App, suite: Suite) -> Result<(), Error> {
    if app.ring.settings.allows(suite) {
        return Ok(());
    }
    let known = app.ring.settings.algorithms.join("`, `");
    Err(Error::invalid("algorithm", format!("`{}` is not allowed here; `kms.algorithms` lists `{known}`", suite.name())))
}

// === From the wire and back ===

/// A caller's context.
pub fn caller_context(context: Option<&api::Context>) -> Result<CallerContext, Error> {
    Ok(match context {
        None => CallerContext::None,
        Some(api::Context::Text(text)) => CallerContext::text(text.clone())?,
        Some(api::Context::Pairs(api::Pairs(pairs))) => CallerContext::pairs(pairs.clone())?,
    })
}

/// A data subject as the API names one.
pub(super) fn subject_of(subject: &api::SubjectRef) -> Result<Subject, Error> {
    match subject {
        api::SubjectRef::Account(id) => {
            let bad = |_| Error::invalid("subject", "an account id is a UUID; name an application's own user as {\"namespace\": …, \"value\": …}");
            id.parse().map(Subject::Account).map_err(bad)
        }
        api::SubjectRef::External(external) => {
            check_external(external)?;
            Ok(Subject::External { namespace: external.namespace.clone(), value: external.value.clone() })
        }
    }
}

fn plaintext_of(item: &api::EncryptItem) -> Result<Vec<u8>, Error> {
    match (&item.plaintext, &item.text, &item.value) {
        (Some(base64), None, None) => BASE64.decode(base64).map_err(|_| Error::invalid("plaintext", "`plaintext` is not standard base64 with padding")),
        (None, Some(text), None) => Ok(text.clone().into_bytes()),
        (None, None, Some(value)) => Ok(value.to_string().into_bytes()),
        (None, None, None) => Err(Error::invalid("plaintext", "one of `plaintext` (base64), `text` and `value` (JSON) is needed")),
        _ => Err(Error::invalid("plaintext", "only one of `plaintext`, `text` and `value` can be given")),
    }
}

fn message_of(message: &api::Message) -> Result<Message, Error> {
    match message {
        api::Message::Text(text) => Ok(Message::from_text(text)?),
        api::Message::Parts(parts) => {
            let bytes = |field: &'static str, text: &str| {
                BASE64.decode(text).map_err(|_| Error::invalid(format!("message.{field}"), format!("`{field}` is not standard base64 with padding")))
            };
            let optional = |field, text: &Option<String>| text.as_deref().map(|t| bytes(field, t)).transpose();
            let key = parts.key_id.parse::<KeyId>().map_err(|text| Error::invalid("message.key_id", text))?;
            let suite = Suite::parse(&parts.alg).map_err(|e| Error::invalid("message.alg", e.to_string()))?;
            let (ciphertext, tag, nonce) = (bytes("ciphertext", &parts.ciphertext)?, bytes("tag", &parts.tag)?, bytes("nonce", &parts.nonce)?);
            let (salt, commitment) = (optional("salt", &parts.salt)?, optional("commitment", &parts.commitment)?);
            let header = Header { suite, key, version: parts.key_version };
            let parts = Parts { ciphertext: &ciphertext, nonce: Some(&nonce), tag: &tag, salt: salt.as_deref(), commitment: commitment.as_deref() };
            Ok(Message::from_parts(header, &parts)?)
        }
    }
}

fn shown(key: &DataKey, binding: &Binding<'_>, message: &Message, form: api::Form, context: Option<api::Context>) -> Result<api::Message, Error> {
    Ok(match form {
        api::Form::Text => api::Message::Text(message.to_text()),
        api::Form::Binary => api::Message::Text(BASE64.encode(message.as_bytes())),
        api::Form::Json => {
            let (parts, header) = (message.parts(), message.header());
            api::Message::Parts(Box::new(api::MessageParts {
                ciphertext: BASE64.encode(parts.ciphertext),
                nonce: BASE64.encode(first_nonce(key, binding, message)?),
                tag: BASE64.encode(parts.tag),
                context,
                key_id: header.key.to_string(),
                key_version: header.version,
                alg: header.suite.name().to_owned(),
                salt: parts.salt.map(|s| BASE64.encode(s)),
                commitment: parts.commitment.map(|c| BASE64.encode(c)),
            }))
        }
    })
}

pub(super) fn check_count(count: usize) -> Result<(), Error> {
    if count > MAX_ITEMS { Err(Error::invalid("", format!("a batch has at most {MAX_ITEMS} items, this one has {count}"))) } else { Ok(()) }
}
