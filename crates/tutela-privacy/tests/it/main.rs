//! Maps that others have written.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test code")]

mod walk; // which rows are whose

use testkit::{files, shared};
use tutela_privacy::{check, dataset};

#[test]
fn every_map_of_fides_is_read_unchanged() {
    let Some(folder) = shared("fides") else { return };
    let all = files(&folder, "yml");
    let (mut datasets, mut collections, mut fields, mut references) = (0, 0, 0, 0);
    for (path, text) in &all {
        let read = dataset::read(text).unwrap_or_else(|e| panic!("{path}: {e}"));
        for dataset in &read.datasets {
            datasets += 1;
            collections += dataset.collections.len();
            for (_, field) in dataset.collections.iter().flat_map(dataset::Collection::flat) {
                fields += 1;
                references += field.references.len();
            }
        }
    }
    assert!(
        datasets >= 30 && collections > 200 && fields > 1_000 && references > 150,
        "{datasets} datasets, {collections} collections, {fields} fields, {references} references"
    );
    // The one that is no YAML is an error and not a panic.
    assert!(dataset::read(&std::fs::read_to_string(folder.join("data/dataset/example_test_dataset.invalid")).unwrap()).is_err());
}

#[test]
fn what_no_identity_reaches_is_said_where_it_is_personal() {
    let Some(folder) = shared("fides") else { return };
    let said = |name: &str| {
        let text = std::fs::read_to_string(folder.join("tests/ops/graph/example_datasets").join(name)).unwrap();
        check::findings(&dataset::read(&text).unwrap().datasets).into_iter().map(|finding| finding.place).collect::<Vec<_>>()
    };
    for (name, places) in [
        ("directly_reachable.yml", vec![]),
        ("reachable_by_reference.yml", vec![]),
        ("multiple_identities.yml", vec![]),
        ("optional_identities.yml", vec![]),
        ("unreachable_with_data_categories.yml", vec!["unreachable_with_data_categories.address"]),
        ("unreachable_without_data_categories.yml", vec![]),
        ("unreachable_collection.yml", vec!["unreachable_collection.address"]),
    ] {
        assert_eq!(said(name), places, "{name}");
    }
}

#[test]
fn what_a_map_cannot_mean_is_said_with_its_place() {
    let map = r"
dataset:
- fides_key: shop
  colour: red
  collections:
  - name: customer
    fides_meta: {erase_after: [shop.nothing]}
    tutela_meta: {section: profile, retention: {class: user_data, anchor: born}}
    fields:
    - {name: id, data_categories: [user.unique_id], fides_meta: {primary_key: true, identity: user_id}}
    - {name: town_id, fides_meta: {references: [{dataset: shop, field: town.id, direction: to}]}}
    - {name: order_id, fides_meta: {references: [{dataset: shop, field: customer.nothing, direction: from}, {dataset: elsewhere, field: a.b, direction: to}]}}
";
    let read = dataset::read(map).unwrap();
    assert_eq!(read.warnings, ["shop: nothing is made of `colour`"]);
    let said: Vec<String> = check::findings(&read.datasets).into_iter().map(|finding| format!("{}: {}", finding.place, finding.why)).collect();
    for (place, why) in [
        ("shop.customer.town_id", "there is no such collection"),
        ("shop.customer.order_id", "has no such field"),
        ("shop.customer", "comes after `shop.nothing`"),
        ("shop.customer", "begins with `born`"),
    ] {
        assert!(said.iter().any(|line| line.starts_with(&format!("{place}: ")) && line.contains(why)), "{place} {why}: {said:#?}");
    }
    assert_eq!(said.len(), 4, "{said:#?}");
    for (wrong, why) in [
        (map.replace("section:", "sektion:"), "tutela_meta"),
        (map.replace("direction: to", "direction: up"), "none of from, to, none"),
        (map.replace("field: town.id", "field: town"), "no `collection.field`"),
        (map.replace("fides_key: shop", "name: shop"), "fides_key"),
        ("dataset: 1".into(), "is a list"),
    ] {
        let error = dataset::read(&wrong).unwrap_err();
        assert!(error.contains(why), "{error}");
    }
}
