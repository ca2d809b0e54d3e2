//! Passkeys (W3C WebAuthn Level 3), by `webauthn-rs` behind our own types: nothing of that crate is seen outside of this file.
//!
//! It verifies signatures and brings its own randomness for challenges. What is decided here: a passkey is discoverable and
//! verifies its user, so that it counts as two factors and needs no name; no attestation, for that would tell devices
//! apart; an origin is one of ours letter by letter; and what is checked against is always the passkey as it is stored
//! now, never a copy from when the sign-in began.
//!
//! The state between the two halves is for the caller to seal, keep, and take back **once**: a state that could be used
//! twice would let a recorded response in again.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use tutela_core::{AccountId, Timestamp};
use webauthn_rs::prelude::{
    Credential, DiscoverableAuthentication, Passkey, PasskeyRegistration, PublicKeyCredential, RegisterPublicKeyCredential, Url, Webauthn, WebauthnBuilder,
    WebauthnError,
};

use crate::Error;

/// How long an answer is awaited, in the browser and here (WebAuthn §13.4.3 and §15.1).
pub const LIFE: Duration = Duration::from_secs(300);

/// Registers and checks passkeys of one site.
pub struct Passkeys {
    site: Webauthn,
    origins: Vec<String>,
}

/// A passkey as stored. It holds a public key and no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPasskey {
    /// What it is found by; one may belong to one account only.
    pub credential_id: Vec<u8>,
    /// Everything that signing in needs, as JSON.
    pub text: String,
    /// Whether a copy of it exists beyond the device, so that it is a synced key (SP 800-63B-4 §3.1.7.3).
    pub backed_up: bool,
}

/// What a sign-in with a passkey showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasskeyUsed {
    /// Which passkey.
    pub credential_id: Vec<u8>,
    /// The passkey as it has to be stored from now on, where its counter or its backup state changed.
    pub updated: Option<StoredPasskey>,
    /// Whether the authenticator made sure of the person.
    pub user_verified: bool,
    /// Whether the passkey is backed up now.
    pub backed_up: bool,
}

/// Why an answer of a browser is refused. The person is told that it did not work; this is for the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasskeyRefused {
    /// The answer is to another question: it was recorded, or mixed up.
    Challenge,
    /// The counter went backwards: there may be two of this authenticator (WebAuthn §6.1.1).
    Cloned,
    /// It came too late.
    Expired,
    /// It is not what the standard says an answer looks like.
    Malformed,
    /// The passkey would not be found without a name.
    NotDiscoverable,
    /// It was given on a page that is not ours, or in a frame of another one.
    Origin,
    /// The passkey is for another site.
    RelyingParty,
    /// The signature does not verify.
    Signature,
    /// The account has no such passkey.
    Unknown,
    /// The authenticator did not make sure of the person.
    Unverified,
}

impl PasskeyRefused {
    /// As it stands in the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Challenge => "challenge_mismatch",
            Self::Cloned => "authenticator_cloned",
            Self::Expired => "challenge_expired",
            Self::Malformed => "malformed",
            Self::NotDiscoverable => "not_discoverable",
            Self::Origin => "origin_not_ours",
            Self::RelyingParty => "relying_party_not_ours",
            Self::Signature => "signature_wrong",
            Self::Unknown => "passkey_unknown",
            Self::Unverified => "user_not_verified",
        }
    }
}

impl fmt::Display for PasskeyRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the passkey was not accepted: {}", self.as_str())
    }
}

impl std::error::Error for PasskeyRefused {}

/// What is kept between the two halves.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State<T> {
    /// Whose answer is awaited, where that is known.
    account: Option<AccountId>,
    expires_at: Timestamp,
    inner: T,
}

impl Passkeys {
    /// For the pages at `origins`, such as `https://login.example.com`, which all lie on the domain `rp_id` or below it.
    /// `rp_id` can never be changed without losing every passkey.
    pub fn new(rp_id: &str, origins: &[&str], rp_name: &str) -> Result<Self, Error> {
        let parsed = origins.iter().map(|origin| origin_of(origin, rp_id)).collect::<Result<Vec<Url>, Error>>()?;
        let (first, others) = parsed.split_first().ok_or_else(|| Error::invalid("origins", "passkeys need at least one origin"))?;
        let refused = |_| Error::invalid("rp_id", format!("`{rp_id}` is not a domain that passkeys can be bound to"));
        let builder = WebauthnBuilder::new(rp_id, first).map_err(refused)?.rp_name(rp_name).timeout(LIFE);
        let site = others.iter().fold(builder, |builder, origin| builder.append_allowed_origin(origin)).build().map_err(refused)?;
        Ok(Self { site, origins: origins.iter().map(|origin| (*origin).to_owned()).collect() })
    }

