//! Events as CSV (RFC 4180), one record each, for people with a spreadsheet.

use serde_json::Value;

use super::{Outgoing, ecs::actor_text};

/// The columns, in order.
pub(crate) const HEADER: &[&str] = &[
    "position",
    "time",
    "recorded_at",
    "type",
    "outcome",
    "severity",
    "actor",
    "action",
    "resource_type",
    "resource",
    "reason",
    "ip",
    "user_agent",
    "session",
    "route",
    "method",
    "status",
    "data",
    "personal",
    "metadata",
    "erased",
    "leaf",
    "id",
];

/// An event as one record, with the line end that RFC 4180 asks for.
pub(crate) fn line(out: &Outgoing<'_>) -> String {
    let event = &out.stored.event;
    let cells = [
        out.stored.position.clone(),
        text(&event["time"]),
        text(&event["recorded_at"]),
        text(&event["type"]),
        text(&event["outcome"]),
        text(&event["severity"]),
        // Who has no id is still somebody: `anonymous`, `unknown`, or an application's user whose id was erased.
        actor_text(event).unwrap_or_else(|| text(&event["actor"]["type"])),
        text(&event["action"]),
        text(&event["resource"]["type"]),
        text(&event["resource"]["id"]),
        text(&event["reason"]),
        text(&event["source"]["ip"]),
        text(&event["source"]["user_agent"]),
        text(&event["session"]),
        text(&event["request"]["route"]),
        text(&event["request"]["method"]),
        text(&event["request"]["status"]),
        text(&event["data"]),
        text(&event["personal"]),
        text(&event["metadata"]),
        event["erased"].as_array().into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
        out.stored.leaf.clone(),
        text(&event["id"]),
    ];
    let mut line = cells.map(|text| cell(&text)).join(",");
    line.push_str("\r\n");
    line
}

/// A value as text: as it is where it is text, empty where it is absent, else as JSON.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

/// One cell. Much of an event is chosen by whoever caused it, and spreadsheets run what looks like a
/// formula; an apostrophe in front makes it text.
pub(crate) fn cell(text: &str) -> String {
    let armed = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let harmless = if armed { format!("'{text}") } else { text.to_owned() };
    if harmless.contains(['"', ',', '\r', '\n']) { format!("\"{}\"", harmless.replace('"', "\"\"")) } else { harmless }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tutela_api::{EventTypeBody, StoredEvent};

    use super::*;

    fn line_of(event: Value) -> String {
        let declared: EventTypeBody = serde_json::from_value(json!({"name": "photo.shared", "sentence": "A photo was shared.", "severity": 1})).unwrap();
        let stored = StoredEvent { position: "7.3".into(), event, leaf: "00ff".into() };
        line(&Outgoing { stored: &stored, declared: &declared, origin: "example.com/log" })
    }

    /// Reads one record back, as RFC 4180 says.
    fn read(line: &str) -> Vec<String> {
        let (mut cells, mut quoted) = (vec![String::new()], false);
        let mut chars = line.strip_suffix("\r\n").unwrap().chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '"' if quoted && chars.peek() == Some(&'"') => cells.last_mut().unwrap().push(chars.next().unwrap()),
                '"' => quoted = !quoted,
                ',' if !quoted => cells.push(String::new()),
                c => cells.last_mut().unwrap().push(c),
            }
        }
        cells
    }

    #[test]
    fn every_column_holds_what_it_says() {
        let event = json!({"v": 1, "id": "019ab", "type": "photo.shared", "time": "T", "recorded_at": "R", "outcome": "denied", "severity": 3, "retain": "audit", "action": "share",
            "reason": "no, \"never\"", "actor": {"type": "external", "namespace": "photos", "id": "7"}, "resource": {"type": "album", "id": "9"},
            "source": {"ip": "192.0.2.7", "user_agent": "curl"}, "session": "s", "request": {"id": "r", "method": "GET", "route": "photos", "status": 403},
            "data": {"album": "x"}, "personal": {"p": 1}, "metadata": {"note": "two\nlines"}, "erased": ["source", "metadata"]});
        let cells = read(&line_of(event));
        assert_eq!(cells.len(), HEADER.len());
        let expected = [
            "7.3",
            "T",
            "R",
            "photo.shared",
            "denied",
            "3",
            "photos:7",
            "share",
            "album",
            "9",
            "no, \"never\"",
            "192.0.2.7",
            "curl",
            "s",
            "photos",
            "GET",
            "403",
            r#"{"album":"x"}"#,
            r#"{"p":1}"#,
            r#"{"note":"two\nlines"}"#,
            "source metadata",
            "00ff",
            "019ab",
        ];
        assert_eq!(cells, expected);
    }

    #[test]
    fn what_is_absent_is_an_empty_cell() {
        let cells = read(&line_of(json!({"actor": {"type": "anonymous"}})));
        assert_eq!((cells.len(), cells[6].as_str()), (HEADER.len(), "anonymous"));
        assert_eq!(cells.iter().filter(|cell| !cell.is_empty()).count(), 3);
    }

    #[test]
    fn nothing_runs_as_a_formula() {
        for (written, expected) in [
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("\r=1", "\"'\r=1\""),
            ("=cmd|' /C calc'!A0,\"x\"", "\"'=cmd|' /C calc'!A0,\"\"x\"\"\""),
            ("a=1", "a=1"),
            ("", ""),
        ] {
            assert_eq!(cell(written), expected);
        }
    }
}
