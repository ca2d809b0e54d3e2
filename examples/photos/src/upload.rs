//! How a photo comes in: piece by piece into a temporary file, then renamed.
//!
//! Nothing is held in memory but the piece at hand. A file under its final name is whole and on disk; one
//! that was broken off is removed at once, or at the next start where the process was stopped.

use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};
use axum::body::Body;
use axum::extract::multipart::{Multipart, MultipartError};
use axum::http::StatusCode;
use futures_util::StreamExt;
use tokio::fs::{File, OpenOptions};
use tokio::io::AsyncWriteExt;

use crate::Error;

/// A file that has arrived.
pub(crate) struct Arrived {
    /// Its name in the picture folder: random, with an ending that says what it is.
    pub(crate) file: String,
    pub(crate) bytes: u64,
    /// In hexadecimal.
    pub(crate) sha256: String,
}

impl Arrived {
    /// Whether it is a picture that the gallery can show.
    pub(crate) fn is_picture(&self) -> bool {
        !self.file.ends_with(".bin")
    }
}

/// Take the body of a request as one file.
pub(crate) async fn receive(folder: &Path, body: Body) -> Result<Arrived, Error> {
    let mut incoming = Incoming::begin(folder).await?;
    let mut pieces = body.into_data_stream();
    while let Some(piece) = pieces.next().await {
        incoming.write(&piece.map_err(|_| BROKEN_OFF)?).await?;
    }
    incoming.keep().await
}

/// Take the field `photo` of a form as one file; returns it with the field `title`, if that came before.
pub(crate) async fn receive_form(folder: &Path, mut form: Multipart) -> Result<(Arrived, String), Error> {
    let mut title = String::new();
    while let Some(mut field) = form.next_field().await.map_err(broken_form)? {
        match field.name() {
            Some("title") => {
                while let Some(piece) = field.chunk().await.map_err(broken_form)? {
                    title.push_str(&String::from_utf8_lossy(&piece));
                    if title.len() > LONGEST_TITLE {
                        return Err(Error::Invalid("a title may have 200 bytes at most"));
                    }
                }
            }
            Some("photo") => {
                if title.is_empty() {
                    title = field.file_name().unwrap_or_default().chars().take(100).collect();
                }
                let mut incoming = Incoming::begin(folder).await?;
                while let Some(piece) = field.chunk().await.map_err(broken_form)? {
                    incoming.write(&piece).await?;
                }
                return Ok((incoming.keep().await?, title));
            }
            _ => {
                return Err(Error::Invalid("the form has a field this page does not know"));
            }
        }
    }
    Err(Error::Invalid("choose a photo first"))
}

/// Remove what an earlier run left unfinished.
pub(crate) async fn clear_leftovers(folder: &Path) -> Result<(), Error> {
    let mut entries = tokio::fs::read_dir(folder).await?;
    while let Some(entry) = entries.next_entry().await? {
        if entry.file_name().to_string_lossy().ends_with(UNFINISHED) {
            tokio::fs::remove_file(entry.path()).await?;
        }
    }
    Ok(())
}

/// A file that is still arriving; dropped before [`Incoming::keep`], it is removed.
struct Incoming {
    folder: PathBuf,
    name: String,
    file: File,
    hash: Context,
    bytes: u64,
    /// The first bytes, which say what it is.
    first: Vec<u8>,
    kept: bool,
}

impl Incoming {
    async fn begin(folder: &Path) -> Result<Self, Error> {
        let name = random_name()?;
        let file = OpenOptions::new().write(true).create_new(true).open(folder.join(format!("{name}{UNFINISHED}"))).await?;
        Ok(Self { folder: folder.to_owned(), name, file, hash: Context::new(&SHA256), bytes: 0, first: Vec::new(), kept: false })
    }

    async fn write(&mut self, piece: &[u8]) -> Result<(), Error> {
        self.bytes = self.bytes.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        if self.bytes > LARGEST {
            return Err(Error::TooLarge);
        }
        let missing = 16_usize.saturating_sub(self.first.len());
        self.first.extend(piece.iter().take(missing));
        self.hash.update(piece);
        self.file.write_all(piece).await?;
        Ok(())
    }

    async fn keep(mut self) -> Result<Arrived, Error> {
        if self.bytes == 0 {
            return Err(Error::Invalid("the file is empty"));
        }
        self.file.flush().await?;
        self.file.sync_all().await?;
        let file = format!("{}.{}", self.name, ending(&self.first));
        tokio::fs::rename(self.unfinished(), self.folder.join(&file)).await?;
        self.kept = true;
        let sha256 = hex(self.hash.clone().finish().as_ref());
        Ok(Arrived { file, bytes: self.bytes, sha256 })
    }

    fn unfinished(&self) -> PathBuf {
        self.folder.join(format!("{}{UNFINISHED}", self.name))
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if !self.kept {
            // What cannot be removed now is removed at the next start.
            let _ = std::fs::remove_file(self.unfinished());
        }
    }
}

fn broken_form(error: MultipartError) -> Error {
    match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Error::TooLarge,
        _ => BROKEN_OFF,
    }
}

/// What the first bytes say. SVG is left out on purpose: a drawing can hold a script.
fn ending(first: &[u8]) -> &'static str {
    match first {
        [0xff, 0xd8, 0xff, ..] => "jpg",
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => "png",
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => "gif",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "webp",
        _ => "bin",
    }
}

/// The media type of a file in the picture folder.
pub(crate) fn media_type(file: &str) -> &'static str {
    match file.rsplit_once('.').map(|(_, ending)| ending) {
        Some("gif") => "image/gif",
        Some("jpg") => "image/jpeg",
        Some("png") => "image/png",
        Some("svg") => "image/svg+xml",
        Some("webp") => "image/webp",
        _ => "application/octet-stream",
    }
}

fn random_name() -> Result<String, Error> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Error::Stopped)?;
    Ok(hex(&bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The most bytes a photo may have.
pub(crate) const LARGEST: u64 = 100 * 1024 * 1024;
const LONGEST_TITLE: usize = 200;
const UNFINISHED: &str = ".part";
const BROKEN_OFF: Error = Error::Invalid("the upload broke off");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_say_what_a_file_is() {
        for (first, expected) in [
            (&b"\xff\xd8\xff\xe0"[..], "jpg"),
            (b"\x89PNG\r\n\x1a\n\0", "png"),
            (b"GIF89a\x01", "gif"),
            (b"RIFF\x01\x02\x03\x04WEBPVP8 ", "webp"),
            (b"<svg xmlns=", "bin"),
            (b"<!doctype html>", "bin"),
            (b"", "bin"),
        ] {
            assert_eq!(ending(first), expected);
        }
    }
}
