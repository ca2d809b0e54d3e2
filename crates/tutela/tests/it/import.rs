use serde_json::{Value, json};

use crate::server::Instance;

/// The event of each labelled test in a rule.
fn events_of(yaml: &str) -> Vec<Value> {
    let rule: Value = serde_yaml_ng::from_str(yaml).unwrap_or_default();
    rule["Tests"].as_array().into_iter().flatten().map(|test| test["Log"].clone()).filter(Value::is_object).collect()
}

#[tokio::test]
async fn events_of_others_are_imported_found_exported_and_every_tampering_is_named() {
    let Some(folder) = testkit::shared("panther") else { return };
    let files = testkit::files(&folder, "yml");
    let instance = Instance::start("sqlite", "").await;
    let file = instance.dir.path().join("import.jsonl");
    let mut lines = String::new();
    let mut count = 0;
    for (path, yaml) in &files {
        for event in events_of(yaml) {
            let name = event.get("eventName").or(event.get("eventType")).and_then(Value::as_str).unwrap_or("unknown").to_owned();
            let line = json!({"type": "imported.event", "action": name.chars().take(100).collect::<String>(), "resource": std::path::Path::new(path).file_stem().unwrap().to_string_lossy(), "metadata": event});
            lines.push_str(&format!("{line}\n"));
            count += 1;
        }
    }
    assert!(count > 100, "only {count} events found in {} files", files.len());
    std::fs::write(&file, &lines).unwrap();
    let out = instance.cli(&["audit", "import", "--format", "jsonl", file.to_str().unwrap()]).await;
    assert_eq!(String::from_utf8_lossy(&out.stdout).trim(), format!("{count} events recorded, 0 records refused"), "{}", String::from_utf8_lossy(&out.stderr));

    let found = instance.cli(&["--output", "json", "audit", "search", "type:imported.event", "--limit", "100000"]).await;
    assert_eq!(String::from_utf8_lossy(&found.stdout).lines().count(), count);
    let one = instance.cli(&["--output", "json", "audit", "search", "ConsoleLogin"]).await;
    let first: Value = serde_json::from_slice(one.stdout.split(|b| *b == b'\n').next().unwrap()).unwrap();
    assert_eq!(first["event"]["action"], "ConsoleLogin");

    let export = instance.dir.path().join("export.jsonl");
    assert!(instance.cli(&["audit", "export", "--format", "sealed", "--to", export.to_str().unwrap()]).await.status.success());
    let exported = std::fs::read_to_string(&export).unwrap();
    let entries: Vec<Value> = exported.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let (checkpoint, entries) = entries.split_last().unwrap();
    // Whoever has the export can rebuild the root by themselves.
    let mut edge = tutela_ledger::Frontier::default();
    for entry in entries {
        edge.append(tutela_ledger::leaf_hash(entry["body"].as_str().unwrap().as_bytes()), &mut Vec::new());
    }
    let key = tutela_ledger::VerifyingKey::parse(checkpoint["key"].as_str().unwrap()).unwrap();
    let note = checkpoint["checkpoint"].as_str().unwrap();
    let signed = tutela_ledger::Checkpoint::open(note, &key).unwrap();
    assert_eq!((signed.size, signed.root), (edge.size(), edge.root()));
    let elsewhere = instance.dir.path().join("checkpoint.txt");
    std::fs::write(&elsewhere, note).unwrap();

    instance.stop("-INT").await;
    let verify = |args: &'static [&'static str]| {
        let mut all = vec!["audit", "verify"];
        all.extend(args);
        let instance = &instance;
        async move {
            let out = instance.cli(&all).await;
            (out.status.code(), String::from_utf8_lossy(&out.stderr).into_owned() + &String::from_utf8_lossy(&out.stdout))
        }
    };
    let held = Box::leak(elsewhere.to_str().unwrap().to_owned().into_boxed_str());
    let with_held: &'static [&'static str] = Box::leak(vec!["--checkpoint", &*held].into_boxed_slice());
    assert_eq!(verify(with_held).await.0, Some(0));
    let database = rusqlite::Connection::open(instance.data().join("tutela.db")).unwrap();
    // One byte of one stored body.
    database.execute_batch("UPDATE log SET body = CAST(replace(CAST(body AS TEXT), 'imported.event', 'imported.evemt') AS BLOB) WHERE seq = 123").unwrap();
    let (code, text) = verify(&[]).await;
    assert!(code == Some(1) && text.contains("position 123: the stored event was changed"), "{text}");
    database.execute_batch("UPDATE log SET body = CAST(replace(CAST(body AS TEXT), 'imported.evemt', 'imported.event') AS BLOB) WHERE seq = 123").unwrap();
    assert_eq!(verify(&[]).await.0, Some(0));
    database.execute_batch("DELETE FROM log WHERE seq = 200").unwrap();
    let (code, text) = verify(&[]).await;
    assert!(code == Some(1) && text.contains("position 200: the entry is missing"), "{text}");
}

