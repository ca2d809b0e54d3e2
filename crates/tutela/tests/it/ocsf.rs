use std::{collections::BTreeMap, net::IpAddr, path::Path};

use serde_json::{Map, Value, json};
use tutela_api::EventTypeBody;
use tutela_app::{ExportFormat, builtin_event_types, exported_example};

/// The folder with the schema files of OCSF, where there is one.
fn schema() -> Option<Schema> {
    testkit::shared("ocsf").map(|folder| Schema::read(&folder))
}

#[test]
fn the_example_of_every_type_is_what_ocsf_asks_for() {
    let Some(schema) = schema() else { return };
    let types = builtin_event_types();
    assert!(types.len() >= 60, "only {} types", types.len());
    let mut flaws = BTreeMap::new();
    for body in &types {
        let found = schema.flaws(&exported_example(ExportFormat::Ocsf, body));
        if !found.is_empty() {
            flaws.insert(body.name.clone(), found);
        }
    }
    assert!(flaws.is_empty(), "{flaws:#?}");
}

#[test]
fn types_that_applications_declare_are_what_ocsf_asks_for_too() {
    let Some(schema) = schema() else { return };
    // Classes of every category that ask for nothing an event could not say.
    let classes = [
        (1008, 3),
        (3001, 6),
        (3002, 1),
        (3004, 3),
        (3005, 1),
        (3006, 3),
        (3007, 1),
        (3008, 1),
        (4001, 1),
        (4002, 99),
        (4007, 1),
        (5001, 1),
        (5023, 1),
        (6002, 1),
        (6003, 2),
        (6005, 6),
        (6008, 1),
    ];
    for (class, activity) in classes {
        // A class that needs a device or a list of things cannot be filled from an event; that much is known.
        let known: &[&str] = match class {
            5001 => &[".device: required"],
            _ => &[],
        };
        let found = schema.flaws(&exported_example(ExportFormat::Ocsf, &application_type(class, activity)));
        assert_eq!(found, known, "class {class}");
    }
}

#[test]
fn the_validator_finds_what_is_wrong() {
    let Some(schema) = schema() else { return };
    let whole = exported_example(ExportFormat::Ocsf, &application_type(6003, 99));
    assert_eq!(schema.flaws(&whole), Vec::<String>::new());
    let damages: &[(&str, &[&str], Value, &str)] = &[
        ("a required attribute is missing", &["time"], Value::Null, ".time: required"),
        ("one of a nested object is missing", &["api", "operation"], Value::Null, ".api.operation: required"),
        (
            "one of an object in a list is missing",
            &["attestation_list", "0", "fingerprint", "value"],
            Value::Null,
            ".attestation_list.fingerprint.value: required",
        ),
        ("an attribute that the class does not know", &["entity"], json!({"name": "x"}), ".entity: not of this class or object"),
        ("a nested attribute that nobody knows", &["actor", "user", "nickname"], json!("x"), ".actor.user.nickname: not of this class or object"),
        ("a text for a number", &["time"], json!("yesterday"), ".time: `\"yesterday\"` is no timestamp_t"),
        ("a number beyond its list", &["severity_id"], json!(7), ".severity_id: `7` is not in the list"),
        ("an activity of another class", &["activity_id"], json!(9), ".activity_id: `9` is not in the list"),
        ("a caption that is not its number's", &["severity"], json!("Fatal"), ".severity: `Fatal` is not `Low`"),
        ("an address that is none", &["src_endpoint", "ip"], json!("somewhere"), ".src_endpoint.ip: `\"somewhere\"` is no ip_t"),
        ("one thing for a list", &["attestation_list"], json!({}), ".attestation_list: not a list"),
        ("an object for a text", &["message"], json!({}), ".message: `{}` is no string_t"),
        ("none of those of which there must be one", &["src_endpoint"], json!({"port": 1}), ".src_endpoint: at least one of"),
        ("a wrong type_uid", &["type_uid"], json!(600_301), ".type_uid: not class_uid × 100 + activity_id"),
        ("a wrong category", &["category_uid"], json!(3), ".category_uid: not that of the class"),
        ("an attribute of a profile that is not named", &["action_id"], json!(2), ".action_id: needs the profile `security_control`"),
        ("a profile that takes what it brought", &["metadata", "profiles"], json!([]), ".attestation_list: needs the profile `record_integrity`"),
        ("an other that is not named", &["activity_name"], Value::Null, ".activity_name: required where it is 99"),
    ];
    for (what, path, value, expected) in damages {
        let mut document = whole.clone();
        damage(&mut document, path, value.clone());
        let found = schema.flaws(&document);
        assert!(found.iter().any(|flaw| flaw.starts_with(expected)), "{what}: {found:#?}");
    }
    assert_eq!(schema.flaws(&json!({"class_uid": 9001})), ["there is no class 9001"]);
}

