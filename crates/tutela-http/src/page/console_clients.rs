//! Applications in the console: clients, what they are registered with, and outside providers.

use std::collections::BTreeMap;

use axum::{
    Form,
    extract::{Path, Query, State},
    http::{HeaderMap, Uri},
    response::Response,
};
use serde::Deserialize;
use tutela_api as api;
use tutela_app::{Error, PERMISSIONS, client, federation};
use tutela_core::{ClientId, Timestamp};
use tutela_identity::oauth::{GrantKind, SCOPES};

use super::{
    console::desk,
    console_frame::Desk,
    console_keys::{given, said},
    console_people::ticked,
    see_other,
    show::when_text,
};
use crate::{
    caller::Caller,
    view::{
        clients::{ClientPage, ClientRow, ClientsPage, NewClientPage, OauthFields, ProviderRow, ProvidersPage, Tab, Tabs},
        console::Room,
        part::{Choice, Fact, Identifier, Status, Tone},
    },
    web::Web,
};

type Typed = BTreeMap<String, String>;

/// Rows of a list.
const PAGE: u32 = 50;
/// A key that ends within so many seconds asks for attention.
const SOON: i64 = 14 * 86_400;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Below {
    cursor: Option<String>,
    done: String,
}

pub(crate) async fn list(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri, Query(below): Query<Below>) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let before: Option<ClientId> = below.cursor.as_deref().and_then(|c| c.parse().ok());
    let clients = match client::list(&desk.web.app, &desk.caller.ctx, before, PAGE).await {
        Ok(clients) => clients,
        Err(e) => return desk.failed(Room::Applications, &e),
    };
    let older = (clients.len() as u32 == PAGE).then(|| clients.last().map(|c| format!("/clients?cursor={}", c.id))).flatten();
    let now = desk.caller.ctx.now;
    let row =
        |c: api::Client| ClientRow { kinds: kinds(&c), key: key_state(&c, now), created: when_text(&c.created_at), id: Identifier::new(c.id), name: c.name };
    desk.show(&ClientsPage {
        frame: desk.frame(Room::Applications),
        tabs: Tabs { at: Tab::Clients },
        notice: (below.done == "revoked").then(|| "Client revoked. What it did stays in the ledger.".to_owned()),
        may_write: desk.may("clients:write"),
        rows: clients.into_iter().map(row).collect(),
        newer: before.map(|_| "/clients".into()),
        older,
    })
}

fn kinds(client: &api::Client) -> Vec<&'static str> {
    let oauth = client.oauth.as_ref();
    let grants = |grant: GrantKind| oauth.is_some_and(|oauth| oauth.grant_types.iter().any(|word| word == grant.as_str()));
    [
        (!client.scopes.is_empty(), "API key"),
        (grants(GrantKind::AuthorizationCode), "people sign in"),
        (grants(GrantKind::ClientCredentials), "acts for itself"),
    ]
    .into_iter()
    .filter_map(|(is, word)| is.then_some(word))
    .collect()
}

fn key_state(client: &api::Client, now: Timestamp) -> Status {
    let Some(end) = client.expires_at.as_deref().and_then(|end| end.parse::<Timestamp>().ok()) else { return Status::new(Tone::Good, "its own, or none") };
    let day = end.to_string().chars().take(10).collect::<String>();
    match end.secs() - now.secs() {
        left if left <= 0 => Status::new(Tone::Danger, format!("ended {day}")),
        left if left < SOON => Status::new(Tone::Attention, format!("until {day}")),
        _ => Status::new(Tone::Good, format!("until {day}")),
    }
}

// === A new client ===

pub(crate) async fn form(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let fresh = [("consent", "yes"), ("oauth:openid", "yes"), ("oauth:profile", "yes"), ("oauth:email", "yes")];
    form_page(&desk, &fresh.map(|(k, v)| (k.to_owned(), v.to_owned())).into(), None)
}