#[tokio::test]
async fn an_export_with_proofs_is_checked_offline_and_every_forgery_in_it_is_named() {
    let instance = Instance::start("sqlite", "").await;
    for (person, outcome) in [(1, "denied"), (2, "success"), (1, "success")] {
        let event = serde_json::json!({"type": "patient.viewed", "outcome": outcome, "reason": "round", "actor": {"namespace": "clinic", "value": person},
            "resource": {"type": "patient", "id": "117"}, "source": {"ip": "192.0.2.1"}, "metadata": {"ward": "4"}});
        let (status, _) = instance.operator(reqwest::Method::POST, "/v1/events", event).await;
        assert_eq!(status, 201);
    }
    let (_, key) = instance.operator(reqwest::Method::GET, "/v1/ledger/key", Value::Null).await;
    let key = key.as_str().unwrap().to_owned();
    let folder = instance.dir.path().to_owned();
    let export = async |format: &str, name: &str| {
        let file = folder.join(name);
        let out = instance.cli(&["audit", "export", "--format", format, "--with-proofs", "--to", file.to_str().unwrap(), "resource:patient/117"]).await;
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        std::fs::read_to_string(&file).unwrap()
    };
    let verify = async |text: &str| {
        let file = folder.join("check.jsonl");
        std::fs::write(&file, text).unwrap();
        let out = instance.cli(&["audit", "verify", "--export", file.to_str().unwrap(), "--key", &key]).await;
        (out.status.success(), String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned())
    };
    for format in ["jsonl", "ocsf", "ecs"] {
        let text = export(format, &format!("good.{format}")).await;
        let (ok, said) = verify(&text).await;
        assert!(ok && said.contains("3 events stand in"), "{format}: {said}");
    }
    let good = export("jsonl", "good.again").await;
    let lines: Vec<&str> = good.lines().collect();
    assert_eq!(lines.len(), 4);
    let with = |line: usize, change: &dyn Fn(&mut Value)| {
        let mut all: Vec<String> = lines.iter().map(|l| (*l).to_owned()).collect();
        let mut json: Value = serde_json::from_str(lines[line]).unwrap();
        change(&mut json);
        all[line] = json.to_string();
        all.join("\n") + "\n"
    };
    let forgeries: Vec<(&str, String)> = vec![
        ("outcome", with(0, &|j| j["event"]["outcome"] = "success".into())),
        ("recorded_at", with(0, &|j| drop(j["event"].as_object_mut().unwrap().remove("recorded_at")))),
        ("actor", with(0, &|j| j["event"]["actor"]["namespace"] = "others".into())),
        ("severity2", with(0, &|j| j["event"]["severity2"] = 1.into())),
        ("position or leaf", with(1, &|j| j["position"] = "9".into())),
        ("position or leaf", with(1, &|j| j["leaf"] = "00".repeat(32).into())),
        ("another root", with(1, &|j| j["sealed"] = j["sealed"].as_str().unwrap().replace("success", "denied").into())),
        ("twice", [lines[0], lines[0], lines[3], ""].join("\n")),
        ("cut off", [lines[0], lines[1], ""].join("\n")),
        ("signature", with(3, &|j| j["checkpoint"] = j["checkpoint"].as_str().unwrap().replacen("\n", "\n1", 1).into())),
    ];
    for (named, text) in forgeries {
        let (ok, said) = verify(&text).await;
        assert!(!ok && said.contains(named), "{named}: {said}");
    }
    // The sealed form is the whole log: the tree is built again from it.
    let sealed = folder.join("whole.jsonl");
    assert!(instance.cli(&["audit", "export", "--format", "sealed", "--to", sealed.to_str().unwrap()]).await.status.success());
    let text = std::fs::read_to_string(&sealed).unwrap();
    let (ok, said) = verify(&text).await;
    assert!(ok && said.contains("whole of"), "{said}");
    let without: Vec<&str> = text.lines().enumerate().filter(|(n, _)| *n != 2).map(|(_, l)| l).collect();
    assert!(!verify(&(without.join("\n") + "\n")).await.0);
    instance.stop("-INT").await;
}
