//! `[audit] fields`: what is kept of an application's event, and how.

use serde_json::Value;
use tutela_core::{Actor, Event, Pii};
use tutela_kms::subject_tag;

use super::{FieldRule, Keep};

/// Fields that may be named and are kept in any case.
const ALWAYS: &[&str] = &["outcome", "session"];
/// The fields that a plain list chooses from. `timestamp` is always there.
const CONTEXT: &[&str] = &["timestamp", "user_id", "action", "resource", "ip_address", "user_agent"];

impl FieldRule {
    fn name(&self) -> &str {
        match self {
            Self::Name(name) | Self::Rule { name, .. } => name,
        }
    }

    fn keep(&self) -> Option<Keep> {
        match self {
            Self::Name(_) => None,
            Self::Rule { keep, .. } => Some(*keep),
        }
    }
}

/// Refuses names that no event has, and ways that a field cannot be kept in.
pub(super) fn check(rules: &[FieldRule]) -> Result<(), String> {
    for rule in rules {
        let name = rule.name();
        let known = CONTEXT.contains(&name)
            || ALWAYS.contains(&name)
            || ["reason", "metadata"].contains(&name)
            || name.strip_prefix("metadata.").is_some_and(|key| !key.is_empty());
        if !known {
            return Err(format!("there is no field `{name}`; fields are {}, outcome, session, reason, metadata and `metadata.KEY`", CONTEXT.join(", ")));
        }
        let fits = match (name, rule.keep()) {
            (_, None) | ("timestamp", Some(Keep::Clear)) => true,
            ("timestamp" | "outcome" | "session", Some(_)) => false,
            ("metadata", Some(keep)) => matches!(keep, Keep::Sealed | Keep::Dropped),
            ("action" | "resource" | "reason", Some(keep)) => keep != Keep::Sealed,
            ("user_id", Some(keep)) => keep != Keep::Clear,
            (_, Some(_)) => true,
        };
        if !fits {
            return Err(format!(
                "`{name}` cannot be kept so: time, outcome and session are always clear, metadata as a whole is sealed or dropped, a person's own identifier is never clear, and only personal fields are sealed"
            ));
        }
    }
    Ok(())
}

/// Applies the rules to an application's event. `key` hashes.
pub(crate) fn apply(rules: &[FieldRule], event: &mut Event, key: &[u8; 32]) {
    let listed = rules.iter().any(|rule| CONTEXT.contains(&rule.name()));
    for name in CONTEXT {
        let rule = rules.iter().find(|rule| rule.name() == *name);
        match rule {
            None if listed => keep(event, name, Keep::Dropped, key),
            None => {}
            Some(rule) => rule.keep().into_iter().for_each(|how| keep(event, name, how, key)),
        }
    }
    for rule in rules.iter().filter(|rule| !CONTEXT.contains(&rule.name())) {
        rule.keep().into_iter().for_each(|how| keep(event, rule.name(), how, key));
    }
}

fn keep(event: &mut Event, name: &str, how: Keep, key: &[u8; 32]) {
    // Sealed is how personal fields are kept anyway; clear is how the others are.
    let taken: Option<Value> = match (name, how) {
        ("timestamp", _) | (_, Keep::Sealed) | ("action" | "resource" | "reason", Keep::Clear) => return,
        ("user_id", _) => match std::mem::replace(&mut event.actor, Actor::Unknown) {
            Actor::External { namespace, value } => Some(format!("{namespace}:{}", value.open()).into()),
            Actor::Account(id) => Some(id.to_string().into()),
            // Programs and hosts are nobody's personal data.
            other => {
                event.actor = other;
                None
            }
        },
        ("action", _) => event.action.take().map(Value::from),
        ("reason", _) => event.reason.take().map(Value::from),
        ("resource", _) => event.resource.take().map(|r| r.kind.map_or_else(|| r.id.clone(), |kind| format!("{kind}/{}", r.id)).into()),
        ("ip_address", _) => event.source.ip.take().map(|ip| ip.open().to_string().into()),
        ("user_agent", _) => event.source.user_agent.take().map(|agent: Pii<String>| agent.open().clone().into()),
        ("metadata", _) => {
            event.metadata.clear();
            None
        }
        (name, _) => event.metadata.remove(name.trim_start_matches("metadata.")),
    };
    let Some(value) = taken else { return };
    let name = name.trim_start_matches("metadata.");
    match how {
        Keep::Clear => event.set(name, value),
        Keep::Hashed => {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let hash: String = subject_tag(key, &[name, &text]).iter().map(|b| format!("{b:02x}")).collect();
            event.set(name, format!("hmac-sha256:{hash}"));
        }
        Keep::Dropped | Keep::Sealed => {}
    }
}

