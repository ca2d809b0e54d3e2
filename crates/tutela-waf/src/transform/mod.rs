//! Transformations: bytes in, bytes out, whatever the bytes are.
//!
//! Each says which bytes it could change at all ([`Transformation::touches`]): most values hold none of them, and are
//! not copied.

mod code;
mod escape;
mod html;
mod path;
mod plain;
mod url;

pub(crate) use url::{UnicodeMap, decode, has_broken_escape};

/// The bytes that a value holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ByteSet([u64; 4]);

impl ByteSet {
    pub(crate) const fn of(bytes: &[u8]) -> Self {
        let (mut set, mut at) = ([0; 4], 0);
        while at < bytes.len() {
            set[(bytes[at] >> 6) as usize] |= 1 << (bytes[at] & 63);
            at += 1;
        }
        Self(set)
    }

    /// Every byte from `first` to `last`.
    const fn range(first: u8, last: u8) -> Self {
        let (mut set, mut byte) = ([0; 4], first as u16);
        while byte <= last as u16 {
            set[(byte >> 6) as usize] |= 1 << (byte & 63);
            byte += 1;
        }
        Self(set)
    }

    const fn or(self, other: Self) -> Self {
        let (a, b) = (self.0, other.0);
        Self([a[0] | b[0], a[1] | b[1], a[2] | b[2], a[3] | b[3]])
    }

    pub(crate) fn insert(&mut self, byte: u8) {
        self.0[usize::from(byte >> 6)] |= 1 << (byte & 63);
    }

    pub(crate) fn meets(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).any(|(a, b)| a & b != 0)
    }

    pub(crate) fn is_within(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(a, b)| a & !b == 0)
    }
}

const SPACES: ByteSet = ByteSet::of(b" \t\n\r\x0b\x0c\xa0\xc2");
const UPPER: ByteSet = ByteSet::range(b'A', b'Z');
const ALL: ByteSet = ByteSet::range(0, 255);

macro_rules! transformations {
    ($($variant:ident [$($name:literal)+] $touches:expr, $apply:expr, $what:literal;)+) => {
        /// A transformation.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(crate) enum Transformation { $(#[doc = $what] $variant,)+ }

        impl Transformation {
            /// By its name, in any case.
            pub(crate) fn named(name: &str) -> Option<Self> {
                [$($((Self::$variant, $name),)+)+].into_iter().find(|(_, known)| known.eq_ignore_ascii_case(name)).map(|(found, _)| found)
            }

            /// A value that holds none of these bytes stays as it is.
            pub(crate) fn touches(self) -> ByteSet {
                match self { $(Self::$variant => { const SET: ByteSet = $touches; SET })+ }
            }

            /// Writes the transformed value to `out`.
            pub(crate) fn apply(self, value: &[u8], map: Option<&UnicodeMap>, out: &mut Vec<u8>) {
                match self { $(Self::$variant => { let apply: fn(&[u8], Option<&UnicodeMap>, &mut Vec<u8>) = $apply; apply(value, map, out) })+ }
            }
        }
    };
}

