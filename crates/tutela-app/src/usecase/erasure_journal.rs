//! Erasures outside of the database, so that a restored backup can carry them out again before it
//! serves: one line each, with a code that only this instance's root key makes.
//!
//! ```text
//!   tky_019ab… 2026-11-22T09:00:00.000000Z 6b1d0c…
//! ```

use std::{
    collections::BTreeSet,
    fs::{self, OpenOptions},
    io::Write as _,
    path::Path,
};

use tutela_core::{KeyId, Timestamp};
use tutela_kms::subject_tag;

use super::search::hex;
use crate::Error;

/// Name of the file, in the folder of backups.
pub const FILE: &str = "erasures.log";

/// Appends what is not there yet. Durable when it returns.
pub(crate) fn append(folder: &Path, code: &[u8; 32], erased: &[(KeyId, Timestamp)]) -> Result<(), Error> {
    let failed = |e: std::io::Error| Error::Conflict(format!("`{}` cannot be written: {e}", folder.join(FILE).display()));
    fs::create_dir_all(folder).map_err(failed)?;
    let there: BTreeSet<KeyId> = match fs::read_to_string(folder.join(FILE)) {
        Ok(text) => text.lines().filter_map(|line| line.split(' ').next()?.parse().ok()).collect(),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => BTreeSet::new(),
        Err(e) => return Err(failed(e)),
    };
    let lines: String = erased.iter().filter(|(key, _)| !there.contains(key)).map(|(key, at)| line(code, *key, *at)).collect();
    if lines.is_empty() && folder.join(FILE).exists() {
        return Ok(());
    }
    // Also where nobody was erased yet: a journal that is missing then means something.
    let mut file = OpenOptions::new().create(true).append(true).open(folder.join(FILE)).map_err(failed)?;
    file.write_all(lines.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)
}

/// The erasures of a journal. A line that this instance did not write is refused: it would erase somebody.
pub fn read(path: &Path, code: &[u8; 32]) -> Result<Vec<KeyId>, Error> {
    let text = fs::read_to_string(path).map_err(|e| Error::Conflict(format!("`{}` cannot be read: {e}", path.display())))?;
    let mut out = Vec::new();
    for (number, found) in text.lines().enumerate() {
        let mut words = found.split(' ');
        let parsed = words.next().and_then(|key| key.parse::<KeyId>().ok()).zip(words.next().and_then(|at| at.parse::<Timestamp>().ok()));
        match parsed {
            Some((key, at)) if line(code, key, at).trim_end() == found => out.push(key),
            // The last line of a journal whose writer was killed.
            _ if !text.ends_with('\n') && number + 1 == text.lines().count() => {}
            _ => return Err(Error::Conflict(format!("`{}`: line {} was not written by this instance", path.display(), number + 1))),
        }
    }
    Ok(out)
}

fn line(code: &[u8; 32], key: KeyId, at: Timestamp) -> String {
    let (key, at) = (key.to_string(), at.to_string());
    format!("{key} {at} {}\n", hex(&subject_tag(code, &["erasure", &key, &at])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_reads_back_and_a_foreign_line_is_refused() {
        let folder = std::env::temp_dir().join(format!("tutela-journal-{}", std::process::id()));
        let (a, b, at) = (KeyId(uuid::Uuid::from_u128(1)), KeyId(uuid::Uuid::from_u128(2)), Timestamp::from_secs(1_795_338_000));
        append(&folder, &[1; 32], &[(a, at)]).unwrap();
        append(&folder, &[1; 32], &[(a, at), (b, at)]).unwrap();
        let path = folder.join(FILE);
        assert_eq!(read(&path, &[1; 32]).unwrap(), [a, b]);
        assert!(read(&path, &[2; 32]).unwrap_err().to_string().contains("line 1"));
        // Cut off in the middle of a line: what is whole counts.
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, &text[..text.len() - 5]).unwrap();
        assert_eq!(read(&path, &[1; 32]).unwrap(), [a]);
        fs::remove_dir_all(&folder).unwrap();
    }
}
