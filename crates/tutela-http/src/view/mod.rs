//! The pages: one struct for each, filled by a handler, rendered by askama.
//!
//! A view holds text that is ready to be shown and nothing else: no lookups, no decisions, no clock.
//! Askama escapes every value; what is markup is a [`part`] with a template of its own.
//! Styles and scripts come from files only, so that the pages keep a strict content security policy
//! (`script-src 'self'`, Trusted Types). The console's `nonce` tells hx-csp which htmx elements are
//! ours; the hosted pages need no htmx.

pub mod apps;
pub mod chart;
pub mod clients;
pub mod console;
pub mod console_breach;
pub mod console_compliance;
pub mod console_privacy;
pub mod detection;
pub mod gateway;
pub mod hosted;
pub mod keys;
pub mod ledger;
pub mod own;
pub mod part;
pub mod people;
pub mod privacy;
pub mod requests;
pub mod signing;
pub mod words;

/// Addresses of the files every page loads, each with its content hash as query.
#[derive(Clone, Debug)]
pub struct Assets {
    /// Address of `tutela.css`.
    pub css: String,
    /// Address of `mark.svg`, used as the page's icon.
    pub mark: String,
    /// Address of `htmx.min.js`.
    pub htmx: String,
    /// Address of `hx-csp.min.js`.
    pub hx_csp: String,
    /// Address of `app.js`.
    pub app_js: String,
    /// Address of `passkey.js`.
    pub passkey_js: String,
}
