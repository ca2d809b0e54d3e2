//! An authenticator and a browser in one, for tests; every answer of it can be bent.

use aws_lc_rs::{
    digest::{SHA256, digest},
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use serde_json::{Value, json};

use super::tests::ORIGIN;

/// The key, and what it says of itself.
pub(super) struct SoftKey {
    pub(super) pair: EcdsaKeyPair,
    pub(super) id: Vec<u8>,
    pub(super) user: Option<Vec<u8>>,
    pub(super) origin: &'static str,
    pub(super) rp_id: &'static str,
    pub(super) cross_origin: Option<bool>,
    pub(super) flags: u8,
    pub(super) counter: u32,
    pub(super) rk: Option<bool>,
}

pub(super) const PRESENT: u8 = 1;
pub(super) const VERIFIED: u8 = 4;
pub(super) const ELIGIBLE: u8 = 8;
pub(super) const BACKED_UP: u8 = 16;

impl SoftKey {
    pub(super) fn new(id: &[u8]) -> Self {
        Self {
            pair: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap(),
            id: id.to_vec(),
            user: None,
            origin: ORIGIN,
            rp_id: "tutela.localhost",
            cross_origin: Some(false),
            flags: PRESENT | VERIFIED,
            counter: 0,
            rk: Some(true),
        }
    }

    fn client_data(&self, kind: &str, options: &Value) -> Vec<u8> {
        let mut data = json!({"type": kind, "challenge": options["publicKey"]["challenge"], "origin": self.origin});
        if let Some(cross_origin) = self.cross_origin {
            data["crossOrigin"] = cross_origin.into();
        }
        data.to_string().into_bytes()
    }

    fn authenticator_data(&self, flags: u8) -> Vec<u8> {
        let mut out = digest(&SHA256, self.rp_id.as_bytes()).as_ref().to_vec();
        out.push(flags);
        out.extend(self.counter.to_be_bytes());
        out
    }

    pub(super) fn register(&mut self, options: &Value) -> Value {
        self.user = Some(BASE64.decode(options["publicKey"]["user"]["id"].as_str().unwrap()).unwrap());
        // Attested credential data (§6.5.1): model, length and id, and the key as COSE_Key (RFC 9053 §7.1) for ES256.
        let mut data = self.authenticator_data(self.flags | 0x40);
        data.extend([0; 16]);
        data.extend(u16::try_from(self.id.len()).unwrap().to_be_bytes());
        data.extend(&self.id);
        let point = self.pair.public_key().as_ref();
        data.extend([0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32]);
        data.extend(&point[1..33]);
        data.extend([0x22, 0x58, 32]);
        data.extend(&point[33..65]);
        // {"fmt": "none", "attStmt": {}, "authData": bytes} in CBOR.
        let mut object = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58".to_vec();
        object.push(u8::try_from(data.len()).unwrap());
        object.extend(data);
        let mut response = json!({
            "id": BASE64.encode(&self.id), "rawId": BASE64.encode(&self.id), "type": "public-key",
            "response": {"attestationObject": BASE64.encode(object), "clientDataJSON": BASE64.encode(self.client_data("webauthn.create", options))},
        });
        if let Some(rk) = self.rk {
            response["clientExtensionResults"] = json!({"credProps": {"rk": rk}});
        }
        response
    }

    pub(super) fn sign(&self, options: &Value) -> Value {
        let (data, client) = (self.authenticator_data(self.flags), self.client_data("webauthn.get", options));
        let signed = [&data, digest(&SHA256, &client).as_ref()].concat();
        let signature = self.pair.sign(&SystemRandom::new(), &signed).unwrap();
        json!({
            "id": BASE64.encode(&self.id), "rawId": BASE64.encode(&self.id), "type": "public-key", "clientExtensionResults": {},
            "response": {
                "authenticatorData": BASE64.encode(data), "clientDataJSON": BASE64.encode(client), "signature": BASE64.encode(signature.as_ref()),
                "userHandle": self.user.as_ref().map(|user| BASE64.encode(user)),
            },
        })
    }
}
