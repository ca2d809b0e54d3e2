//! What laws and standards ask for, and whether it holds: facts in, findings out.
//!
//! ```text
//!   frameworks/*.yml --> Control --+
//!                                  +--> judge --> Finding: pass, fail, no data, manual, not applicable
//!   what is so  ------> Facts -----+
//! ```
//!
//! Nothing here asks anybody: who collects the facts is the application. A check whose population is empty, or whose
//! collector was silent, has no data; it never passes.

mod breach;
mod check;
mod conflict;
mod facts;
mod finding;
mod framework;

pub use breach::{Breach, Duty};
pub use check::{Check, SEVEN, checks, findings};
pub use conflict::{Conflict, conflicts};
pub use facts::{
    AN_HOUR, Breaches, Cards, Facts, Keys, Ledger, LockedOut, Mapped, Operation, People, Probed, QUARTER_HOUR, Requests, Routes, Settings, Verified,
};
pub use finding::{Finding, Outcome, Stated, Verdict, judge};
pub use framework::{Control, Framework, Kind, own};
