//! From the own host to a guarded one: how a person who signed in on tutela's own host becomes
//! signed in on another, without a cookie that spans hosts.
//!
//! ```text
//!   guarded host                     own host
//!   1 sets a transaction cookie  ->  2 sign-in page, `to` = sealed (origin, path, cookie hash)
//!   4 redeems the code once      <-  3 single-use code, 60 s, bound to origin and cookie
//! ```
//! The transaction is sealed, not stored: a flood of visitors writes nothing.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tutela_core::{
    SessionId, Timestamp,
    seam::{SignInAnswer, SignInEnd, SignInStart, Wanted},
};
use tutela_identity::{Token, TokenKind, event::SessionExtended};
use tutela_store::Changeset;

use crate::{App, Ctx, Error, session};

const PURPOSE: &[u8] = b"sign-in transaction";
/// How long a person may take to sign in.
const TRANSACTION: Duration = Duration::from_secs(900);
/// Life of the single-use code.
const CODE: Duration = Duration::from_secs(60);

/// A sign-in under way.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Transaction {
    /// Origin of the host it is for.
    pub origin: String,
    /// Path and query the browser wanted.
    pub return_to: String,
    /// How strong and fresh the sign-in has to be.
    #[serde(default)]
    pub wanted: Wanted,
    cookie_hash: [u8; 32],
    ends: i64,
}

/// Step 1: where the browser goes, and the cookie it keeps.
pub fn begin(app: &App, origin: &str, return_to: &str, wanted: Wanted, now: Timestamp) -> SignInStart {
    let cookie = Token::new(TokenKind::Transaction, &mut { app.env() });
    let (origin, return_to) = (origin.to_owned(), local_path(return_to).to_owned());
    let transaction = Transaction { origin, return_to, wanted, cookie_hash: cookie.hash(), ends: (now + TRANSACTION).micros() };
    let sealed = app.seal_as(PURPOSE, &transaction);
    // Without a sealed transaction the person still signs in, and lands on the account page.
    let location = sealed.map_or_else(|_| format!("{}/sign-in", app.urls.public), |to| format!("{}/sign-in?to={to}", app.urls.public));
    SignInStart { location, cookie: cookie.open().to_owned() }
}

/// What a sealed transaction says, while it is good.
pub fn read(app: &App, to: &str, now: Timestamp) -> Option<Transaction> {
    let transaction: Transaction = app.open_as(PURPOSE, to)?;
    (now.micros() < transaction.ends).then_some(transaction)
}

/// Step 3: the address on the guarded host, with a fresh code.
pub async fn issue(app: &App, ctx: &Ctx, login: SessionId, to: &str) -> Result<String, Error> {
    let transaction = read(app, to, ctx.now).ok_or(Error::invalid("to", "the sign-in took too long; open the page you wanted again"))?;
    let code = Token::new(TokenKind::Code, &mut { app.env() });
    app.store.commit(Changeset::code_insert(code.hash(), login, &transaction.origin, transaction.cookie_hash, ctx.now + CODE)).await?;
    Ok(format!("{}/_tutela/callback?code={}&state={to}", transaction.origin, code.open()))
}

/// Step 4: exchanges the code, in one commit, for a session on the guarded host.
pub async fn finish(app: &App, ctx: &Ctx, answer: SignInAnswer<'_>) -> Result<SignInEnd, Error> {
    let stale = || Error::Unauthenticated("the sign-in link was used already or is too old; open the page you wanted again");
    let transaction = read(app, answer.state, ctx.now).filter(|t| t.origin == answer.origin).ok_or_else(stale)?;
    let code = Token::parse(TokenKind::Code, answer.code).ok_or_else(stale)?.hash();
    let cookie = Token::parse(TokenKind::Transaction, answer.cookie).ok_or_else(stale)?.hash();
    let login = app.store.code_login(code, answer.origin, cookie, ctx.now).await?.ok_or_else(stale)?;
    let login = app.store.session_get(login).await?.ok_or_else(stale)?;
    let host = host_of(answer.origin);
    let rng = &mut { app.env() };
    let life = session::life_on(app, host);
    let part = login.extend_to(SessionId::new(ctx.now, rng), host, life, ctx.now).map_err(|_| stale())?;
    let token = Token::new(TokenKind::Session, rng);
    let as_account = ctx.as_account(login.account, login.id, login.assurance.aal, Default::default());
    let done = app
        .commit(&as_account, SessionExtended { session: login.id, host }, |c| {
            c.code_use(code, answer.origin, cookie, ctx.now).session_insert(&part, token.hash())
        })
        .await;
    match done {
        Err(Error::Store(tutela_store::Error::Conflict(_))) => Err(stale()),
        Err(e) => Err(e),
        Ok(()) => Ok(SignInEnd { token: token.open().to_owned(), return_to: local_path(&transaction.return_to).to_owned() }),
    }
}

/// Host name of an origin such as `http://photos.localhost:8080`.
pub fn host_of(origin: &str) -> &str {
    let authority = origin.split_once("://").map_or(origin, |(_, rest)| rest);
    authority.rsplit_once(':').map_or(authority, |(host, _)| host)
}

/// A path on the same host, or `/`: whatever a browser could read as another host is refused.
fn local_path(text: &str) -> &str {
    let bytes = text.as_bytes();
    let local = bytes.first() == Some(&b'/')
        && !matches!(bytes.get(1), Some(b'/' | b'\\'))
        && bytes.iter().all(|b| *b > 0x20 && *b < 0x7f && *b != b'\\')
        && text.len() <= 4_096;
    if local { text } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_the_same_host_lead_back() {
        for good in ["/", "/profile?x=1", "/a//b"] {
            assert_eq!(local_path(good), good);
        }
        for bad in ["", "profile", "//evil.example", "/\\evil.example", "https://evil.example", "/a\r\nSet-Cookie:x", "/a b", "\\\\evil", "/\t/evil.example"] {
            assert_eq!(local_path(bad), "/", "{bad}");
        }
    }
}
