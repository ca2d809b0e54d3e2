//! Test data that others have made: in `TUTELA_SHARED`, or beside the repository.

use std::path::{Path, PathBuf};

/// A folder of it; where it is not here, the test says so and is over.
pub fn shared(name: &str) -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let folder = std::env::var_os("TUTELA_SHARED").map_or_else(beside, PathBuf::from).join("data").join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    crate::skip(&format!("no shared data `{name}`"));
    None
}

/// The texts of a folder and those below it whose names end so, each with its place, in order.
pub fn files(folder: &Path, ending: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.extension().is_some_and(|end| end == ending) {
            found.push((path.display().to_string(), std::fs::read_to_string(&path).unwrap()));
        }
    }
    found.sort();
    found
}
