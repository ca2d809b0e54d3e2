//! A file of events, record by record.

use std::{
    fmt,
    io::{self, BufRead},
};

use serde_json::Value;

use super::{Format, input::Input};

/// Where in a file something stands, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A line of JSON lines.
    Line(u64),
    /// A record of an array; arrays seldom have lines.
    Record(u64),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(number) => write!(f, "line {number}"),
            Self::Record(number) => write!(f, "record {number}"),
        }
    }
}

/// Reads a file record by record: where it stands, and the JSON of a new event or what is wrong with
/// it. What is wrong names the field, never its value.
pub fn records<R: BufRead>(format: Format, reader: R) -> Records<R> {
    Records { format, input: Input::new(reader), read: 0, state: State::Between }
}

/// The records of a file; see [`records`].
pub struct Records<R> {
    format: Format,
    input: Input<R>,
    /// Records of arrays so far.
    read: u64,
    state: State,
}

#[derive(Clone, Copy)]
enum State {
    /// Between lines or arrays.
    Between,
    Ended,
    /// In an array; `wrapped` where it is a member of an object.
    Inside {
        first: bool,
        wrapped: bool,
    },
}

impl<R: BufRead> Iterator for Records<R> {
    type Item = (Place, Result<Value, String>);

    fn next(&mut self) -> Option<Self::Item> {
        match self.step() {
            Ok(item) => item,
            Err(e) => {
                let place = match self.state {
                    State::Inside { .. } => Place::Record(self.read + 1),
                    State::Between | State::Ended => Place::Line(self.input.line()),
                };
                self.state = State::Ended;
                Some((place, Err(format!("the file cannot be read further: {e}"))))
            }
        }
    }
}

impl<R: BufRead> Records<R> {
    fn step(&mut self) -> io::Result<Option<(Place, Result<Value, String>)>> {
        loop {
            match self.state {
                State::Ended => return Ok(None),
                State::Between => match self.input.skip_space()? {
                    None => self.state = State::Ended,
                    Some(b'[') => {
                        self.input.bump(b'[');
                        self.state = State::Inside { first: true, wrapped: false };
                    }
                    Some(_) => {
                        let (place, mut text) = (Place::Line(self.input.line()), Vec::new());
                        if self.input.wrapper(&mut text)? {
                            self.state = State::Inside { first: true, wrapped: true };
                            continue;
                        }
                        self.input.rest_of_line(&mut text)?;
                        return Ok(Some((place, self.format.read(&text))));
                    }
                },
                State::Inside { first, wrapped } => {
                    let mut next = self.input.skip_space()?;
                    if next == Some(b']') {
                        self.input.bump(b']');
                        if wrapped {
                            self.input.rest_of_object()?;
                        }
                        self.state = State::Between;
                        continue;
                    }
                    if !first && next == Some(b',') {
                        self.input.bump(b',');
                        next = self.input.skip_space()?;
                    } else if !first && next.is_some() {
                        return Err(io::Error::new(io::ErrorKind::InvalidData, "there is no `,` or `]` behind a record"));
                    }
                    if next.is_none() {
                        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the array has no end"));
                    }
                    self.state = State::Inside { first: false, wrapped };
                    let mut text = Vec::new();
                    self.input.value(&mut text)?;
                    self.read += 1;
                    return Ok(Some((Place::Record(self.read), self.format.read(&text))));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::MAX_RECORD, *};

    fn read(text: &str) -> Vec<(Place, Result<Value, String>)> {
        // A small buffer, so that records lie across its ends.
        records(Format::Jsonl, io::BufReader::with_capacity(3, text.as_bytes())).collect()
    }

    fn all(text: &str) -> Vec<(Place, Value)> {
        read(text).into_iter().map(|(place, record)| (place, record.unwrap())).collect()
    }

    #[test]
    fn lines_arrays_and_wrapped_records_are_read_alike() {
        let (a, b) = (json!({"a": [1, {"x": "],}\\\"{"}]}), json!({"b": "Records"}));
        let lines = all(&format!("{a}\n\n  {b}\r\n"));
        assert_eq!(lines, [(Place::Line(1), a.clone()), (Place::Line(3), b.clone())]);
        let records = [(Place::Record(1), a.clone()), (Place::Record(2), b.clone())];
        assert_eq!(all(&format!("[{a},{b}]")), records);
        assert_eq!(all(&format!("\n[\n  {a} ,\n  {b}\n]\n")), records);
        assert_eq!(all(&format!("{{\"Records\":[{a},{b}]}}")), records);
        assert_eq!(all(&format!("{{\n  \"Records\" : [\n {a},\n {b}\n ],\n \"more\": [{{}}]\n}}\n")), records);
        // As several files of a bucket come, put together.
        assert_eq!(all(&format!("{{\"Records\":[{a}]}}\n{{\"Records\":[]}}{{\"Records\":[{b}]}}")), records);
        for nothing in ["", "\n \n", "[]", "{\"Records\": []}"] {
            assert!(all(nothing).is_empty(), "{nothing}");
        }
    }

    #[test]
    fn a_line_that_only_begins_like_a_wrapper_is_a_line() {
        for text in [r#"{"Records": 3}"#, r#"{"Recorder": []}"#, r#"{"R":1}"#, "{}"] {
            let value: Value = serde_json::from_str(text).unwrap();
            assert_eq!(all(text), [(Place::Line(1), value)]);
        }
    }

    #[test]
    fn a_bad_record_is_named_and_the_next_is_read() {
        let lines = read("{\"a\":1}\n{\"a\":\n{\"b\":2}\n");
        assert!(lines.len() == 3 && lines[0].1.is_ok() && lines[2] == (Place::Line(3), Ok(json!({"b": 2}))));
        assert_eq!((lines[1].0, lines[1].1.as_ref().unwrap_err().split(':').next()), (Place::Line(2), Some("not JSON")));
        let records = read("[{\"a\":nope},{\"b\":2}]");
        assert!(records.len() == 2 && records[0].1.is_err() && records[1] == (Place::Record(2), Ok(json!({"b": 2}))));
    }

    #[test]
    fn what_ends_too_early_is_said_once_and_ends() {
        for (text, expected) in [
            ("[{\"a\":1}", "the file cannot be read further: the array has no end"),
            ("[{\"a\":1},", "the file cannot be read further: the array has no end"),
            ("[{\"a\":1} {\"b\":2}]", "not JSON"),
            ("[{\"a\":1}}", "the file cannot be read further: there is no `,` or `]` behind a record"),
        ] {
            let errors: Vec<String> = read(text).into_iter().filter_map(|(_, record)| record.err()).collect();
            assert!(errors.len() == 1 && errors[0].starts_with(expected), "{text}: {errors:?}");
        }
    }

    #[test]
    fn a_record_that_is_too_long_is_skipped_and_never_held() {
        let long = "x".repeat(2 * MAX_RECORD);
        for text in [format!("[\"{long}\",{{\"b\":2}}]"), format!("\"{long}\"\n{{\"b\":2}}")] {
            let found: Vec<_> = records(Format::Jsonl, text.as_bytes()).map(|(_, record)| record).collect();
            assert_eq!(found, [Err(format!("a record has at most {MAX_RECORD} bytes")), Ok(json!({"b": 2}))]);
        }
    }
}
