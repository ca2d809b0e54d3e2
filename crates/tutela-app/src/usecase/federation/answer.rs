//! The way back.

use tutela_core::Timestamp;
use tutela_identity::{
    Token, TokenKind,
    event::OutsideRefused,
    federation::{
        Arrival, openid,
        saml::{Expected, check_response},
    },
    jwt::Unverified,
};
use tutela_store::Changeset;

use super::{
    arrive, callback,
    errand::{self, Errand, Kept, Wish},
    outside_hash,
    saml::entity_id,
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

/// What becomes of an answer that was posted.
pub struct Posted {
    /// What the browser comes back with.
    pub state: String,
    /// The browser's cookie, where the provider has sent it unasked.
    pub cookie: Option<Token>,
}

/// Keeps an answer that was posted by another site's form, where the browser left its cookies out, until the browser
/// comes back for it by itself.
pub async fn keep_answer(app: &App, ctx: &Ctx, name: &str, answer: &openid::Returned) -> Result<Posted, Error> {
    let gone = || Error::NotFound("errand");
    let fields = [&answer.code, &answer.iss, &answer.error, &answer.user, &answer.saml].map(|field| field.clone().unwrap_or_default());
    let sealed = app.seal_as(ANSWER, &fields)?;
    let state = answer.state.as_deref().and_then(|state| Token::parse(TokenKind::Errand, state));
    let provider = app.outside.get(name).ok_or(Error::NotFound("provider"))?;
    if let (None, Way::Saml(saml)) = (&state, &provider.way)
        && saml.config.idp_initiated
    {
        let (state, cookie) = errand::unasked(app, ctx, provider, &sealed).await?;
        return Ok(Posted { state: state.open().to_owned(), cookie: Some(cookie) });
    }
    let state = state.ok_or_else(gone)?;
    match app.store.commit(Changeset::errand_answer(state.hash(), &sealed, ctx.now)).await {
        Err(tutela_store::Error::Conflict(_)) => Err(gone()),
        done => Ok(done.map(|()| Posted { state: state.open().to_owned(), cookie: None })?),
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
    let returned = match answer.and_then(|sealed| app.open_as::<[String; 5]>(ANSWER, &sealed)) {
        Some(kept) => {
            let [code, iss, error, user, saml] = kept.map(|field| (!field.is_empty()).then_some(field));
            openid::Returned { code, iss, error, user, saml, state: returned.state }
        }
        // What was not posted came with the address, where no SAML response belongs.
        None => openid::Returned { saml: None, ..returned },
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
    let back = callback(app, &provider.name);
    match (&provider.way, &errand.kept) {
        (Way::Saml(saml), Kept::Request(_) | Kept::Nothing) => {
            let request = if let Kept::Request(id) = &errand.kept { Some(id.as_str()) } else { None };
            let posted =
                returned.saml.as_deref().ok_or_else(|| Error::Identity(tutela_identity::Error::Outside("there is no SAML response in the answer".into())))?;
            let metadata = provider.saml_metadata(saml, ctx.now).await?;
            let entity = entity_id(app, provider, saml);
            let config = &saml.config;
            let expected = Expected {
                metadata: &metadata,
                entity_id: &entity,
                consumer: &back,
                request,
                signed: config.signed,
                people: &config.people,
                strength: &config.strength,
                now: ctx.now,
            };
            let (arrival, id, until) = check_response(posted, &expected)?;
            let spent = outside_hash(app, &provider.name, "assertion", &id);
            match app.store.commit(Changeset::sign_in_step().challenge_spend(spent, until)).await {
                Err(tutela_store::Error::Conflict(_)) => Err(Error::Identity(tutela_identity::Error::Outside("the assertion was used already".into()))),
                done => Ok(done.map(|()| arrival)?),
            }
        }
        (Way::Oauth2(oauth2), Kept::Words(kept)) => {
            let code = oauth2.read_return(returned)?;
            let tokens = openid::read_tokens(&provider.ask(&oauth2.redeem(code, &back, kept)).await?)?;
            let user = provider.ask(&oauth2.who(&tokens)?).await?;
            let emails = match oauth2.emails(&tokens) {
                Some(call) => Some(provider.ask(&call).await?),
                None => None,
            };
            Ok(oauth2.arrive(&user, emails.as_deref(), ctx.now)?)
        }
        (Way::Openid(openid), Kept::Words(kept)) => {
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
        (Way::Oauth2(_) | Way::Openid(_) | Way::Saml(_), _) => Err(Error::Internal("an errand to a provider that was configured otherwise since")),
    }
}

/// Records that an answer was not believed.
pub(super) async fn refused(app: &App, ctx: &Ctx, provider: &OutsideProvider, why: &tutela_identity::Error) -> Result<(), Error> {
    metrics::counter!("tutela_sign_ins_total", "outcome" => "failure").increment(1);
    app.commit(ctx, OutsideRefused::new(&provider.name, &why.to_string()), |c| c).await
}
