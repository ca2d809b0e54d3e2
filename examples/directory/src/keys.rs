use aws_lc_rs::{
    encoding::AsDer as _,
    rand::{SecureRandom as _, SystemRandom},
    rsa::{KeyPair, KeySize, PublicKeyComponents},
    signature::{KeyPair as _, RSA_PKCS1_SHA256},
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::{Value, json};

/// The one key that everything is signed with; a new one at every start.
pub(crate) struct Keys {
    pair: KeyPair,
    /// Base64 of the DER form.
    pub certificate: String,
}

impl Keys {
    pub fn make() -> Result<Self, String> {
        let failed = |_| "no key could be made".to_owned();
        let pair = KeyPair::generate(KeySize::Rsa2048).map_err(failed)?;
        let der = pair.as_der().map_err(failed)?;
        let of_rcgen = |e: rcgen::Error| e.to_string();
        let key = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&der.as_ref().into(), &rcgen::PKCS_RSA_SHA256).map_err(of_rcgen)?;
        let certificate = rcgen::CertificateParams::default().self_signed(&key).map_err(of_rcgen)?;
        Ok(Self { certificate: STANDARD.encode(certificate.der()), pair })
    }

    /// RSA with SHA-256.
    pub fn sign(&self, text: &str) -> Vec<u8> {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        let done = self.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature);
        if done.is_ok() { signature } else { Vec::new() }
    }

    /// A signed token.
    pub fn token(&self, claims: &Value) -> String {
        let header = json!({"alg": "RS256", "kid": "1", "typ": "JWT"});
        let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()));
        let signature = URL_SAFE_NO_PAD.encode(self.sign(&text));
        format!("{text}.{signature}")
    }

    /// The public half, as a JWK set.
    pub fn jwks(&self) -> Value {
        let public = PublicKeyComponents::<Vec<u8>>::from(self.pair.public_key());
        json!({"keys": [{"kty": "RSA", "kid": "1", "alg": "RS256", "use": "sig", "n": URL_SAFE_NO_PAD.encode(public.n), "e": URL_SAFE_NO_PAD.encode(public.e)}]})
    }
}

/// Letters that nobody guesses.
pub(crate) fn word() -> String {
    let mut bytes = [0; 24];
    match SystemRandom::new().fill(&mut bytes) {
        Ok(()) => URL_SAFE_NO_PAD.encode(bytes),
        Err(_) => String::new(),
    }
}
