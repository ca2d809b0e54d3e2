//! Licences: every package of the dependency tree, by its SPDX expression (ISO/IEC 5962, annex D).

use std::collections::BTreeMap;

use serde_json::Value;

/// What we may link. Weak copyleft (MPL-2.0) is allowed for files we do not change.
const ALLOWED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MPL-2.0",
    "OpenSSL",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];
/// Exceptions that give more rights, never fewer.
const EXCEPTIONS: &[&str] = &["LLVM-exception"];

/// A package of the tree.
#[derive(Debug, Clone)]
pub(crate) struct Package {
    pub name: String,
    pub version: String,
    pub licence: Option<String>,
}

/// All packages that `cargo metadata` tells of.
pub(crate) fn read(metadata: &Value) -> Vec<Package> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let packages = metadata["packages"].as_array().into_iter().flatten();
    packages.map(|p| Package { name: text(&p["name"]), version: text(&p["version"]), licence: p["license"].as_str().map(str::to_owned) }).collect()
}

/// Packages whose licence we may not link, do not know, or cannot read.
pub(crate) fn check(packages: &[Package]) -> Vec<String> {
    let refused = |package: &Package| {
        let why = match &package.licence {
            None => "it names no licence".to_owned(),
            Some(text) => match allowed(text) {
                Some(true) => return None,
                Some(false) => format!("its licence `{text}` is not allowed"),
                None => format!("its licence `{text}` is no SPDX expression"),
            },
        };
        Some(format!("{} {}: {why}", package.name, package.version))
    };
    packages.iter().filter_map(refused).collect()
}

/// Packages that are there in several versions.
pub(crate) fn duplicates(packages: &[Package]) -> Vec<String> {
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in packages {
        versions.entry(&package.name).or_default().push(&package.version);
    }
    versions.iter().filter(|(_, of)| of.len() > 1).map(|(name, of)| format!("{name} is there in versions {}", of.join(", "))).collect()
}

/// Whether an expression can be satisfied with what is allowed; `None` where it is malformed.
fn allowed(text: &str) -> Option<bool> {
    // crates.io's older form `MIT/Apache-2.0` means OR.
    let spaced = text.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let (found, rest) = either(&words)?;
    rest.is_empty().then_some(found)
}

// === The grammar, one function a level: `OR` binds least, then `AND`, then `WITH` ===

fn either<'a, 'w>(words: &'w [&'a str]) -> Option<(bool, &'w [&'a str])> {
    let (mut found, mut rest) = both(words)?;
    while let Some((&"OR", after)) = rest.split_first() {
        let (next, tail) = both(after)?;
        found |= next;
        rest = tail;
    }
    Some((found, rest))
}

fn both<'a, 'w>(words: &'w [&'a str]) -> Option<(bool, &'w [&'a str])> {
    let (mut found, mut rest) = unit(words)?;
    while let Some((&"AND", after)) = rest.split_first() {
        let (next, tail) = unit(after)?;
        found &= next;
        rest = tail;
    }
    Some((found, rest))
}

fn unit<'a, 'w>(words: &'w [&'a str]) -> Option<(bool, &'w [&'a str])> {
    match words {
        ["(", inside @ ..] => {
            let (found, rest) = either(inside)?;
            rest.strip_prefix(&[")"]).map(|rest| (found, rest))
        }
        ["AND" | "OR" | "WITH" | ")", ..] | [] => None,
        [name, "WITH", exception, rest @ ..] => Some((ALLOWED.contains(name) && EXCEPTIONS.contains(exception), rest)),
        [name, rest @ ..] => Some((ALLOWED.contains(name), rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, version: &str, licence: Option<&str>) -> Package {
        Package { name: name.into(), version: version.into(), licence: licence.map(str::to_owned) }
    }

    #[test]
    fn a_planted_bad_licence_is_found() {
        let planted = [
            package("good", "1.0.0", Some("MIT OR GPL-3.0-only")),
            package("bad", "1.0.0", Some("MIT AND GPL-3.0-only")),
            package("worse", "1.0.0", Some("MIT OR")),
            package("worst", "1.0.0", None),
        ];
        let found = check(&planted);
        assert_eq!(found.len(), 3);
        assert!(found[0].contains("bad") && found[0].contains("is not allowed"));
        assert!(found[1].contains("no SPDX expression") && found[2].contains("names no licence"));
    }

    #[test]
    fn expressions_are_read_with_their_precedence() {
        for (text, expected) in [
            ("MIT/Apache-2.0", Some(true)),
            ("(MIT OR Apache-2.0) AND Unicode-3.0", Some(true)),
            ("Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT", Some(true)),
            ("GPL-2.0-only WITH Classpath-exception-2.0", Some(false)),
            ("MIT OR GPL-3.0-only AND ISC", Some(true)),
            ("(MIT OR GPL-3.0-only) AND LGPL-3.0-only", Some(false)),
            ("ISC AND (Apache-2.0 OR ISC) AND (Apache-2.0 OR ISC OR MIT-0)", Some(true)),
            ("MIT Apache-2.0", None),
            ("(MIT", None),
            ("", None),
        ] {
            assert_eq!(allowed(text), expected, "{text}");
        }
    }

    #[test]
    fn duplicates_are_told_by_name() {
        let found = duplicates(&[package("a", "1.0.0", None), package("b", "1.0.0", None), package("a", "2.0.0", None)]);
        assert_eq!(found, ["a is there in versions 1.0.0, 2.0.0"]);
    }
}