    /// What `navigator.credentials.create()` is called with, and the state. `existing` are the passkeys the account has;
    /// their authenticators offer no second one.
    pub fn begin_registration(
        &self,
        account: AccountId,
        email: &str,
        name: &str,
        existing: &[StoredPasskey],
        now: Timestamp,
    ) -> Result<(Value, Vec<u8>), Error> {
        let exclude = existing.iter().map(|passkey| passkey.credential_id.clone()).collect();
        let (options, inner) = self.site.start_passkey_registration(account.0, email, name, Some(exclude)).map_err(|_| Error::Library)?;
        let mut options = serde_json::to_value(options).map_err(|_| Error::Library)?;
        // The library leaves it to the authenticator whether a passkey is discoverable.
        let selection = options.pointer_mut("/publicKey/authenticatorSelection").and_then(Value::as_object_mut).ok_or(Error::Library)?;
        selection.insert("residentKey".to_owned(), "required".into());
        selection.insert("requireResidentKey".to_owned(), true.into());
        Ok((options, keep(Some(account), inner, now)?))
    }

    /// The new passkey. The caller MUST refuse it where its id is stored already, for whichever account (WebAuthn §7.1).
    pub fn finish_registration(&self, account: AccountId, state: &[u8], response: &Value, now: Timestamp) -> Result<StoredPasskey, PasskeyRefused> {
        let state: State<PasskeyRegistration> = take_back(state, now)?;
        // The authenticator keeps the account's id: a passkey begun for one and finished for another would sign nobody in.
        if state.account != Some(account) {
            return Err(PasskeyRefused::Challenge);
        }
        let response: RegisterPublicKeyCredential = parse(response)?;
        self.check_client(&response.response.client_data_json)?;
        // The browser's word, not the authenticator's; it keeps a passkey from being stored that could never be found.
        if response.extensions.cred_props.as_ref().and_then(|props| props.rk) == Some(false) {
            return Err(PasskeyRefused::NotDiscoverable);
        }
        let passkey = self.site.finish_passkey_registration(&response, &state.inner).map_err(|error| refused(&error))?;
        stored(&passkey).ok_or(PasskeyRefused::Malformed)
    }

    /// What `navigator.credentials.get()` is called with where nobody has said who they are: the browser offers what it
    /// has, in the field for the address (`mediation` is `conditional`) or in a dialogue (the page leaves that out).
    pub fn begin_sign_in_discoverable(&self, now: Timestamp) -> Result<(Value, Vec<u8>), Error> {
        let (options, inner) = self.site.start_discoverable_authentication().map_err(|_| Error::Library)?;
        Ok((serde_json::to_value(options).map_err(|_| Error::Library)?, keep(None, inner, now)?))
    }

    /// Whose passkeys to load before [`Passkeys::finish_sign_in`] is asked about this response. Nothing is proven yet.
    pub fn account_of(&self, response: &Value) -> Result<AccountId, PasskeyRefused> {
        let response: PublicKeyCredential = parse(response)?;
        self.site.identify_discoverable_authentication(&response).map(|(id, _)| AccountId(id)).map_err(|_| PasskeyRefused::Unknown)
    }

    /// The same where it is known who is there: as second factor, or to prove it again.
    pub fn begin_sign_in(&self, account: AccountId, passkeys: &[StoredPasskey], now: Timestamp) -> Result<(Value, Vec<u8>), Error> {
        let known = passkeys.iter().map(read).collect::<Option<Vec<Passkey>>>().ok_or(Error::Library)?;
        let (mut options, inner) = self.site.start_discoverable_authentication().map_err(|_| Error::Library)?;
        // The list of what is allowed, with how each is reached, as the library writes it.
        let (listed, _) = self.site.start_passkey_authentication(&known).map_err(|_| Error::Library)?;
        options.public_key.allow_credentials = listed.public_key.allow_credentials;
        options.mediation = None;
        Ok((serde_json::to_value(options).map_err(|_| Error::Library)?, keep(Some(account), inner, now)?))
    }

