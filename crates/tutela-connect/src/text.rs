//! How bytes are written where others read them: in addresses and as hexadecimal.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// All but what is unreserved (RFC 3986, 2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// A value that fills a part of a path: `..` is none.
const IN_PATH: &AsciiSet = &RESERVED.add(b'.');
/// The same with `/` where it separates.
const PATH: &AsciiSet = &RESERVED.remove(b'/');

/// A value of a query or of a form.
pub(crate) fn query(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// One part of a path.
pub(crate) fn segment(text: &str) -> String {
    utf8_percent_encode(text, IN_PATH).to_string()
}

/// A path with its parts.
pub(crate) fn path(text: &str) -> String {
    utf8_percent_encode(text, PATH).to_string()
}

/// Small hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
