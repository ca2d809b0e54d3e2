//! `crypto`: seal and open what stands on standard input.

use std::io::{IsTerminal as _, Read as _, Write as _};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use clap::Subcommand;
use futures_util::{Stream, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tutela_client::Client;

use crate::error::Error;

/// Bytes read at once.
const PIECE: usize = 64 << 10;

#[derive(Subcommand)]
pub enum CryptoCommand {
    /// Open a message from standard input, text or binary, and write its plaintext
    Decrypt {
        /// The context it was sealed with
        #[arg(long)]
        context: Option<String>,
    },
    /// Seal standard input and write the message; binary, unless --text or a terminal asks for text
    Encrypt {
        /// Name or id of the key
        #[arg(long, default_value = "default")]
        key: String,
        /// What the message is bound to; the same is needed to open it
        #[arg(long)]
        context: Option<String>,
        /// aes-256-gcm or chacha20-poly1305
        #[arg(long)]
        algorithm: Option<String>,
        /// Write the text form
        #[arg(long)]
        text: bool,
    },
    /// Seal messages again under the newest version of their key: one JSON object {message, context} a line, in and out
    Rewrap(super::crypto_rewrap::Rewrap),
}

pub async fn run(command: CryptoCommand, client: &Client) -> Result<(), Error> {
    match command {
        CryptoCommand::Decrypt { context } => decrypt(client, context.as_deref()).await,
        CryptoCommand::Encrypt { key, context, algorithm, text } => encrypt(client, &key, context.as_deref(), algorithm.as_deref(), text).await,
        CryptoCommand::Rewrap(args) => super::crypto_rewrap::run(args, client).await,
    }
}

async fn encrypt(client: &Client, key: &str, context: Option<&str>, algorithm: Option<&str>, text: bool) -> Result<(), Error> {
    let body = pieces(tokio::io::stdin());
    let mut sealed = Box::pin(client.encrypt_stream(key, algorithm, context, body).await?);
    if text || std::io::stdout().is_terminal() {
        let mut whole = Vec::new();
        while let Some(piece) = sealed.next().await {
            whole.extend_from_slice(&piece?);
        }
        println!("tut1.{}", URL_SAFE_NO_PAD.encode(&whole));
        return Ok(());
    }
    let mut out = tokio::io::stdout();
    while let Some(piece) = sealed.next().await {
        out.write_all(&piece?).await.map_err(failed)?;
    }
    out.flush().await.map_err(failed)
}

async fn decrypt(client: &Client, context: Option<&str>) -> Result<(), Error> {
    let mut first = [0; 5];
    let mut input = tokio::io::stdin();
    let mut filled = 0;
    while filled < first.len() {
        match input.read(&mut first[filled..]).await.map_err(failed)? {
            0 => break,
            n => filled += n,
        }
    }
    let start = first[..filled].to_vec();
    if start == b"tut1." || start.starts_with(b"{") {
        return decrypt_text(client, start, context).await;
    }
    let rest = pieces(input);
    let body = futures_util::stream::once(async { Ok(start) }).chain(rest);
    let mut opened = Box::pin(client.decrypt_stream(context, body).await?);
    let mut out = tokio::io::stdout();
    while let Some(piece) = opened.next().await {
        let piece = piece.map_err(|_| Error::Failed("the message is broken or cut off; what was written so far is not all of it".into()))?;
        out.write_all(&piece).await.map_err(failed)?;
    }
    out.flush().await.map_err(failed)
}

/// Standard input, a piece at a time.
fn pieces(input: tokio::io::Stdin) -> impl Stream<Item = std::io::Result<Vec<u8>>> + Send + 'static {
    futures_util::stream::unfold(input, |mut input| async move {
        let mut piece = vec![0; PIECE];
        match input.read(&mut piece).await {
            Ok(0) => None,
            Ok(n) => {
                piece.truncate(n);
                Some((Ok(piece), input))
            }
            Err(e) => Some((Err(e), input)),
        }
    })
}

/// The text and JSON forms are read whole.
async fn decrypt_text(client: &Client, start: Vec<u8>, context: Option<&str>) -> Result<(), Error> {
    let mut rest = Vec::new();
    std::io::stdin().read_to_end(&mut rest).map_err(failed)?;
    let text = String::from_utf8([start, rest].concat()).map_err(|_| Error::Usage("the message is not text".into()))?;
    let message = if text.starts_with('{') {
        serde_json::from_str(&text).map_err(|e| Error::Usage(format!("the message is not JSON: {e}")))?
    } else {
        serde_json::Value::from(text.trim())
    };
    let mut item = serde_json::json!({"message": message});
    if let Some(context) = context {
        item["context"] = context.into();
    }
    let opened = client.decrypt(&item).await?;
    let bytes = base64::engine::general_purpose::STANDARD.decode(opened.plaintext.unwrap_or_default()).map_err(|e| Error::Failed(e.to_string()))?;
    std::io::stdout().write_all(&bytes).map_err(failed)
}

fn failed(e: std::io::Error) -> Error {
    Error::Failed(e.to_string())
}
