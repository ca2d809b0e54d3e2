//! Keys in the console: the list, a new key, one key and what can be done with it.

use axum::{
    Form,
    extract::{Path, Query, State},
    http::{HeaderMap, Uri},
    response::Response,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use tutela_api as api;
use tutela_app::{Error, epoch, key};
use tutela_core::Timestamp;

use super::{console::desk, console_frame::Desk, console_key_care::backups_or_off, see_other, show::when_text};
use crate::{
    caller::Caller,
    problem::problem_of,
    view::{
        console::Room,
        keys::{Budget, KeyPage, KeyRow, KeysPage, NewKeyPage, Tab, Tabs, VersionRow},
        part::{Choice, Count, Fact, Identifier, Status, Tone},
    },
    web::Web,
};

/// What every form that asks for a reason says when it gets none.
pub(super) const NO_REASON: &str = "Write why; the reason goes to the ledger.";

pub(crate) async fn list(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri) -> Response {
    let desk = desk!(web, caller, headers, uri);
    match list_page(&desk).await {
        Ok(page) => desk.show(&page),
        Err(e) => desk.failed(Room::Keys, &e),
    }
}

async fn list_page(desk: &Desk) -> Result<KeysPage, Error> {
    let (app, ctx) = (&desk.web.app, &desk.caller.ctx);
    let keys = key::list(app, ctx).await?;
    let epochs = epoch::list(app, ctx).await?;
    let (backups, _) = backups_or_off(desk).await?;
    let rows: Vec<KeyRow> = keys.iter().map(|key| row(key, ctx.now)).collect();
    let alarming = rows.iter().filter(|row| matches!(row.state.tone, Tone::Attention | Tone::Danger)).count();
    let active = epochs.iter().find(|epoch| epoch.state == "active");
    // Times are RFC 3339 in UTC with six decimals each, so their texts sort as the times do.
    let sealing = keys.iter().filter(|key| key.state == "active").map(sealing_since);
    Ok(KeysPage {
        frame: desk.frame(Room::Keys),
        tabs: Tabs { at: Tab::Keys },
        total: Count(keys.iter().filter(|key| key.state != "destroyed").count() as u64),
        verdict: match alarming {
            0 if rows.is_empty() => Status::new(Tone::Information, "none yet"),
            0 => Status::new(Tone::Good, "in order"),
            1 => Status::new(Tone::Attention, "1 needs a look"),
            more => Status::new(Tone::Attention, format!("{more} need a look")),
        },
        oldest: sealing.min().map(when_text),
        provider: active.map_or_else(
            || Status::new(Tone::Danger, "no active epoch"),
            |epoch| Status::new(Tone::Good, format!("{}, epoch {}", epoch.provider, epoch.number)),
        ),
        epoch_began: active.map(|epoch| when_text(&epoch.created_at)),
        backed_up: backups.iter().filter(|b| b.deleted_at.is_none()).map(|b| b.created_at.as_str()).max().map(when_text),
        rehearsed: backups.iter().filter_map(|b| b.rehearsed_at.as_deref()).max().map(when_text),
        rows,
    })
}

fn row(key: &api::Key, now: Timestamp) -> KeyRow {
    let newest = key.versions.iter().find(|v| v.version == key.version);
    KeyRow {
        id: key.id.clone(),
        name: key.name.clone(),
        purposes: key.purposes.iter().map(|p| purpose(*p).0).collect(),
        algorithm: key.algorithm.clone(),
        version: key.version,
        made: when_text(sealing_since(key)),
        messages: Count(newest.map_or(0, |v| v.messages)),
        budget: newest.and_then(budget),
        next: key.next_rotation_at.as_deref().map(when_text),
        state: state(key, now),
    }
}

/// When the version that seals was made.
fn sealing_since(key: &api::Key) -> &str {
    key.versions.iter().find(|v| v.version == key.version).map_or(key.created_at.as_str(), |v| v.created_at.as_str())
}

/// The key's state; of an active key, what needs a look.
fn state(key: &api::Key, now: Timestamp) -> Status {
    let overdue = key.next_rotation_at.as_deref().and_then(|at| at.parse::<Timestamp>().ok()).is_some_and(|at| at < now);
    let leaked = key.versions.iter().any(|v| v.state == "compromised" && v.references > 0);
    match key.state.as_str() {
        "active" if leaked => Status::new(Tone::Danger, "compromised"),
        "active" if overdue => Status::new(Tone::Attention, "overdue"),
        "active" => Status::new(Tone::Good, "active"),
        "destroying" => Status::new(Tone::Attention, "destroying"),
        other => Status::new(Tone::Information, other),
    }
}

fn budget(version: &api::KeyVersion) -> Option<Budget> {
    let limit = version.budget.filter(|limit| *limit > 0)?;
    let used = version.budget_used.unwrap_or(0);
    let percent = u128::from(used) * 100 / u128::from(limit);
    Some(Budget { used, limit, turn: limit / 2, words: format!("{percent} % of {}", Count(limit)) })
}

/// A purpose as the API calls it, and what it means.
fn purpose(purpose: api::KeyPurpose) -> (&'static str, &'static str) {
    match purpose {
        api::KeyPurpose::DataKey => ("data-key", "wrap data keys of applications"),
        api::KeyPurpose::Deterministic => ("deterministic", "seal so that equal values stay equal"),
        api::KeyPurpose::Encrypt => ("encrypt", "seal messages and records"),
        api::KeyPurpose::Index => ("index", "make blind indexes"),
        api::KeyPurpose::Plain => ("plain", "the plain suites, with a message budget and no key commitment"),
    }
}

// === A new key ===

/// The form's fields; an unchecked box is absent.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct TypedKey {
    name: String,
    encrypt: String,
    #[serde(rename = "data-key")]
    data_key: String,
    deterministic: String,
    index: String,
    plain: String,
    algorithm: String,
    rotation_schedule: String,
    export: String,
}

