//! Keys, and what is sealed under them. Pure: no file, no clock, no store, no provider.
//!
//! ```text
//! provider key (connect)  ->  KeyEncryptionKey, one an epoch  ->  DataKey, one a version or a person
//!                                                             ->  single-use key, one a message
//! ```
//! [`seal`] and [`open`] work on data, `wrap` and `unwrap` on keys. A message says which suite, key
//! and version it needs, commits to its key, and is bound to its context ([`Binding`]); what does
//! not open says so in one sentence, whatever the reason. `docs/crypto.md` is the format.
//!
//! The [`RootKey`] of an instance stands beside the hierarchy: from it come the signing keys and
//! the keys of the search index and of sealed tokens.

mod backup;
mod chunk;
mod context;
mod data_key;
mod error;
pub mod event;
mod message;
mod policy;
mod record;
mod ring;
mod root;
mod root_file;
mod seal;
mod stream;
mod suite;
mod token;
#[cfg(test)]
mod vectors;
mod wrap;

pub use backup::{Identity, Recipient, open_backup, seal_backup};
pub use chunk::CHUNK;
pub use context::{Binding, CallerContext, MAX_CONTEXT};
pub use data_key::{COMMITMENT, DataKey, SALT, Sha256, sha256, subject_tag};
pub use error::Error;
pub use message::{Header, Message, Parts, TEXT_PREFIX};
pub use policy::{HEADER_MEMBER, KEY_ID, MAX_FIELDS, Mode, Policy, Rule};
pub use record::{index_token, open_record, record_header, seal_record};
pub use ring::{BUDGET, BUDGET_ROTATE, KeyState, NamedKey, Purpose, VersionState};
pub use root::{IndexKey, RootKey};
pub use root_file::RootFile;
pub use seal::{first_nonce, open, seal};
pub use stream::{StreamOpener, StreamSealer};
pub use suite::Suite;
pub use token::{open_token, seal_token};
pub use wrap::KeyEncryptionKey;
