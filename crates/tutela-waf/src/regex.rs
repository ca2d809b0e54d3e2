//! Regular expressions as rules write them, run in linear time.
//!
//! Rules are written for PCRE. What of its syntax means something else here, or is an error, is translated first:
//! bytes that are not ASCII, `[` and the set operators within classes, `\h`, `\R`, `\e`, `\<`, braces that count
//! nothing. Look-around and back-references have no linear time; they are errors that say so. A dot matches line
//! ends, as in every engine of this language.

use std::sync::OnceLock;

use regex_automata::{
    Input,
    meta::{self, Config},
    util::syntax,
};
use regex_syntax::hir::Hir;

/// Most bytes of a compiled expression.
const SIZE: usize = 16 << 20;

/// An expression; it is compiled when it is first needed, or by [`Regex::warm`].
#[derive(Debug, Clone)]
pub(crate) struct Regex {
    hir: std::sync::Arc<Hir>,
    compiled: std::sync::Arc<OnceLock<Option<meta::Regex>>>,
}

impl Regex {
    /// Reads a pattern.
    pub(crate) fn new(pattern: &str, any_case: bool) -> Result<Self, String> {
        let translated = translate(pattern)?;
        let config = syntax::Config::new().unicode(false).utf8(false).dot_matches_new_line(true).case_insensitive(any_case).nest_limit(200);
        let hir = syntax::parse_with(&translated, &config).map_err(|e| e.to_string().lines().last().unwrap_or_default().to_owned())?;
        Ok(Self { hir: std::sync::Arc::new(hir), compiled: std::sync::Arc::default() })
    }

    /// Its syntax, for whoever wants to know what a match has to hold.
    pub(crate) fn hir(&self) -> &Hir {
        &self.hir
    }

    /// Compiles it; says why where that is not possible.
    pub(crate) fn warm(&self) -> Result<(), String> {
        match self.compiled() {
            Some(_) => Ok(()),
            None => Err(format!("it is too large: more than {} MiB once compiled", SIZE >> 20)),
        }
    }

    fn compiled(&self) -> Option<&meta::Regex> {
        let build = || {
            let config = Config::new().utf8_empty(false).nfa_size_limit(Some(SIZE)).onepass(false).hybrid_cache_capacity(4 << 20);
            meta::Builder::new().configure(config).build_from_hir(&self.hir).ok()
        };
        self.compiled.get_or_init(build).as_ref()
    }

    /// Whether it fits anywhere; one that cannot be compiled fits everything: unknown is no.
    pub(crate) fn is_match(&self, bytes: &[u8]) -> bool {
        self.compiled().is_none_or(|regex| regex.is_match(Input::new(bytes)))
    }

    /// The first match, and what its groups hold; at most ten.
    pub(crate) fn captures(&self, bytes: &[u8]) -> Vec<Option<std::ops::Range<usize>>> {
        let Some(regex) = self.compiled() else { return Vec::new() };
        let mut captures = regex.create_captures();
        regex.captures(Input::new(bytes), &mut captures);
        if !captures.is_match() {
            return Vec::new();
        }
        captures.iter().take(10).map(|span| span.map(|span| span.start..span.end)).collect()
    }
}