impl TypedKey {
    fn boxes(&self) -> [(api::KeyPurpose, bool); 5] {
        [
            (api::KeyPurpose::Encrypt, !self.encrypt.is_empty()),
            (api::KeyPurpose::DataKey, !self.data_key.is_empty()),
            (api::KeyPurpose::Index, !self.index.is_empty()),
            (api::KeyPurpose::Deterministic, !self.deterministic.is_empty()),
            (api::KeyPurpose::Plain, !self.plain.is_empty()),
        ]
    }

    fn page(&self, desk: &Desk, error: Option<(String, String)>) -> NewKeyPage {
        let algorithms = ["aes-256-gcm", "chacha20-poly1305", "aes-256-gcm-siv", "aes-256-gcm-plain", "chacha20-poly1305-plain"];
        NewKeyPage {
            frame: desk.frame(Room::Keys),
            name: self.name.clone(),
            purposes: self
                .boxes()
                .map(|(of, selected)| Choice { value: purpose(of).0.into(), label: format!("{}: {}", purpose(of).0, purpose(of).1), selected })
                .to_vec(),
            algorithms: algorithms.map(|name| Choice { value: name.into(), label: name.into(), selected: self.algorithm == name }).to_vec(),
            schedule: self.rotation_schedule.clone(),
            export: !self.export.is_empty(),
            error,
        }
    }
}

pub(crate) async fn form(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri) -> Response {
    let desk = desk!(web, caller, headers, uri);
    // What the API takes where nothing is said.
    let first = TypedKey { encrypt: "yes".into(), data_key: "yes".into(), ..TypedKey::default() };
    desk.show(&first.page(&desk, None))
}

pub(crate) async fn create(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri, Form(typed): Form<TypedKey>) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let purposes: Vec<_> = typed.boxes().into_iter().filter_map(|(purpose, chosen)| chosen.then_some(purpose)).collect();
    // To the API, no purpose means the usual ones; a form without a mark means that somebody forgot.
    if purposes.is_empty() {
        return desk.show(&typed.page(&desk, Some(("purposes".into(), "Choose at least one purpose.".into()))));
    }
    let new = api::NewKey {
        name: typed.name.trim().to_owned(),
        purposes,
        algorithm: given(&typed.algorithm),
        rotation_schedule: given(&typed.rotation_schedule),
        export: !typed.export.is_empty(),
    };
    match key::create(&desk.web.app, &desk.caller.ctx, new).await {
        Ok(made) => see_other(&format!("/keys/{}?done=created", made.id)),
        Err(e) => {
            let field = e.field().map(|(field, _)| field.to_owned()).unwrap_or_default();
            desk.show(&typed.page(&desk, Some((field, said(&e)))))
        }
    }
}

// === One key ===

/// What was just done, in a word of ours; any other says nothing.
#[derive(Default, Deserialize)]
pub(crate) struct Done {
    #[serde(default)]
    done: String,
}

fn notice(done: &str) -> Option<String> {
    let text = match done {
        "created" => "Key created. Its first version seals from now on.",
        "rotate" => "Key rotated. The new version seals from now on; older ones still open.",
        "schedule" => "Rotation schedule changed.",
        "compromise" => "Version marked as compromised. A new version seals from now on; seal again what the marked one had sealed.",
        "destroy" => "The key waits to be destroyed and can be kept until then.",
        "keep" => "The key is kept.",
        _ => return None,
    };
    Some(text.to_owned())
}

pub(crate) async fn show(State(web): State<Web>, caller: Caller, headers: HeaderMap, uri: Uri, Path(id): Path<String>, Query(back): Query<Done>) -> Response {
    let desk = desk!(web, caller, headers, uri);
    key_page(&desk, &id, notice(&back.done), None).await
}

/// A GET at an address that takes a post: back to the key.
pub(crate) async fn again(Path((id, _)): Path<(String, String)>) -> Response {
    see_other(&format!("/keys/{}", utf8_percent_encode(&id, NON_ALPHANUMERIC)))
}

