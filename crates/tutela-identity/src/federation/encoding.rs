//! Text as it stands in forms and addresses.

/// `application/x-www-form-urlencoded`, as RFC 6749 §2.3.1 wants ids and secrets before they become Basic credentials.
pub(crate) fn form_encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'*' | b'-' | b'.' | b'_' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// As in addresses (RFC 3986 §2.1): all but unreserved characters stand encoded.
pub(crate) fn percent_encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// A field of a query; `None` where it is not UTF-8, or a `%` leads nowhere.
pub(crate) fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = match first {
            b'%' => {
                let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
                bytes.push(u8::from_str_radix(digits, 16).ok()?);
                tail.get(2..)?
            }
            b'+' => {
                bytes.push(b' ');
                tail
            }
            other => {
                bytes.push(*other);
                tail
            }
        };
    }
    String::from_utf8(bytes).ok()
}

/// An address with more fields in its query; a query that is there stays.
pub fn with_query<N: AsRef<str>, V: AsRef<str>>(address: &str, fields: &[(N, V)]) -> String {
    let mut out = address.to_owned();
    let mut mark = if address.contains('?') { '&' } else { '?' };
    for (name, value) in fields {
        out.push(mark);
        out.push_str(&format!("{}={}", percent_encoded(name.as_ref()), percent_encoded(value.as_ref())));
        mark = '&';
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_stand_behind_what_is_there_and_come_back_as_they_were() {
        assert_eq!(
            with_query("https://a.example/cb?x=1", &[("code", "a b&c"), ("iss", "https://t")]),
            "https://a.example/cb?x=1&code=a%20b%26c&iss=https%3A%2F%2Ft"
        );
        for text in ["", "a b", "ä%&=+", "\u{1f512}"] {
            assert_eq!(percent_decoded(&percent_encoded(text)).as_deref(), Some(text));
            assert_eq!(percent_decoded(&form_encoded(text)).as_deref(), Some(text));
        }
        for broken in ["%", "%4", "%zz", "%ff"] {
            assert_eq!(percent_decoded(broken), None, "{broken}");
        }
    }
}
