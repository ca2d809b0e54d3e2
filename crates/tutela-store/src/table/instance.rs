//! Who this instance is, and the head of its empty log.

use tutela_ledger::Signer;

use crate::{
    Changeset, Expect, Housekeeping, Open,
    db::Instance,
    sql::statements,
    table::{
        ledger::{Head, LOG_HEAD_INSERT},
        role::ROLE_UPSERT,
    },
    value::params,
};

statements! {
    INSTANCE_GET () = "SELECT id, origin, key_fingerprint, state, created_at FROM instance";
    INSTANCE_INSERT (Id, Text, Bytes, Time) = "INSERT INTO instance (one, id, origin, key_fingerprint, created_at, state) VALUES (1, $1, $2, $3, $4, 'ready')";
    INSTANCE_READY () = "UPDATE instance SET state = 'ready' WHERE one = 1";
}

/// The first write of all: identity, empty log, and the role that always exists.
pub(crate) fn instance_insert(instance: &Instance, open: &Open, signer: &Signer) -> Changeset {
    let head = Head::empty(signer);
    let admin = ["*".to_owned()];
    Changeset::housekeeping(Housekeeping::Instance)
        .run(&INSTANCE_INSERT, params![instance.id, &instance.origin, open.key_fingerprint, open.env.now()], Expect::Any)
        .run(&LOG_HEAD_INSERT, params![0_u64, head.edge.to_bytes(), &head.checkpoint], Expect::Any)
        .run(&ROLE_UPSERT, params!["admin", &admin[..]], Expect::Any)
}

impl Changeset {
    /// Ends a restore: the instance may be served.
    pub fn instance_ready(self) -> Self {
        self.run(&INSTANCE_READY, params![], Expect::Any)
    }
}
