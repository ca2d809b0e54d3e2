//! Who was erased, by keyed hashes of what identified them.

use tutela_core::{AccountId, SubjectRequestId, Timestamp};

use crate::{
    Changeset, Error, Expect, Store,
    sql::statements,
    value::{Row, params},
};

statements! {
    ERASED_NAME_LIST (Time) = "SELECT tag, account, request, erased_at FROM erased_name WHERE erased_at > $1 ORDER BY erased_at, tag";
    ERASED_NAME_SET (Bytes, Id, Id, Time) = "INSERT INTO erased_name (tag, account, request, erased_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (tag) DO UPDATE SET request = excluded.request, erased_at = excluded.erased_at";
}

/// A name of a person who was erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErasedNameRow {
    /// Keyed hash of it.
    pub tag: [u8; 32],
    /// The account, where it was one of ours.
    pub account: Option<AccountId>,
    /// The request that it was erased for.
    pub request: SubjectRequestId,
    /// When.
    pub erased_at: Timestamp,
}

impl Store {
    /// Names that were erased after a moment, the earliest first.
    pub async fn erased_name_list(&self, after: Timestamp) -> Result<Vec<ErasedNameRow>, Error> {
        self.all(&ERASED_NAME_LIST, params![after]).await?.iter().map(name).collect()
    }
}

impl Changeset {
    /// A name was erased, or once more.
    pub fn erased_name_set(self, row: &ErasedNameRow) -> Self {
        self.run(&ERASED_NAME_SET, params![row.tag, row.account.map(|id| id.0), row.request.0, row.erased_at], Expect::Any)
    }
}

fn name(row: &Row) -> Result<ErasedNameRow, Error> {
    Ok(ErasedNameRow { tag: row.get(0)?, account: row.get::<Option<_>>(1)?.map(AccountId), request: SubjectRequestId(row.get(2)?), erased_at: row.get(3)? })
}
