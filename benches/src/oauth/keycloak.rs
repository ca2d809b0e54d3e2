//! The peer: Keycloak in production mode on PostgreSQL, whose own CPU is not counted.

use std::path::Path;

use super::provider::Provider;
use crate::{
    http::{get, post_form},
    identity::{
        keycloak::{Keycloak, PASSWORD, name},
        load::{Peer as _, Wire},
    },
};

const HOST: &str = "127.0.0.1";
const AUTH: &str = "/realms/bench/protocol/openid-connect/auth";

/// A running server and what a client asks of it; `None` where it is not to be had.
pub fn start(dir: &Path) -> Result<Option<(Keycloak, Provider)>, String> {
    let Some(keycloak) = Keycloak::start(dir)? else { return Ok(None) };
    keycloak.make_hash_cheap()?;
    let provider = Provider {
        name: "keycloak",
        pid: keycloak.pid(),
        port: keycloak.port(),
        host: HOST.into(),
        authorize: AUTH,
        token: "/realms/bench/protocol/openid-connect/token",
        introspect: "/realms/bench/protocol/openid-connect/token/introspect",
        user_info: "/realms/bench/protocol/openid-connect/userinfo",
        jwks: "/realms/bench/protocol/openid-connect/certs",
        client_id: "bench".into(),
        secret: "bench".into(),
        sign_in: Box::new(sign_in),
    };
    Ok(Some((keycloak, provider)))
}

/// Its sign-in page, and the form on it.
fn sign_in(wire: &mut Wire, number: usize) -> Result<String, String> {
    let query = "response_type=code&client_id=bench&redirect_uri=https%3A%2F%2Fapp.example%2Fcb&scope=openid";
    let page = wire.ask(&get(HOST, &format!("{AUTH}?{query}"), &[]))?;
    let html = String::from_utf8_lossy(&page.body).replace("&amp;", "&");
    let action = html.split("action=\"").nth(1).and_then(|rest| rest.split('"').next()).ok_or("there is no form on the sign-in page")?;
    let path = action.splitn(4, '/').nth(3).map(|path| format!("/{path}")).ok_or("the form leads nowhere")?;
    let form = format!("username={}&password={}", name(number), PASSWORD.replace(' ', "+"));
    let request = String::from_utf8_lossy(&post_form(HOST, &path, &form)).replacen("\r\n\r\n", &format!("\r\nCookie: {}\r\n\r\n", page.cookies.join("; ")), 1);
    let answer = wire.ask(request.as_bytes())?;
    if answer.location.is_none_or(|to| !to.contains("code=")) {
        return Err(format!("nobody signed in: status {}", answer.status));
    }
    Ok(answer.cookies.into_iter().filter(|cookie| !cookie.ends_with('=')).collect::<Vec<_>>().join("; "))
}
