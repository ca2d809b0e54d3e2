//! What an event is found by. The same facets come from an event that is about to be sealed and
//! from one that was opened again; from them come the tokens of the index, and the answer to
//! whether an event fits a query.

use std::{borrow::Cow, collections::BTreeSet, net::IpAddr};

use serde_json::Value;
use tutela_core::{Actor, Event, Timestamp};
use tutela_kms::IndexKey;
use tutela_ledger::query::{Field, Query, Term, network};

/// Most words of one event that are indexed; its other facets always are.
const MAX_WORDS: usize = 64;

/// The searchable sides of an event.
pub(crate) struct Facets<'a> {
    id: Cow<'a, str>,
    time: Option<Timestamp>,
    kind: &'a str,
    outcome: &'a str,
    severity: String,
    class: &'a str,
    actor: Option<Cow<'a, str>>,
    resource: Option<(Option<&'a str>, &'a str)>,
    session: Option<Cow<'a, str>>,
    ip: Option<IpAddr>,
    route: Option<&'a str>,
    action: Option<&'a str>,
    texts: Vec<Cow<'a, str>>,
}

impl<'a> Facets<'a> {
    /// Of an event in clear.
    pub(crate) fn of(event: &'a Event) -> Self {
        let mut texts = Vec::new();
        texts.extend(event.action.as_deref().map(Cow::Borrowed));
        texts.extend(event.reason.as_deref().map(Cow::Borrowed));
        for map in [&event.fields, &event.personal, &event.metadata] {
            map.values().for_each(|value| collect_texts(value, &mut texts));
        }
        Self {
            id: Cow::Owned(event.id.to_string()),
            time: Some(event.time),
            kind: &event.kind,
            outcome: event.outcome.as_str(),
            severity: (event.severity as u8).to_string(),
            class: event.class.as_str(),
            actor: actor_text(&event.actor).map(Cow::Owned),
            resource: event.resource.as_ref().map(|r| (r.kind.as_deref(), r.id.as_str())),
            session: event.session.map(|s| Cow::Owned(s.to_string())),
            ip: event.source.ip.as_ref().map(|ip| *ip.open()),
            route: event.request.as_ref().and_then(|r| r.route.as_deref()),
            action: event.action.as_deref(),
            texts,
        }
    }

    /// Of an event as it was opened for a reader.
    pub(crate) fn read(event: &'a Value) -> Self {
        let text = |value: &'a Value| value.as_str();
        let mut texts = Vec::new();
        for member in ["action", "reason", "data", "personal", "metadata"] {
            collect_texts(&event[member], &mut texts);
        }
        let actor = match (text(&event["actor"]["namespace"]), text(&event["actor"]["id"])) {
            (Some(namespace), Some(id)) => Some(Cow::Owned(format!("{namespace}:{id}"))),
            (None, Some(id)) if event["actor"]["type"] == "operator" => Some(Cow::Owned(format!("operator:{id}"))),
            (None, Some(id)) => Some(Cow::Borrowed(id)),
            (_, None) => None,
        };
        Self {
            id: Cow::Borrowed(text(&event["id"]).unwrap_or_default()),
            time: text(&event["time"]).and_then(|t| t.parse().ok()),
            kind: text(&event["type"]).unwrap_or_default(),
            outcome: text(&event["outcome"]).unwrap_or_default(),
            severity: event["severity"].to_string(),
            class: text(&event["retain"]).unwrap_or_default(),
            actor,
            resource: text(&event["resource"]["id"]).map(|id| (text(&event["resource"]["type"]), id)),
            session: text(&event["session"]).map(Cow::Borrowed),
            ip: text(&event["source"]["ip"]).and_then(|ip| ip.parse().ok()),
            route: text(&event["request"]["route"]),
            action: text(&event["action"]),
            texts,
        }
    }

