//! What a message is bound to, as bytes that no two contexts share.
//!
//! ```text
//! "tutela message v1" 0x00 | suite u8 | key id 16 | key version u32 | field…
//! field = tag u8 | length u32 | bytes
//! ```
//! Every part carries its length, so `a|bc` and `ab|c` differ; the header is inside, so a message
//! cannot be moved to another suite, key or version.

use tutela_core::KeyId;

use crate::{Error, Suite};

/// Longest context of a caller, in bytes, names and values together.
pub const MAX_CONTEXT: usize = 8 << 10;
/// Most pairs of one context.
pub const MAX_PAIRS: usize = 64;

/// What the caller of the API binds a message to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum CallerContext {
    /// Nothing.
    #[default]
    None,
    /// One text.
    Text(String),
    /// Names and texts, in the order of their names.
    Pairs(Vec<(String, String)>),
}

impl CallerContext {
    /// One text: at most 8 KiB, and never what could be taken for a key id.
    pub fn text(text: String) -> Result<Self, Error> {
        if text.len() > MAX_CONTEXT {
            return Err(Error::Context("it is longer than 8 KiB"));
        }
        if text.starts_with(KeyId::PREFIX) {
            return Err(Error::Context("it begins with `tky_`, as only key ids do"));
        }
        Ok(Self::Text(text))
    }

    /// Names and texts in any order; a name that stands twice is refused.
    pub fn pairs(mut pairs: Vec<(String, String)>) -> Result<Self, Error> {
        pairs.sort_by(|(a, _), (b, _)| a.as_bytes().cmp(b.as_bytes()));
        if pairs.windows(2).any(|two| two[0].0 == two[1].0) {
            return Err(Error::Context("a name stands in it twice"));
        }
        if pairs.is_empty() {
            return Err(Error::Context("it is an object without names; leave it out instead"));
        }
        if pairs.len() > MAX_PAIRS || pairs.iter().map(|(n, v)| n.len() + v.len()).sum::<usize>() > MAX_CONTEXT {
            return Err(Error::Context("it has more than 64 names or is longer than 8 KiB"));
        }
        Ok(Self::Pairs(pairs))
    }

    /// The bytes that a key of this context is derived from: a kind and the content.
    pub(crate) fn key_bytes(&self) -> Vec<u8> {
        let kind = match self {
            Self::None => 0,
            Self::Text(_) => 1,
            Self::Pairs(_) => 2,
        };
        let mut out = vec![kind];
        out.extend(self.aad());
        out
    }

    /// What the plain suites authenticate: the text itself, so that any AES-GCM can do the same.
    pub(crate) fn aad(&self) -> Vec<u8> {
        match self {
            Self::None => Vec::new(),
            Self::Text(text) => text.as_bytes().to_vec(),
            Self::Pairs(_) => {
                let mut out = Vec::new();
                self.write(&mut out);
                out
            }
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::None => {}
            Self::Text(text) => field(out, 5, text.as_bytes()),
            Self::Pairs(pairs) => {
                for (name, value) in pairs {
                    field(out, 6, name.as_bytes());
                    field(out, 7, value.as_bytes());
                }
            }
        }
    }

    /// What tells this context from others in an event: input of a keyed hash, never shown.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.key_bytes()
    }
}

/// Everything a message is bound to.
#[derive(Debug, Clone, Copy)]
pub enum Binding<'a> {
    /// What the API seals for a caller.
    Message(&'a CallerContext),
    /// The personal fields of an event of the ledger.
    Event {
        /// The event's id.
        id: &'a [u8; 16],
        /// The sealed members, in order.
        members: &'a [&'a str],
    },
    /// A deterministic field, which reads the same in every record.
    Field {
        /// Where it stands.
        path: &'a str,
    },
    /// The sealed fields of one record.
    Record {
        /// The application's id of the record.
        id: &'a str,
        /// Each sealed field: its path, and its stored text or index where it has one.
        fields: &'a [(&'a str, Option<&'a str>)],
    },
    /// A data key under a key encryption key.
    Wrap {
        /// The wrapped key.
        key: KeyId,
        /// And its version.
        version: u32,
    },
}

impl Binding<'_> {
    /// The canonical bytes for a message under this key.
    pub(crate) fn canonical(&self, suite: Suite, key: KeyId, version: u32) -> Vec<u8> {
        let mut out = Vec::with_capacity(128);
        out.extend_from_slice(b"tutela message v1\0");
        out.push(suite as u8);
        out.extend_from_slice(key.0.as_bytes());
        out.extend_from_slice(&version.to_be_bytes());
        match self {
            Self::Message(context) => {
                field(&mut out, 1, b"message");
                context.write(&mut out);
            }
            Self::Event { id, members } => {
                field(&mut out, 1, b"event");
                field(&mut out, 3, *id);
                members.iter().for_each(|member| field(&mut out, 4, member.as_bytes()));
            }
            Self::Field { path } => {
                field(&mut out, 1, b"field");
                field(&mut out, 4, path.as_bytes());
            }
            Self::Record { id, fields } => {
                field(&mut out, 1, b"record");
                field(&mut out, 3, id.as_bytes());
                for (path, stored) in *fields {
                    field(&mut out, 4, path.as_bytes());
                    if let Some(stored) = stored {
                        field(&mut out, 8, stored.as_bytes());
                    }
                }
            }
            Self::Wrap { key, version } => {
                field(&mut out, 1, b"wrap");
                field(&mut out, 3, key.0.as_bytes());
                field(&mut out, 4, &version.to_be_bytes());
            }
        }
        out
    }

    /// The caller's context, which the plain suites need.
    pub(crate) fn caller(&self) -> Option<&CallerContext> {
        if let Self::Message(context) = self { Some(context) } else { None }
    }
}

fn field(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    out.push(tag);
    // INVARIANT: every part is bounded far below 4 GiB by whoever parsed it.
    out.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(context: &CallerContext) -> Vec<u8> {
        Binding::Message(context).canonical(Suite::Aes256Gcm, KeyId(Default::default()), 1)
    }

    #[test]
    fn no_two_contexts_share_their_bytes() {
        let pairs = |list: &[(&str, &str)]| CallerContext::pairs(list.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()).unwrap();
        let all = [
            CallerContext::None,
            CallerContext::text(String::new()).unwrap(),
            CallerContext::text("a".into()).unwrap(),
            pairs(&[("a", "bc")]),
            pairs(&[("ab", "c")]),
            pairs(&[("a", "b"), ("c", "")]),
            pairs(&[("a", ""), ("b", "c")]),
        ];
        for (i, a) in all.iter().enumerate() {
            for b in &all[..i] {
                assert_ne!(bytes(a), bytes(b), "{a:?} {b:?}");
            }
        }
        assert_eq!(pairs(&[("b", "2"), ("a", "1")]), pairs(&[("a", "1"), ("b", "2")]));
    }

    #[test]
    fn doubtful_contexts_are_refused() {
        assert!(CallerContext::pairs(vec![("a".into(), "1".into()), ("a".into(), "2".into())]).is_err());
        assert!(CallerContext::pairs(Vec::new()).is_err());
        assert!(CallerContext::text("tky_".into()).is_err());
        assert!(CallerContext::text("x".repeat(MAX_CONTEXT + 1)).is_err());
    }
}
