//! What a person has said to a purpose, and whether it may be done.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tutela_core::Timestamp;

use crate::purpose::{Basis, Purpose};

/// What a person has said last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// Yes.
    Given,
    /// No, or not to be sold, or an objection.
    Refused,
    /// Yes, and later no.
    Withdrawn,
}

impl Said {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Given => "given",
            Self::Refused => "refused",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// From its word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Given, Self::Refused, Self::Withdrawn].into_iter().find(|said| said.as_str() == word)
    }
}

/// What is known of a person and a purpose.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Known<'a> {
    /// What they have said last, and to which version of the notice.
    pub said: Option<(Said, &'a str)>,
    /// Whether they asked that nothing but storing is done (Art. 18).
    pub restricted: bool,
    /// Whether they asked not to be sold or shared (1798.120).
    pub opted_out: bool,
    /// Whether their browser says so now (`Sec-GPC: 1`).
    pub signal: bool,
}

/// Whether something may be done with a person's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It may, on this ground.
    Yes(Basis),
    /// It may not.
    No(Why),
}

/// Why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// They have not said yes, or not to what the notice says now.
    ConsentMissing,
    /// They have said no, or taken their yes back.
    Refused,
    /// They have objected (Art. 21).
    Objected,
    /// They, or their browser, asked not to be sold or shared.
    OptedOut,
    /// They asked that nothing but storing is done (Art. 18).
    Restricted,
}

impl Why {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ConsentMissing => "consent_missing",
            Self::Refused => "refused",
            Self::Objected => "objected",
            Self::OptedOut => "opted_out",
            Self::Restricted => "restricted",
        }
    }
}

/// Whether it may be done: restriction first, then the ground, then an opt-out. `consent_required` is the switch of the
/// configuration; where it is off, nobody's yes is waited for, and a no still counts.
pub fn may(purpose: &Purpose, known: Known<'_>, consent_required: bool) -> Answer {
    if known.restricted && purpose.basis != Basis::LegalObligation {
        return Answer::No(Why::Restricted);
    }
    match known.said {
        Some((Said::Refused | Said::Withdrawn, _)) if purpose.basis == Basis::Consent => return Answer::No(Why::Refused),
        Some((Said::Refused | Said::Withdrawn, _)) if purpose.basis.may_be_objected_to() => return Answer::No(Why::Objected),
        Some((Said::Given, version)) if purpose.basis == Basis::Consent && purpose.notice.renew && version != purpose.notice.version => {
            return Answer::No(Why::ConsentMissing);
        }
        None if purpose.basis == Basis::Consent && consent_required => return Answer::No(Why::ConsentMissing),
        _ => {}
    }
    if purpose.sells && (known.opted_out || known.signal) {
        // A yes to this very purpose is more than a signal for all of them, and less than an opt-out that was asked for.
        let said_yes = matches!(known.said, Some((Said::Given, _)));
        if known.opted_out || !said_yes {
            return Answer::No(Why::OptedOut);
        }
    }
    Answer::Yes(purpose.basis)
}

/// What is written down of a person's word, with the fields of ISO/IEC TS 27560.
#[derive(Debug, Clone, Copy)]
pub struct Receipt<'a> {
    /// Its own id, and that of the record that it belongs to.
    pub id: &'a str,
    /// Whose word it is.
    pub principal: &'a Value,
    /// To what.
    pub purpose: &'a Purpose,
    /// SHA-256 of the notice, in hexadecimal.
    pub notice_hash: &'a str,
    /// What was said.
    pub said: Said,
    /// When.
    pub time: Timestamp,
    /// How: `form`, `api`, `signal`.
    pub method: &'a str,
    /// Who is responsible (the controller), and how they are reached.
    pub controller: (&'a str, &'a str),
    /// Where it can be taken back.
    pub withdraw_at: &'a str,
}

