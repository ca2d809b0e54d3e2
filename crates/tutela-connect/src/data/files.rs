//! A folder of files. A key is a path below it; nothing outside is ever read or deleted.

use std::{
    fs,
    io::{self, Read as _},
    path::{Component, Path, PathBuf},
    time::UNIX_EPOCH,
};

use serde_json::{Map, Value, json};
use tutela_app::port::{DataError, DataStore, Hit};
use tutela_core::{Timestamp, seam::BoxFuture};
use tutela_privacy::{
    plan::{Change, StoreKind},
    schema::Schema,
};

/// Most files below one key.
const MOST_FILES: usize = 100_000;
/// How much of a file is looked at at a time, and how much of it again with the next piece.
const PIECE: usize = 1 << 20;
const OVERLAP: usize = 64;

pub(super) struct Files {
    root: PathBuf,
}

impl Files {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    async fn run<T: Send + 'static>(&self, job: impl FnOnce(&Path) -> Result<T, DataError> + Send + 'static) -> Result<T, DataError> {
        let root = self.root.clone();
        let done = tokio::task::spawn_blocking(move || {
            // Where the folder itself is gone, its files are not: it may be a disk that is not mounted.
            let root = root.canonicalize().map_err(|e| DataError::Unavailable(format!("`{}`: {e}", root.display())))?;
            job(&root)
        });
        done.await.map_err(|_| DataError::Unavailable("its task was stopped".into()))?
    }
}

impl DataStore for Files {
    fn kind(&self) -> StoreKind {
        StoreKind::Objects
    }

    fn schema(&self) -> BoxFuture<'_, Result<Schema, DataError>> {
        Box::pin(self.run(|_| Ok(Schema::default())))
    }

    fn find<'a>(&'a self, _collection: &'a str, _field: &'a str, values: &'a [Value]) -> BoxFuture<'a, Result<Vec<Map<String, Value>>, DataError>> {
        let keys: Vec<String> = values.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        Box::pin(self.run(move |root| {
            let mut found = Vec::new();
            for key in keys {
                let Some(path) = place(root, &key)? else { continue };
                below(&path, &mut found)?;
            }
            found.iter().map(|path| row(root, path)).collect()
        }))
    }

    fn apply<'a>(&'a self, changes: &'a [Change], _token: &'a str) -> BoxFuture<'a, Result<(), DataError>> {
        let keys: Vec<String> = changes.iter().filter_map(|change| change.key.get("key")?.as_str().map(str::to_owned)).collect();
        Box::pin(self.run(move |root| {
            for key in keys {
                let Some(path) = place(root, &key)? else { continue };
                let folder = fs::symlink_metadata(&path).is_ok_and(|of| of.is_dir());
                if folder && !key.ends_with('/') {
                    return Err(DataError::Refused(format!("`{key}` is a folder, and means all below it only with a `/` at its end")));
                }
                let gone = if folder { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
                match gone {
                    Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(failed(&path, &e)),
                    _ => {}
                }
            }
            Ok(())
        }))
    }

    fn scan_for(&self, is_it: fn(&str) -> bool) -> BoxFuture<'_, Result<Vec<Hit>, DataError>> {
        Box::pin(self.run(move |root| {
            let mut files = Vec::new();
            below(root, &mut files)?;
            let mut rows = 0;
            for path in files {
                rows += u64::from(holds(&path, is_it).map_err(|e| failed(&path, &e))?);
            }
            // Names of files may name people: how many there are is enough.
            Ok(if rows > 0 { vec![Hit { table: "files".into(), column: "text".into(), rows }] } else { Vec::new() })
        }))
    }

    fn scan<'a>(&'a self, _needles: &'a [String]) -> BoxFuture<'a, Result<Vec<Hit>, DataError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn read<'a>(&'a self, key: &'a str, most: u64) -> BoxFuture<'a, Result<Option<Vec<u8>>, DataError>> {
        let key = key.to_owned();
        Box::pin(self.run(move |root| {
            let Some(path) = place(root, &key)? else { return Ok(None) };
            let size = fs::metadata(&path).map_err(|e| failed(&path, &e))?;
            if !size.is_file() || size.len() > most {
                return Ok(None);
            }
            fs::read(&path).map(Some).map_err(|e| failed(&path, &e))
        }))
    }
}

/// Whether a test says yes to what is in a file, read a piece at a time; what is no text is read as if it were.
fn holds(path: &Path, is_it: fn(&str) -> bool) -> io::Result<bool> {
    if !fs::symlink_metadata(path)?.is_file() {
        return Ok(false);
    }
    let (mut file, mut piece, mut kept) = (fs::File::open(path)?, vec![0; PIECE], 0);
    loop {
        let read = file.read(&mut piece[kept..])?;
        if is_it(&String::from_utf8_lossy(&piece[..kept + read])) {
            return Ok(true);
        }
        if read == 0 {
            return Ok(false);
        }
        // What stands where two pieces meet is seen with the next one.
        let (end, overlap) = (kept + read, (kept + read).min(OVERLAP));
        piece.copy_within(end - overlap..end, 0);
        kept = overlap;
    }
}

/// Where a key is; nothing where there is nothing. A key that leads out, by its words or by a link, is refused.
fn place(root: &Path, key: &str) -> Result<Option<PathBuf>, DataError> {
    let relative = Path::new(key.trim_end_matches('/'));
    let plain = relative.components().all(|part| matches!(part, Component::Normal(_)));
    if key.trim_end_matches('/').is_empty() || !plain || key.contains('\0') {
        return Err(DataError::Refused(format!("`{key}` is no key of a file below the folder")));
    }
    let path = root.join(relative);
    match fs::symlink_metadata(&path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(failed(&path, &e)),
        Ok(_) => {}
    }
    let folder = path.parent().unwrap_or(root).canonicalize().map_err(|e| failed(&path, &e))?;
    if !folder.starts_with(root) {
        return Err(DataError::Refused(format!("`{key}` leads out of the folder")));
    }
    Ok(Some(path))
}

/// All files below a path; links are files.
fn below(path: &Path, found: &mut Vec<PathBuf>) -> Result<(), DataError> {
    let kind = fs::symlink_metadata(path).map_err(|e| failed(path, &e))?;
    if !kind.is_dir() {
        found.push(path.to_owned());
        return if found.len() > MOST_FILES { Err(DataError::Refused(format!("more than {MOST_FILES} files"))) } else { Ok(()) };
    }
    for entry in fs::read_dir(path).map_err(|e| failed(path, &e))? {
        below(&entry.map_err(|e| failed(path, &e))?.path(), found)?;
    }
    Ok(())
}

fn row(root: &Path, path: &Path) -> Result<Map<String, Value>, DataError> {
    let of = fs::symlink_metadata(path).map_err(|e| failed(path, &e))?;
    let changed =
        of.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok()).map(|since| Timestamp::from_micros(since.as_micros() as i64).to_string());
    let key = path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned();
    Ok(Map::from_iter([("key".to_owned(), json!(key)), ("bytes".to_owned(), json!(of.len())), ("changed_at".to_owned(), json!(changed))]))
}

fn failed(path: &Path, e: &io::Error) -> DataError {
    DataError::Unavailable(format!("`{}`: {e}", path.file_name().unwrap_or_default().to_string_lossy()))
}
