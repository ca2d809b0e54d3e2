//! An event as rules see it: its members by dotted name.

use serde_json::Value;
use tutela_core::Timestamp;

/// An event, and where it stands in the log that it comes from.
#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    /// All of it.
    pub body: &'a Value,
    /// When it happened.
    pub time: Timestamp,
    /// Its place, growing from event to event.
    pub position: u64,
}

/// The name of a member: `source.ip`. An event of ours may be asked by the short names of a search, `ip`, too.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Field {
    name: String,
    path: Vec<String>,
    /// In logs of others the short name may be the name itself.
    other: Option<Vec<String>>,
}

/// Short names of members of our own events, as searches have them.
const SHORT: &[(&str, &str)] = &[
    ("account", "about.account"),
    ("actor", "actor.id"),
    ("block", "place.block"),
    ("country", "place.country"),
    ("device", "data.device"),
    ("email", "personal.email"),
    ("host", "data.host"),
    ("ip", "source.ip"),
    ("network", "place.network"),
    ("path", "personal.path"),
    ("permission", "data.permission"),
    ("resource", "resource.id"),
    ("route", "request.route"),
    ("status", "request.status"),
    ("user_agent", "source.user_agent"),
];

/// The whole name of a member that has a short one.
pub(crate) fn long_name(name: &str) -> &str {
    SHORT.iter().find(|(short, _)| *short == name).map_or(name, |(_, long)| long)
}

impl Field {
    /// From its name; refuses what cannot be one.
    pub fn new(name: &str) -> Result<Self, String> {
        if name.is_empty() || name.len() > 200 || name.chars().any(char::is_control) {
            return Err(format!("`{name}` is no name of a field"));
        }
        let path = |name: &str| name.split('.').map(str::to_owned).collect();
        let long = long_name(name);
        Ok(Self { name: name.to_owned(), path: path(long), other: (long != name).then(|| path(name)) })
    }

    /// Whether its value stands in clear in the ledger: nothing about a person does.
    pub(crate) fn is_clear(&self) -> bool {
        let sealed = ["about", "actor", "metadata", "personal", "place", "source"];
        self.path.first().is_some_and(|first| !sealed.contains(&first.as_str()))
    }

    /// Its name, as it was given.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The members at the top of an event, without each of which it has no value there.
    pub(crate) fn begins(&self) -> impl Iterator<Item = String> {
        let first = |path: &Vec<String>| path.first().cloned().into_iter().chain((path.len() > 1).then(|| path.join(".")));
        first(&self.path).chain(self.other.iter().flat_map(first)).collect::<Vec<_>>().into_iter()
    }

    /// Every value that an event has there. Lists are gone into, and so are members whose own name has dots.
    pub(crate) fn each(&self, body: &Value, seen: &mut dyn FnMut(&Value) -> bool) -> bool {
        walk(body, &self.path, seen) || self.other.as_ref().is_some_and(|other| walk(body, other, seen))
    }

    /// The first plain value there, as text.
    pub fn text(&self, body: &Value) -> Option<String> {
        let mut found = None;
        self.with_text(body, |text| found = Some(text.to_owned()));
        found
    }

    /// Lends the first plain value there, as text; whether there is one.
    pub(crate) fn with_text(&self, body: &Value, mut seen: impl FnMut(&str)) -> bool {
        self.each(body, &mut |value| match value {
            Value::String(text) => {
                seen(text);
                true
            }
            other => plain(other).is_some_and(|text| {
                seen(&text);
                true
            }),
        })
    }
}

/// A text, number or truth as text.
pub(crate) fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Whether `seen` says yes to one of the values at `path`.
fn walk(value: &Value, path: &[String], seen: &mut dyn FnMut(&Value) -> bool) -> bool {
    if let Value::Array(items) = value {
        return items.iter().any(|item| walk(item, path, seen));
    }
    let Some((first, rest)) = path.split_first() else { return seen(value) };
    let Value::Object(map) = value else { return false };
    if map.get(first).is_some_and(|inner| walk(inner, rest, seen)) {
        return true;
    }
    // `eventName.with.dots` as one name: rare, and only looked for where there is more than one part.
    !rest.is_empty() && map.get(&path.join(".")).is_some_and(|inner| walk(inner, &[], seen))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_are_found_in_objects_in_lists_and_under_names_with_dots() {
        let body = json!({"source": {"ip": "192.0.2.7"}, "items": [{"n": 1}, {"n": 2}], "a.b": true, "data": {"roles": ["x", "y"]}});
        let text = |name: &str| Field::new(name).unwrap().text(&body);
        assert_eq!(text("ip").as_deref(), Some("192.0.2.7"));
        assert_eq!(text("source.ip").as_deref(), Some("192.0.2.7"));
        assert_eq!(text("items.n").as_deref(), Some("1"));
        assert_eq!(text("a.b").as_deref(), Some("true"));
        assert_eq!(text("source"), None);
        let mut all = Vec::new();
        Field::new("data.roles").unwrap().each(&body, &mut |value| {
            all.push(value.clone());
            false
        });
        assert_eq!(all, ["x", "y"]);
    }
}
