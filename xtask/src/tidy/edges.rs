//! Who may use whom. The table is that of the architecture: arrows point down only.

use serde_json::Value;

/// Crate, floor, and what it may depend on.
const TABLE: &[(&str, u8, &[&str])] = &[
    ("tutela-core", 0, &[]),
    ("tutela-api", 0, &["tutela-core"]),
    ("tutela-compliance", 1, &["tutela-core"]),
    ("tutela-detection", 1, &["tutela-core"]),
    ("tutela-identity", 1, &["tutela-core", "tutela-limits"]),
    ("tutela-kms", 1, &["tutela-core"]),
    ("tutela-ledger", 1, &["tutela-core"]),
    ("tutela-limits", 1, &["tutela-core"]),
    ("tutela-privacy", 1, &["tutela-core"]),
    ("tutela-waf", 1, &["tutela-core"]),
    ("tutela-store", 2, &["tutela-core", "tutela-identity", "tutela-kms", "tutela-ledger", "tutela-limits"]),
    (
        "tutela-app",
        3,
        &[
            "tutela-api",
            "tutela-compliance",
            "tutela-core",
            "tutela-detection",
            "tutela-identity",
            "tutela-kms",
            "tutela-ledger",
            "tutela-limits",
            "tutela-privacy",
            "tutela-store",
            "tutela-waf",
        ],
    ),
    ("tutela-client", 4, &["tutela-api", "tutela-core"]),
    (
        "tutela-connect",
        4,
        &[
            "tutela-app",
            "tutela-compliance",
            "tutela-core",
            "tutela-detection",
            "tutela-identity",
            "tutela-kms",
            "tutela-ledger",
            "tutela-limits",
            "tutela-privacy",
            "tutela-waf",
        ],
    ),
    ("tutela-gateway", 4, &["tutela-core", "tutela-identity", "tutela-limits", "tutela-waf"]),
    ("tutela-http", 4, &["tutela-api", "tutela-app", "tutela-core", "tutela-identity"]),
    ("tutela-tower", 5, &["tutela-api", "tutela-app", "tutela-client"]),
];

/// The program: it wires everything together. The sample app comes with its feature `demo` only.
const PROGRAM: &str = "tutela";
const SAMPLE: &str = "photos";
/// What no product crate may use, except the first in tests.
const TOOLS: &[&str] = &["testkit", "benches", "fuzz", "xtask"];

/// One dependency between two of our own packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Edge {
    pub from: String,
    pub to: String,
    pub kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Dev,
    Optional,
    Plain,
}

/// The edges that `cargo metadata --no-deps` tells of. Every package is an edge to itself too, so that none is overlooked.
pub(crate) fn read(metadata: &Value) -> Vec<Edge> {
    let packages = || metadata["packages"].as_array().into_iter().flatten();
    let ours: Vec<&str> = packages().filter_map(|package| package["name"].as_str()).collect();
    let mut edges = Vec::new();
    for package in packages() {
        let Some(from) = package["name"].as_str() else { continue };
        edges.push(Edge { from: from.to_owned(), to: from.to_owned(), kind: Kind::Plain });
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let Some(to) = dependency["name"].as_str().filter(|to| ours.contains(to)) else { continue };
            let kind = match (dependency["kind"].as_str(), dependency["optional"].as_bool()) {
                (Some("dev"), _) => Kind::Dev,
                (_, Some(true)) => Kind::Optional,
                _ => Kind::Plain,
            };
            edges.push(Edge { from: from.to_owned(), to: to.to_owned(), kind });
        }
    }
    edges
}

/// Edges that the table does not have.
pub(crate) fn check(edges: &[Edge]) -> Vec<String> {
    edges.iter().filter_map(|edge| refused(edge).map(|why| format!("`{}` depends on `{}`: {why}", edge.from, edge.to))).collect()
}

