use std::{fmt::Write as _, path::Path};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// The reference of event types is written from their declarations.
#[test]
fn the_committed_reference_of_events_is_what_the_declarations_say() {
    let mut types: Vec<_> = tutela_app::event_types().collect();
    types.sort_by_key(|t| t.name);
    let mut text = String::from(
        "# Events\n\nEvery event type that tutela records or has declared for applications.\nFields in *italics* are personal and sealed in the ledger.\n\
         Severity and class have the numbers of OCSF (`severity_id`, `class_uid`/`activity_id`); ECS is `event.category`/`event.type`.\nRetention is the class whose rule says how long events are kept ([audit.md](../audit.md#how-long-events-are-kept)).\nThis page is written from the declarations; a test keeps it equal.\n\n| type | severity | retention | meaning | fields, with an example | OCSF | ECS |\n|---|---|---|---|---|---|---|\n",
    );
    for t in types {
        let fields: Vec<String> =
            t.fields.iter().map(|f| if f.personal { format!("*{}* `{}`", f.name, f.example) } else { format!("`{}` `{}`", f.name, f.example) }).collect();
        let (m, ecs) = (t.mapping, t.mapping.kind.join(", "));
        let ocsf = format!("{}/{}", m.class_uid, m.activity_id);
        let _ =
            writeln!(text, "| `{}` | {} | {} | {} | {} | {ocsf} | {}/{ecs} |", t.name, t.severity as u8, t.class, t.sentence, fields.join(", "), m.category);
    }
    let path = Path::new(ROOT).join("docs/reference/events.md");
    if std::env::var_os("TUTELA_BLESS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), text, "run the test with TUTELA_BLESS=1");
}

/// An event type that is emitted but not listed would be unknown to search, docs and detection. Those
/// that a table declares are listed by the table itself.
#[test]
fn every_occurrence_is_registered() {
    let text = std::fs::read_to_string(Path::new(ROOT).join("crates/tutela-identity/src/event/mod.rs")).unwrap();
    let found: Vec<&str> = text.lines().filter_map(|l| l.strip_prefix("impl Occurrence for ")).filter_map(|l| l.split(['<', ' ']).next()).collect();
    let listed = text.split_once("TYPES: &[EventType] = &[").unwrap().1.split_once("];").unwrap().0;
    assert!(found.len() > 10);
    for name in found {
        assert!(listed.contains(&format!("{name}::TYPE")), "{name} is not in TYPES");
    }
    // Nowhere else is one declared by hand, and every table is in the list of all.
    let grep = |pattern: &str| {
        let out = std::process::Command::new("grep").args(["-rl", pattern, "crates", "--include=*.rs"]).current_dir(ROOT).output().unwrap();
        let mut files: Vec<String> = String::from_utf8(out.stdout).unwrap().lines().filter(|l| !l.contains("/tests/")).map(str::to_owned).collect();
        files.sort();
        files
    };
    assert_eq!(grep("impl Occurrence for"), ["crates/tutela-identity/src/event/mod.rs"]);
    let tables = [
        "crates/tutela-app/src/occurrence.rs",
        "crates/tutela-app/src/usecase/compliance/happened.rs",
        "crates/tutela-app/src/usecase/privacy/happened.rs",
        "crates/tutela-identity/src/event/account.rs",
        "crates/tutela-identity/src/event/credential.rs",
        "crates/tutela-identity/src/event/federation.rs",
        "crates/tutela-identity/src/event/oauth.rs",
        "crates/tutela-kms/src/event.rs",
    ];
    assert_eq!(grep("^occurrences! {"), tables);
}

/// What the declarations say of fields must hold for real events; an example that is no JSON says nothing.
#[test]
fn every_declared_field_has_an_example_that_reads() {
    for t in tutela_app::event_types() {
        for field in t.fields {
            assert!(serde_json::from_str::<serde_json::Value>(field.example).is_ok_and(|v| !v.is_null()), "{}: {}", t.name, field.name);
        }
    }
}
