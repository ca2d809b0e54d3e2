//! Every event type that this instance knows: tutela's own, those of the configuration, and
//! those declared over the API. Later ones never replace earlier ones.

use std::{collections::BTreeMap, sync::Arc};

use arc_swap::ArcSwap;
use serde_json::Value;
use tutela_api::{EcsNames, EventTypeBody, OcsfNames, TypeField};
use tutela_core::{Class, Severity};

use crate::registry::{APPLICATION_TYPES, event_types};

/// Most fields of one declaration.
const MAX_FIELDS: usize = 64;

/// A declared event type.
#[derive(Debug, Clone)]
pub struct Declared {
    /// As it is shown.
    pub body: EventTypeBody,
    /// Who declared it.
    pub origin: Origin,
    /// How grave it is by itself.
    pub severity: Severity,
    /// Which rule of retention it falls under.
    pub class: Class,
}

/// Who declared a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// An application, over the API.
    Api,
    /// `audit.event_types`.
    Configuration,
    /// This program.
    Tutela,
}

impl Origin {
    /// As it is shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Configuration => "configuration",
            Self::Tutela => "tutela",
        }
    }
}

impl Declared {
    /// Whether applications may record it.
    pub(crate) fn is_for_applications(&self) -> bool {
        self.origin != Origin::Tutela || APPLICATION_TYPES.contains(&self.body.name.as_str())
    }

    fn new(body: EventTypeBody, origin: Origin) -> Self {
        let severity = Severity::from_number(body.severity.into()).unwrap_or(Severity::Informational);
        let class = Class::parse(&body.class).unwrap_or(Class::AUDIT);
        Self { body, origin, severity, class }
    }
}

/// The types in use; replaced as a whole when one is declared.
pub(crate) struct Types {
    fixed: BTreeMap<String, Arc<Declared>>,
    all: ArcSwap<BTreeMap<String, Arc<Declared>>>,
}

impl Types {
    /// tutela's own types and those of the configuration.
    pub(crate) fn new(configured: &[EventTypeBody]) -> Self {
        let own = builtin_event_types().into_iter().map(|body| Declared::new(body, Origin::Tutela));
        let mut fixed = BTreeMap::new();
        for declared in own.chain(configured.iter().map(|body| Declared::new(body.clone(), Origin::Configuration))) {
            fixed.entry(declared.body.name.clone()).or_insert_with(|| Arc::new(declared));
        }
        Self { all: ArcSwap::from_pointee(fixed.clone()), fixed }
    }

    /// Takes up what was declared over the API.
    pub(crate) fn replace(&self, stored: Vec<(String, Value)>) {
        let mut all = self.fixed.clone();
        for (name, declaration) in stored {
            let Ok(body) = serde_json::from_value(declaration) else {
                tracing::error!(event_type = name, "a stored declaration cannot be read; the type counts as undeclared");
                continue;
            };
            all.entry(name).or_insert_with(|| Arc::new(Declared::new(body, Origin::Api)));
        }
        self.all.store(Arc::new(all));
    }

    pub(crate) fn get(&self, name: &str) -> Option<Arc<Declared>> {
        self.all.load().get(name).cloned()
    }

    /// The declaration of a type; that of nothing in particular where it has none.
    pub(crate) fn body(&self, name: &str) -> EventTypeBody {
        self.get(name).map_or_else(
            || EventTypeBody {
                name: name.to_owned(),
                sentence: "An application recorded this event; its type is not declared.".into(),
                severity: 1,
                class: Class::AUDIT.to_string(),
                fields: Vec::new(),
                ocsf: OcsfNames::default(),
                ecs: EcsNames::default(),
            },
            |declared| declared.body.clone(),
        )
    }

    pub(crate) fn is_fixed(&self, name: &str) -> bool {
        self.fixed.contains_key(name)
    }

    pub(crate) fn list(&self) -> Vec<Arc<Declared>> {
        self.all.load().values().cloned().collect()
    }
}