fn refused(edge: &Edge) -> Option<&'static str> {
    let (from, to) = (edge.from.as_str(), edge.to.as_str());
    // What is no product crate may use anything.
    if !from.starts_with(PROGRAM) {
        return None;
    }
    let row = TABLE.iter().find(|(name, ..)| *name == from);
    if from == to {
        return (row.is_none() && from != PROGRAM).then_some("it is not in the table of floors: add it to xtask/src/tidy/edges.rs and to the architecture");
    }
    if edge.kind == Kind::Dev {
        return dev_refused(floor(from), to);
    }
    if TOOLS.contains(&to) {
        return Some("a tool of the project is no part of the product");
    }
    if to == SAMPLE {
        return (from != PROGRAM || edge.kind != Kind::Optional).then_some("the sample app comes with the feature `demo` of the program only");
    }
    if from == PROGRAM || row.is_some_and(|(_, _, may)| may.contains(&to)) {
        return None;
    }
    Some(if floor(to) > floor(from) { "arrows point down only" } else { "this edge is not in the table of floors" })
}

/// Tests may use the test kit and whatever stands on their own floor or below.
fn dev_refused(from: u8, to: &str) -> Option<&'static str> {
    match to {
        "testkit" | SAMPLE => None,
        _ if TOOLS.contains(&to) => Some("tests use `testkit`, not the other tools"),
        _ => (floor(to) > from).then_some("tests look down too"),
    }
}

fn floor(name: &str) -> u8 {
    TABLE.iter().find(|(of, ..)| *of == name).map_or(u8::MAX, |(_, floor, _)| *floor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(from: &str, to: &str, kind: Kind) -> Vec<String> {
        check(&[Edge { from: from.into(), to: to.into(), kind }])
    }

    #[test]
    fn a_planted_upward_edge_is_found() {
        assert_eq!(errors("tutela-ledger", "tutela-store", Kind::Plain), ["`tutela-ledger` depends on `tutela-store`: arrows point down only"]);
        assert!(!errors("tutela-kms", "tutela-identity", Kind::Plain).is_empty(), "another engine");
        assert!(!errors("tutela-http", "tutela-store", Kind::Optional).is_empty(), "past the use cases");
        assert!(!errors("tutela-gateway", "tutela-store", Kind::Plain).is_empty(), "snapshots only");
        assert!(!errors("tutela-core", "tutela-ledger", Kind::Dev).is_empty(), "tests look down too");
    }

    #[test]
    fn tools_and_the_sample_app_stay_out_of_the_product() {
        assert!(!errors("tutela-store", "testkit", Kind::Plain).is_empty());
        assert!(errors("tutela-store", "testkit", Kind::Dev).is_empty());
        assert!(!errors("tutela", "photos", Kind::Plain).is_empty());
        assert!(errors("tutela", "photos", Kind::Optional).is_empty());
        assert!(!errors("tutela-http", "photos", Kind::Optional).is_empty());
    }

    #[test]
    fn the_drawn_arrows_pass_and_a_new_crate_asks_for_its_row() {
        assert!(errors("tutela-http", "tutela-app", Kind::Plain).is_empty());
        assert!(errors("tutela", "tutela-store", Kind::Plain).is_empty());
        assert!(errors("testkit", "tutela-store", Kind::Plain).is_empty());
        assert!(errors("tutela-spare", "tutela-spare", Kind::Plain)[0].contains("not in the table"));
    }

    #[test]
    fn edges_are_read_from_metadata_with_their_kinds() {
        let metadata = serde_json::json!({"packages": [
            {"name": "tutela-core", "dependencies": [{"name": "serde", "kind": null, "optional": false}]},
            {"name": "tutela", "dependencies": [{"name": "photos", "kind": null, "optional": true}, {"name": "tutela-core", "kind": "dev", "optional": false}]},
            {"name": "photos", "dependencies": []},
        ]});
        let edges: Vec<Edge> = read(&metadata).into_iter().filter(|edge| edge.from != edge.to).collect();
        let edge = |to: &str, kind| Edge { from: "tutela".into(), to: to.into(), kind };
        assert_eq!(edges, [edge("photos", Kind::Optional), edge("tutela-core", Kind::Dev)]);
    }
}