    /// The tokens of its index row. Personal and undeclared words enter as keyed hashes only.
    pub(crate) fn tokens(&self, key: &IndexKey) -> Vec<String> {
        let mut tokens = vec![format!("t={}", self.kind), format!("o={}", self.outcome), format!("s={}", self.severity), format!("c={}", self.class)];
        tokens.extend(families(self.kind).map(|family| format!("t={family}")));
        let mut add = |prefix: &str, word: &str| tokens.push(keyed(key, prefix, word));
        self.actor.iter().for_each(|actor| add("a", actor));
        self.action.iter().for_each(|action| add("x", action));
        if let Some((kind, id)) = self.resource {
            add("r", id);
            kind.iter().for_each(|kind| add("r", &format!("{kind}/{id}")));
        }
        self.session.iter().for_each(|session| add("e", session));
        self.ip.map(ip_words).iter().flatten().for_each(|word| add("i", word));
        self.route.iter().for_each(|route| add("g", route));
        let all: BTreeSet<String> = self.texts.iter().flat_map(|text| words(text)).collect();
        all.iter().take(MAX_WORDS).for_each(|word| add("w", word));
        tokens
    }

    /// Whether the event fits. The index only narrows the search; this decides.
    pub(crate) fn fit(&self, query: &Query) -> bool {
        let in_time = query.after.is_none_or(|after| self.time.is_some_and(|t| t >= after)) && query.before.is_none_or(|b| self.time.is_some_and(|t| t < b));
        in_time && query.terms.iter().all(|term| term.values.iter().any(|value| self.has(term, value)) != term.excluded)
    }

    fn has(&self, term: &Term, wanted: &str) -> bool {
        match term.field {
            Field::Action => self.action == Some(wanted),
            Field::Actor => self.actor.as_deref() == Some(wanted),
            Field::Class => self.class == wanted,
            Field::Id => self.id == wanted,
            Field::Ip => self.ip.is_some_and(|ip| within(ip, wanted)),
            Field::Outcome => self.outcome == wanted,
            Field::Resource => self
                .resource
                .is_some_and(|(kind, id)| id == wanted || kind.is_some_and(|kind| wanted.strip_prefix(kind).and_then(|w| w.strip_prefix('/')) == Some(id))),
            Field::Route => self.route == Some(wanted),
            Field::Session => self.session.as_deref() == Some(wanted),
            Field::Severity => self.severity == wanted,
            Field::Type => self.kind == wanted || families(self.kind).any(|family| family == wanted),
            Field::Words => {
                let wanted = words(wanted);
                !wanted.is_empty() && self.texts.iter().any(|text| words(text).windows(wanted.len()).any(|run| run == wanted))
            }
        }
    }
}

/// The token of an exact value in the index of a month.
pub(crate) fn keyed(key: &IndexKey, prefix: &str, word: &str) -> String {
    format!("{prefix}={}", key.token(prefix, word))
}

/// `a.*` and `a.b.*` of `a.b.c`.
fn families(kind: &str) -> impl Iterator<Item = String> {
    kind.match_indices('.').map(|(at, _)| format!("{}.*", kind.get(..at).unwrap_or_default()))
}

/// How an actor is written in a search: an id, or `namespace:value` for an external identifier.
fn actor_text(actor: &Actor) -> Option<String> {
    match actor {
        Actor::Account(id) => Some(id.to_string()),
        Actor::Client(id) => Some(id.to_string()),
        Actor::External { namespace, value } => Some(format!("{namespace}:{}", value.open())),
        Actor::Operator(uid) => Some(format!("operator:{uid}")),
        Actor::System(name) => Some((*name).to_owned()),
        Actor::Anonymous | Actor::Unknown => None,
    }
}

/// The words of a text as they are indexed: lower case, cut at everything but letters, digits and `_ - . / : @`.
pub(crate) fn words(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let parts = lower.split(|c: char| !c.is_alphanumeric() && !"_-./:@".contains(c));
    parts.map(|w| w.trim_matches(|c| ".:/".contains(c))).filter(|w| !w.is_empty() && w.len() <= 128).map(str::to_owned).collect()
}

/// The indexed network that holds `wanted`, an address or network of any width.
pub(crate) fn indexed_network(wanted: &str) -> Option<String> {
    let (ip, bits) = network(wanted)?;
    let widths: [u8; 4] = if ip.is_ipv4() { [32, 24, 16, 8] } else { [128, 64, 48, 32] };
    let at = widths.iter().position(|width| *width <= bits)?;
    ip_words(ip).get((4 - at) % 4).cloned()
}

