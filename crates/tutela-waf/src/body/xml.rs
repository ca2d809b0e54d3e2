//! XML: the text of elements, and attributes. No document type is read: entities are never resolved.

use quick_xml::{Reader, events::Event};

/// What a document says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Document {
    pub texts: Vec<Vec<u8>>,
    pub attributes: Vec<Vec<u8>>,
    /// There were more than are taken.
    pub more: bool,
}

/// Reads a document up to `most` texts and attributes and `depth` levels; the text says why it was not read to its end.
pub(crate) fn read(bytes: &[u8], most: usize, depth: usize) -> (Document, Option<&'static str>) {
    let mut reader = Reader::from_reader(bytes);
    let config = reader.config_mut();
    config.check_end_names = true;
    config.allow_unmatched_ends = false;
    let (mut found, mut level, mut seen) = (Document::default(), 0_usize, false);
    let mut text: Vec<u8> = Vec::new();
    loop {
        let event = match reader.read_event() {
            Ok(event) => event,
            Err(_) => return (found, Some("it is not well-formed")),
        };
        // Text goes on over references, comments and CDATA until an element begins or ends.
        if matches!(event, Event::Start(_) | Event::End(_) | Event::Empty(_) | Event::Eof) && !text.trim_ascii().is_empty() {
            found.push(std::mem::take(&mut text), most, false);
        }
        match event {
            Event::Start(ref tag) | Event::Empty(ref tag) if level == depth || tag.len() > 65_536 => return (found, Some("it is too deep")),
            Event::Start(tag) => {
                (level, seen) = (level + 1, true);
                found.attributes(&tag, most);
            }
            Event::Empty(tag) => {
                seen = true;
                found.attributes(&tag, most);
            }
            Event::End(_) => {
                text.clear();
                level = level.saturating_sub(1);
            }
            Event::Text(part) => text.extend_from_slice(&part),
            Event::CData(part) => text.extend_from_slice(&part),
            Event::GeneralRef(reference) => resolve(&reference, &mut text),
            Event::DocType(_) => return (found, Some("it has a document type, which is not read")),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            Event::Eof if level > 0 || !seen => return (found, Some("it is not well-formed")),
            Event::Eof => return (found, None),
        }
    }
}

/// The five entities that every document has, and numbers; anything else stays as it is written.
fn resolve(name: &[u8], out: &mut Vec<u8>) {
    let code = match name {
        b"amp" => Some('&'),
        b"apos" => Some('\''),
        b"gt" => Some('>'),
        b"lt" => Some('<'),
        b"quot" => Some('"'),
        [b'#', b'x', digits @ ..] => std::str::from_utf8(digits).ok().and_then(|text| u32::from_str_radix(text, 16).ok()).and_then(char::from_u32),
        [b'#', digits @ ..] => std::str::from_utf8(digits).ok().and_then(|text| text.parse().ok()).and_then(char::from_u32),
        _ => None,
    };
    match code {
        Some(c) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        None => [b"&", name, b";"].into_iter().for_each(|part| out.extend_from_slice(part)),
    }
}

impl Document {
    fn push(&mut self, value: Vec<u8>, most: usize, attribute: bool) {
        if self.texts.len() + self.attributes.len() == most {
            self.more = true;
        } else if attribute {
            self.attributes.push(value);
        } else {
            self.texts.push(value);
        }
    }

    fn attributes(&mut self, tag: &quick_xml::events::BytesStart<'_>, most: usize) {
        for attribute in tag.attributes().with_checks(false).flatten() {
            let (mut value, mut rest) = (Vec::new(), attribute.value.as_ref());
            while let Some(at) = memchr::memchr(b'&', rest) {
                value.extend_from_slice(&rest[..at]);
                rest = &rest[at + 1..];
                match memchr::memchr(b';', rest) {
                    Some(end) => {
                        resolve(&rest[..end], &mut value);
                        rest = &rest[end + 1..];
                    }
                    None => value.push(b'&'),
                }
            }
            value.extend_from_slice(rest);
            self.push(value, most, true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(text: &str) -> (Vec<String>, Vec<String>, Option<&'static str>) {
        let (found, fault) = read(text.as_bytes(), 100, 10);
        let all = |all: Vec<Vec<u8>>| all.into_iter().map(|one| String::from_utf8(one).unwrap()).collect();
        (all(found.texts), all(found.attributes), fault)
    }

    #[test]
    fn texts_and_attributes_are_seen_as_the_application_sees_them() {
        let (texts, attributes, fault) = read_all(r#"<?xml version="1.0"?><a x="1 &lt; &#x41;"><b>se<![CDATA[le]]>ct<!-- x --> &amp; y</b><c/>z</a>"#);
        assert_eq!((texts, attributes, fault), (vec!["select & y".to_owned(), "z".into()], vec!["1 < A".into()], None));
    }

    #[test]
    fn document_types_are_not_read_and_broken_documents_are_known() {
        assert_eq!(read_all("<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>").2, Some("it has a document type, which is not read"));
        for text in ["", "<a>", "<a></b>", "</a>", "<a", "text"] {
            assert!(read_all(text).2.is_some(), "{text}");
        }
        assert_eq!(read_all(&"<a>".repeat(100)).2, Some("it is too deep"));
    }
}