impl Receipt<'_> {
    /// As JSON.
    pub fn json(&self) -> Value {
        let purpose = self.purpose;
        json!({
            "schema_version": "ISO/IEC TS 27560:2023",
            "receipt_id": self.id,
            "record_id": self.id,
            "pii_principal_id": self.principal,
            "pii_processing": {
                "purpose": purpose.name, "purpose_title": purpose.title, "lawful_basis": purpose.basis.as_str(), "special_basis": purpose.special_basis,
                "pii_categories": purpose.categories, "storage_days": purpose.retention_days, "recipients": purpose.recipients,
                "sale_or_sharing": purpose.sells,
            },
            "parties": [{"role": "controller", "name": self.controller.0, "contact": self.controller.1}],
            "notice": {"version": purpose.notice.version, "language": purpose.notice.language, "sha256": self.notice_hash},
            "event": {"time": self.time.to_string(), "state": self.said.as_str(), "method": self.method, "withdrawal": self.withdraw_at},
            "rights": ["access", "rectification", "erasure", "restriction", "portability", "objection", "withdrawal", "complaint to a supervisory authority"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::purpose::Notice;

    fn purpose(basis: Basis, sells: bool) -> Purpose {
        let notice = Notice { version: "2".into(), text: "Words.".into(), language: "en".into(), renew: false };
        Purpose {
            name: "x".into(),
            title: "X".into(),
            description: String::new(),
            basis,
            special_basis: None,
            required: false,
            sells,
            categories: Vec::new(),
            recipients: Vec::new(),
            retention_days: None,
            notice,
        }
    }

    #[test]
    fn consent_is_asked_for_where_it_is_the_ground_and_a_no_is_always_a_no() {
        let consent = purpose(Basis::Consent, false);
        let known = |said| Known { said, ..Known::default() };
        for (said, required, answer) in [
            (None, true, Answer::No(Why::ConsentMissing)),
            (None, false, Answer::Yes(Basis::Consent)),
            (Some((Said::Given, "1")), true, Answer::Yes(Basis::Consent)),
            (Some((Said::Refused, "2")), false, Answer::No(Why::Refused)),
            (Some((Said::Withdrawn, "2")), true, Answer::No(Why::Refused)),
        ] {
            assert_eq!(may(&consent, known(said), required), answer, "{said:?} {required}");
        }
        let mut renewed = consent.clone();
        renewed.notice.renew = true;
        assert_eq!(may(&renewed, known(Some((Said::Given, "1"))), true), Answer::No(Why::ConsentMissing), "that was to other words");
        assert_eq!(may(&renewed, known(Some((Said::Given, "2"))), true), Answer::Yes(Basis::Consent));
        for basis in [Basis::Contract, Basis::LegalObligation, Basis::VitalInterests] {
            assert_eq!(may(&purpose(basis, false), known(Some((Said::Refused, "2"))), true), Answer::Yes(basis));
        }
        assert_eq!(may(&purpose(Basis::LegitimateInterests, false), known(Some((Said::Refused, "2"))), true), Answer::No(Why::Objected));
    }

    #[test]
    fn restriction_comes_first_and_an_opt_out_last() {
        let restricted = Known { restricted: true, said: Some((Said::Given, "2")), ..Known::default() };
        assert_eq!(may(&purpose(Basis::Consent, false), restricted, true), Answer::No(Why::Restricted));
        assert_eq!(may(&purpose(Basis::LegalObligation, false), restricted, true), Answer::Yes(Basis::LegalObligation));
        let sells = purpose(Basis::LegitimateInterests, true);
        let with = |opted_out, signal, said| may(&sells, Known { opted_out, signal, said, restricted: false }, true);
        assert_eq!(with(false, false, None), Answer::Yes(Basis::LegitimateInterests));
        assert_eq!(with(true, false, None), Answer::No(Why::OptedOut));
        assert_eq!(with(false, true, None), Answer::No(Why::OptedOut));
        assert_eq!(with(false, true, Some((Said::Given, "2"))), Answer::Yes(Basis::LegitimateInterests));
        assert_eq!(with(true, true, Some((Said::Given, "2"))), Answer::No(Why::OptedOut));
        assert_eq!(may(&purpose(Basis::Contract, false), Known { opted_out: true, signal: true, ..Known::default() }, true), Answer::Yes(Basis::Contract));
    }
}