fn form_page(desk: &Desk, typed: &Typed, error: Option<(String, String)>) -> Response {
    let chosen = ticked(typed, "may:");
    let permission = |p: &tutela_app::Permission| Choice {
        value: p.name.to_owned(),
        label: format!("{}: {}", p.name, p.sentence),
        selected: chosen.iter().any(|name| name == p.name),
    };
    // Nobody hands out more than they hold.
    let permissions = PERMISSIONS.iter().filter(|p| desk.may(p.name)).map(permission).collect();
    let name = typed.get("name").cloned().unwrap_or_default();
    desk.show(&NewClientPage { frame: desk.frame(Room::Applications), name, permissions, form: fields(typed), error })
}

pub(crate) async fn create(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri, Form(typed): Form<Typed>) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let made = match read(&typed) {
        Ok(oauth) => {
            let name = typed.get("name").cloned().unwrap_or_default();
            client::create(&desk.web.app, &desk.caller.ctx, api::NewClient { name, scopes: ticked(&typed, "may:"), expires_at: None, oauth }).await
        }
        Err(e) => Err(e),
    };
    match made {
        Ok(made) => shown(&desk, made, Some("Client registered.".into()), None),
        Err(e) => {
            if let Some(answer) = desk.prove_again(&e, "/clients/new") {
                return answer;
            }
            let field = e.field().map(|(field, _)| field.to_owned()).unwrap_or_default();
            form_page(&desk, &typed, Some((field, said(&e))))
        }
    }
}

// === One client ===

pub(crate) async fn show(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri, Path(id): Path<String>) -> Response {
    let desk = desk!(web, caller, headers, uri);
    client_page(&desk, &id, None, None).await
}

async fn client_page(desk: &Desk, id: &str, notice: Option<String>, error: Option<String>) -> Response {
    let found = match id.parse() {
        Ok(id) => client::get(&desk.web.app, &desk.caller.ctx, id).await,
        Err(_) => Err(Error::NotFound("client")),
    };
    match found {
        Ok(found) => shown(desk, found, notice, error),
        Err(e) => desk.failed(Room::Applications, &e),
    }
}

/// Everything that a client's page takes a post for, by its last word.
pub(crate) async fn act(
    State(web): State<Web>,
    caller: Caller,
    headers: HeaderMap,
    uri: Uri,
    Path((id, verb)): Path<(String, String)>,
    Form(typed): Form<Typed>,
) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let (app, ctx) = (&desk.web.app, &desk.caller.ctx);
    let Ok(client_id) = id.parse::<ClientId>() else { return desk.failed(Room::Applications, &Error::NotFound("client")) };
    let done = match verb.as_str() {
        "oauth" => match read(&typed) {
            Ok(Some(oauth)) => client::set_oauth(app, ctx, client_id, oauth).await.map(|changed| Some((changed, "Registration changed."))),
            Ok(None) => Err(Error::invalid("redirect_uris", "name a redirect URI, or tick how it gets tokens")),
            Err(e) => Err(e),
        },
        "revoke" => client::revoke(app, ctx, client_id).await.map(|()| None),
        "roll" => {
            let wish = api::RollClientKey { expires_at: None, overlap_seconds: typed.get("overlap").and_then(|text| text.parse().ok()) };
            client::roll(app, ctx, client_id, wish).await.map(|made| Some((made, "Another key was made.")))
        }
        _ => Err(Error::NotFound("page")),
    };
    match done {
        Ok(Some((client, notice))) => shown(&desk, client, Some(notice.into()), None),
        Ok(None) => see_other("/clients?done=revoked"),
        Err(e) => match desk.prove_again(&e, &format!("/clients/{id}")) {
            Some(answer) => answer,
            None => client_page(&desk, &id, None, Some(said(&e))).await,
        },
    }
}

/// Whoever reloads after a post, or comes back from proving who they are, is led to the page.
pub(crate) async fn again(Path((id, _)): Path<(String, String)>) -> Response {
    match id.parse::<ClientId>() {
        Ok(id) => see_other(&format!("/clients/{id}")),
        Err(_) => see_other("/clients"),
    }
}