/// Every type that this program declares itself, in the shape of the API.
pub fn builtin_event_types() -> Vec<EventTypeBody> {
    let field = |f: &tutela_core::Field| TypeField { name: f.name.into(), personal: f.personal, example: serde_json::from_str(f.example).unwrap_or_default() };
    let body = |t: &tutela_core::EventType| EventTypeBody {
        name: t.name.into(),
        sentence: t.sentence.into(),
        severity: t.severity as u8,
        class: t.class.to_string(),
        fields: t.fields.iter().map(field).collect(),
        ocsf: OcsfNames { class_uid: t.mapping.class_uid, activity_id: t.mapping.activity_id },
        ecs: EcsNames { category: vec![t.mapping.category.into()], r#type: t.mapping.kind.iter().map(|k| (*k).to_owned()).collect() },
    };
    event_types().map(body).collect()
}

/// Beginnings of names that only tutela gives, so that a later type of ours cannot have been forged before.
const OWN_FAMILIES: &[&str] = &[
    "access.",
    "account.",
    "audit.",
    "authenticator.",
    "backup.",
    "client.",
    "device.",
    "event_type.",
    "field_policy.",
    "gateway.",
    "grant.",
    "group.",
    "key.",
    "ledger.",
    "message.",
    "password.",
    "privacy.subject.",
    "refresh_token.",
    "role.",
    "server.",
    "session.",
    "setup_link.",
    "sign_in.",
    "sink.",
];

/// Whether a name belongs to tutela.
pub(crate) fn is_own_family(name: &str) -> bool {
    OWN_FAMILIES.iter().any(|family| name.starts_with(family)) || APPLICATION_TYPES.contains(&name)
}

/// Refuses a declaration that is not whole: the field, and what it should be.
pub(crate) fn check(body: &EventTypeBody) -> Result<(), (String, String)> {
    let wrong = |field: &str, message: &str| Err((field.to_owned(), message.to_owned()));
    let word =
        |text: &str, most: usize| (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b));
    if !word(&body.name, 128) {
        return wrong("name", "a type has 1 to 128 characters of `a-z 0-9 . _ -`, for example `photo.shared`");
    }
    if is_own_family(&body.name) {
        return wrong("name", "types that begin so are tutela's own; choose a name of your application's");
    }
    if !(10..=300).contains(&body.sentence.len()) {
        return wrong("sentence", "say to an auditor in 10 to 300 bytes what it means when this is recorded");
    }
    if Severity::from_number(body.severity.into()).is_none() {
        return wrong("severity", "a severity is a number from 1 (for the record) to 5 (act now)");
    }
    if Class::parse(&body.class).is_none() {
        return wrong("class", "a class has 1 to 32 characters of `a-z _`");
    }
    if !(1_000..=9_999).contains(&body.ocsf.class_uid) {
        return wrong("ocsf.class_uid", "an OCSF class has four digits, for example 6003 for API Activity");
    }
    if body.ecs.category.is_empty() || body.ecs.r#type.is_empty() {
        return wrong("ecs", "name at least one category and one type of the Elastic Common Schema, for example `web` and `access`");
    }
    if body.fields.len() > MAX_FIELDS {
        return wrong("fields", "a type declares at most 64 fields");
    }
    for (number, field) in body.fields.iter().enumerate() {
        if !word(&field.name, 64) || field.name.contains('.') {
            return wrong(&format!("fields[{number}].name"), "a field has 1 to 64 characters of `a-z 0-9 _ -`");
        }
        if field.example.is_null() {
            return wrong(&format!("fields[{number}].example"), "give a value that the field could have; it says its shape too");
        }
        if field.name == "reported_by" {
            return wrong(&format!("fields[{number}].name"), "`reported_by` says who reported the event; tutela fills it");
        }
        if body.fields.iter().filter(|other| other.name == field.name).count() > 1 {
            return wrong(&format!("fields[{number}].name"), "each field is declared once");
        }
    }
    Ok(())
}
