//! What a person sees of what they ask for about their data.

use askama::Template;

use super::{hosted::HostedFrame, own::AccountTab, part::When};

/// What can be asked for, and what was.
#[derive(Clone, Debug, Template)]
#[template(path = "hosted/your_data.html")]
pub struct YourDataPage {
    /// The page around it.
    pub frame: HostedFrame,
    /// Which of the account's pages.
    pub tab: AccountTab,
    /// What can be asked for.
    pub asks: Vec<Asking>,
    /// What was asked for, newest first.
    pub requests: Vec<OwnRequest>,
}

/// What can be asked for without an account.
#[derive(Clone, Debug, Template)]
#[template(path = "hosted/ask.html")]
pub struct AskPage {
    /// The page around it.
    pub frame: HostedFrame,
    /// What can be asked for.
    pub asks: Vec<Asking>,
}

/// Something that can be asked for.
#[derive(Clone, Copy, Debug)]
pub struct Asking {
    /// In the law's word; the form is at `/account/data/{kind}`.
    pub kind: &'static str,
    /// For people.
    pub label: &'static str,
    /// What happens then.
    pub lead: &'static str,
}

/// Something that was asked for.
#[derive(Clone, Debug)]
pub struct OwnRequest {
    /// Its id.
    pub id: String,
    /// For people.
    pub label: String,
    /// How far it is, in words.
    pub state: &'static str,
    /// When it came.
    pub when: When,
    /// The day by which it is answered.
    pub answer_by: String,
    /// Why it was refused or takes longer.
    pub reason: Option<String>,
    /// Until when there is a package.
    pub package_until: Option<When>,
    /// Where it is shown, signed in or not.
    pub status_at: String,
}

/// How far a request is; whoever has its address may look, since the account may be gone.
#[derive(Clone, Debug, Template)]
#[template(path = "hosted/request.html")]
pub struct RequestPage {
    /// The page around it.
    pub frame: HostedFrame,
    /// What was asked for.
    pub label: String,
    /// How far it is, in a sentence.
    pub lead: &'static str,
    /// When it came.
    pub when: When,
    /// The day by which it is answered.
    pub answer_by: String,
    /// Why it was refused or takes longer.
    pub reason: Option<String>,
    /// What was done.
    pub steps: Vec<String>,
    /// What stays, and why.
    pub kept: Vec<String>,
    /// Where the signed confirmation is.
    pub receipt: Option<String>,
    /// Whether it is worth looking again.
    pub moving: bool,
}
