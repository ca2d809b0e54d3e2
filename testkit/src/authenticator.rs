//! A passkey authenticator with the browser around it: answers what `navigator.credentials` of a page would answer
//! (W3C WebAuthn Level 3, ES256, no attestation).
//!
//! It takes the options as the server writes them and answers in the shape that `passkey.js` posts. It is honest until a
//! field says otherwise, and lets everything through until [`SoftKey::strict`] is set, so that it is the server that has
//! to refuse. What no signature covers (`rawId`, `userHandle`, `extensions`) a test bends in the answer itself.
//!
//! One that a person would use synced has both `backup_eligible` and `backed_up` set before it makes its passkey.

use aws_lc_rs::{
    digest::{SHA256, digest},
    rand::{self, SystemRandom},
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use serde_json::{Value, json};

/// An authenticator that is part of the device, and the page it is used on.
pub struct SoftKey {
    /// The page, as `https://login.example.com`; the browser tells it to the server.
    pub origin: String,
    /// Whether the page is in a frame of another site. `None` as browsers wrote it that did not say.
    pub cross_origin: Option<bool>,
    /// The domain it signs for, where that is not the one the server named.
    pub rp_id: Option<String>,
    /// Flag UP: somebody touched it.
    pub user_present: bool,
    /// Flag UV: it recognised them, by finger, face or PIN.
    pub user_verified: bool,
    /// Flag BE: its passkeys can be copied to other devices. They keep the value they were made with (§6.1.3).
    pub backup_eligible: bool,
    /// Flag BS: they have been copied.
    pub backed_up: bool,
    /// What the next answer says; goes up by one with each, except that zero stays and means that it does not count.
    pub counter: u32,
    /// The id of the next passkey, once, in place of a random one.
    pub next_id: Option<Vec<u8>>,
    /// Refuses what browsers refuse: a domain that is not the page's, a second passkey where one is excluded, a person who
    /// was not recognised where that is required, and a sign-in without any passkey that is allowed.
    pub strict: bool,
    residents: Vec<Resident>,
}

/// A passkey in it.
struct Resident {
    rp_id: String,
    user: Value,
    id: Vec<u8>,
    pair: EcdsaKeyPair,
}

impl SoftKey {
    /// Without passkeys, on a page of `origin`, used by somebody it recognises; neither synced nor counting.
    pub fn new(origin: &str) -> Self {
        Self {
            origin: origin.to_owned(),
            cross_origin: Some(false),
            rp_id: None,
            user_present: true,
            user_verified: true,
            backup_eligible: false,
            backed_up: false,
            counter: 0,
            next_id: None,
            strict: false,
            residents: Vec::new(),
        }
    }

    /// `navigator.credentials.create()`: makes a passkey, in place of the one this user had for this domain. An error is the
    /// name of the `DOMException`, and only a strict one has any.
    pub fn create(&mut self, options: &Value) -> Result<Value, &'static str> {
        let asked = &options["publicKey"];
        let rp_id = asked["rp"]["id"].as_str().unwrap();
        self.check(rp_id, &asked["authenticatorSelection"]["userVerification"])?;
        if self.strict && self.residents.iter().any(|one| one.rp_id == rp_id && one.is_in(&asked["excludeCredentials"])) {
            return Err("InvalidStateError");
        }
        let made = Resident {
            rp_id: rp_id.to_owned(),
            user: asked["user"]["id"].clone(),
            id: self.next_id.take().unwrap_or_else(random_id),
            pair: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap(),
        };
        let client = self.client_data("webauthn.create", asked);
        let data = self.authenticator_data(rp_id, Some(&made));
        let object = map(&[(text("fmt"), text("none")), (text("attStmt"), map(&[])), (text("authData"), bytes(&data))]);
        // Told only to those who ask (§10.1.3).
        let extensions = if asked["extensions"]["credProps"] == true { json!({"credProps": {"rk": true}}) } else { json!({}) };
        let response = json!({
            "clientDataJSON": BASE64.encode(client), "attestationObject": BASE64.encode(object), "transports": ["internal"],
        });
        let answer = made.answer(extensions, response);
        self.residents.retain(|one| one.rp_id != made.rp_id || one.user != made.user);
        self.residents.push(made);
        Ok(answer)
    }

    /// `navigator.credentials.get()`: signs with the newest passkey among those allowed, or, not being strict, with the newest
    /// of the domain. Where there is none at all, even the lenient one has nothing to answer with.
    pub fn get(&mut self, options: &Value) -> Result<Value, &'static str> {
        let asked = &options["publicKey"];
        let rp_id = asked["rpId"].as_str().unwrap();
        self.check(rp_id, &asked["userVerification"])?;
        let allowed = &asked["allowCredentials"];
        let any = allowed.as_array().is_none_or(Vec::is_empty);
        let newest = |only: bool| self.residents.iter().rposition(|one| one.rp_id == rp_id && (!only || one.is_in(allowed)));
        let at = newest(!any).or_else(|| if self.strict { None } else { newest(false) }).ok_or("NotAllowedError")?;

        let client = self.client_data("webauthn.get", asked);
        let data = self.authenticator_data(rp_id, None);
        let one = &self.residents[at];
        let signature = one.pair.sign(&SystemRandom::new(), &[&data, digest(&SHA256, client.as_bytes()).as_ref()].concat()).unwrap();
        let response = json!({
            "clientDataJSON": BASE64.encode(client), "authenticatorData": BASE64.encode(data),
            "signature": BASE64.encode(signature.as_ref()), "userHandle": one.user,
        });
        Ok(one.answer(json!({}), response))
    }

    /// What stops a strict one before it looks at any passkey.
    fn check(&self, rp_id: &str, verification: &Value) -> Result<(), &'static str> {
        let host = self.origin.split_once("://").map_or("", |(_, rest)| rest.split(':').next().unwrap());
        if self.strict && host != rp_id && !host.ends_with(&format!(".{rp_id}")) {
            return Err("SecurityError");
        }
        if self.strict && !(self.user_present && (self.user_verified || verification != "required")) {
            return Err("NotAllowedError");
        }
        Ok(())
    }

    /// As browsers write it, to the letter (§5.8.1.1).
    fn client_data(&self, kind: &str, asked: &Value) -> String {
        let cross_origin = self.cross_origin.map_or(String::new(), |cross| format!(r#","crossOrigin":{cross}"#));
        format!(r#"{{"type":"{kind}","challenge":{},"origin":{}{cross_origin}}}"#, asked["challenge"], json!(self.origin))
    }

    /// §6.1, and §6.5.1 for a passkey that was just `made`.
    fn authenticator_data(&mut self, rp_id: &str, made: Option<&Resident>) -> Vec<u8> {
        let flags = [self.user_present, false, self.user_verified, self.backup_eligible, self.backed_up, false, made.is_some()];
        let mut data = digest(&SHA256, self.rp_id.as_deref().unwrap_or(rp_id).as_bytes()).as_ref().to_vec();
        data.push(flags.iter().rev().fold(0, |bits, flag| (bits << 1) | u8::from(*flag)));
        data.extend(self.counter.to_be_bytes());
        if self.counter > 0 {
            self.counter = self.counter.saturating_add(1);
        }
        if let Some(made) = made {
            data.extend([0; 16]); // the model, not told
            data.extend(u16::try_from(made.id.len()).unwrap().to_be_bytes());
            data.extend(&made.id);
            data.extend(made.public_key());
        }
        data
    }
}

impl Resident {
    /// Whether a list of the server names it.
    fn is_in(&self, list: &Value) -> bool {
        let id = BASE64.encode(&self.id);
        list.as_array().is_some_and(|list| list.iter().any(|one| one["id"] == id.as_str()))
    }

    /// As `COSE_Key` (RFC 9053 §7.1): elliptic curve, ES256, P-256, and the point.
    fn public_key(&self) -> Vec<u8> {
        let (x, y) = self.pair.public_key().as_ref()[1..].split_at(32);
        map(&[(int(1), int(2)), (int(3), int(-7)), (int(-1), int(1)), (int(-2), bytes(x)), (int(-3), bytes(y))])
    }

    fn answer(&self, extensions: Value, response: Value) -> Value {
        let id = BASE64.encode(&self.id);
        json!({"id": id, "rawId": id, "type": "public-key", "extensions": extensions, "response": response})
    }
}

fn random_id() -> Vec<u8> {
    let mut id = [0; 16];
    rand::fill(&mut id).unwrap();
    id.to_vec()
}

// === CBOR (RFC 8949 §3), as much as is needed ===

/// The first bytes of an item: what it is, and a number.
fn head(kind: u8, number: u16) -> Vec<u8> {
    match (number, number.to_be_bytes()) {
        (0..24, [_, low]) => vec![kind << 5 | low],
        (24..256, [_, low]) => vec![kind << 5 | 24, low],
        (_, [high, low]) => vec![kind << 5 | 25, high, low],
    }
}

fn counted(kind: u8, count: usize, content: &[u8]) -> Vec<u8> {
    [&head(kind, u16::try_from(count).unwrap()), content].concat()
}

fn int(number: i16) -> Vec<u8> {
    // A negative one stands as how far it is below -1, which is its complement.
    if number < 0 { head(1, (!number).unsigned_abs()) } else { head(0, number.unsigned_abs()) }
}

fn bytes(content: &[u8]) -> Vec<u8> {
    counted(2, content.len(), content)
}

fn text(content: &str) -> Vec<u8> {
    counted(3, content.len(), content.as_bytes())
}

/// In the order given.
fn map(entries: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let content: Vec<u8> = entries.iter().flat_map(|(key, value)| [key.as_slice(), value].concat()).collect();
    counted(5, entries.len(), &content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_written_as_in_the_examples_of_rfc_8949() {
        let vectors = [
            (int(0), "00"),
            (int(23), "17"),
            (int(24), "1818"),
            (int(100), "1864"),
            (int(1000), "1903e8"),
            (int(-1), "20"),
            (int(-100), "3863"),
            (int(-1000), "3903e7"),
            (bytes(&[1, 2, 3, 4]), "4401020304"),
            (text("IETF"), "6449455446"),
            (map(&[]), "a0"),
            (map(&[(int(1), int(2)), (int(3), int(4))]), "a201020304"),
        ];
        for (written, expected) in vectors {
            assert_eq!(written.iter().map(|byte| format!("{byte:02x}")).collect::<String>(), expected);
        }
    }
}
