//! Frameworks and their controls, as data: numbers of laws and standards, in our own words.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

/// Those that come with tutela.
const OWN: [&str; 4] = [
    include_str!("../../../frameworks/ccpa.yml"),
    include_str!("../../../frameworks/gdpr.yml"),
    include_str!("../../../frameworks/hipaa.yml"),
    include_str!("../../../frameworks/pci-dss.yml"),
];

/// A law or standard.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Framework {
    /// By which it is switched on: `gdpr`.
    pub key: String,
    /// Its name.
    pub title: String,
    /// Where it stands.
    pub source: String,
    /// What it asks for.
    pub controls: Vec<Control>,
}

/// Something that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Control {
    /// By which it is known in addresses: `art-17-1`.
    pub id: String,
    /// The law's or standard's own number.
    pub number: String,
    /// What it comes to, in our words.
    pub title: String,
    /// How it is known whether it holds.
    pub kind: Kind,
    /// Who answers for it.
    pub owner: String,
    /// The checks that judge it; where a control that could be checked has none, it is shown and attested until it has.
    #[serde(default)]
    pub checks: Vec<String>,
    /// What somebody states by attesting.
    #[serde(default)]
    pub attests: Option<String>,
}

/// How it is known whether a control holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// By checks alone.
    Automatic,
    /// By checks, and by somebody who attests to the rest.
    Half,
    /// By somebody who attests.
    Manual,
}

impl Kind {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Automatic => "automatic",
            Self::Half => "half",
            Self::Manual => "manual",
        }
    }
}

impl Framework {
    /// Reads a file.
    pub fn read(yaml: &str) -> Result<Self, String> {
        let framework: Self = serde_yaml_ng::from_str(yaml).map_err(|e| e.to_string())?;
        let is_name = |text: &str| (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
        if !is_name(&framework.key) || !framework.key.starts_with(|first: char| first.is_ascii_lowercase()) {
            return Err(format!("key: `{}` is no name; one has 1 to 64 of `a-z A-Z 0-9 - . _` and begins with a small letter", framework.key));
        }
        for (at, control) in framework.controls.iter().enumerate() {
            if !is_name(&control.id) {
                return Err(format!("{}: the id `{}` has other than 1 to 64 of `a-z A-Z 0-9 - . _`", framework.key, control.id));
            }
            if framework.controls[..at].iter().any(|other| other.id == control.id) {
                return Err(format!("{}: `{}` stands there twice", framework.key, control.id));
            }
            if let Some(unknown) = control.checks.iter().find(|name| crate::check::find(name).is_none() && !crate::check::AWAITED.contains(&name.as_str())) {
                return Err(format!("{}.{}: there is no check `{unknown}`", framework.key, control.id));
            }
            if control.kind != Kind::Automatic && control.attests.is_none() {
                return Err(format!("{}.{}: it does not say what is attested", framework.key, control.id));
            }
        }
        Ok(framework)
    }

    /// A control of it.
    pub fn control(&self, id: &str) -> Option<&Control> {
        self.controls.iter().find(|control| control.id == id)
    }
}

/// The frameworks that come with tutela, by name. A test reads them: here they cannot fail.
pub fn own() -> &'static [Framework] {
    static ALL: LazyLock<Vec<Framework>> = LazyLock::new(|| OWN.iter().filter_map(|yaml| Framework::read(yaml).ok()).collect());
    &ALL
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_control_is_there_and_says_how_it_is_known() {
        let all: Vec<Framework> = OWN.iter().map(|yaml| Framework::read(yaml).unwrap_or_else(|e| panic!("{e}"))).collect();
        let of = |kind: Kind| all.iter().flat_map(|of| &of.controls).filter(|control| control.kind == kind).count();
        assert_eq!([Kind::Automatic, Kind::Half, Kind::Manual].map(of), [67, 25, 4]);
        assert_eq!(all.iter().map(|of| of.key.as_str()).collect::<Vec<_>>(), ["ccpa", "gdpr", "hipaa", "pci-dss"]);
    }

    #[test]
    fn a_control_twice_an_unknown_check_and_nothing_attested_are_refused() {
        let with = |control: &str| Framework::read(&format!("{{key: x, title: X, source: X, controls: [{control}]}}")).unwrap_err();
        let one = "{id: a, number: '1', title: A, kind: automatic, owner: o}";
        assert!(with(&format!("{one}, {one}")).contains("twice"));
        assert!(with("{id: a, number: '1', title: A, kind: automatic, owner: o, checks: [nonsense]}").contains("no check `nonsense`"));
        assert!(with("{id: a, number: '1', title: A, kind: manual, owner: o}").contains("attested"));
    }
}