fn within(ip: IpAddr, wanted: &str) -> bool {
    let bits_of = |ip: IpAddr| match ip {
        IpAddr::V4(v4) => (u128::from(v4.to_bits()), 32_u32),
        IpAddr::V6(v6) => (v6.to_bits(), 128),
    };
    let Some((net, bits)) = network(wanted) else { return false };
    let ((a, width), (b, other)) = (bits_of(ip), bits_of(net));
    width == other && (a ^ b).checked_shr(width - u32::from(bits)).unwrap_or(0) == 0
}

/// The address and its prefixes: /8, /16, /24 of IPv4; /32, /48, /64 of IPv6.
fn ip_words(ip: IpAddr) -> Vec<String> {
    let mut out = vec![ip.to_string()];
    match ip {
        IpAddr::V4(v4) => out.extend([8, 16, 24].map(|bits| format!("{}/{bits}", std::net::Ipv4Addr::from_bits(v4.to_bits() & (u32::MAX << (32 - bits)))))),
        IpAddr::V6(v6) => out.extend([32, 48, 64].map(|bits| format!("{}/{bits}", std::net::Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << (128 - bits)))))),
    }
    out
}

fn collect_texts<'a>(value: &'a Value, out: &mut Vec<Cow<'a, str>>) {
    match value {
        Value::String(text) => out.push(Cow::Borrowed(text)),
        Value::Number(n) => out.push(Cow::Owned(n.to_string())),
        Value::Array(items) => items.iter().for_each(|v| collect_texts(v, out)),
        Value::Object(map) => map.values().for_each(|v| collect_texts(v, out)),
        Value::Null | Value::Bool(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn addresses_are_found_by_their_networks() {
        assert_eq!(ip_words("192.0.2.7".parse().unwrap()), ["192.0.2.7", "192.0.0.0/8", "192.0.0.0/16", "192.0.2.0/24"]);
        assert_eq!(ip_words("2001:db8:1:2::9".parse().unwrap())[3], "2001:db8:1:2::/64");
        for (wanted, indexed) in
            [("192.0.2.7", "192.0.2.7"), ("192.0.2.0/25", "192.0.2.0/24"), ("192.0.0.0/16", "192.0.0.0/16"), ("192.0.0.0/9", "192.0.0.0/8")]
        {
            assert_eq!(indexed_network(wanted).as_deref(), Some(indexed));
        }
        assert_eq!(indexed_network("192.0.0.0/4"), None);
        assert_eq!(indexed_network("2001:db8::/56").as_deref(), Some("2001:db8::/48"));
        assert!(within("192.0.2.7".parse().unwrap(), "192.0.2.0/25") && !within("192.0.2.200".parse().unwrap(), "192.0.2.0/25"));
        assert!(within("192.0.2.7".parse().unwrap(), "0.0.0.0/0") && !within("::1".parse().unwrap(), "0.0.0.0/0"));
    }

    #[test]
    fn words_keep_what_identifiers_are_made_of() {
        assert_eq!(words("Read /photos/42, by ada@example.com."), ["read", "photos/42", "by", "ada@example.com"]);
    }

    #[test]
    fn an_opened_event_fits_what_is_asked_of_it() {
        let event = json!({"id": "i", "type": "photo.album.shared", "time": "2026-11-22T09:00:00Z", "outcome": "success", "severity": 3, "retain": "audit",
            "actor": {"type": "external", "namespace": "photos", "id": "7"}, "resource": {"type": "album", "id": "9"}, "source": {"ip": "192.0.2.7"},
            "action": "share", "metadata": {"note": "to the whole family", "n": 5}});
        for query in [
            "type:photo.*",
            "type:photo.album.*",
            "type:photo.album.shared",
            "actor:photos:7",
            "resource:9",
            "resource:album/9",
            "ip:192.0.2.0/28",
            "5",
            "\"whole family\"",
            "-\"family whole\"",
            "severity:>=3",
            "-outcome:failure,denied",
            "after:2026-11-22 before:2026-11-23",
            "action:share class:audit",
        ] {
            assert!(Facets::read(&event).fit(&Query::parse(query).unwrap()), "{query}");
        }
        for query in ["type:photo", "actor:7", "resource:album/8", "ip:192.0.2.8", "before:2026-11-22", "\"the family\"", "-share", "session:x"] {
            assert!(!Facets::read(&event).fit(&Query::parse(query).unwrap()), "{query}");
        }
    }
}