fn shown(desk: &Desk, client: api::Client, notice: Option<String>, error: Option<String>) -> Response {
    let oauth = client.oauth.clone().unwrap_or_default();
    let mut facts = Vec::new();
    let mut put = |name: &str, value: String, code: bool| {
        if !value.is_empty() {
            facts.push(Fact { name: name.into(), value, code });
        }
    };
    put("Permissions on the API", client.scopes.join(" "), true);
    put("Sends people back to", oauth.redirect_uris.join(" "), true);
    put("After signing out to", oauth.post_logout_redirect_uris.join(" "), true);
    put("Is told of ended sessions at", oauth.backchannel_logout_uri.clone().unwrap_or_default(), true);
    put("Gets tokens by", oauth.grant_types.join(" "), true);
    put("Proves itself by", oauth.token_endpoint_auth_method.clone().unwrap_or_default(), true);
    put("May ask for", oauth.scopes.join(" "), true);
    put("Tokens are for", oauth.audiences.join(" "), true);
    put("Tokens are signed with", oauth.id_token_signed_response_alg.clone().unwrap_or_default(), false);
    if !oauth.redirect_uris.is_empty() {
        put("People are asked", if oauth.require_consent == Some(false) { "no".into() } else { "yes, once".into() }, false);
    }
    desk.show(&ClientPage {
        frame: desk.frame(Room::Applications),
        notice,
        error,
        secret: client.api_key.clone(),
        key: key_state(&client, desk.caller.ctx.now),
        has_key: client.expires_at.is_some(),
        issuer: (!oauth.redirect_uris.is_empty()).then(|| desk.web.app.urls().public.clone()),
        may_write: desk.may("clients:write"),
        form: fields(&typed_of(&oauth)),
        events_url: format!("/ledger?q=resource:client%2F{}", client.id),
        facts,
        name: client.name,
        id: Identifier::new(client.id),
    })
}

// === The form's fields ===

fn lines(typed: &Typed, field: &str) -> Vec<String> {
    typed.get(field).map(|text| text.split_whitespace().map(str::to_owned).collect()).unwrap_or_default()
}

/// What a form says of OAuth 2.0; nothing where it says nothing of it.
fn read(typed: &Typed) -> Result<Option<api::ClientOauth>, Error> {
    let (redirect_uris, grant_types) = (lines(typed, "redirect_uris"), ticked(typed, "grant:"));
    if redirect_uris.is_empty() && grant_types.is_empty() {
        return Ok(None);
    }
    let text = |field: &str| typed.get(field).and_then(|text| given(text));
    let jwks = text("jwks").map(|text| serde_json::from_str(&text)).transpose().map_err(|e| Error::invalid("jwks", format!("the JWK set is no JSON: {e}")))?;
    let scopes = ticked(typed, "oauth:").into_iter().chain(lines(typed, "own_scopes")).collect();
    Ok(Some(api::ClientOauth {
        redirect_uris,
        post_logout_redirect_uris: lines(typed, "post_logout_redirect_uris"),
        backchannel_logout_uri: text("backchannel_logout_uri"),
        grant_types,
        token_endpoint_auth_method: text("method"),
        jwks,
        scopes,
        audiences: lines(typed, "audiences"),
        id_token_signed_response_alg: text("algorithm"),
        require_consent: Some(typed.contains_key("consent")),
    }))
}

/// The fields that a registration would have been typed as.
fn typed_of(oauth: &api::ClientOauth) -> Typed {
    let mut typed = Typed::new();
    let mut put = |name: String, value: String| {
        typed.insert(name, value);
    };
    put("redirect_uris".into(), oauth.redirect_uris.join("\n"));
    put("post_logout_redirect_uris".into(), oauth.post_logout_redirect_uris.join("\n"));
    put("backchannel_logout_uri".into(), oauth.backchannel_logout_uri.clone().unwrap_or_default());
    put("method".into(), oauth.token_endpoint_auth_method.clone().unwrap_or_default());
    put("jwks".into(), oauth.jwks.as_ref().map(|jwks| format!("{jwks:#}")).unwrap_or_default());
    put("audiences".into(), oauth.audiences.join("\n"));
    put("algorithm".into(), oauth.id_token_signed_response_alg.clone().unwrap_or_default());
    let own: Vec<&str> = oauth.scopes.iter().map(String::as_str).filter(|scope| !SCOPES.contains(scope)).collect();
    put("own_scopes".into(), own.join("\n"));
    oauth.scopes.iter().filter(|scope| SCOPES.contains(&scope.as_str())).for_each(|scope| put(format!("oauth:{scope}"), "yes".into()));
    oauth.grant_types.iter().for_each(|grant| put(format!("grant:{grant}"), "yes".into()));
    if oauth.require_consent != Some(false) {
        put("consent".into(), "yes".into());
    }
    typed
}