transformations! {
    Base64Decode ["base64Decode"] ALL, |v, _, o| code::base64_decode(v, false, o), "Base64, up to the first byte that is none.";
    Base64DecodeExt ["base64DecodeExt"] ALL, |v, _, o| code::base64_decode(v, true, o), "Base64, without the bytes that are none.";
    Base64Encode ["base64Encode"] ALL, |v, _, o| code::base64_encode(v, o), "To Base64.";
    CmdLine ["cmdLine"] ByteSet::of(b"\\\"'^,; \t\n\r\x0b\x0c/(").or(UPPER), |v, _, o| plain::cmd_line(v, o), "As a shell reads it.";
    CompressWhitespace ["compressWhitespace"] SPACES, |v, _, o| plain::compress_whitespace(v, o), "Runs of whitespace are one space.";
    CssDecode ["cssDecode"] ByteSet::of(b"\\"), |v, _, o| escape::css(v, o), "Escapes of CSS.";
    EscapeSeqDecode ["escapeSeqDecode"] ByteSet::of(b"\\"), |v, _, o| escape::ansi_c(v, o), "Escapes of C.";
    HexDecode ["hexDecode"] ALL, |v, _, o| code::hex_decode(v, o), "Pairs of hexadecimal digits.";
    HexEncode ["hexEncode"] ALL, |v, _, o| code::hex_encode(v, o), "To hexadecimal digits.";
    HtmlEntityDecode ["htmlEntityDecode"] ByteSet::of(b"&"), |v, _, o| html::entities(v, o), "Entities of HTML.";
    JsDecode ["jsDecode"] ByteSet::of(b"\\"), |v, _, o| escape::javascript(v, o), "Escapes of JavaScript.";
    Length ["length"] ALL, |v, _, o| o.extend_from_slice(v.len().to_string().as_bytes()), "How long it is.";
    Lowercase ["lowercase"] UPPER, |v, _, o| o.extend(v.iter().map(u8::to_ascii_lowercase)), "ASCII letters small.";
    NormalizePath ["normalizePath" "normalisePath"] ByteSet::of(b"/."), |v, _, o| path::normalize(v, o), "Without empty, `.` and `..` segments.";
    NormalizePathWin ["normalizePathWin" "normalisePathWin"] ByteSet::of(b"/.\\"), |v, _, o| path::normalize_win(v, o), "The same, `\\` being `/`.";
    ParityEven7bit ["parityEven7bit"] ALL, |v, _, o| o.extend(v.iter().map(|b| plain::parity(*b, 0))), "Even parity.";
    ParityOdd7bit ["parityOdd7bit"] ALL, |v, _, o| o.extend(v.iter().map(|b| plain::parity(*b, 1))), "Odd parity.";
    ParityZero7bit ["parityZero7bit"] ByteSet::range(0x80, 0xff), |v, _, o| o.extend(v.iter().map(|b| b & 0x7f)), "No eighth bit.";
    RemoveComments ["removeComments"] ByteSet::of(b"/-#<"), |v, _, o| plain::remove_comments(v, o), "Without comments.";
    RemoveCommentsChar ["removeCommentsChar"] ByteSet::of(b"/*-#<"), |v, _, o| plain::remove_comment_marks(v, o), "Without the marks of comments.";
    RemoveNulls ["removeNulls"] ByteSet::of(b"\0"), |v, _, o| o.extend(v.iter().filter(|b| **b != 0)), "Without NUL.";
    RemoveWhitespace ["removeWhitespace"] SPACES, |v, _, o| plain::remove_whitespace(v, o), "Without whitespace.";
    ReplaceComments ["replaceComments"] ByteSet::of(b"/"), |v, _, o| plain::replace_comments(v, o), "Comments of C are one space.";
    ReplaceNulls ["replaceNulls"] ByteSet::of(b"\0"), |v, _, o| o.extend(v.iter().map(|b| if *b == 0 { b' ' } else { *b })), "NUL is a space.";
    Sha1 ["sha1"] ALL, |v, _, o| code::sha1(v, o), "SHA-1, as bytes.";
    SqlHexDecode ["sqlHexDecode"] ByteSet::of(b"xX"), |v, _, o| code::sql_hex(v, o), "`0x414243` is `ABC`.";
    Trim ["trim"] SPACES, |v, _, o| o.extend_from_slice(v.trim_ascii()), "Without whitespace at both ends.";
    TrimLeft ["trimLeft"] SPACES, |v, _, o| o.extend_from_slice(v.trim_ascii_start()), "At the beginning.";
    TrimRight ["trimRight"] SPACES, |v, _, o| o.extend_from_slice(v.trim_ascii_end()), "At the end.";
    Uppercase ["uppercase"] ByteSet::range(b'a', b'z'), |v, _, o| o.extend(v.iter().map(u8::to_ascii_uppercase)), "ASCII letters large.";
    UrlDecode ["urlDecode"] ByteSet::of(b"%+"), |v, _, o| url::decode(v, o), "Percent escapes.";
    UrlDecodeUni ["urlDecodeUni"] ByteSet::of(b"%+"), |v, map, o| url::decode_uni(v, map, o), "Percent escapes, and `%u` with four digits.";
    UrlEncode ["urlEncode"] ALL, |v, _, o| url::encode(v, o), "To percent escapes.";
    Utf8ToUnicode ["utf8toUnicode"] ByteSet::range(0x80, 0xff), |v, _, o| code::utf8_to_unicode(v, o), "Characters beyond ASCII as `%uhhhh`.";
}

/// The value of a hexadecimal digit.
pub(crate) fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