/// The fields of all forms of the page; each sends some of them.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct TypedChange {
    rotation_schedule: String,
    version: u32,
    wait: String,
    reason: String,
}

/// Does what the last part of the address says, and leads back to the key; says on its page why not.
pub(crate) async fn act(
    State(web): State<Web>,
    caller: Caller,
    headers: HeaderMap,
    uri: Uri,
    Path((id, verb)): Path<(String, String)>,
    Form(typed): Form<TypedChange>,
) -> Response {
    let desk = desk!(web, caller, headers, uri);
    let (app, ctx) = (&desk.web.app, &desk.caller.ctx);
    let answer = match (verb.as_str(), given(&typed.reason)) {
        ("rotate", _) => key::rotate(app, ctx, &id).await,
        ("keep", _) => key::keep(app, ctx, &id).await,
        ("schedule", _) => {
            let change = api::KeyChange { rotation_schedule: given(&typed.rotation_schedule), ..api::KeyChange::default() };
            key::change(app, ctx, &id, change).await
        }
        ("compromise", Some(reason)) => {
            let change = api::KeyChange { compromised_version: Some(typed.version), reason: Some(reason), ..api::KeyChange::default() };
            key::change(app, ctx, &id, change).await
        }
        ("destroy", Some(reason)) => {
            let request = api::DestroyRequest { reason, wait: given(&typed.wait) };
            key::destroy(app, ctx, &id, request).await
        }
        ("compromise" | "destroy", None) => return key_page(&desk, &id, None, Some(NO_REASON.into())).await,
        _ => Err(Error::NotFound("page")),
    };
    match answer {
        Ok(key) => see_other(&format!("/keys/{}?done={verb}", key.id)),
        Err(e) => key_page(&desk, &id, None, Some(said(&e))).await,
    }
}

async fn key_page(desk: &Desk, id: &str, notice: Option<String>, error: Option<String>) -> Response {
    let found = match key::get(&desk.web.app, &desk.caller.ctx, id).await {
        Ok(found) => found,
        Err(e) => return desk.failed(Room::Keys, &e),
    };
    let fact = |name: &str, value: String, code: bool| Fact { name: name.into(), value, code };
    let readable = found.versions.iter().filter(|v| v.state != "destroyed");
    let references: u64 = readable.clone().map(|v| v.references).sum();
    let derived = if found.export { "may leave this instance" } else { "stay in this instance" };
    desk.show(&KeyPage {
        frame: desk.frame(Room::Keys),
        notice,
        error,
        state: state(&found, desk.caller.ctx.now),
        purposes: found.purposes.iter().map(|p| purpose(*p).0).collect(),
        facts: vec![
            fact("Algorithm", found.algorithm.clone(), true),
            fact("Oldest version that opens", found.min_decryption_version.to_string(), false),
            fact("Derived keys", derived.into(), false),
            fact("Rotation schedule", found.rotation_schedule.clone(), false),
        ],
        created: when_text(&found.created_at),
        next: found.next_rotation_at.as_deref().map(when_text),
        destroy_at: found.destroy_at.as_deref().map(when_text),
        active: found.state == "active",
        schedule: found.rotation_schedule.clone(),
        next_version: found.version.saturating_add(1),
        markable: readable
            .clone()
            .filter(|v| v.state != "compromised")
            .map(|v| Choice {
                value: v.version.to_string(),
                label: format!("version {}, {} in use", v.version, counted(v.references, "message")),
                selected: false,
            })
            .collect(),
        loss: format!("{} in {}", counted(references, "message"), counted(readable.count() as u64, "version")),
        versions: found.versions.iter().map(version).collect(),
        events_url: format!("/ledger?q=resource%3A{}", found.id),
        id: Identifier::new(found.id),
        name: found.name,
    })
}

fn version(version: &api::KeyVersion) -> VersionRow {
    let tone = match version.state.as_str() {
        "active" => Tone::Good,
        "compromised" => Tone::Danger,
        _ => Tone::Information,
    };
    VersionRow {
        version: version.version,
        state: Status::new(tone, version.state.clone()),
        made: when_text(&version.created_at),
        epoch: version.epoch,
        messages: Count(version.messages),
        references: Count(version.references),
        budget: budget(version),
    }
}

// === Shared with the room's other pages ===

/// What was typed, unless it is empty.
pub(super) fn given(text: &str) -> Option<String> {
    Some(text.trim()).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// The time of a form's field: a day of it is its first moment in UTC, as the label says.
pub(super) fn given_time(text: &str) -> Option<String> {
    given(text).map(|day| if day.len() == 10 { format!("{day}T00:00:00Z") } else { day })
}

/// What a person may read of an error.
pub(super) fn said(error: &Error) -> String {
    problem_of(error).detail.unwrap_or_default()
}

/// A number with its noun: "1 key", "1,204 keys".
pub(super) fn counted(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", Count(number), if number == 1 { "" } else { "s" })
}
