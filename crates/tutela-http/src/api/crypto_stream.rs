//! Streams: a message of any length, sealed or opened as it passes through.
//!
//! The context stands in the header `Tutela-Context` (percent-encoded UTF-8), since an address is
//! written into logs. Sealing and opening begin to answer before the request has ended, so a client
//! must read while it writes. Bytes of a chunk are answered once its tag was checked; a message that
//! is broken or cut off breaks the answer off, which a client must take for a failure.

use axum::{
    body::{Body, Bytes},
    extract::{Query, State},
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use futures_util::{
    Stream, StreamExt as _,
    stream::{self, BoxStream},
};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use tutela_api::{Context, Problem};
use tutela_app::{Error, stream as sealing};

use crate::{
    caller::Caller,
    problem::{Answer, Failure},
    web::Web,
};

/// Bytes of a message that say which head it has.
const START: usize = 22;

/// What a stream is sealed with.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sealing {
    /// Name or id of the key; `default` where absent.
    pub key: Option<String>,
    /// `aes-256-gcm` or `chacha20-poly1305`.
    pub algorithm: Option<String>,
}

type Piece = Result<Bytes, std::io::Error>;

#[utoipa::path(post, path = "/v1/crypto/streams/encrypt", params(Sealing, ("Tutela-Context" = Option<String>, Header)),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, content_type = "application/octet-stream", description = "the message in its binary form"), (status = "default", body = Problem)))]
pub(crate) async fn encrypt(State(web): State<Web>, caller: Caller, Query(query): Query<Sealing>, headers: HeaderMap, body: Body) -> Answer<Response> {
    let context = context(&headers)?;
    let sealer = sealing::encrypt(&web.app, &caller.ctx, query.key.as_deref(), query.algorithm.as_deref(), context.as_ref()).await?;
    let pieces = body.into_data_stream().boxed();
    let out = stream::unfold((Some(sealer), pieces), |(sealer, mut pieces)| async move {
        let mut sealer = sealer?;
        let piece = match pieces.next().await {
            Some(Ok(bytes)) => sealer.push(&bytes).map(|out| (Some(sealer), out)),
            None => sealer.finish().map(|out| (None, out)),
            // Without an end the message must not look whole.
            Some(Err(_)) => return Some((Err(broken()), (None, pieces))),
        };
        Some(match piece {
            Ok((sealer, out)) => (Ok(Bytes::from(out)), (sealer, pieces)),
            Err(_) => (Err(broken()), (None, pieces)),
        })
    });
    Ok(octets(out))
}

#[utoipa::path(post, path = "/v1/crypto/streams/decrypt", params(("Tutela-Context" = Option<String>, Header)),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, content_type = "application/octet-stream", description = "the plaintext; broken off where the message is"), (status = "default", body = Problem)))]
pub(crate) async fn decrypt(State(web): State<Web>, caller: Caller, headers: HeaderMap, body: Body) -> Answer<Response> {
    let context = context(&headers)?;
    let mut pieces = body.into_data_stream().boxed();
    let mut start = Vec::new();
    fill(&mut pieces, &mut start, START).await;
    let head_len = sealing::head_len(&start)?;
    fill(&mut pieces, &mut start, head_len).await;
    let rest = start.split_off(head_len.min(start.len()));
    let opener = sealing::decrypt(&web.app, &caller.ctx, &start, context.as_ref()).await?;
    let pieces = stream::once(async { Ok(Bytes::from(rest)) }).chain(pieces).boxed();
    let out = stream::unfold((Some(opener), pieces), |(opener, mut pieces)| async move {
        let mut opener = opener?;
        let piece = match pieces.next().await {
            Some(Ok(bytes)) => opener.push(&bytes).map(|out| (Some(opener), out)),
            None => opener.finish().map(|out| (None, out)),
            Some(Err(_)) => return Some((Err(broken()), (None, pieces))),
        };
        Some(match piece {
            Ok((opener, out)) => (Ok(Bytes::from(out)), (opener, pieces)),
            Err(_) => (Err(broken()), (None, pieces)),
        })
    });
    Ok(octets(out))
}

/// Reads until `buffer` holds `len` bytes or the body ends.
async fn fill(pieces: &mut BoxStream<'static, Result<Bytes, axum::Error>>, buffer: &mut Vec<u8>, len: usize) {
    while buffer.len() < len
        && let Some(Ok(bytes)) = pieces.next().await
    {
        buffer.extend_from_slice(&bytes);
    }
}

fn octets(out: impl Stream<Item = Piece> + Send + 'static) -> Response {
    // Pieces without bytes would end a chunked answer too early.
    let out = out.filter(|piece| std::future::ready(piece.as_ref().map_or(true, |bytes| !bytes.is_empty())));
    ([(header::CONTENT_TYPE, "application/octet-stream"), (header::CACHE_CONTROL, "no-store")], Body::from_stream(out)).into_response()
}

fn broken() -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, "the message is broken or cut off")
}

fn context(headers: &HeaderMap) -> Answer<Option<Context>> {
    let bad = || Failure::from(Error::invalid("Tutela-Context", "the header `Tutela-Context` is percent-encoded UTF-8"));
    let Some(value) = headers.get("tutela-context") else { return Ok(None) };
    let text = value.to_str().map_err(|_| bad())?;
    let text = percent_decode_str(text).decode_utf8().map_err(|_| bad())?;
    Ok(Some(Context::Text(text.into_owned())))
}
