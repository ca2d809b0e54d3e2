//! One page of what a bucket answers when it is asked which objects, or which versions of them, it holds.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use tutela_app::port::DataError;
use uppsala::{Document, NodeId, Parser};

/// One version of an object, or the mark that it was deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Version {
    pub key: String,
    /// `null` where the bucket keeps no versions.
    pub id: String,
    pub bytes: u64,
    pub changed_at: String,
    /// Whether this is what a plain read gives.
    pub latest: bool,
    /// A mark that it was deleted: what lies behind it is still there.
    pub mark: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page {
    pub versions: Vec<Version>,
    /// Uploads in parts that nobody has ended, by key and id: what was sent of them is there, in no list of objects.
    pub uploads: Vec<(String, String)>,
    /// The parameters that ask for the next page.
    pub next: Option<Vec<(&'static str, String)>>,
}

/// Reads a page. Names in it are as `encoding-type=url` has them.
pub(super) fn read(xml: &str) -> Result<Page, DataError> {
    let wrong = |e: String| DataError::Refused(format!("its list of objects cannot be read: {e}"));
    let document = Parser::new().with_max_depth(16).with_forbid_dtd(true).with_forbid_entities(true).parse(xml).map_err(|e| wrong(e.to_string()))?;
    let top = document.document_element().ok_or_else(|| wrong("it is empty".into()))?;
    let encoded = text(&document, top, "EncodingType").is_some_and(|of| of == "url");
    let plain = |text: String| if encoded { decoded(&text) } else { Some(text) };
    let (mut versions, mut uploads) = (Vec::new(), Vec::new());
    for node in document.children(top) {
        let name = document.element(node).map_or("", |element| element.name.local_name.as_ref());
        if !matches!(name, "Version" | "DeleteMarker" | "Contents" | "Upload") {
            continue;
        }
        let of = |what: &str| text(&document, node, what);
        let key = of("Key").and_then(plain).ok_or_else(|| wrong("an object without a key".into()))?;
        if name == "Upload" {
            uploads.push((key, of("UploadId").ok_or_else(|| wrong("an upload without an id".into()))?));
            continue;
        }
        versions.push(Version {
            key,
            id: of("VersionId").unwrap_or_else(|| "null".into()),
            bytes: of("Size").and_then(|size| size.parse().ok()).unwrap_or(0),
            changed_at: of("LastModified").unwrap_or_default(),
            latest: name == "Contents" || of("IsLatest").is_some_and(|of| of == "true"),
            mark: name == "DeleteMarker",
        });
    }
    let mut next = Vec::new();
    if text(&document, top, "IsTruncated").is_some_and(|of| of == "true") {
        for (name, parameter) in [
            ("NextKeyMarker", "key-marker"),
            ("NextVersionIdMarker", "version-id-marker"),
            ("NextUploadIdMarker", "upload-id-marker"),
            ("NextContinuationToken", "continuation-token"),
        ] {
            let found = text(&document, top, name).filter(|value| !value.is_empty());
            let value = if name == "NextKeyMarker" { found.and_then(plain) } else { found };
            next.extend(value.map(|value| (parameter, value)));
        }
        if next.is_empty() {
            return Err(wrong("it is cut off and does not say where it goes on".into()));
        }
    }
    Ok(Page { versions, uploads, next: Some(next).filter(|next| !next.is_empty()) })
}

/// The text of a direct child.
fn text(document: &Document<'_>, of: NodeId, name: &str) -> Option<String> {
    let child = document.children(of).into_iter().find(|id| document.element(*id).is_some_and(|element| element.name.local_name == name))?;
    Some(document.text_content_deep(child))
}

/// In these lists `+` is a space.
fn decoded(text: &str) -> Option<String> {
    percent_decode_str(&text.replace('+', " ")).decode_utf8().ok().map(Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_marks_and_where_it_goes_on() {
        let page = read(
            r#"<?xml version="1.0"?><ListVersionsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><EncodingType>url</EncodingType>
            <IsTruncated>true</IsTruncated><NextKeyMarker>p/a%26b+c</NextKeyMarker><NextVersionIdMarker>v1</NextVersionIdMarker>
            <DeleteMarker><Key>p/a%26b+c</Key><VersionId>v2</VersionId><IsLatest>true</IsLatest><LastModified>2026-01-02T03:04:05Z</LastModified></DeleteMarker>
            <Version><Key>p/a%26b+c</Key><VersionId>v1</VersionId><IsLatest>false</IsLatest><Size>7</Size></Version></ListVersionsResult>"#,
        )
        .unwrap();
        let seen: Vec<_> = page.versions.iter().map(|of| (of.key.as_str(), of.id.as_str(), of.bytes, of.latest, of.mark)).collect();
        assert_eq!(seen, [("p/a&b c", "v2", 0, true, true), ("p/a&b c", "v1", 7, false, false)]);
        assert_eq!(page.next.unwrap(), [("key-marker", "p/a&b c".to_owned()), ("version-id-marker", "v1".to_owned())]);
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for text in ["", "{}", "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>", "<a><IsTruncated>true</IsTruncated></a>", "<a><Version/></a>"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
