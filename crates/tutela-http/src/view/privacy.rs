//! What a person sees of the uses of their data.

use askama::Template;

use super::{hosted::HostedFrame, own::AccountTab, part::When, words::Words};

/// What a person's data is used for, and what they have said to it.
#[derive(Clone, Debug, Template)]
#[template(path = "hosted/privacy.html")]
pub struct PrivacyPage {
    /// The page around it.
    pub frame: HostedFrame,
    /// Which of the account's pages.
    pub tab: AccountTab,
    /// What was just done.
    pub notice: Option<String>,
    /// Whether this browser sends `Sec-GPC: 1`.
    pub gpc: bool,
    /// Whether they have opted out of sale and sharing.
    pub opted_out: bool,
    /// Whether nothing is done but keeping.
    pub restricted: bool,
    /// The uses.
    pub purposes: Vec<OwnPurpose>,
}

/// A use of their data.
#[derive(Clone, Debug)]
pub struct OwnPurpose {
    /// Its name; saying something posts to `/account/privacy/{name}`.
    pub name: String,
    /// For people.
    pub title: String,
    /// For people.
    pub description: String,
    /// The ground, in words.
    pub basis: &'static str,
    /// Whether it is sold or shared for.
    pub sells: bool,
    /// The notice.
    pub text: String,
    /// Its version.
    pub version: String,
    /// Who gets data, in words.
    pub recipients: String,
    /// Days that it is kept.
    pub retention_days: Option<u32>,
    /// What was said, when, and the id of the receipt.
    pub said: Option<(&'static str, When, String)>,
    /// What can be said now: the word that is posted, and what the button is called.
    pub choices: Vec<(&'static str, &'static str)>,
    /// Whether an answer is waited for.
    pub waits: bool,
}

/// A ground in words.
pub fn basis_words(t: &'static Words, basis: &str) -> &'static str {
    match basis {
        "consent" => t.basis_consent,
        "contract" => t.basis_contract,
        "legal_obligation" => t.basis_legal_obligation,
        "vital_interests" => t.basis_vital_interests,
        "public_task" => t.basis_public_task,
        _ => t.basis_legitimate_interests,
    }
}