fn translate(pattern: &str) -> Result<String, String> {
    let bytes = pattern.as_bytes();
    let (mut out, mut at, mut class) = (String::with_capacity(pattern.len()), 0, None::<usize>);
    let peek = |at: usize| bytes.get(at).copied();
    while let Some(byte) = peek(at) {
        let next = peek(at + 1);
        let mut taken = 1;
        match (byte, class) {
            (0x80.., _) => out.push_str(&format!(r"\x{byte:02x}")),
            (b'\\', _) => {
                taken = 2;
                match next {
                    None => return Err("it ends in a backslash".into()),
                    Some(b'h') => out.push_str(if class.is_some() { r" \t" } else { r"[ \t]" }),
                    Some(b'H') if class.is_none() => out.push_str(r"[^ \t]"),
                    Some(b'v') => out.push_str(if class.is_some() { r"\n\x0b\x0c\r\x85" } else { r"[\n\x0b\x0c\r\x85]" }),
                    Some(b'R') if class.is_none() => out.push_str(r"(?:\r\n|[\n\x0b\x0c\r\x85])"),
                    Some(b'N') if class.is_none() => out.push_str(r"[^\n]"),
                    Some(b'e') => out.push_str(r"\x1b"),
                    Some(b'Z') if class.is_none() => out.push_str(r"\n?\z"),
                    Some(b'b') if class.is_some() => out.push_str(r"\x08"),
                    Some(b'0'..=b'7') if class.is_some() || next == Some(b'0') => {
                        let digits = bytes[at + 1..].iter().take(3).take_while(|b| (b'0'..=b'7').contains(b)).count();
                        let value = bytes[at + 1..at + 1 + digits].iter().fold(0_u32, |sum, b| sum * 8 + u32::from(b - b'0'));
                        out.push_str(&format!(r"\x{:02x}", value & 0xff));
                        taken = 1 + digits;
                    }
                    Some(b'1'..=b'9') => return Err("back-references have no bound on their time and are not supported".into()),
                    Some(other @ (b'A' | b'z' | b'B' | b'b' | b'd' | b'D' | b's' | b'S' | b'w' | b'W' | b'n' | b'r' | b't' | b'f' | b'a')) => {
                        out.push('\\');
                        out.push(char::from(other));
                    }
                    Some(b'x') => {
                        if let Some(end) = pattern[at..].find('}').filter(|_| peek(at + 2) == Some(b'{')) {
                            let code =
                                u32::from_str_radix(&pattern[at + 3..at + end], 16).map_err(|_| format!("`{}` is no number", &pattern[at..=at + end]))?;
                            if code > 0xff {
                                return Err(format!("`{}` is no byte; values here are bytes", &pattern[at..=at + end]));
                            }
                            out.push_str(&format!(r"\x{code:02x}"));
                            taken = end + 1;
                        } else {
                            let digits = bytes[at + 2..].iter().take(2).take_while(|b| b.is_ascii_hexdigit()).count();
                            let text = std::str::from_utf8(&bytes[at + 2..at + 2 + digits]).unwrap_or_default();
                            out.push_str(&format!(r"\x{:02x}", u8::from_str_radix(text, 16).unwrap_or(0)));
                            taken = 2 + digits;
                        }
                    }
                    Some(letter) if letter.is_ascii_alphanumeric() => return Err(format!(r"`\{}` is not supported", char::from(letter))),
                    Some(other) => out.push_str(&format!(r"\x{other:02x}")),
                }
            }
            (b'[', None) => {
                out.push('[');
                let mut from = at + 1;
                if peek(from) == Some(b'^') {
                    out.push('^');
                    from += 1;
                }
                // A `]` right after the opening is one of the class.
                if peek(from) == Some(b']') {
                    out.push_str(r"\]");
                    from += 1;
                }
                taken = from - at;
                class = Some(at);
            }
            (b'[', Some(_)) => match (next, pattern[at..].find(":]")) {
                (Some(b':'), Some(end)) if bytes[at + 2..at + end].iter().all(|b| b.is_ascii_alphabetic() || *b == b'^') => {
                    out.push_str(&pattern[at..at + end + 2]);
                    taken = end + 2;
                }
                _ => out.push_str(r"\["),
            },
            (b']', Some(_)) => {
                out.push(']');
                class = None;
            }
            (b'&' | b'~', Some(_)) => out.push_str(&format!(r"\x{byte:02x}")),
            // Two of them would subtract; here the first makes a range, and the second ends it.
            (b'-', Some(begin)) if next == Some(b'-') => {
                out.push_str(if at > begin + 1 { r"-\-" } else { r"\-\-" });
                taken = 2;
            }
            (b'{', None) if !counts(&bytes[at..]) => out.push_str(r"\{"),
            (b'(', None) if next == Some(b'?') && peek(at + 2) == Some(b'#') => {
                taken = pattern[at..].find(')').map_or(bytes.len() - at, |end| end + 1);
            }
            (b'(', None) if next == Some(b'?') => {
                let rest = &bytes[at + 2..];
                if rest.starts_with(b"=") || rest.starts_with(b"!") || rest.starts_with(b"<=") || rest.starts_with(b"<!") {
                    return Err("look-around has no bound on its time and is not supported".into());
                }
                if rest.starts_with(b">") || rest.starts_with(b"|") {
                    out.push_str("(?:");
                    taken = 3;
                } else {
                    out.push('(');
                }
            }
            // Possessive: it only saves a backtracking engine time.
            (b'+', None) if at > 0 && matches!(bytes[at - 1], b'*' | b'+' | b'?' | b'}') && !escaped(bytes, at - 1) => {}
            (other, _) => out.push(char::from(other)),
        }
        at += taken;
    }
    Ok(out)
}

fn escaped(bytes: &[u8], at: usize) -> bool {
    bytes[..at].iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

/// Whether a brace begins `{2}`, `{2,}` or `{2,3}`.
fn counts(bytes: &[u8]) -> bool {
    let Some(end) = bytes.iter().position(|byte| *byte == b'}') else { return false };
    let inside = &bytes[1..end];
    let mut parts = inside.splitn(2, |byte| *byte == b',');
    let digits = |part: &[u8]| part.iter().all(u8::is_ascii_digit);
    parts.next().is_some_and(|least| !least.is_empty() && digits(least)) && parts.next().is_none_or(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_pcre_means_is_what_is_found() {
        for (pattern, yes, no) in [
            ("a.b", &b"a\nb"[..], &b"ab"[..]),
            ("[[]x", b"[x", b"x"),
            ("[]a]+$", b"]a]", b"b"),
            ("[a&&b]{2}$", b"&a", b"cc"),
            ("[+--]", b",", b"a"),
            ("x{,3}", b"x{,3}", b"xxx"),
            (r"\{\{", b"{{", b"{"),
            (r"^\<\h?x\>", b"< x>", b"x"),
            (r"[\x5c'\d]", b"\\", b"x"),
            (r"[^[:alnum:]_]", b"-", b"a_"),
            (r"[’]", b"\xe2\x80\x99", b"x"),
            (r"a++b", b"aaab", b"b"),
            (r"(?>a|b)c", b"bc", b"c"),
            (r"x\z", b"yx", b"x\n"),
            (r"[\[\]]", b"]", b"x"),
            (r"[\w-]+=", b"a-b=", b"="),
            (r"(?i)SELECT", b"sElEcT", b"selec"),
            (r"\x0a", b"\n", b"a"),
        ] {
            let regex = Regex::new(pattern, false).unwrap_or_else(|e| panic!("{pattern}: {e}"));
            assert!(regex.is_match(yes) && !regex.is_match(no), "{pattern}");
        }
    }

    #[test]
    fn what_has_no_linear_time_is_refused_with_the_reason() {
        for pattern in ["(?=a)", "(?<!a)b", r"(a)\1", "a\\"] {
            assert!(Regex::new(pattern, false).is_err(), "{pattern}");
        }
    }

    #[test]
    fn a_pattern_that_would_take_forever_elsewhere_is_done_at_once() {
        let regex = Regex::new("(a+)+$", false).unwrap();
        assert!(!regex.is_match(&[vec![b'a'; 100_000], vec![b'b']].concat()));
    }
}