fn application_type(class_uid: u32, activity_id: u8) -> EventTypeBody {
    let ocsf = json!({"class_uid": class_uid, "activity_id": activity_id});
    serde_json::from_value(json!({"name": "photo.shared", "sentence": "A photo was shared with somebody.", "severity": 2, "ocsf": ocsf,
        "fields": [{"name": "album", "example": "summer"}, {"name": "with", "personal": true, "example": "ada@example.com"}]}))
    .unwrap()
}

/// Sets one member, or takes it away where the value is null.
fn damage(document: &mut Value, path: &[&str], value: Value) {
    let (last, outer) = path.split_last().unwrap();
    let mut at = document;
    for name in outer {
        at = match name.parse::<usize>() {
            Ok(index) => &mut at[index],
            Err(_) => &mut at[*name],
        };
    }
    let map = at.as_object_mut().unwrap();
    if value.is_null() { drop(map.remove(*last).unwrap()) } else { drop(map.insert((*last).to_owned(), value)) }
}

// === Schema ===

/// Classes, objects and the dictionary of OCSF, with inheritance and profiles already put in.
struct Schema {
    classes: BTreeMap<u64, Shape>,
    objects: BTreeMap<String, Shape>,
    types: Value,
}

/// What a class or an object may and must hold.
struct Shape {
    attributes: Map<String, Value>,
    constraints: Value,
    category: u64,
}

impl Schema {
    fn read(folder: &Path) -> Self {
        let dictionary = json_of(&folder.join("dictionary.json"));
        let categories = json_of(&folder.join("categories.json"));
        let (mut events, mut objects) = (BTreeMap::new(), BTreeMap::new());
        collect(&folder.join("events"), &mut events);
        collect(&folder.join("objects"), &mut objects);
        let shape = |raw: &BTreeMap<String, Value>, name: &str| {
            let whole = inherited(folder, raw, name);
            let mut attributes = Map::new();
            for (attribute, own) in whole["attributes"].as_object().into_iter().flatten() {
                let mut merged = dictionary["attributes"][attribute].clone();
                merge(&mut merged, own);
                attributes.insert(attribute.clone(), merged);
            }
            let category = categories["attributes"][whole["category"].as_str().unwrap_or_default()]["uid"].as_u64().unwrap_or(0);
            Shape { attributes, constraints: whole["constraints"].clone(), category }
        };
        let numbered = events.iter().filter_map(|(name, raw)| Some((name, raw["uid"].as_u64()?)));
        let classes: BTreeMap<u64, Shape> = numbered
            .map(|(name, uid)| {
                let shape = shape(&events, name);
                (shape.category * 1_000 + uid, shape)
            })
            .collect();
        let objects: BTreeMap<String, Shape> = objects.keys().map(|name| (name.clone(), shape(&objects, name))).collect();
        assert!(classes.len() > 60 && objects.len() > 100, "{} classes, {} objects", classes.len(), objects.len());
        Self { classes, objects, types: dictionary["types"]["attributes"].clone() }
    }