fn fields(typed: &Typed) -> OauthFields {
    let text = |field: &str| typed.get(field).cloned().unwrap_or_default();
    let one_of = |field: &str, known: &[(&str, &str)]| {
        let chosen = text(field);
        known.iter().map(|(value, label)| Choice { value: (*value).into(), label: (*label).into(), selected: *value == chosen }).collect()
    };
    let some_of = |prefix: &str, known: &[(&str, &str)]| {
        let is = |value: &str| typed.contains_key(&format!("{prefix}{value}"));
        known.iter().map(|(value, label)| Choice { value: (*value).into(), label: (*label).into(), selected: is(value) }).collect()
    };
    OauthFields {
        redirect_uris: text("redirect_uris"),
        post_logout_redirect_uris: text("post_logout_redirect_uris"),
        backchannel_logout_uri: text("backchannel_logout_uri"),
        grants: some_of(
            "grant:",
            &[
                ("authorization_code", "People sign in to it (authorization_code)"),
                ("refresh_token", "It goes on while they are signed in (refresh_token)"),
                ("client_credentials", "It acts for itself (client_credentials)"),
            ],
        ),
        methods: one_of(
            "method",
            &[
                ("client_secret_basic", "With a secret: an application with a server"),
                ("none", "By PKCE alone: an application in a browser or on a phone"),
                ("private_key_jwt", "With statements that its own key signs"),
            ],
        ),
        jwks: text("jwks"),
        scopes: some_of(
            "oauth:",
            &[
                ("openid", "That it is the same person again (openid)"),
                ("profile", "Their name (profile)"),
                ("email", "Their mail address (email)"),
                ("phone", "Their phone number (phone)"),
                ("groups", "Their groups (groups)"),
                ("roles", "Their roles here (roles)"),
                ("offline_access", "And to go on while they are signed out (offline_access)"),
            ],
        ),
        own_scopes: text("own_scopes"),
        audiences: text("audiences"),
        algorithms: one_of("algorithm", &[("ES256", "ES256"), ("EdDSA", "EdDSA"), ("RS256", "RS256, for libraries that know nothing else")]),
        consent: typed.contains_key("consent"),
    }
}

// === Outside providers ===

pub(crate) async fn providers(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let found = match federation::health(&desk.web.app, &desk.caller.ctx).await {
        Ok(found) => found,
        Err(e) => return desk.failed(Room::Applications, &e),
    };
    let row = |provider: api::Provider| {
        let addresses =
            [("Sends people back to", Some(provider.callback_url)), ("Tells of logouts at", provider.logout_url), ("Reads about us at", provider.metadata_url)];
        ProviderRow {
            state: match provider.trouble {
                None => Status::new(Tone::Good, "answers"),
                Some(why) => Status::new(Tone::Danger, format!("does not answer: {why}")),
            },
            protocol: match provider.protocol.as_str() {
                "openid" => "OpenID Connect",
                "saml" => "SAML 2.0",
                _ => "OAuth 2.0",
            },
            addresses: addresses.into_iter().filter_map(|(label, address)| Some((label, address?))).collect(),
            label: provider.label,
            name: provider.name,
        }
    };
    desk.show(&ProvidersPage { frame: desk.frame(Room::Applications), tabs: Tabs { at: Tab::Providers }, rows: found.into_iter().map(row).collect() })
}
