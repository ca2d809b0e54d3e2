//! Styles and scripts, built into the program, addressed by their content.

use axum::{
    extract::Path,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::view::Assets;

struct Asset {
    name: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
}

const ASSETS: &[Asset] = &[
    Asset { name: "app.js", kind: "text/javascript; charset=utf-8", bytes: include_bytes!("../../assets/app.js") },
    Asset { name: "htmx.min.js", kind: "text/javascript; charset=utf-8", bytes: include_bytes!("../../assets/htmx.min.js") },
    Asset { name: "hx-csp.min.js", kind: "text/javascript; charset=utf-8", bytes: include_bytes!("../../assets/hx-csp.min.js") },
    Asset { name: "mark.svg", kind: "image/svg+xml", bytes: include_bytes!("../../assets/mark.svg") },
    Asset { name: "passkey.js", kind: "text/javascript; charset=utf-8", bytes: include_bytes!("../../assets/passkey.js") },
    Asset { name: "tutela.css", kind: "text/css; charset=utf-8", bytes: include_bytes!("../../assets/tutela.css") },
];

/// Addresses with content hashes; computed once per front.
pub(crate) fn addresses() -> Assets {
    let address = |name: &str| {
        let bytes = ASSETS.iter().find(|a| a.name == name).map_or(&b""[..], |a| a.bytes);
        format!("/_tutela/assets/{name}?{:016x}", fnv1a(bytes))
    };
    Assets {
        css: address("tutela.css"),
        mark: address("mark.svg"),
        htmx: address("htmx.min.js"),
        hx_csp: address("hx-csp.min.js"),
        app_js: address("app.js"),
        passkey_js: address("passkey.js"),
    }
}

/// FNV-1a, 64 bits: tells versions of a file apart, nothing more.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// One file; it may be kept for ever, since its address changes with it.
pub(crate) async fn serve(Path(name): Path<String>) -> Response {
    let Some(asset) = ASSETS.iter().find(|a| a.name == name) else { return StatusCode::NOT_FOUND.into_response() };
    let mut response = asset.bytes.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.kind));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    response
}
