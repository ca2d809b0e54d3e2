//! Texts with `%{…}` in them: `tx.anomaly_score`, `MATCHED_VAR`, `REQUEST_HEADERS.host`, `rule.id`.

use crate::variable::Variable;

/// A text, in pieces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Text {
    pieces: Vec<Piece>,
}

/// Plain bytes, or something of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    Plain(Vec<u8>),
    Of(Variable, Vec<u8>),
}

impl Text {
    /// Reads a text; names that nobody knows are errors.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let (mut pieces, mut rest) = (Vec::new(), text);
        while let Some(at) = rest.find("%{") {
            let Some(length) = rest[at..].find('}') else { break };
            if at > 0 {
                pieces.push(Piece::Plain(rest.as_bytes()[..at].to_vec()));
            }
            let name = &rest[at + 2..at + length];
            let (variable, of) = name.split_once(['.', ':']).unwrap_or((name, ""));
            let variable = Variable::named(variable).ok_or_else(|| format!("`%{{{name}}}` names nothing that is known"))?;
            pieces.push(Piece::Of(variable, of.to_ascii_lowercase().into_bytes()));
            rest = &rest[at + length + 1..];
        }
        if !rest.is_empty() {
            pieces.push(Piece::Plain(rest.as_bytes().to_vec()));
        }
        Ok(Self { pieces })
    }

    /// The text itself, where nothing in it depends on the request.
    pub(crate) fn plain(&self) -> Option<&[u8]> {
        match self.pieces.as_slice() {
            [] => Some(b""),
            [Piece::Plain(bytes)] => Some(bytes),
            _ => None,
        }
    }

    /// The text for a request; `look` gives the value of a variable.
    pub(crate) fn expand(&self, mut look: impl FnMut(Variable, &[u8], &mut Vec<u8>)) -> Vec<u8> {
        let mut found = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Plain(bytes) => found.extend_from_slice(bytes),
                Piece::Of(variable, name) => look(*variable, name, &mut found),
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_braces_comes_from_the_request() {
        let text = Text::read("a %{TX.Score} %{MATCHED_VAR} 100%").unwrap();
        let seen = text.expand(|variable, name, out| out.extend_from_slice(format!("<{}:{}>", variable.as_str(), String::from_utf8_lossy(name)).as_bytes()));
        assert_eq!(String::from_utf8(seen).unwrap(), "a <TX:score> <MATCHED_VAR:> 100%");
        assert_eq!(Text::read("plain").unwrap().plain(), Some(b"plain".as_slice()));
        assert!(Text::read("%{nothing.known}").is_err());
    }
}
