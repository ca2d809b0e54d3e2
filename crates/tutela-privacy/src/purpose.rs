//! What personal data is used for, and on which ground.

use serde::{Deserialize, Serialize};

use crate::taxonomy::is_within;

/// Longest name.
const LONGEST_NAME: usize = 100;
/// Categories of Art. 9(1): a ground of Art. 6 alone is not enough for them.
const SPECIAL: [&str; 8] = [
    "user.biometric",
    "user.demographic.ethnic_origin",
    "user.demographic.political_opinion",
    "user.demographic.race",
    "user.demographic.religious_belief",
    "user.demographic.sexual_orientation",
    "user.genetic",
    "user.health_and_medical",
];

/// One use of personal data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Purpose {
    /// By which it is known: a use in Fideslang's words where there is one, such as `marketing.advertising`.
    pub name: String,
    /// For people, in a few words.
    pub title: String,
    /// For people, in a sentence or two.
    #[serde(default)]
    pub description: String,
    /// The ground of Art. 6(1) that it stands on.
    pub basis: Basis,
    /// The ground of Art. 9(2), where special categories are among the data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub special_basis: Option<String>,
    /// Whether an application cannot do its service without it: what is asked for where no purpose is named.
    #[serde(default)]
    pub required: bool,
    /// Whether data is sold or shared for it, in the words of Cal. Civ. Code 1798.140: an opt-out or a signal ends it.
    #[serde(default)]
    pub sells: bool,
    /// Categories of data that it uses, in Fideslang's words.
    #[serde(default)]
    pub categories: Vec<String>,
    /// Who gets data for it.
    #[serde(default)]
    pub recipients: Vec<Recipient>,
    /// For how many days data is kept for it; nothing means as long as the account lives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention_days: Option<u32>,
    /// What people are told of it.
    pub notice: Notice,
}

/// The ground that a use stands on, Art. 6(1)(a) to (f).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// (a)
    Consent,
    /// (b)
    Contract,
    /// (c)
    LegalObligation,
    /// (d)
    VitalInterests,
    /// (e)
    PublicTask,
    /// (f)
    LegitimateInterests,
}

/// Somebody who gets data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipient {
    /// Who.
    pub name: String,
    /// Where (ISO 3166-1, two letters).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
}

/// What people are told, in one version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notice {
    /// Its version: `2026-11`.
    pub version: String,
    /// The words that a person sees.
    pub text: String,
    /// The language that they are in.
    #[serde(default = "english")]
    pub language: String,
    /// Whether consent to earlier versions holds no more.
    #[serde(default)]
    pub renew: bool,
}

fn english() -> String {
    "en".into()
}

impl Basis {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Consent, Self::Contract, Self::LegalObligation, Self::VitalInterests, Self::PublicTask, Self::LegitimateInterests];

    /// From its word; the error names what there is.
    pub fn parse(word: &str) -> Result<Self, String> {
        let known = || Self::ALL.map(Self::as_str).join(", ");
        Self::ALL.into_iter().find(|basis| basis.as_str() == word).ok_or_else(|| format!("`{word}` is no ground of Art. 6(1); there are {}", known()))
    }

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Consent => "consent",
            Self::Contract => "contract",
            Self::LegalObligation => "legal_obligation",
            Self::VitalInterests => "vital_interests",
            Self::PublicTask => "public_task",
            Self::LegitimateInterests => "legitimate_interests",
        }
    }

    /// Whether a person may object to what stands on it (Art. 21(1)).
    pub fn may_be_objected_to(self) -> bool {
        matches!(self, Self::PublicTask | Self::LegitimateInterests)
    }
}

impl Purpose {
    /// Refuses what makes no sense; the error names the member.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        let name_is_fine =
            (1..=LONGEST_NAME).contains(&self.name.len()) && self.name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b));
        if !name_is_fine {
            return Err((
                "name",
                format!("`{}` is no name; it has 1 to {LONGEST_NAME} characters of `a-z 0-9 . _ -`, such as `marketing.advertising`", self.name),
            ));
        }
        for (member, text, most) in [("title", &self.title, 200), ("notice.version", &self.notice.version, 40), ("notice.text", &self.notice.text, 20_000)] {
            if text.trim().is_empty() || text.chars().count() > most {
                return Err((member, format!("`{member}` has 1 to {most} characters")));
            }
        }
        if self.description.chars().count() > 2_000 {
            return Err(("description", "`description` has at most 2,000 characters".into()));
        }
        if self.categories.len() > 100 || self.recipients.len() > 100 {
            return Err(("categories", "a purpose names at most 100 categories and 100 recipients".into()));
        }
        let known = |ground: &str| matches!(ground.as_bytes(), [b'9', b'(', b'2', b')', b'(', b'a'..=b'j', b')']);
        if let Some(wrong) = self.special_basis.as_deref().filter(|ground| !known(ground)) {
            return Err(("special_basis", format!("`{wrong}` is no ground of Art. 9(2): `9(2)(a)` to `9(2)(j)`")));
        }
        if let (Some(category), None) = (self.special(), &self.special_basis) {
            return Err(("special_basis", format!("`{category}` is a special category: `special_basis` names the ground of Art. 9(2), such as `9(2)(a)`")));
        }
        if self.sells && self.basis != Basis::Consent && self.required {
            return Err(("sells", "what is sold or shared can be opted out of, so it cannot be required".into()));
        }
        Ok(())
    }

    /// The first special category that it speaks of.
    pub fn special(&self) -> Option<&str> {
        self.categories.iter().map(String::as_str).find(|category| SPECIAL.iter().any(|special| is_within(category, special)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn purpose(change: impl FnOnce(&mut Purpose)) -> Result<(), &'static str> {
        let notice = Notice { version: "1".into(), text: "We send you news.".into(), language: "en".into(), renew: false };
        let mut purpose = Purpose {
            name: "marketing.communications.email".into(),
            title: "News by mail".into(),
            description: String::new(),
            basis: Basis::Consent,
            special_basis: None,
            required: false,
            sells: false,
            categories: vec!["user.contact.email".into()],
            recipients: Vec::new(),
            retention_days: None,
            notice,
        };
        change(&mut purpose);
        purpose.check().map_err(|(member, _)| member)
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        assert_eq!(purpose(|_| ()), Ok(()));
        assert_eq!(purpose(|p| p.name = "News letter".into()), Err("name"));
        assert_eq!(purpose(|p| p.notice.text = " ".into()), Err("notice.text"));
        assert_eq!(purpose(|p| p.categories = vec!["user.health_and_medical.record".into()]), Err("special_basis"));
        assert_eq!(
            purpose(|p| {
                p.categories = vec!["user.health_and_medical".into()];
                p.special_basis = Some("9(2)(a)".into());
            }),
            Ok(())
        );
        assert_eq!(
            purpose(|p| {
                p.basis = Basis::LegitimateInterests;
                (p.sells, p.required) = (true, true);
            }),
            Err("sells")
        );
    }
}
