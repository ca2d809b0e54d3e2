//! The house rules, as an ordinary test. What each rule catches is shown beside it in `src/tidy`.
#![allow(clippy::unwrap_used, reason = "test code")]

use xtask::{Place, tidy};

#[test]
fn the_house_is_tidy() {
    let found = tidy::check(&Place::find().unwrap()).unwrap();
    assert!(found.errors.is_empty(), "run `cargo xtask tidy`:\n{}", found.errors.join("\n"));
}
