//! One record of somebody else's log on its way to being an event: what has a place there is lifted
//! out of it, and the rest becomes the metadata.

use std::net::IpAddr;

use serde_json::{Map, Value, json};
use tutela_core::Timestamp;

/// Most bytes of an action.
const ACTION: usize = 128;
/// Most bytes of somebody's identifier.
const IDENTIFIER: usize = 256;
/// Most bytes of the name of a type.
const KIND: usize = 128;
/// Most bytes of a resource's type and id.
const RESOURCE: (usize, usize) = (64, 512);
/// Most bytes of a `User-Agent`.
const USER_AGENT: usize = 512;

/// A record and what is left of it. Names of members are compared without regard to case, because
/// some pipelines write them all in lower case.
pub(super) struct Foreign<'a> {
    record: &'a Value,
    rest: Value,
}

impl<'a> Foreign<'a> {
    pub(super) fn of(record: &'a Value) -> Result<Self, String> {
        if record.is_object() { Ok(Self { record, rest: record.clone() }) } else { Err("a record is a JSON object".to_owned()) }
    }

    /// The member at a path.
    pub(super) fn value(&self, path: &[&str]) -> Option<&'a Value> {
        find(self.record, path)
    }

    /// The text at a path, where there is one that is not empty.
    pub(super) fn text(&self, path: &[&str]) -> Option<&'a str> {
        self.value(path).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    /// The text of a member without which this is no such record.
    pub(super) fn required(&self, name: &str) -> Result<&'a str, String> {
        self.text(&[name]).ok_or_else(|| format!("`{name}` is missing or no text; every record of this format has it"))
    }

    /// Takes a member out of what is left.
    pub(super) fn lift(&mut self, path: &[&str]) {
        remove(&mut self.rest, path);
    }

    /// The type `family.name`, in the letters that types have. Lifts `member` where `name` can be told from it.
    pub(super) fn kind(&mut self, family: &str, name: &str, member: &str, whole: &str) -> Result<String, String> {
        let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
        let word: String = name.chars().map(|c| c.to_ascii_lowercase()).map(|c| if fine(c) { c } else { '-' }).collect();
        let kind = format!("{family}.{word}");
        if kind.len() > KIND {
            return Err(format!("`{member}` is too long for the name of an event type, which has at most {KIND} characters"));
        }
        if self.text(&[member]) == Some(whole) && word == name {
            self.lift(&[member]);
        }
        Ok(kind)
    }

    /// The action at a path.
    pub(super) fn action(&mut self, path: &[&str]) -> Option<String> {
        self.at_most(path, ACTION)
    }

    /// The `User-Agent` at a path.
    pub(super) fn user_agent(&mut self, path: &[&str]) -> Option<String> {
        self.at_most(path, USER_AGENT)
    }

    /// A text that may be cut; it is lifted where it was not.
    fn at_most(&mut self, path: &[&str], most: usize) -> Option<String> {
        let text = self.text(path)?;
        let end = text.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= most).last().unwrap_or(0);
        let cut = text.get(..end).filter(|cut| !cut.is_empty())?.to_owned();
        if cut.len() == text.len() {
            self.lift(path);
        }
        Some(cut)
    }

    /// A time. Some pipelines write it without `T` and zone; both logs are in UTC. One that cannot be read is
    /// an error, since the event would otherwise seem to have happened when it was imported.
    pub(super) fn time(&mut self, name: &str) -> Result<Option<String>, String> {
        let text = match self.value(&[name]) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::String(text)) => text,
            Some(_) => return Err(format!("`{name}` is not text; write it as 2026-11-22T09:30:00Z")),
        };
        let time = text
            .parse::<Timestamp>()
            .or_else(|_| format!("{}Z", text.replacen(' ', "T", 1)).parse())
            .map_err(|_| format!("`{name}` is not a time such as 2026-11-22T09:30:00Z"))?;
        // Lifted only where the event's time says all that stood there.
        if text.ends_with('Z') && text.len() <= "2026-11-22T09:30:00.000000Z".len() {
            self.lift(&[name]);
        }
        Ok(Some(time.to_string()))
    }

    /// An address; what is none stays where it was, for example the name of a service.
    pub(super) fn address(&mut self, path: &[&str]) -> Option<String> {
        let ip: IpAddr = self.text(path)?.parse().ok()?;
        // IPv6 has many spellings; one that is not kept as it was stays in the metadata, too.
        if self.text(path) == Some(ip.to_string().as_str()) {
            self.lift(path);
        }
        Some(ip.to_string())
    }

    /// Who did it: the first identifier that an event can hold. `unknown` where there is none, since an
    /// event without an actor would be said to be the importer's doing.
    pub(super) fn actor(&mut self, namespace: &str, paths: &[&[&str]]) -> Value {
        let fits = |text: &str| text.len() <= IDENTIFIER && !text.chars().any(char::is_control);
        let found = paths.iter().find_map(|path| Some((*path, self.text(path).filter(|text| fits(text))?)));
        let value = match found {
            Some((path, value)) => {
                self.lift(path);
                value
            }
            None => "unknown",
        };
        json!({"namespace": namespace, "value": value})
    }

    /// The event: `members` that are there, and what is left as metadata.
    pub(super) fn event(self, members: Value) -> Value {
        let mut event = present(members).as_object().cloned().unwrap_or_default();
        if self.rest.as_object().is_some_and(|rest| !rest.is_empty()) {
            event.insert("metadata".to_owned(), self.rest);
        }
        Value::Object(event)
    }
}

/// A resource, where its type and id are not too long.
pub(super) fn resource(kind: &str, id: &str) -> Option<Value> {
    let fits = |text: &str, most: usize| (1..=most).contains(&text.len());
    (fits(kind, RESOURCE.0) && fits(id, RESOURCE.1)).then(|| json!({"type": kind, "id": id}))
}

/// The members that are not null; null where there are none.
pub(super) fn present(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept: Map<String, Value> = map.into_iter().filter(|(_, value)| !value.is_null()).collect();
            if kept.is_empty() { Value::Null } else { Value::Object(kept) }
        }
        other => other,
    }
}

/// The member at a path within `value`.
pub(super) fn find<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, name| member(value.as_object()?, name).map(|(_, inner)| inner))
}

fn member<'a>(map: &'a Map<String, Value>, name: &str) -> Option<(&'a String, &'a Value)> {
    map.get_key_value(name).or_else(|| map.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)))
}

fn remove(value: &mut Value, path: &[&str]) {
    let (Some((name, deeper)), Some(map)) = (path.split_first(), value.as_object_mut()) else { return };
    let Some(key) = member(map, name).map(|(key, _)| key.clone()) else { return };
    if deeper.is_empty() {
        map.remove(&key);
    } else if let Some(inner) = map.get_mut(&key) {
        remove(inner, deeper);
    }
}
