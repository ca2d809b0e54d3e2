//! The way back.

use tutela_core::Timestamp;
use tutela_identity::{
    Token, TokenKind,
    event::OutsideRefused,
    federation::{Arrival, openid},
    jwt::Unverified,
};
use tutela_store::Changeset;

use super::{
    arrive, callback,
    errand::{self, Errand, Wish},
};
use crate::{
    App, Ctx, Error, OutsideProvider, Way,
    usecase::sign_in::{Progress, Visitor},
};

const ANSWER: &[u8] = b"outside answer";

/// How an errand ended.
pub enum Finished {
    /// The sign-in went on.
    Progress(Box<Progress>, String),
    /// Nobody here is this person yet, or they came to connect an account of theirs. `String` is the sealed offer.
    Offered(String),
}

/// Keeps an answer that was posted by another site's form, where the browser left its cookies out, until the browser
/// comes back for it by itself.
pub async fn keep_answer(app: &App, ctx: &Ctx, state: &str, answer: &openid::Returned) -> Result<(), Error> {
    let gone = || Error::NotFound("errand");
    let state = Token::parse(TokenKind::Errand, state).ok_or_else(gone)?;
    let fields = [&answer.code, &answer.iss, &answer.error, &answer.user].map(|field| field.clone().unwrap_or_default());
    let sealed = app.seal_as(ANSWER, &fields)?;
    match app.store.commit(Changeset::errand_answer(state.hash(), &sealed, ctx.now)).await {
        Err(tutela_store::Error::Conflict(_)) => Err(gone()),
        done => Ok(done?),
    }
}

/// Somebody is back. `sign_in` is the token of the sign-in under way, where there is one.
pub async fn finish(
    app: &App,
    ctx: &Ctx,
    visitor: &Visitor,
    name: &str,
    returned: openid::Returned,
    cookie: Option<&str>,
    sign_in: Option<&str>,
) -> Result<Finished, Error> {
    let gone = || Error::NotFound("errand: it took longer than 15 minutes, was finished already, or began in another browser");
    let provider = app.outside.get(name).ok_or(Error::NotFound("provider"))?;
    let state = Token::parse(TokenKind::Errand, returned.state.as_deref().unwrap_or_default()).ok_or_else(gone)?;
    let browser = cookie.and_then(|text| Token::parse(TokenKind::Errand, text)).ok_or_else(gone)?;
    let (sealed, answer) = app.store.errand_get(state.hash(), ctx.now).await?.ok_or_else(gone)?;
    let errand: Errand = errand::open(app, &sealed).filter(|errand| errand.provider == name && errand.cookie == Some(browser.hash())).ok_or_else(gone)?;
    let returned = match answer.and_then(|sealed| app.open_as::<[String; 4]>(ANSWER, &sealed)) {
        Some(kept) => {
            let [code, iss, error, user] = kept.map(|field| (!field.is_empty()).then_some(field));
            openid::Returned { code, iss, error, user, state: returned.state }
        }
        None => returned,
    };
    // From here on nobody can finish this errand again, whatever comes of it.
    match app.store.commit(Changeset::errand_use(state.hash())).await {
        Err(tutela_store::Error::Conflict(_)) => return Err(gone()),
        done => done?,
    }
    if returned.error.as_deref() == Some("access_denied") {
        return Err(Error::Cancelled { to: errand.to });
    }
    let arrival = match ask(app, ctx, provider, &errand, &returned).await {
        Err(Error::Identity(e @ tutela_identity::Error::Outside(_))) => {
            refused(app, ctx, provider, &e).await?;
            return Err(Error::Identity(e));
        }
        arrival => arrival?,
    };
    match errand.wish {
        Wish::Connect => arrive::offer(app, ctx, provider, errand.to, browser.hash(), &arrival).map(Finished::Offered),
        Wish::Prove => {
            arrive::prove(app, ctx, visitor, provider, sign_in.unwrap_or_default(), &arrival).await.map(|p| Finished::Progress(Box::new(p), errand.to))
        }
        Wish::SignIn => arrive::sign_in(app, ctx, visitor, provider, errand.to, browser.hash(), arrival).await,
    }
}

/// What the provider has to say about the answer.
async fn ask(app: &App, ctx: &Ctx, provider: &OutsideProvider, errand: &Errand, returned: &openid::Returned) -> Result<Arrival, Error> {
    let kept = errand.kept.as_ref().ok_or(Error::Internal("an errand without what binds its answer"))?;
    let back = callback(app, &provider.name);
    match &provider.way {
        Way::Oauth2(oauth2) => {
            let code = oauth2.read_return(returned)?;
            let tokens = openid::read_tokens(&provider.ask(&oauth2.redeem(code, &back, kept)).await?)?;
            let user = provider.ask(&oauth2.who(&tokens)?).await?;
            let emails = match oauth2.emails(&tokens) {
                Some(call) => Some(provider.ask(&call).await?),
                None => None,
            };
            Ok(oauth2.arrive(&user, emails.as_deref(), ctx.now)?)
        }
        Way::Openid(openid) => {
            let metadata = provider.metadata(openid, ctx.now).await?;
            let code = openid.read_return(&metadata, returned)?;
            let tokens = openid::read_tokens(&provider.ask(&openid.redeem(&metadata, code, &back, kept, &app.signer(), ctx.now)?).await?)?;
            let key_id = tokens.id_token().and_then(|token| Unverified::parse(token).ok()?.key_id().map(str::to_owned));
            let keys = provider.keys(&metadata, key_id.as_deref(), ctx.now).await?;
            // Asked anew: the answer took its time.
            let now: Timestamp = app.env.now();
            let mut claims = openid.check(&metadata, &keys, &tokens, kept, now)?;
            if let Some(call) = openid.more(&metadata, &claims, &tokens) {
                openid.add(&mut claims, &provider.ask(&call).await?)?;
            }
            Ok(openid.arrive(claims, returned.user.as_deref(), now)?)
        }
    }
}

/// Records that an answer was not believed.
pub(super) async fn refused(app: &App, ctx: &Ctx, provider: &OutsideProvider, why: &tutela_identity::Error) -> Result<(), Error> {
    metrics::counter!("tutela_sign_ins_total", "outcome" => "failure").increment(1);
    app.commit(ctx, OutsideRefused::new(&provider.name, &why.to_string()), |c| c).await
}
