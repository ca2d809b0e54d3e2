use std::{fmt::Write as _, path::Path};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// The reference of event types is written from their declarations.
#[test]
fn the_committed_reference_of_events_is_what_the_declarations_say() {
    let mut types: Vec<_> = tutela_app::event_types().collect();
    types.sort_by_key(|t| t.name);
    let mut text = String::from(
        "# Events\n\nEvery event type that tutela records or has declared for applications.\nFields in *italics* are personal and sealed in the ledger.\n\
         Severity has the numbers of OCSF `severity_id`.\nThis page is written from the declarations; a test keeps it equal.\n\n| type | severity | meaning | fields |\n|---|---|---|---|\n",
    );
    for t in types {
        let fields: Vec<String> = t.fields.iter().map(|f| if f.personal { format!("*{}*", f.name) } else { format!("`{}`", f.name) }).collect();
        let _ = writeln!(text, "| `{}` | {} | {} | {} |", t.name, t.severity as u8, t.sentence, fields.join(", "));
    }
    let path = Path::new(ROOT).join("docs/reference/events.md");
    if std::env::var_os("TUTELA_BLESS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), text, "run the test with TUTELA_BLESS=1");
}

/// An event type that is emitted but not listed would be unknown to search, docs and detection.
#[test]
fn every_occurrence_is_registered() {
    let (mut found, mut listed) = (Vec::new(), String::new());
    for file in ["crates/tutela-identity/src/event.rs", "crates/tutela-app/src/registry.rs"] {
        let text = std::fs::read_to_string(Path::new(ROOT).join(file)).unwrap();
        found.extend(text.lines().filter_map(|l| l.strip_prefix("impl Occurrence for ")).map(|l| l.split(['<', ' ']).next().unwrap().to_owned()));
        listed.push_str(text.split_once("TYPES: &[EventType] = &[").unwrap().1.split_once("];").unwrap().0);
    }
    // Those of keys are declared by a macro, which lists them by itself.
    assert!(found.len() > 10);
    for name in &found {
        assert!(listed.contains(&format!("{name}::TYPE")), "{name} is not in TYPES");
    }
    // Nowhere else is one declared.
    let elsewhere = std::process::Command::new("grep").args(["-rl", "impl Occurrence for", "crates", "--include=*.rs"]).current_dir(ROOT).output().unwrap();
    let files: Vec<String> = String::from_utf8(elsewhere.stdout).unwrap().lines().filter(|l| !l.contains("/tests/")).map(str::to_owned).collect();
    assert_eq!(files.len(), 3, "{files:?}");
}
