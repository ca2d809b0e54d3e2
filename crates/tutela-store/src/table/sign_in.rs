//! Sign-ins under way.

use tutela_core::{AccountId, AuthStrength, DeviceId, SessionId, SignInId, Timestamp};
use tutela_identity::{
    AuthenticatorKind, TokenHash,
    authenticator::SentCode,
    sign_in::{SignIn, Wanted},
};

use crate::{
    Changeset, Error, Expect, Housekeeping, Store,
    sql::statements,
    value::{Value, params},
};

statements! {
    SIGN_IN_CODE (Id, Json, Int) = "UPDATE sign_in SET code = $2, version = version + 1 WHERE id = $1 AND version = $3";
    SIGN_IN_DELETE (Id, Int) = "DELETE FROM sign_in WHERE id = $1 AND version = $2";
    SIGN_IN_DELETE_BY_ACCOUNT (Id) = "DELETE FROM sign_in WHERE account_id = $1";
    SIGN_IN_GET (Bytes) =
        "SELECT id, account_id, session_id, device_id, proofs, wanted_factors, wanted_aal, started_at, code, version, outside FROM sign_in WHERE token_hash = $1";
    SIGN_IN_INSERT (Id, Bytes, Id, Id, Id, Json, Int, Text, Time, Text) = "INSERT INTO sign_in (id, token_hash, account_id, session_id, device_id, proofs, wanted_factors,
        wanted_aal, started_at, version, outside) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 1, $10)";
    SIGN_IN_PROVE (Id, Json, Int, Int, Text) =
        "UPDATE sign_in SET proofs = $2, wanted_factors = $4, wanted_aal = $5, code = NULL, version = version + 1 WHERE id = $1 AND version = $3";
    SIGN_IN_SWEEP (Time) = "DELETE FROM sign_in WHERE started_at <= $1";
}

/// A sign-in as stored, with the one code that was sent for it.
#[derive(Debug, Clone)]
pub struct SignInRow {
    /// The sign-in.
    pub sign_in: SignIn,
    /// The code that was sent, and by which way.
    pub code: Option<(AuthenticatorKind, SentCode)>,
    /// How often it was written.
    pub version: i64,
    /// What an outside provider calls the session that the first proof came from, sealed.
    pub outside: Option<String>,
}

const RACE: Expect = Expect::One("this sign-in went on somewhere else");

impl Store {
    /// A sign-in by the hash of its token.
    pub async fn sign_in_get(&self, token: TokenHash) -> Result<Option<SignInRow>, Error> {
        let Some(row) = self.opt(&SIGN_IN_GET, params![token]).await? else { return Ok(None) };
        let id = |index| row.get::<Option<uuid::Uuid>>(index);
        let proofs: serde_json::Value = row.get(4)?;
        let (factors, aal): (i64, String) = (row.get(5)?, row.get(6)?);
        let code: Option<serde_json::Value> = row.get(8)?;
        let code = code.map(serde_json::from_value).transpose().map_err(|e| Error::Decode(e.to_string()))?;
        let sign_in = SignIn {
            id: SignInId(row.get(0)?),
            account: AccountId(row.get(1)?),
            session: id(2)?.map(SessionId),
            device: id(3)?.map(DeviceId),
            proofs: serde_json::from_value(proofs).map_err(|e| Error::Decode(e.to_string()))?,
            wanted: Wanted { factors: u8::try_from(factors).unwrap_or(u8::MAX), aal: AuthStrength::parse(&aal) },
            started_at: row.get(7)?,
        };
        Ok(Some(SignInRow { sign_in, code, version: row.get(9)?, outside: row.get(10)? }))
    }
}

impl Changeset {
    /// A step of a sign-in that is not over.
    pub fn sign_in_step() -> Self {
        Self::housekeeping(Housekeeping::SignInTransaction)
    }

    /// Keeps a sign-in that has begun.
    pub fn sign_in_insert(self, row: &SignInRow, token: TokenHash) -> Self {
        let s = &row.sign_in;
        let params = params![
            s.id.0,
            token,
            s.account.0,
            s.session.map(|id| id.0),
            s.device.map(|id| id.0),
            proofs(s),
            i64::from(s.wanted.factors),
            s.wanted.aal.acr(),
            s.started_at,
            row.outside.clone(),
        ];
        self.run(&SIGN_IN_INSERT, params, Expect::Any)
    }

    /// Writes what was proven; the code that was sent is used up with it.
    pub fn sign_in_prove(self, row: &SignInRow) -> Self {
        let wanted = row.sign_in.wanted;
        self.run(&SIGN_IN_PROVE, params![row.sign_in.id.0, proofs(&row.sign_in), row.version, i64::from(wanted.factors), wanted.aal.acr()], RACE)
    }

    /// Keeps the code that is sent now, in place of any other, or what a try has made of it.
    pub fn sign_in_code(self, row: &SignInRow) -> Self {
        let code = row.code.as_ref().and_then(|code| serde_json::to_value(code).ok());
        self.run(&SIGN_IN_CODE, params![row.sign_in.id.0, code, row.version], RACE)
    }

    /// Ends a sign-in, because a session has begun or a stronger one gone on.
    pub fn sign_in_end(self, row: &SignInRow) -> Self {
        self.run(&SIGN_IN_DELETE, params![row.sign_in.id.0, row.version], RACE)
    }

    /// Ends every sign-in of an account.
    pub fn sign_in_end_by_account(self, account: AccountId) -> Self {
        self.run(&SIGN_IN_DELETE_BY_ACCOUNT, params![account.0], Expect::Any)
    }

    /// Drops sign-ins that began before `then`.
    pub fn sign_in_sweep(self, then: Timestamp) -> Self {
        self.run(&SIGN_IN_SWEEP, params![then], Expect::Any)
    }
}

fn proofs(sign_in: &SignIn) -> Value {
    Value::Json(serde_json::to_value(&sign_in.proofs).unwrap_or_default())
}
