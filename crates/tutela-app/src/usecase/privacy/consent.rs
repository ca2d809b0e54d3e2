//! Consent: what people say to purposes, the receipts of it, and whether something may be done.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use moka::sync::Cache;
use serde_json::{Value, json};
use tutela_api as api;
use tutela_core::{
    EventId, Subject,
    seam::{ConsentMissing, MissingPurpose},
};
use tutela_privacy::{Answer, Known, Purpose, Receipt, Said, Why, may};
use tutela_store::{Changeset, ConsentRow};

use super::{
    happened::{ConsentGiven, ConsentRefused, ConsentWithdrawn},
    person::Person,
    purpose,
};
use crate::{
    App, Ctx, Error,
    usecase::{
        search::{self, hex},
        session::own_account,
    },
};

/// Where people give and withdraw consent.
pub const PAGE: &str = "/account/privacy";

/// Records what somebody has said, as an application or a member of staff heard it.
pub async fn record(app: &App, ctx: &Ctx, new: &api::NewConsent) -> Result<Vec<api::Consent>, Error> {
    app.permit(ctx, "consents:write").await?;
    let method = new.method.as_deref().unwrap_or("api");
    if !(1..=40).contains(&method.chars().count()) || method.chars().any(char::is_control) {
        return Err(Error::invalid("method", "a method has 1 to 40 characters, such as `form` or `phone`"));
    }
    let said = word(&new.said)?;
    let person = Person::named(app, &new.subject).await?;
    write(app, ctx, &person, &all(purpose::wanted(app, &new.purposes)?, said), method).await
}

/// Records what the person who is signed in says.
pub async fn say(app: &App, ctx: &Ctx, purposes: &[String], said: &str, method: &str) -> Result<Vec<api::Consent>, Error> {
    let account = own_account(ctx)?;
    let (said, person) = (word(said)?, Person::of(app, Subject::Account(account)).await?);
    write(app, ctx, &person, &all(purpose::wanted(app, purposes)?, said), method).await
}

fn word(said: &str) -> Result<Said, Error> {
    Said::parse(said).ok_or_else(|| Error::invalid("said", format!("`{said}` is none of given, refused, withdrawn")))
}

/// What somebody has said.
pub async fn list(app: &App, ctx: &Ctx, subject: &api::SubjectRef) -> Result<Vec<api::Consent>, Error> {
    app.permit(ctx, "consents:read").await?;
    let person = Person::named(app, subject).await?;
    Ok(known(app, &person).await?.said.into_values().map(shown).collect())
}

/// What the person who is signed in has said.
pub async fn mine(app: &App, ctx: &Ctx) -> Result<Vec<api::Consent>, Error> {
    let account = own_account(ctx)?;
    let person = Person::of(app, Subject::Account(account)).await?;
    Ok(known(app, &person).await?.said.into_values().map(shown).collect())
}

/// What a person's data is used for, and what they have said.
pub struct OwnPurposes {
    /// The purposes in use, each with their last word to it.
    pub purposes: Vec<(api::Purpose, Option<api::Consent>)>,
    /// Whether they have opted out of sale and sharing.
    pub opted_out: bool,
    /// Whether nothing may be done but keeping.
    pub restricted: bool,
}

/// What the data of the person who is signed in is used for.
pub async fn overview(app: &App, ctx: &Ctx) -> Result<OwnPurposes, Error> {
    let account = own_account(ctx)?;
    let mut of = known(app, &Person::of(app, Subject::Account(account)).await?).await?;
    let purposes =
        app.purposes.load().values().map(|purpose| Ok((purpose::shown(purpose)?, of.said.remove(&purpose.name).map(shown)))).collect::<Result<_, Error>>()?;
    Ok(OwnPurposes { purposes, opted_out: of.opted_out, restricted: of.restricted })
}

/// The receipt of something that was said.
pub async fn receipt(app: &App, ctx: &Ctx, id: &str) -> Result<api::SignedReceipt, Error> {
    app.permit(ctx, "consents:read").await?;
    signed(app, found(app, id).await?)
}

/// The receipt of something that the person who is signed in has said.
pub async fn own_receipt(app: &App, ctx: &Ctx, id: &str) -> Result<api::SignedReceipt, Error> {
    let account = own_account(ctx)?;
    let receipt = found(app, id).await?;
    let names = Person::of(app, Subject::Account(account)).await?.names;
    if names.iter().filter_map(|name| principal(name).ok()).any(|own| own == receipt["pii_principal_id"]) {
        signed(app, receipt)
    } else {
        Err(Error::NotFound("receipt"))
    }
}

