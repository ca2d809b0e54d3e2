//! Lines and words: `\` at the end of a line goes on in the next, `#` begins a comment line, words stand between
//! spaces or in double quotes, in which `\"` is a quote and every other backslash is itself.

use std::sync::Arc;

use crate::error::{Error, Place};

/// One directive with its words.
#[derive(Debug)]
pub(crate) struct Line {
    pub place: Place,
    pub words: Vec<String>,
}

/// The directives of a file.
pub(crate) fn lines(text: &str, file: &Arc<str>) -> Result<Vec<Line>, Error> {
    let (mut found, mut joined, mut begun) = (Vec::new(), String::new(), 1);
    for (number, line) in (1_u32..).zip(text.lines()) {
        let trimmed = line.trim();
        if joined.is_empty() {
            begun = number;
            if trimmed.starts_with('#') {
                continue;
            }
        }
        match trimmed.strip_suffix('\\') {
            Some(part) => joined.push_str(part),
            None => {
                joined.push_str(trimmed);
                let place = Place { file: Arc::clone(file), line: begun };
                let words = words(&joined).map_err(|what| Error { place: place.clone(), what: what.into() })?;
                if !words.is_empty() {
                    found.push(Line { place, words });
                }
                joined.clear();
            }
        }
    }
    if joined.trim().is_empty() {
        Ok(found)
    } else {
        Err(Error { place: Place { file: Arc::clone(file), line: begun }, what: "the file ends within this directive, after a `\\`".into() })
    }
}

fn words(line: &str) -> Result<Vec<String>, &'static str> {
    let (mut words, mut rest) = (Vec::new(), line.trim_start());
    while !rest.is_empty() {
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''));
        let (word, after) = match quote {
            Some(quote) => quoted(&rest[1..], quote).ok_or("a quote is opened and not closed")?,
            None => {
                let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
                (rest[..end].to_owned(), &rest[end..])
            }
        };
        words.push(word);
        rest = after.trim_start();
    }
    Ok(words)
}

fn quoted(text: &str, quote: char) -> Option<(String, &str)> {
    let (mut word, mut escaped) = (String::new(), false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => {
                if c != quote {
                    word.push('\\');
                }
                word.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            _ if c == quote => return Some((word, &text[at + c.len_utf8()..])),
            _ => word.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Vec<String>> {
        lines(text, &"x".into()).unwrap().into_iter().map(|line| line.words).collect()
    }

    #[test]
    fn lines_go_on_after_a_backslash_and_comments_are_left_out() {
        let found = lines("# one\n\nSecA b \\\n  \"c d\"\n  # two\nSecE\n", &"x".into()).unwrap();
        assert_eq!(found.iter().map(|line| line.place.line).collect::<Vec<_>>(), [3, 6]);
        assert_eq!(found[0].words, ["SecA", "b", "c d"]);
    }

    #[test]
    fn in_quotes_only_the_quote_is_escaped() {
        assert_eq!(read(r#"S "a\"b\\.\d\x5c" 'it\'s'"#), [[r"S", r#"a"b\\.\d\x5c"#, "it's"]]);
    }

    #[test]
    fn what_is_not_closed_is_an_error_with_its_line() {
        assert_eq!(lines("\nSecA \"b", &"x.conf".into()).unwrap_err().to_string(), "x.conf:2: a quote is opened and not closed");
        assert!(lines("SecA \\\n", &"x".into()).is_err());
    }
}
