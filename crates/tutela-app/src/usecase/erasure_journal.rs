//! Erasures outside of the database, so that a restored backup can carry them out again before it
//! serves: one line each, with a code that only this instance's root key makes.
//!
//! ```text
//!   tky_019ab… 2026-11-22T09:00:00.000000Z 6b1d0c…                 a person's key
//!   c5f09a…:dsr_019ab…:acc_019ab… 2026-11-22T09:00:00.000000Z 9e…  a name of a person, by keyed hash; `-` where it was no account
//! ```

use std::{
    collections::BTreeSet,
    fs::{self, OpenOptions},
    io::Write as _,
    path::Path,
};

use tutela_core::{AccountId, KeyId, SubjectRequestId, Timestamp};
use tutela_kms::subject_tag;
use tutela_store::ErasedNameRow;

use super::search::hex;
use crate::Error;

/// Name of the file, in the folder of backups.
pub const FILE: &str = "erasures.log";

/// Something that was erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Erased {
    /// The key of what was sealed for a person.
    Key(KeyId, Timestamp),
    /// A name of a person.
    Name(ErasedNameRow),
}

/// Appends what is not there yet. Durable when it returns.
pub(crate) fn append(folder: &Path, code: &[u8; 32], erased: &[Erased]) -> Result<(), Error> {
    let failed = |e: std::io::Error| Error::Conflict(format!("`{}` cannot be written: {e}", folder.join(FILE).display()));
    fs::create_dir_all(folder).map_err(failed)?;
    let mut torn = None;
    let there: BTreeSet<String> = match fs::read_to_string(folder.join(FILE)) {
        Ok(text) => {
            let whole = text.rfind('\n').map_or(0, |at| at + 1);
            torn = (whole < text.len()).then_some(whole as u64);
            text[..whole].lines().map(str::to_owned).collect()
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => BTreeSet::new(),
        Err(e) => return Err(failed(e)),
    };
    let lines: String = erased.iter().map(|one| line(code, one)).filter(|line| !there.contains(line.trim_end())).collect();
    if lines.is_empty() && folder.join(FILE).exists() {
        return Ok(());
    }
    // Also where nobody was erased yet: a journal that is missing then means something.
    let mut file = OpenOptions::new().create(true).append(true).open(folder.join(FILE)).map_err(failed)?;
    // A line whose writer was killed would swallow the next one; it is among those that are written now.
    if let Some(whole) = torn {
        file.set_len(whole).map_err(failed)?;
    }
    file.write_all(lines.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)
}

/// The erasures of a journal. A line that this instance did not write is refused: it would erase somebody.
pub fn read(path: &Path, code: &[u8; 32]) -> Result<Vec<Erased>, Error> {
    let text = fs::read_to_string(path).map_err(|e| Error::Conflict(format!("`{}` cannot be read: {e}", path.display())))?;
    let mut out = Vec::new();
    for (number, found) in text.lines().enumerate() {
        match parse(found) {
            Some(one) if line(code, &one).trim_end() == found => out.push(one),
            // The last line of a journal whose writer was killed.
            _ if !text.ends_with('\n') && number + 1 == text.lines().count() => {}
            _ => return Err(Error::Conflict(format!("`{}`: line {} was not written by this instance", path.display(), number + 1))),
        }
    }
    Ok(out)
}

fn parse(line: &str) -> Option<Erased> {
    let mut words = line.split(' ');
    let (what, at) = (words.next()?, words.next()?.parse::<Timestamp>().ok()?);
    let Some((tag, rest)) = what.split_once(':') else { return Some(Erased::Key(what.parse().ok()?, at)) };
    let (request, account) = rest.split_once(':')?;
    let request = request.parse::<SubjectRequestId>().ok()?;
    let account = if account == "-" { None } else { Some(account.parse::<AccountId>().ok()?) };
    Some(Erased::Name(ErasedNameRow { tag: unhex(tag)?, account, request, erased_at: at }))
}

fn line(code: &[u8; 32], erased: &Erased) -> String {
    let (what, at) = match erased {
        Erased::Key(key, at) => (key.to_string(), at),
        Erased::Name(row) => {
            let account = row.account.map_or("-".into(), |id| id.to_string());
            (format!("{}:{}:{account}", hex(&row.tag), row.request), &row.erased_at)
        }
    };
    let at = at.to_string();
    format!("{what} {at} {}\n", hex(&subject_tag(code, &["erasure", &what, &at])))
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut out = [0; 32];
    for (at, byte) in out.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    (text.len() == 64).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_reads_back_and_a_foreign_line_is_refused() {
        let folder = std::env::temp_dir().join(format!("tutela-journal-{}", std::process::id()));
        let (a, b, at) = (KeyId(uuid::Uuid::from_u128(1)), KeyId(uuid::Uuid::from_u128(2)), Timestamp::from_secs(1_795_338_000));
        let [a, b] = [a, b].map(|key| Erased::Key(key, at));
        let request = SubjectRequestId(uuid::Uuid::from_u128(3));
        let name = |account| Erased::Name(ErasedNameRow { tag: [7; 32], account, request, erased_at: at });
        let (ours, theirs) = (name(Some(AccountId(uuid::Uuid::from_u128(4)))), name(None));
        append(&folder, &[1; 32], std::slice::from_ref(&a)).unwrap();
        append(&folder, &[1; 32], &[a.clone(), ours.clone(), theirs.clone(), b.clone()]).unwrap();
        let path = folder.join(FILE);
        assert_eq!(read(&path, &[1; 32]).unwrap(), [a.clone(), ours.clone(), theirs.clone(), b.clone()]);
        assert!(read(&path, &[2; 32]).unwrap_err().to_string().contains("line 1"));
        // Cut off in the middle of a line: what is whole counts.
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, &text[..text.len() - 5]).unwrap();
        assert_eq!(read(&path, &[1; 32]).unwrap(), [a.clone(), ours.clone(), theirs.clone()]);
        // The next one to write mends it.
        append(&folder, &[1; 32], std::slice::from_ref(&b)).unwrap();
        assert_eq!(read(&path, &[1; 32]).unwrap(), [a, ours, theirs, b]);
        fs::remove_dir_all(&folder).unwrap();
    }
}