async fn found(app: &App, id: &str) -> Result<Value, Error> {
    let id: EventId = id.parse().map_err(|_| Error::NotFound("receipt"))?;
    let event = app.open_event(&search::sequenced(app, id).await?).await?;
    let receipt = event["personal"]["receipt"].clone();
    if receipt.is_null() { Err(Error::NotFound("receipt")) } else { Ok(receipt) }
}

/// Whose word it is, as a receipt has it.
fn principal(subject: &Subject) -> Result<Value, Error> {
    match subject {
        Subject::Account(account) => Ok(json!(account.to_string())),
        Subject::External { namespace, value } => Ok(json!({"namespace": namespace, "value": value})),
        Subject::Unknown(_) => Err(Error::invalid("subject", "nobody is named")),
    }
}

/// Whether something may be done with somebody's data.
pub async fn check(app: &App, ctx: &Ctx, question: &api::ConsentQuestion) -> Result<api::ConsentAnswer, Error> {
    app.permit(ctx, "consents:check").await?;
    let person = Person::named(app, &question.subject).await?;
    answer(app, &person, &purpose::wanted(app, &question.purposes)?, question.gpc).await
}

/// What people have said, in memory for a moment: who withdraws is heard of by the feed of changes within a second, and at
/// the latest when this is over.
pub(crate) struct Consents(Cache<String, Arc<OfPerson>>);

const REMEMBERED: Duration = Duration::from_secs(5);
const MOST_REMEMBERED: u64 = 100_000;

impl Consents {
    pub(crate) fn new() -> Self {
        Self(Cache::builder().max_capacity(MOST_REMEMBERED).time_to_live(REMEMBERED).build())
    }

    /// Forgets a person, by the keyed hash of one of their names.
    pub(crate) fn forget(&self, tag: &str) {
        self.0.invalidate(tag);
    }

    pub(crate) fn drop_all(&self) {
        self.0.invalidate_all();
    }
}

/// What somebody has not agreed to, for the gateway.
pub(crate) async fn missing(app: &App, subject: &Subject, purposes: &[String], signal: bool) -> Result<Option<ConsentMissing>, Error> {
    let purposes = purpose::wanted(app, purposes)?;
    let tag = hex(&app.ring.tag(subject));
    let of = match app.consents.0.get(&tag) {
        Some(of) => of,
        None => {
            let of = Arc::new(known(app, &Person::of(app, subject.clone()).await?).await?);
            app.consents.0.insert(tag, Arc::clone(&of));
            of
        }
    };
    let missing: Vec<MissingPurpose> = purposes
        .iter()
        .filter_map(|purpose| {
            let why = of.refuses(app, purpose, signal)?.as_str();
            let (notice_version, notice) = (purpose.notice.version.clone(), purpose.notice.text.clone());
            Some(MissingPurpose { purpose: purpose.name.clone(), title: purpose.title.clone(), why, notice_version, notice })
        })
        .collect();
    Ok((!missing.is_empty()).then(|| ConsentMissing { purposes: missing, give_at: format!("{}{PAGE}", app.urls.public) }))
}

/// What is known of a person.
#[derive(Default)]
pub(crate) struct OfPerson {
    pub(super) said: BTreeMap<String, ConsentRow>,
    restricted: bool,
    opted_out: bool,
}

impl OfPerson {
    /// Why their data may not be used for a purpose; nothing where it may.
    pub(crate) fn refuses(&self, app: &App, purpose: &Purpose, signal: bool) -> Option<Why> {
        let said = self.said.get(&purpose.name).and_then(|row| Some((Said::parse(&row.said)?, row.notice_version.as_str())));
        let known = Known { said, restricted: self.restricted, opted_out: self.opted_out, signal };
        match may(purpose, known, app.privacy.consent_required) {
            Answer::Yes(_) => None,
            Answer::No(why) => Some(why),
        }
    }
}

pub(crate) async fn known(app: &App, person: &Person) -> Result<OfPerson, Error> {
    let mut found = OfPerson::default();
    for tag in person.tags(app) {
        for row in app.store.consent_list(tag).await? {
            let newer = found.said.get(&row.purpose).is_none_or(|other| other.said_at < row.said_at);
            if newer {
                found.said.insert(row.purpose.clone(), row);
            }
        }
        for (wish, _) in app.store.privacy_wish_list(tag).await? {
            found.restricted |= wish == "restricted";
            found.opted_out |= wish == "opted_out";
        }
    }
    Ok(found)
}

