//! Uses of personal data, as applications report them: each with its kind, its purpose, and the ground that it stood on at
//! that moment.

use serde_json::{Map, Value, json};
use tutela_api as api;
use tutela_privacy::taxonomy;
use tutela_store::Changeset;

use crate::{
    App, Ctx, Error, Origin,
    registry::APPLICATION_TYPES,
    usecase::{
        event::{self, Wait},
        privacy::{consent::known, person::Person, purpose::nearest},
    },
};

/// Where a use had no ground, and why.
pub(crate) const NONE: &str = "none: ";
/// The purpose is not in the registry.
pub(super) const UNREGISTERED: &str = "none: unregistered";

/// Records a use.
pub async fn log(app: &App, ctx: &Ctx, new: api::NewDataUse) -> Result<api::Recorded, Error> {
    app.permit(ctx, "events:write").await?;
    let declared: Vec<String> = app.types.list().iter().filter(|of| of.origin != Origin::Tutela).map(|of| of.body.name.clone()).collect();
    if !APPLICATION_TYPES.contains(&new.event_type.as_str()) && !declared.contains(&new.event_type) {
        let known: Vec<String> = APPLICATION_TYPES.iter().map(|name| (*name).to_owned()).chain(declared).collect();
        return Err(unknown("event_type", &new.event_type, nearest(&new.event_type, known.iter())));
    }
    let category = taxonomy::category(&new.data_type).map_err(|known| unknown_word("data_type", &new.data_type, &known))?.to_owned();
    let (purpose, ground) = ground(app, &new).await?;
    let mut metadata: Map<String, Value> = new.metadata.unwrap_or_default();
    metadata.extend([("data_type".to_owned(), json!(category)), ("purpose".to_owned(), json!(purpose))]);
    let event = json!({"type": new.event_type, "subject": new.subject, "resource": new.resource, "metadata": metadata});
    let mut event = event::prepare(app, ctx, event)?;
    // A type of an application need not declare them.
    for field in ["data_type", "purpose"] {
        if let Some(value) = event.metadata.remove(field) {
            event.set(field, value);
        }
    }
    event.set("ground", ground.as_str());
    let record = app.seal(&event).await?;
    let id = record.entry.id;
    let day = ctx.now.secs().div_euclid(86_400);
    app.store.commit(Changeset::of(record).data_use_add(day, &purpose, &ground, id)).await?;
    event::recorded(app, id, Wait::Durable).await
}

/// The purpose by its name, and the ground that the use stands on now.
async fn ground(app: &App, new: &api::NewDataUse) -> Result<(String, String), Error> {
    let registered = app.purposes.load();
    let word = taxonomy::data_use(&new.purpose);
    let purpose = registered.get(&new.purpose).or_else(|| registered.get(*word.as_ref().ok()?));
    let Some(purpose) = purpose else {
        let name = word.map_err(|known| {
            let known: Vec<String> = registered.keys().cloned().chain(known.into_iter().map(str::to_owned)).collect();
            unknown("purpose", &new.purpose, nearest(&new.purpose, known.iter()))
        })?;
        return Ok((name.to_owned(), UNREGISTERED.to_owned()));
    };
    let of = known(app, &Person::named(app, &new.subject).await?).await?;
    let ground = of.refuses(app, purpose, false).map_or_else(|| purpose.basis.as_str().to_owned(), |why| format!("{NONE}{}", why.as_str()));
    Ok((purpose.name.clone(), ground))
}

fn unknown_word(field: &'static str, word: &str, known: &[&'static str]) -> Error {
    let known: Vec<String> = known.iter().map(|name| (*name).to_owned()).collect();
    unknown(field, word, nearest(word, known.iter()))
}

fn unknown(field: &'static str, word: &str, near: Vec<&str>) -> Error {
    Error::invalid(field, format!("there is no `{word}`; near to it are {}", near.join(", ")))
}
