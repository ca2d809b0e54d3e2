//! Forms and queries: `a=1&b=2`.

use crate::transform::{decode, has_broken_escape};

/// Names and values, decoded.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Form {
    pub fields: Vec<(Vec<u8>, Vec<u8>)>,
    /// An escape is no escape.
    pub broken: bool,
    /// There were more fields than are taken.
    pub more: bool,
}

pub(crate) fn read(bytes: &[u8], separator: u8, most: usize) -> Form {
    let mut form = Form { broken: has_broken_escape(bytes), ..Form::default() };
    for part in bytes.split(|byte| *byte == separator).filter(|part| !part.is_empty()) {
        if form.fields.len() == most {
            form.more = true;
            break;
        }
        let (name, value) = memchr::memchr(b'=', part).map_or((part, &[][..]), |at| (&part[..at], &part[at + 1..]));
        let plain = |text: &[u8]| {
            let mut out = Vec::with_capacity(text.len());
            decode(text, &mut out);
            out
        };
        form.fields.push((plain(name), plain(value)));
    }
    form
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_decoded_and_kept_in_order() {
        let form = read(b"a=1&&b+c=%41%zz&d&=e", b'&', 10);
        let fields: Vec<(&[u8], &[u8])> = form.fields.iter().map(|(name, value)| (name.as_slice(), value.as_slice())).collect();
        assert_eq!(fields, [(&b"a"[..], &b"1"[..]), (b"b c", b"A%zz"), (b"d", b""), (b"", b"e")]);
        assert!(form.broken && !form.more);
        assert!(read(b"a&b&c", b'&', 2).more);
    }
}
