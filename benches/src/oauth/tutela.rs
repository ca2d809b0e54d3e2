//! Ours, on SQLite.

use std::path::Path;

use serde_json::json;

use super::provider::{CALLBACK, Provider};
use crate::{http::post_form, identity::CONNECTIONS, server::Server};

/// Host of the default `public_url`.
const HOST: &str = "tutela.localhost:8080";
const PASSWORD: &str = "seven plain ponies graze";

/// A running server and what a client asks of it.
pub fn start(dir: &Path) -> Result<(Server, Provider), String> {
    let dir = dir.join("tutela");
    std::fs::create_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    let (server, _) = Server::start(&dir, "[identity.password]\nallow_weak_for_tests = true\nmemory_kib = 8\npasses = 1\n")?;
    let oauth = json!({
        "redirect_uris": [CALLBACK], "grant_types": ["authorization_code", "refresh_token", "client_credentials"],
        "audiences": ["bench"], "scopes": ["openid", "bench:read"], "require_consent": false,
    });
    let client = server.operate("/v1/clients", &json!({"name": "bench", "oauth": oauth}))?;
    for number in 0..CONNECTIONS {
        server.operate("/v1/accounts", &json!({"email": format!("person{number}@example.com"), "name": "Ada", "password": PASSWORD, "roles": []}))?;
    }
    let text = |name: &str| client[name].as_str().unwrap_or_default().to_owned();
    let provider = Provider {
        name: "tutela",
        pid: server.pid(),
        port: server.port,
        host: HOST.into(),
        authorize: "/oauth/authorize",
        token: "/oauth/token",
        introspect: "/oauth/introspect",
        user_info: "/oauth/userinfo",
        jwks: "/.well-known/jwks.json",
        client_id: text("id"),
        secret: text("api_key"),
        sign_in: Box::new(|wire, number| {
            let form = format!("email=person{number}%40example.com&password={}&to=", PASSWORD.replace(' ', "+"));
            // A form of this very origin.
            let request = String::from_utf8_lossy(&post_form(HOST, "/sign-in", &form)).replacen("\r\n\r\n", "\r\nSec-Fetch-Site: same-origin\r\n\r\n", 1);
            let answer = wire.ask(request.as_bytes())?;
            if answer.status == 303 && !answer.cookies.is_empty() {
                Ok(answer.cookies.join("; "))
            } else {
                Err(format!("nobody signed in: status {}", answer.status))
            }
        }),
    };
    Ok((server, provider))
}
