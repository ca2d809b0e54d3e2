//! What a person may ask for, and how far such a request has come.

use serde::{Deserialize, Serialize};

/// The law that a request is made under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Law {
    /// Regulation (EU) 2016/679.
    Gdpr,
    /// Cal. Civ. Code 1798.100 and following.
    Ccpa,
}

/// What is asked for, in the law's own word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// What is held about me, and why (Art. 15; 1798.110).
    Access,
    /// Put right what is wrong (CCPA 1798.106).
    Correct,
    /// Delete it (CCPA 1798.105).
    Delete,
    /// Sell and share it with nobody (CCPA 1798.120).
    DoNotSell,
    /// Delete it (Art. 17).
    Erasure,
    /// Do not do this with it (Art. 21).
    Objection,
    /// Give it to me so that another can read it (Art. 20).
    Portability,
    /// Put right what is wrong (Art. 16).
    Rectification,
    /// Keep it and do nothing with it (Art. 18).
    Restriction,
}

/// What a request comes to, whichever law it is made under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Work {
    /// A package for the person.
    Access,
    /// Everything of theirs goes.
    Erase,
    /// They are taken out of a purpose, or of all that may be objected to.
    Object,
    /// A package that another program reads.
    Port,
    /// Nothing is done with it but keeping it.
    Restrict,
    /// Values are put right in every place.
    Rectify,
}

impl Law {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Gdpr, Self::Ccpa];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gdpr => "gdpr",
            Self::Ccpa => "ccpa",
        }
    }

    /// From its word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|law| law.as_str() == word)
    }

    /// What may be asked for under it.
    pub fn kinds(self) -> &'static [Kind] {
        match self {
            Self::Gdpr => &[Kind::Access, Kind::Rectification, Kind::Erasure, Kind::Portability, Kind::Restriction, Kind::Objection],
            Self::Ccpa => &[Kind::DoNotSell, Kind::Access, Kind::Delete, Kind::Correct],
        }
    }
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 9] =
        [Self::Access, Self::Correct, Self::Delete, Self::DoNotSell, Self::Erasure, Self::Objection, Self::Portability, Self::Rectification, Self::Restriction];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Correct => "correct",
            Self::Delete => "delete",
            Self::DoNotSell => "do_not_sell",
            Self::Erasure => "erasure",
            Self::Objection => "objection",
            Self::Portability => "portability",
            Self::Rectification => "rectification",
            Self::Restriction => "restriction",
        }
    }

    /// From its word, under whichever law.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// What may be asked for under a law, from its word. The error names what there is.
    pub fn parse(law: Law, word: &str) -> Result<Self, String> {
        law.kinds().iter().copied().find(|kind| kind.as_str() == word).ok_or_else(|| {
            let known: Vec<&str> = law.kinds().iter().map(|kind| kind.as_str()).collect();
            format!("Invalid request type: {word}; under {} there are {}", law.as_str(), known.join(", "))
        })
    }

    /// What it comes to.
    pub fn work(self) -> Work {
        match self {
            Self::Access => Work::Access,
            Self::Correct | Self::Rectification => Work::Rectify,
            Self::Delete | Self::Erasure => Work::Erase,
            Self::DoNotSell | Self::Objection => Work::Object,
            Self::Portability => Work::Port,
            Self::Restriction => Work::Restrict,
        }
    }
}
