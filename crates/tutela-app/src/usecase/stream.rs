//! Messages of any length: the use is recorded before the first byte is answered.

use tutela_api as api;
use tutela_kms::{Binding, Header, NamedKey, StreamOpener, StreamSealer, Suite};
use tutela_store::Sealed;

use super::{
    crypto::{DEFAULT_KEY, Keys, allowed, caller_context, does_not_open},
    crypto_tally::Tally,
};
use crate::{App, Ctx, Error, ring::KeyError};

/// Begins to seal a stream.
pub async fn encrypt(app: &App, ctx: &Ctx, key: Option<&str>, algorithm: Option<&str>, context: Option<&api::Context>) -> Result<StreamSealer, Error> {
    app.permit(ctx, "crypto:encrypt").await?;
    let context = caller_context(context)?;
    let (named, key) = Keys::default().sealing(app, key.unwrap_or(DEFAULT_KEY)).await?;
    let suite = algorithm.map(Suite::parse).transpose()?.unwrap_or(named.suite);
    named.allow(NamedKey::purpose_of(suite)).map_err(|text| Error::invalid("key", text))?;
    allowed(app, suite)?;
    let sealer = StreamSealer::new(&key, suite, &Binding::Message(&context), &mut { app.env() })?;
    let mut tally = Tally::new("encrypt_stream");
    tally.done(app, key.id, key.version, &context, Sealed { messages: 1, plain: 0, released: 0 });
    tally.record(app, ctx).await?;
    Ok(sealer)
}

/// How many bytes [`decrypt`] needs of a message that begins with `start` (22 bytes or more).
pub fn head_len(start: &[u8]) -> Result<usize, Error> {
    Ok(StreamOpener::head_len(&Header::parse(start)?))
}

/// Begins to open a stream with its head; the commitment is compared here.
pub async fn decrypt(app: &App, ctx: &Ctx, head: &[u8], context: Option<&api::Context>) -> Result<StreamOpener, Error> {
    app.permit(ctx, "crypto:decrypt").await?;
    let context = caller_context(context)?;
    let Header { key: id, version, .. } = Header::parse(head)?;
    let mut tally = Tally::new("decrypt_stream");
    let opened = match Keys::default().opening(app, id, version).await {
        Err(Error::Key(KeyError::Unknown)) => return Err(does_not_open()),
        Err(Error::Key(KeyError::Destroyed)) => Err(tutela_kms::Error::DoesNotOpen("destroyed")),
        found => StreamOpener::new(&*found?, &Binding::Message(&context), head),
    };
    match &opened {
        Ok(_) => tally.done(app, id, version, &context, Sealed::default()),
        Err(e) => tally.failed(id, version, e.detail()),
    }
    tally.record(app, ctx).await?;
    opened.map_err(|e| if matches!(e, tutela_kms::Error::DoesNotOpen(_)) { does_not_open() } else { e.into() })
}
