//! What a client and a browser ask of a provider, whoever it is.

use serde_json::Value;

use crate::{
    http::{get, json, post_form},
    identity::load::{Peer, Step, Wire},
};

/// RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
/// Nobody listens there; the browser is not sent on.
pub const CALLBACK: &str = "https://app.example/cb";

/// Signs somebody in at the provider's own pages, and gives the browser's cookies.
type SignIn = Box<dyn Fn(&mut Wire, usize) -> Result<String, String> + Sync>;

/// A provider with one client.
pub struct Provider {
    pub name: &'static str,
    pub pid: u32,
    pub port: u16,
    /// What requests say in `Host`.
    pub host: String,
    pub authorize: &'static str,
    pub token: &'static str,
    pub introspect: &'static str,
    pub user_info: &'static str,
    pub jwks: &'static str,
    pub client_id: String,
    pub secret: String,
    pub sign_in: SignIn,
}

impl Provider {
    fn post(&self, wire: &mut Wire, path: &str, fields: &str) -> Result<Value, String> {
        let form = format!("client_id={}&client_secret={}&{fields}", self.client_id, self.secret);
        json(&wire.ask_well(&post_form(&self.host, path, &form))?)
    }

    /// One request of a code with a session, and its exchange.
    pub fn code_flow(&self, wire: &mut Wire, cookies: &str) -> Result<Value, String> {
        let (id, uri) = (&self.client_id, CALLBACK.replace(':', "%3A").replace('/', "%2F"));
        let query =
            format!("response_type=code&client_id={id}&redirect_uri={uri}&scope=openid&state=s&nonce=n&code_challenge={CHALLENGE}&code_challenge_method=S256");
        let answer = wire.ask(&get(&self.host, &format!("{}?{query}", self.authorize), &[&format!("Cookie: {cookies}")]))?;
        let back = answer.location.ok_or_else(|| format!("no code came: status {}", answer.status))?;
        let code = back.split("code=").nth(1).and_then(|rest| rest.split('&').next()).ok_or_else(|| format!("no code came: {back}"))?;
        self.post(wire, self.token, &format!("grant_type=authorization_code&code={code}&redirect_uri={uri}&code_verifier={VERIFIER}"))
    }
}

fn text<'a>(tokens: &'a Value, name: &str) -> &'a str {
    tokens[name].as_str().unwrap_or_default()
}

impl Peer for Provider {
    fn name(&self) -> &'static str {
        self.name
    }

    fn pid(&self) -> u32 {
        self.pid
    }

    fn port(&self) -> u16 {
        self.port
    }

    fn step(&self, what: &'static str, connection: usize) -> Step<'_> {
        let mut kept: Option<(String, Value)> = None;
        Box::new(move |wire| {
            let Some((cookies, tokens)) = &mut kept else {
                let cookies = (self.sign_in)(wire, connection)?;
                let tokens = self.code_flow(wire, &cookies)?;
                kept = Some((cookies, tokens));
                return Ok(());
            };
            match what {
                "client_credentials" => self.post(wire, self.token, "grant_type=client_credentials").map(drop),
                "code_flow" => self.code_flow(wire, cookies).map(drop),
                "introspection" => {
                    let found = self.post(wire, self.introspect, &format!("token={}", text(tokens, "access_token")))?;
                    if found["active"] == true { Ok(()) } else { Err(format!("the token is not active: {found}")) }
                }
                "jwks" => wire.ask_well(&get(&self.host, self.jwks, &[])).map(drop),
                "refresh" => {
                    *tokens = self.post(wire, self.token, &format!("grant_type=refresh_token&refresh_token={}", text(tokens, "refresh_token")))?;
                    Ok(())
                }
                _ => {
                    let bearer = format!("Authorization: Bearer {}", text(tokens, "access_token"));
                    wire.ask_well(&get(&self.host, self.user_info, &[&bearer])).map(drop)
                }
            }
        })
    }
}
