//! libinjection: is a value SQL or markup in any of the places where it could stand?

use std::panic::catch_unwind;

/// The fingerprint of the SQL that it is. A value on which the detector itself fails is taken for an attack.
pub(super) fn sqli(value: &[u8]) -> Option<Vec<u8>> {
    match catch_unwind(|| libinjectionrs::detect_sqli(value)) {
        Ok(found) if found.is_injection() => Some(found.fingerprint.map(|print| print.as_str().as_bytes().to_vec()).unwrap_or_default()),
        Ok(_) => None,
        Err(_) => Some(b"failed".to_vec()),
    }
}

pub(super) fn xss(value: &[u8]) -> bool {
    catch_unwind(|| libinjectionrs::detect_xss(value).is_injection()).unwrap_or(true)
}
