//! `oauth`: what it costs to be an OpenID provider, beside Keycloak with the same load in the same run.
//!
//! - `code_flow`: a browser with a session is sent to the authorization endpoint, comes back with a code, and the client
//!   exchanges it (PKCE); two requests in all;
//! - `refresh`, `client_credentials` at the token endpoint; `introspection`, `user_info`, `jwks`.
//!
//! Server CPU, round by round after a warm-up, ours first. Passwords are hashed at next to no cost on both sides: browsers sign in
//! before anything is counted. ID tokens are signed with ES256 here and with RS256 at Keycloak, as each does by itself.

mod keycloak;
mod provider;
mod tutela;

use serde_json::json;

use self::provider::Provider;
use crate::{
    flags::Flags,
    identity::{cpu_ms, jsons, rounds},
    report::Report,
};

/// What is asked, in turn, with the names of the figures here and there.
const WHAT: [(&str, &str, &str); 6] = [
    ("client_credentials", "client_credentials_ms", "keycloak_client_credentials_ms"),
    ("refresh", "refresh_ms", "keycloak_refresh_ms"),
    ("introspection", "introspection_ms", "keycloak_introspection_ms"),
    ("user_info", "user_info_ms", "keycloak_user_info_ms"),
    ("jwks", "jwks_ms", "keycloak_jwks_ms"),
    ("code_flow", "code_flow_ms", "keycloak_code_flow_ms"),
];

/// `oauth [--rounds N] [--seconds N]`.
pub fn run(flags: &Flags) -> Result<(), String> {
    flags.only(&["rounds", "seconds"])?;
    let mut report = Report::new("oauth");
    let dir = tempfile::tempdir().map_err(|e| e.to_string())?;
    println!("tutela on SQLite");
    let (server, ours) = tutela::start(dir.path())?;
    measure(&ours, flags, &mut report, "tutela", |(what, figure, _)| (what, figure))?;
    server.stop()?;
    let Some((keycloak, theirs)) = keycloak::start(dir.path())? else {
        println!("SKIPPED: the comparison with Keycloak: TUTELA_KEYCLOAK does not name its folder; `cargo xtask bench oauth` installs it");
        report.raw("keycloak", json!(null));
        report.finish()?;
        return match std::env::var_os("TUTELA_REQUIRE_ALL") {
            Some(_) => Err("Keycloak was not there to be compared with, and TUTELA_REQUIRE_ALL is set".into()),
            None => Ok(()),
        };
    };
    println!("Keycloak {} on PostgreSQL", keycloak.version());
    report.raw("keycloak_version", json!(keycloak.version()));
    measure(&theirs, flags, &mut report, "keycloak", |(what, _, figure)| (what, figure))?;
    report.finish()
}

type Row = (&'static str, &'static str, &'static str);

fn measure(of: &Provider, flags: &Flags, report: &mut Report, name: &str, row: impl Fn(Row) -> (&'static str, &'static str)) -> Result<(), String> {
    let mut raw = json!({});
    for (what, figure) in WHAT.into_iter().map(row) {
        let found = rounds(of, what, flags)?;
        report.figure(figure, cpu_ms(&found));
        raw[what] = jsons(&found);
    }
    report.raw(name, raw);
    Ok(())
}
