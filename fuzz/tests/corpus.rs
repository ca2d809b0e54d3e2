//! Every target over its committed corpus.
#![allow(clippy::unwrap_used, reason = "test code")]

use std::{collections::BTreeSet, fs, path::PathBuf};

use fuzz::TARGETS;

fn corpus() -> PathBuf {
    PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("corpus")
}

#[test]
fn every_target_holds_on_its_corpus() {
    let mut broken = Vec::new();
    for (name, target) in TARGETS {
        for file in fs::read_dir(corpus().join(name)).unwrap() {
            let path = file.unwrap().path();
            let input = fs::read(&path).unwrap();
            if std::panic::catch_unwind(|| target(&input)).is_err() {
                broken.push(format!("{name}/{}", path.file_name().unwrap().to_string_lossy()));
            }
        }
    }
    assert!(broken.is_empty(), "broken on {broken:?}");
}

#[test]
fn every_target_has_a_corpus_and_every_corpus_a_target() {
    let folders: BTreeSet<String> = fs::read_dir(corpus()).unwrap().map(|dir| dir.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(folders, TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect());
    for name in folders {
        assert!(fs::read_dir(corpus().join(&name)).unwrap().count() >= 5, "{name} needs more inputs");
    }
}