    /// Checks the answer against `passkeys`, the account's as they are stored **now**: one that was removed meanwhile is
    /// unknown, and one that was used meanwhile has its new counter. The caller MUST store `updated` with a comparison.
    pub fn finish_sign_in(&self, state: &[u8], response: &Value, passkeys: &[StoredPasskey], now: Timestamp) -> Result<PasskeyUsed, PasskeyRefused> {
        let state: State<DiscoverableAuthentication> = take_back(state, now)?;
        let response: PublicKeyCredential = parse(response)?;
        self.check_client(&response.response.client_data_json)?;
        let used = passkeys.iter().find(|passkey| passkey.credential_id == response.raw_id).ok_or(PasskeyRefused::Unknown)?;
        // WebAuthn §7.2: where the authenticator names an account, it is the one that was asked.
        if let (Some(account), Some(handle)) = (state.account, response.get_user_unique_id())
            && handle != account.0.as_bytes()
        {
            return Err(PasskeyRefused::Unknown);
        }
        let mut passkey = read(used).ok_or(PasskeyRefused::Malformed)?;
        let result = self.site.finish_discoverable_authentication_v2(&response, state.inner, &passkey).map_err(|error| refused(&error))?;
        let updated = match passkey.update_credential(&result) {
            Some(true) => Some(stored(&passkey).ok_or(PasskeyRefused::Malformed)?),
            Some(false) | None => None,
        };
        let (user_verified, backed_up) = (result.user_verified(), result.backup_state());
        Ok(PasskeyUsed { credential_id: used.credential_id.clone(), updated, user_verified, backed_up })
    }

    /// The page that the answer was given on, letter by letter, and no frame of another site. The library compares parsed
    /// addresses and looks at frames only while registering.
    fn check_client(&self, data: &[u8]) -> Result<(), PasskeyRefused> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Client {
            origin: String,
            #[serde(default)]
            cross_origin: bool,
        }
        let client: Client = serde_json::from_slice(data).map_err(|_| PasskeyRefused::Malformed)?;
        if client.cross_origin || !self.origins.contains(&client.origin) { Err(PasskeyRefused::Origin) } else { Ok(()) }
    }
}

/// An origin as browsers write it, on `rp_id` or below.
fn origin_of(origin: &str, rp_id: &str) -> Result<Url, Error> {
    let bad = |why: &str| Error::invalid("origins", format!("`{origin}` {why}"));
    let url = Url::parse(origin).map_err(|_| bad("is not an address"))?;
    if url.origin().ascii_serialization() != origin {
        return Err(bad("is not an origin; expected scheme, host and port as in `https://login.example.com`, with nothing after them"));
    }
    let host = url.domain().ok_or_else(|| bad("has no domain, and passkeys are bound to one"))?;
    if host != rp_id && !host.strip_suffix(rp_id).is_some_and(|rest| rest.ends_with('.')) {
        return Err(bad(&format!("does not lie on `{rp_id}`")));
    }
    // Browsers offer passkeys over TLS only, and on names that never leave the machine.
    let local = host == "localhost" || host.ends_with(".localhost");
    if url.scheme() == "https" || (url.scheme() == "http" && local) { Ok(url) } else { Err(bad("is not `https`")) }
}

fn keep<T: Serialize>(account: Option<AccountId>, inner: T, now: Timestamp) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(&State { account, expires_at: now + LIFE, inner }).map_err(|_| Error::Library)
}

fn take_back<T: DeserializeOwned>(state: &[u8], now: Timestamp) -> Result<State<T>, PasskeyRefused> {
    let state: State<T> = serde_json::from_slice(state).map_err(|_| PasskeyRefused::Malformed)?;
    if now < state.expires_at { Ok(state) } else { Err(PasskeyRefused::Expired) }
}

fn parse<T: DeserializeOwned>(response: &Value) -> Result<T, PasskeyRefused> {
    T::deserialize(response).map_err(|_| PasskeyRefused::Malformed)
}

fn read(stored: &StoredPasskey) -> Option<Passkey> {
    serde_json::from_str(&stored.text).ok()
}

fn stored(passkey: &Passkey) -> Option<StoredPasskey> {
    let text = serde_json::to_string(passkey).ok()?;
    let credential = Credential::from(passkey.clone());
    Some(StoredPasskey { credential_id: credential.cred_id, text, backed_up: credential.backup_state })
}

fn refused(error: &WebauthnError) -> PasskeyRefused {
    match error {
        WebauthnError::AuthenticationFailure | WebauthnError::SignatureInvalid => PasskeyRefused::Signature,
        WebauthnError::CredentialCrossOrigin | WebauthnError::InvalidRPOrigin => PasskeyRefused::Origin,
        WebauthnError::CredentialNotFound => PasskeyRefused::Unknown,
        WebauthnError::CredentialPossibleCompromise => PasskeyRefused::Cloned,
        WebauthnError::InvalidRPIDHash => PasskeyRefused::RelyingParty,
        WebauthnError::MismatchedChallenge => PasskeyRefused::Challenge,
        WebauthnError::UserNotPresent | WebauthnError::UserNotVerified => PasskeyRefused::Unverified,
        _ => PasskeyRefused::Malformed,
    }
}

#[cfg(test)]
mod tests;