/// The byte that `code` stands for: the half- and full-width forms of ASCII are ASCII.
fn narrow(code: u32) -> u8 {
    match code {
        0xff01..=0xff5e => (code - 0xff01) as u8 + b'!',
        _ => (code & 0xff) as u8,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn run(name: &str, value: &[u8]) -> Vec<u8> {
        let (transformation, mut out) = (Transformation::named(name).unwrap(), Vec::new());
        transformation.apply(value, None, &mut out);
        out
    }

    #[test]
    fn each_does_what_the_reference_says() {
        for (name, value, expected) in [
            ("base64Decode", "VGVzdENhc2U=", "TestCase"),
            ("base64Decode", "VGVzd!!ENhc2U=", "Tes"),
            ("base64DecodeExt", "VGVz!!dENhc2U=", "TestCase"),
            ("base64Encode", "TestCase", "VGVzdENhc2U="),
            ("cmdLine", "C^ommand /C   DIR ;\"ls\"  (x", "command/c dir ls(x"),
            ("compressWhitespace", "a \t\n b", "a b"),
            ("cssDecode", r"\a\b\f\n\r\t\v\?\'\0a\12\123\1234\12345\123456\ff01\ff5e\a b", "\n\u{b}\u{f}nrtv?'\n\u{12}#4EV!~\nb"),
            ("escapeSeqDecode", r"\a\b\x41\101\q", "\x07\x08AA\\q"),
            ("hexDecode", "414a", "AJ"),
            ("hexEncode", "AJ", "414a"),
            ("htmlEntityDecode", "&#x41;&#65&lt;&LT;&nothing;&amp;&colon;", "AA<<&nothing;&:"),
            ("jsDecode", r"\x41\u0041\uff21\101\n\q", "AAAA\nq"),
            ("length", "12345", "5"),
            ("lowercase", "AbC", "abc"),
            ("normalizePath", "/a/./b//../c/", "/a/c/"),
            ("normalizePath", "../../etc", "../../etc"),
            ("normalizePathWin", r"a\..\b\c", "b/c"),
            ("removeComments", "a/* b */c -- d", "ac "),
            ("removeCommentsChar", "a/*b*/--c#", "abc"),
            ("removeNulls", "a\0b", "ab"),
            ("removeWhitespace", "a b\tc", "abc"),
            ("replaceComments", "a/* b */c/* d", "a c "),
            ("replaceNulls", "a\0b", "a b"),
            ("sqlHexDecode", "0x414243 0xzz", "ABC 0xzz"),
            ("trim", " a b ", "a b"),
            ("urlDecode", "a+%41%zz%4", "a A%zz%4"),
            ("urlDecodeUni", "%u0041%uff1c+%41%u00", "A< A%u00"),
            ("urlEncode", "a b/ü", "a+b%2f%c3%bc"),
            ("utf8toUnicode", "aü’", "a%u00fc%u2019"),
        ] {
            assert_eq!(String::from_utf8_lossy(&run(name, value.as_bytes())), expected, "{name}: {value}");
        }
        assert_eq!(run("sha1", b"")[..2], [0xda, 0x39]);
    }

    const NAMES: [&str; 35] = [
        "base64Decode",
        "base64DecodeExt",
        "base64Encode",
        "cmdLine",
        "compressWhitespace",
        "cssDecode",
        "escapeSeqDecode",
        "hexDecode",
        "hexEncode",
        "htmlEntityDecode",
        "jsDecode",
        "length",
        "lowercase",
        "normalizePath",
        "normalizePathWin",
        "parityEven7bit",
        "parityOdd7bit",
        "parityZero7bit",
        "removeComments",
        "removeCommentsChar",
        "removeNulls",
        "removeWhitespace",
        "replaceComments",
        "replaceNulls",
        "sha1",
        "sqlHexDecode",
        "trim",
        "trimLeft",
        "trimRight",
        "uppercase",
        "urlDecode",
        "urlDecodeUni",
        "urlEncode",
        "utf8toUnicode",
        "normalisePath",
    ];

    proptest! {
        #[test]
        fn none_fails_and_a_value_without_the_bytes_it_touches_stays(value in proptest::collection::vec(any::<u8>(), 0..60)) {
            for name in NAMES {
                let transformation = Transformation::named(name).unwrap();
                let out = run(name, &value);
                if !ByteSet::of(&value).meets(&transformation.touches()) && !value.is_empty() {
                    prop_assert_eq!(&out, &value, "{}", name);
                }
            }
        }
    }
}