    /// Everything in which a document is not what its class asks for.
    fn flaws(&self, document: &Value) -> Vec<String> {
        let number = |name: &str| document[name].as_u64().unwrap_or(0);
        let class_uid = number("class_uid");
        let Some(class) = self.classes.get(&class_uid) else { return vec![format!("there is no class {class_uid}")] };
        let profiles: Vec<&str> = document["metadata"]["profiles"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let mut flaws = Vec::new();
        if number("category_uid") != class.category {
            flaws.push(".category_uid: not that of the class".to_owned());
        }
        if number("type_uid") != class_uid * 100 + number("activity_id") {
            flaws.push(".type_uid: not class_uid × 100 + activity_id".to_owned());
        }
        self.check(class, document, "", &profiles, &mut flaws);
        flaws
    }

    fn check(&self, shape: &Shape, value: &Value, path: &str, profiles: &[&str], flaws: &mut Vec<String>) {
        let Some(members) = value.as_object() else { return flaws.push(format!("{path}: not an object")) };
        let in_use = |attribute: &Value| attribute["profile"].as_str().is_none_or(|profile| profiles.contains(&profile));
        for (name, attribute) in &shape.attributes {
            if attribute["requirement"] == "required" && in_use(attribute) && !members.contains_key(name) {
                flaws.push(format!("{path}.{name}: required"));
            }
        }
        for (rule, names) in shape.constraints.as_object().into_iter().flatten() {
            let names: Vec<&str> = names.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let there = names.iter().filter(|name| members.contains_key(**name)).count();
            match rule.as_str() {
                "at_least_one" if there == 0 => flaws.push(format!("{path}: at least one of {names:?}")),
                "just_one" if there != 1 => flaws.push(format!("{path}: just one of {names:?}")),
                "at_least_one" | "just_one" => {}
                other => flaws.push(format!("{path}: unknown constraint `{other}`")),
            }
        }
        for (name, value) in members {
            let path = format!("{path}.{name}");
            match shape.attributes.get(name) {
                None => flaws.push(format!("{path}: not of this class or object")),
                Some(attribute) if !in_use(attribute) => {
                    flaws.push(format!("{path}: needs the profile `{}`", attribute["profile"].as_str().unwrap_or_default()))
                }
                Some(attribute) if attribute["is_array"] == true => match value.as_array() {
                    None => flaws.push(format!("{path}: not a list")),
                    Some(items) => items.iter().for_each(|item| self.one(attribute, item, &path, profiles, flaws)),
                },
                Some(attribute) => {
                    self.one(attribute, value, &path, profiles, flaws);
                    siblings(attribute, name, value, members, &path, flaws);
                }
            }
        }
    }

    /// One value of an attribute: its type, then its list of values.
    fn one(&self, attribute: &Value, value: &Value, path: &str, profiles: &[&str], flaws: &mut Vec<String>) {
        let kind = attribute["type"].as_str().unwrap_or_default();
        match self.objects.get(kind) {
            // An object without attributes of its own may hold anything.
            Some(_) if kind == "object" => {
                if !value.is_object() {
                    flaws.push(format!("{path}: not an object"));
                }
            }
            Some(shape) => self.check(shape, value, path, profiles, flaws),
            None if self.types[kind].is_null() => flaws.push(format!("{path}: the dictionary does not know `{kind}`")),
            None if !self.fits(kind, value) => flaws.push(format!("{path}: `{value}` is no {kind}")),
            None => {
                let listed = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                // `class_uid` and `category_uid` list only what the base class says; they are checked by themselves.
                let checked = !matches!(path, ".class_uid" | ".category_uid");
                if let Some(list) = attribute["enum"].as_object().filter(|list| checked && !list.contains_key(&listed)) {
                    flaws.push(format!("{path}: `{value}` is not in the list of {}", list.len()));
                }
            }
        }
    }

    fn fits(&self, kind: &str, value: &Value) -> bool {
        let long_enough = |text: &str| self.types[kind]["max_len"].as_u64().is_none_or(|most| text.len() as u64 <= most);
        match kind {
            "boolean_t" => value.is_boolean(),
            "float_t" => value.is_number(),
            "integer_t" | "long_t" | "timestamp_t" => value.is_i64() || value.is_u64(),
            "json_t" => true,
            "port_t" => value.as_u64().is_some_and(|port| port <= 65_535),
            "email_t" => value
                .as_str()
                .is_some_and(|text| text.split_once('@').is_some_and(|(name, domain)| !name.is_empty() && domain.contains('.') && !text.contains(' '))),
            "ip_t" => value.as_str().is_some_and(|text| text.parse::<IpAddr>().is_ok() && long_enough(text)),
            "uuid_t" => value.as_str().is_some_and(|text| text.parse::<uuid::Uuid>().is_ok()),
            _ if kind.ends_with("_t") => value.as_str().is_some_and(long_enough),
            _ => false,
        }
    }
}

/// A number's text beside it must be its caption; "other" needs a text of the source's own.
fn siblings(attribute: &Value, name: &str, value: &Value, members: &Map<String, Value>, path: &str, flaws: &mut Vec<String>) {
    let Some(sibling) = attribute["sibling"].as_str() else { return };
    let beside = path.strip_suffix(name).unwrap_or_default();
    let text = members.get(sibling).and_then(Value::as_str);
    match (value.as_u64(), text) {
        (Some(99), None) if name == "activity_id" => flaws.push(format!("{beside}{sibling}: required where it is 99")),
        (Some(99), _) | (_, None) => {}
        (_, Some(text)) => {
            let caption = attribute["enum"][value.to_string()]["caption"].as_str();
            if let Some(caption) = caption.filter(|caption| *caption != text) {
                flaws.push(format!("{beside}{sibling}: `{text}` is not `{caption}`"));
            }
        }
    }
}

/// A class or object with everything it extends and includes; what is said later wins.
fn inherited(folder: &Path, raw: &BTreeMap<String, Value>, name: &str) -> Value {
    let own = raw.get(name).unwrap_or_else(|| panic!("{name} is not in the schema"));
    let mut whole = own["extends"].as_str().map_or_else(|| json!({"attributes": {}}), |base| inherited(folder, raw, base));
    let mut attributes = own["attributes"].as_object().cloned().unwrap_or_default();
    let includes = match attributes.remove("$include") {
        Some(Value::Array(files)) => files,
        Some(file) => vec![file],
        None => Vec::new(),
    };
    for file in includes.iter().filter_map(Value::as_str) {
        let profile = json_of(&folder.join(file));
        for (attribute, said) in profile["attributes"].as_object().into_iter().flatten() {
            let mut said = said.clone();
            said["profile"] = profile["name"].clone();
            merge(&mut whole["attributes"][attribute], &said);
        }
    }
    for (attribute, said) in &attributes {
        merge(&mut whole["attributes"][attribute], said);
    }
    for member in ["constraints", "category"] {
        if !own[member].is_null() {
            whole[member] = own[member].clone();
        }
    }
    whole
}

/// Puts `said` over `base`, member by member; a null there takes a member away, as `"profile": null` does.
fn merge(base: &mut Value, said: &Value) {
    match (base, said) {
        (Value::Object(base), Value::Object(said)) => said.iter().for_each(|(name, value)| merge(base.entry(name.as_str()).or_insert(Value::Null), value)),
        (base, said) => *base = said.clone(),
    }
}

/// Every file of a folder and those below, by the name it gives itself.
fn collect(folder: &Path, out: &mut BTreeMap<String, Value>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, out);
        } else if path.extension().is_some_and(|extension| extension == "json") {
            let value = json_of(&path);
            out.insert(value["name"].as_str().unwrap_or_else(|| panic!("{} has no name", path.display())).to_owned(), value);
        }
    }
}

fn json_of(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}