/// The names of the context fields that are kept in any form.
pub(crate) fn kept(rules: &[FieldRule]) -> Vec<&'static str> {
    let listed = rules.iter().any(|rule| CONTEXT.contains(&rule.name()));
    let of = |name: &str| rules.iter().find(|rule| rule.name() == name);
    CONTEXT.iter().copied().filter(|name| *name == "timestamp" || of(name).map_or(!listed, |rule| rule.keep() != Some(Keep::Dropped))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tutela_core::{EventId, Resource, Source, Timestamp};

    use super::*;

    fn event() -> Event {
        let now = Timestamp::from_secs(1_795_338_000);
        let mut event = Event::named("app.x".into(), EventId(uuid::Uuid::nil()), now);
        event.actor = Actor::External { namespace: "photos".into(), value: Pii::new("7".into()) };
        event.resource = Some(Resource::of("album", 9));
        event.source = Source { ip: Some(Pii::new([192, 0, 2, 7].into())), user_agent: Some(Pii::new("curl".into())) };
        event.metadata.insert("tag".into(), json!("x"));
        event
    }

    fn rules(json: Value) -> Vec<FieldRule> {
        let rules: Vec<FieldRule> = serde_json::from_value(json).unwrap();
        check(&rules).unwrap();
        rules
    }

    #[test]
    fn a_list_keeps_what_it_names_and_drops_the_rest_of_the_context() {
        let mut event = event();
        apply(&rules(json!(["timestamp", "user_id", "resource"])), &mut event, &[0; 32]);
        assert!(event.source.ip.is_none() && event.source.user_agent.is_none() && event.resource.is_some());
        assert!(matches!(event.actor, Actor::External { .. }));
        assert_eq!(event.metadata.len(), 1);
        assert_eq!(kept(&rules(json!(["user_id", "resource"]))), ["timestamp", "user_id", "resource"]);
        assert_eq!(kept(&[]).len(), 6);
    }

    #[test]
    fn a_hash_tells_equal_values_and_hides_them() {
        let rule = rules(json!([{"name": "ip_address", "keep": "hashed"}, {"name": "metadata.tag", "keep": "clear"}, {"name": "user_id", "keep": "hashed"}]));
        let (mut one, mut two) = (event(), event());
        apply(&rule, &mut one, &[1; 32]);
        apply(&rule, &mut two, &[1; 32]);
        assert_eq!(one.fields, two.fields);
        assert_eq!(one.fields["tag"], "x");
        assert!(one.fields["ip_address"].as_str().unwrap().starts_with("hmac-sha256:") && one.source.ip.is_none());
        assert!(!serde_json::to_string(&one.fields).unwrap().contains("photos") && one.actor == Actor::Unknown);
    }

    #[test]
    fn names_and_ways_that_make_no_sense_are_refused() {
        for bad in [json!(["ip"]), json!([{"name": "user_id", "keep": "clear"}]), json!([{"name": "timestamp", "keep": "dropped"}]), json!(["metadata."])] {
            let rules: Vec<FieldRule> = serde_json::from_value(bad.clone()).unwrap();
            assert!(check(&rules).is_err(), "{bad}");
        }
    }
}
