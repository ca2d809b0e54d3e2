//! Signature version 4 of Amazon Web Services, in the header, for requests without a body.

use aws_lc_rs::{digest, hmac};
use tutela_core::{Secret, Timestamp};

use crate::text::hex;

/// SHA-256 of nothing.
pub(super) const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Who signs, and for where.
pub(super) struct Signer {
    pub access_key: String,
    pub secret: Secret<String>,
    pub region: String,
}

/// What is signed of a request. `path` and `query` are as they are sent, the query in the order of its names.
pub(super) struct Request<'a> {
    pub method: &'a str,
    pub host: &'a str,
    pub path: &'a str,
    pub query: &'a str,
}

impl Signer {
    /// The values of `x-amz-date` and `authorization`.
    pub(super) fn headers(&self, request: &Request<'_>, now: Timestamp) -> (String, String) {
        let text = now.to_string();
        let digits: String = text.chars().take(19).filter(char::is_ascii_alphanumeric).collect();
        let (date, day) = (format!("{digits}Z"), &digits[..8]);
        let names = "host;x-amz-content-sha256;x-amz-date";
        let canonical = format!(
            "{}\n{}\n{}\nhost:{}\nx-amz-content-sha256:{EMPTY}\nx-amz-date:{date}\n\n{names}\n{EMPTY}",
            request.method, request.path, request.query, request.host
        );
        let scope = format!("{day}/{}/s3/aws4_request", self.region);
        let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref()));
        let mut key = mac(format!("AWS4{}", self.secret.open()).as_bytes(), day);
        for part in [self.region.as_str(), "s3", "aws4_request"] {
            key = mac(key.as_ref(), part);
        }
        let signature = hex(mac(key.as_ref(), &to_sign).as_ref());
        (date, format!("AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}", self.access_key))
    }
}

fn mac(key: &[u8], text: &str) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The two examples of requests without a body in Amazon's reference of the signature.
    #[test]
    fn the_published_examples_are_met() {
        let signer = Signer {
            access_key: "AKIAIOSFODNN7EXAMPLE".into(),
            secret: Secret::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".into()),
            region: "us-east-1".into(),
        };
        let at = "2013-05-24T00:00:00Z".parse().unwrap();
        let of = |query| signer.headers(&Request { method: "GET", host: "examplebucket.s3.amazonaws.com", path: "/", query }, at);
        let (date, list) = of("max-keys=2&prefix=J");
        assert_eq!(date, "20130524T000000Z");
        assert!(list.ends_with("Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"), "{list}");
        assert!(of("lifecycle=").1.ends_with("Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"));
    }
}
