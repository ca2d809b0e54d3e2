//! Which client is asking: by its secret, by a statement it has signed, or by its id alone where it can keep no secret.

use std::collections::BTreeMap;

use tutela_core::Secret;
use tutela_identity::{
    Client, JwkSet,
    oauth::{ClientProof, Code, Refused, Registration, check_assertion, read_proof},
};
use tutela_store::Changeset;

use super::{Error, known, record_refusal, refuse};
use crate::{App, Ctx};

/// Fields of a form, each once (RFC 6749 §3.2).
pub struct Form {
    fields: BTreeMap<String, Secret<String>>,
}

impl Form {
    /// From the pairs of a form; one that comes twice is refused, and one without a value is not there (§3.2).
    pub fn read(pairs: Vec<(String, String)>) -> Result<Self, Refused> {
        let mut fields = BTreeMap::new();
        for (name, value) in pairs {
            if fields.contains_key(&name) {
                return Err(refuse(Code::InvalidRequest, format!("`{}` comes twice", name.chars().take(64).collect::<String>())));
            }
            if !value.is_empty() {
                fields.insert(name, Secret::new(value));
            }
        }
        Ok(Self { fields })
    }

    /// The value of a field.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(|value| value.open().as_str())
    }

    /// The value of a field that has to be there.
    pub(super) fn need(&self, name: &str) -> Result<&str, Refused> {
        self.get(name).ok_or_else(|| refuse(Code::InvalidRequest, format!("`{name}` is missing")))
    }
}

/// The client behind a request to one of the endpoints that clients call; a known one that does not prove itself is an event.
pub(super) async fn authenticate(app: &App, ctx: &Ctx, authorization: Option<&str>, form: &Form) -> Result<(Client, Registration), Error> {
    let presented = read_proof(authorization, |name| form.get(name).map(str::to_owned))?;
    let (ClientProof::Secret(id, _) | ClientProof::Nothing(id) | ClientProof::Assertion(id, _)) = &presented;
    let unproven = || refuse(Code::InvalidClient, "the client is not known, or has not proven itself in the way that it is registered for");
    let found = known(app, id, ctx.now).await?.ok_or_else(unproven)?;
    let proven = match &presented {
        ClientProof::Secret(_, secret) => by_secret(app, ctx, &found, secret).await?.then_some(()).ok_or_else(unproven),
        ClientProof::Nothing(_) if found.1.confidential => Err(unproven()),
        ClientProof::Nothing(_) => Ok(()),
        ClientProof::Assertion(_, assertion) => by_assertion(app, ctx, id, assertion, &found.1).await?,
    };
    if let Err(refused) = proven {
        record_refusal(app, ctx, found.0.id, &refused).await?;
        return Err(refused.into());
    }
    Ok(found)
}

async fn by_secret(app: &App, ctx: &Ctx, (named, registration): &(Client, Registration), secret: &Secret<String>) -> Result<bool, Error> {
    let client = app.live_client(secret.open(), ctx.now).await?;
    Ok(registration.has_secret() && client.is_some_and(|client| client.id == named.id && client.expires_at.is_some_and(|end| ctx.now < end)))
}

async fn by_assertion(app: &App, ctx: &Ctx, id: &str, assertion: &str, registration: &Registration) -> Result<Result<(), Refused>, Error> {
    let Some(keys) = registration.jwks.as_ref().and_then(|set| JwkSet::from_value(set).ok()) else {
        return Ok(Err(refuse(Code::InvalidClient, "this client has no keys to sign statements with")));
    };
    let issuer = &app.urls.public;
    let endpoint = format!("{issuer}/oauth/token");
    let (jti, until) = match check_assertion(assertion, id, &keys, &[issuer, &endpoint], ctx.now) {
        Ok(found) => found,
        Err(refused) => return Ok(Err(refused)),
    };
    // Good once (RFC 7523 §3); of two nodes that see it, one takes it.
    let spent = tutela_identity::keyed_hash(&app.sign_in_key, &[b"client assertion", id.as_bytes(), jti.as_bytes()]);
    match app.store.commit(Changeset::sign_in_step().challenge_spend(spent, until)).await {
        Ok(()) => Ok(Ok(())),
        Err(tutela_store::Error::Conflict(_)) => Ok(Err(refuse(Code::InvalidClient, "the statement was used before"))),
        Err(e) => Err(e.into()),
    }
}