async fn answer(app: &App, person: &Person, purposes: &[Arc<Purpose>], signal: bool) -> Result<api::ConsentAnswer, Error> {
    let of = known(app, person).await?;
    let mut missing = Vec::new();
    for purpose in purposes {
        if let Some(why) = of.refuses(app, purpose, signal) {
            missing.push(api::MissingConsent {
                purpose: purpose.name.clone(),
                title: purpose.title.clone(),
                why: why.as_str().into(),
                notice: notice(purpose),
            });
        }
    }
    Ok(api::ConsentAnswer { allowed: missing.is_empty(), missing, give_at: format!("{}{PAGE}", app.urls.public) })
}

fn notice(purpose: &Purpose) -> api::Notice {
    let notice = &purpose.notice;
    api::Notice { version: notice.version.clone(), text: notice.text.clone(), language: Some(notice.language.clone()), renew: notice.renew }
}

/// The same word to each of some purposes.
pub(super) fn all(purposes: Vec<Arc<Purpose>>, said: Said) -> Vec<(Arc<Purpose>, Said)> {
    purposes.into_iter().map(|purpose| (purpose, said)).collect()
}

/// Writes down what somebody has said to each purpose, with a receipt each: all or nothing.
pub(super) async fn write(app: &App, ctx: &Ctx, person: &Person, answers: &[(Arc<Purpose>, Said)], method: &str) -> Result<Vec<api::Consent>, Error> {
    let (tag, withdraw_at) = (person.tag(app), format!("{}{PAGE}", app.urls.public));
    let principal = principal(&person.subject)?;
    let mut records = Vec::with_capacity(answers.len());
    let mut rows = Vec::with_capacity(answers.len());
    for &(ref purpose, said) in answers {
        let id = EventId::batch(ctx.now, &mut { app.env() });
        let receipt = Receipt {
            id: &id.to_string(),
            principal: &principal,
            purpose,
            notice_hash: &hex(&tutela_ledger::sha256(purpose.notice.text.as_bytes())),
            said,
            time: ctx.now,
            method,
            controller: (&app.privacy.controller, &app.privacy.contact),
            withdraw_at: &withdraw_at,
        };
        let (whose, name, version, receipt) = (person.subject.clone(), purpose.name.as_str(), purpose.notice.version.as_str(), receipt.json());
        let record = match said {
            Said::Given => app.record_as(ctx, id, ConsentGiven::new(whose, name, version, receipt, method)).await?,
            Said::Refused => app.record_as(ctx, id, ConsentRefused::new(whose, name, version, receipt, method)).await?,
            Said::Withdrawn => app.record_as(ctx, id, ConsentWithdrawn::new(whose, name, version, receipt, method)).await?,
        };
        rows.push(ConsentRow {
            purpose: purpose.name.clone(),
            said: said.as_str().into(),
            notice_version: version.into(),
            said_at: ctx.now,
            event: record.entry.id,
        });
        records.push(record);
    }
    let Some(changeset) = Changeset::of_all(records) else {
        return Err(Error::invalid("purposes", "no purpose is required, so name those that are meant"));
    };
    let changeset = rows.iter().fold(changeset, |set, row| set.consent_set(tag, row));
    let changeset = person.names.iter().fold(changeset, |set, name| set.announce("consent", hex(&app.ring.tag(name))));
    app.store.commit(changeset).await?;
    person.names.iter().for_each(|name| app.consents.forget(&hex(&app.ring.tag(name))));
    Ok(rows.into_iter().map(shown).collect())
}

/// A receipt under the ledger's key: whoever has that can check it without us.
pub(super) fn signed(app: &App, receipt: Value) -> Result<api::SignedReceipt, Error> {
    let canonical = tutela_ledger::canonical(&receipt).map_err(|_| Error::Internal("a receipt in canonical form"))?;
    let note = app.sign_note(&format!("tutela receipt\n{}\n", hex(&tutela_ledger::sha256(&canonical))));
    Ok(api::SignedReceipt { receipt, note })
}

fn shown(row: ConsentRow) -> api::Consent {
    api::Consent { purpose: row.purpose, said: row.said, notice_version: row.notice_version, said_at: row.said_at.to_string(), receipt: row.event.to_string() }
}
