//! What is kept of a person by decision, though they ask for erasure or its time is over.

use tutela_api as api;
use tutela_core::HoldId;
use tutela_store::PrivacyHoldRow;

use super::{
    happened::{DataHeld, DataReleased},
    person::Person,
};
use crate::{
    App, Ctx, Error,
    usecase::account::{last_moment, line, reason},
};

/// Keeps something of a person from now on.
pub async fn place(app: &App, ctx: &Ctx, new: api::NewPrivacyHold) -> Result<api::PrivacyHold, Error> {
    app.permit(ctx, "subjects:hold").await?;
    let place = line("place", &new.place, 200)?;
    let (article, reason, owner) = (line("article", &new.article, 200)?, line("reason", &new.reason, 200)?, line("owner", &new.owner, 200)?);
    if place != "*" && !(1..=2).contains(&place.matches('.').count()) {
        return Err(Error::invalid("place", "a place is `dataset.collection`, `dataset.collection.field`, or `*`"));
    }
    let until = new.until.as_deref().map(|day| last_moment("until", day)).transpose()?;
    if until.is_some_and(|until| until <= ctx.now) {
        return Err(Error::invalid("until", "this day is over"));
    }
    let person = Person::named(app, &new.subject).await?;
    let row = PrivacyHoldRow {
        id: HoldId::new(ctx.now, &mut { app.env() }),
        tag: person.tag(app),
        place,
        article,
        reason,
        owner,
        placed_at: ctx.now,
        until,
        released_at: None,
    };
    let held = DataHeld::new(row.id, &row.place, &row.article, &row.owner, new.until.unwrap_or_else(|| "released".into()));
    app.commit(ctx, held, |changeset| changeset.privacy_hold_insert(&row)).await?;
    Ok(shown(row))
}

/// Ends a hold; an erasure that it stopped goes on by itself.
pub async fn release(app: &App, ctx: &Ctx, id: &str, why: &str) -> Result<(), Error> {
    app.permit(ctx, "subjects:hold").await?;
    let (why, id) = (reason(why)?, id.parse::<HoldId>().map_err(|_| Error::NotFound("hold"))?);
    let row = app.store.privacy_hold_list_all().await?.into_iter().find(|row| row.id == id).ok_or(Error::NotFound("hold"))?;
    let released = DataReleased::new(id, &row.place, &why);
    app.commit(ctx, released, |changeset| changeset.privacy_hold_release(id, ctx.now).subject_request_wake(ctx.now)).await?;
    app.requests_due.notify_one();
    Ok(())
}

/// What is kept of whomever, by decision.
pub async fn list(app: &App, ctx: &Ctx) -> Result<Vec<api::PrivacyHold>, Error> {
    app.permit(ctx, "subject-requests:read").await?;
    Ok(app.store.privacy_hold_list_all().await?.into_iter().map(shown).collect())
}

fn shown(row: PrivacyHoldRow) -> api::PrivacyHold {
    api::PrivacyHold {
        id: row.id.to_string(),
        place: row.place,
        article: row.article,
        reason: row.reason,
        owner: row.owner,
        placed_at: row.placed_at.to_string(),
        until: row.until.map(|until| until.date().to_string()),
        released_at: row.released_at.map(|at| at.to_string()),
    }
}
