//! Rules of the firewall that are excepted on a route: made from a blocked request or by hand, until a day comes.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use tutela_api as api;
use tutela_core::{EventId, ExclusionId, seam::RuleExclusion};
use tutela_store::ExclusionRow;
use tutela_waf::Exclusion;

use crate::{
    App, Ctx, Error,
    occurrence::{RuleExcluded, RuleExclusionEnded},
    registry::REQUEST,
    usecase::{account::reason, gateway, grant::approver, search, sign_in},
};

/// Most in force at a time: each is asked of every request to its route.
const MOST: usize = 500;
/// Longest place.
const LONGEST_PLACE: usize = 256;

/// What is to be excepted: the rule, and where.
type What = (u64, Option<String>);

/// Excepts rules; one exclusion for each rule and place that matched in the event, or the one that was named.
pub async fn make(app: &App, ctx: &Ctx, new: api::NewExclusion) -> Result<Vec<api::Exclusion>, Error> {
    sign_in::permit_fresh(app, ctx, "gateway:write").await?;
    let why = reason(&new.reason)?;
    let days = new.days.unwrap_or(30);
    if !(1..=365).contains(&days) {
        return Err(Error::invalid("days", format!("`days` is {days}; it goes from 1 to 365")));
    }
    let (event, route, what) = match &new.event {
        Some(event) => from_event(app, ctx, event, new.rule).await?,
        None => by_hand(app, &new)?,
    };
    if app.excluded.load().len() + what.len() > MOST {
        return Err(Error::Conflict(format!("{MOST} exclusions are in force; end one first")));
    }
    let (made_by, until) = (approver(app, ctx).await?, ctx.now + Duration::from_secs(u64::from(days) * 86_400));
    let mut made = Vec::new();
    for (rule, place) in what {
        let id = ExclusionId::new(ctx.now, &mut { app.env() });
        let row = ExclusionRow {
            id,
            route: route.clone(),
            rule,
            place,
            reason: why.clone(),
            made_by: made_by.clone(),
            made_at: ctx.now,
            until,
            event,
            ended_at: None,
        };
        let from = event.map(|event| event.to_string());
        let excluded = RuleExcluded::new(id, &row.route, rule, row.place.as_deref(), until.to_string(), from, &why);
        app.commit(ctx, excluded, |c| c.exclusion_insert(&row).announce("exclusion", id)).await?;
        made.push(shown(row));
    }
    load(app).await?;
    Ok(made)
}

/// The newest 1,000, those that ended too.
pub async fn list(app: &App, ctx: &Ctx) -> Result<Vec<api::Exclusion>, Error> {
    app.permit(ctx, "gateway:read").await?;
    Ok(app.store.exclusion_list().await?.into_iter().map(shown).collect())
}

/// Ends one: the rule looks at everything again.
pub async fn end(app: &App, ctx: &Ctx, id: &str, why: &str) -> Result<(), Error> {
    sign_in::permit_fresh(app, ctx, "gateway:write").await?;
    let why = reason(why)?;
    let id: ExclusionId = id.parse().map_err(|_| Error::NotFound("exclusion"))?;
    let row = app.store.exclusion_get(id).await?.ok_or(Error::NotFound("exclusion"))?;
    app.commit(ctx, RuleExclusionEnded::new(id, &row.route, row.rule, &why), |c| c.exclusion_end(id, ctx.now).announce("exclusion", id)).await?;
    load(app).await
}

/// What is in force, for the gateway.
pub(crate) async fn load(app: &App) -> Result<(), Error> {
    let rows = app.store.exclusion_list_live(app.env.now()).await?;
    let of = |row: ExclusionRow| RuleExclusion { route: row.route, rule: row.rule, place: row.place, until: row.until };
    app.excluded.store(Arc::new(rows.into_iter().map(of).collect()));
    Ok(())
}

fn by_hand(app: &App, new: &api::NewExclusion) -> Result<(Option<EventId>, String, BTreeSet<What>), Error> {
    let route = new.route.clone().ok_or_else(|| Error::invalid("route", "name the route, or the `event` of a blocked request"))?;
    let rule = new.rule.ok_or_else(|| Error::invalid("rule", "name the rule by its number, or the `event` of a blocked request"))?;
    let place = new.place.clone().filter(|place| !place.is_empty());
    if place.as_ref().is_some_and(|place| place.len() > LONGEST_PLACE) {
        return Err(Error::invalid("place", format!("a place has at most {LONGEST_PLACE} bytes")));
    }
    Exclusion::new(rule, place.as_deref()).map_err(|e| Error::invalid("place", e))?;
    let known = gateway::control(app)?.status();
    if route != "tutela" && !known.routes.iter().any(|known| known.name == route) {
        let names: BTreeSet<&str> = known.routes.iter().map(|route| route.name.as_str()).collect();
        return Err(Error::invalid("route", format!("there is no route `{route}`; there are {}", Vec::from_iter(names).join(", "))));
    }
    Ok((None, route, BTreeSet::from([(rule, place)])))
}

/// Which rules matched where in a request, as its record says; those that only count what others found are left out.
async fn from_event(app: &App, ctx: &Ctx, id: &str, only: Option<u64>) -> Result<(Option<EventId>, String, BTreeSet<What>), Error> {
    let id: EventId = id.parse().map_err(|_| Error::invalid("event", "the id of an event is a UUID"))?;
    let (stored, _) = search::get(app, ctx, id).await?;
    let event = stored.event;
    let route = event["request"]["route"].as_str().filter(|_| event["type"] == REQUEST.name);
    let route = route.ok_or_else(|| Error::invalid("event", format!("this is no event `{}` of a route", REQUEST.name)))?;
    let matched = event["personal"]["waf_matched"].as_array();
    let what: BTreeSet<What> = matched
        .into_iter()
        .flatten()
        .filter_map(|line| {
            let (rule, rest) = line.as_str()?.split_once(' ')?;
            let (place, _) = rest.split_once(": ")?;
            let rule = rule.parse().ok().filter(|rule| only.is_none_or(|only| only == *rule))?;
            // What rules have added up (`TX:…`) is no place where anything was found.
            // What cannot be named, such as an argument without a name, neither.
            (!place.starts_with("TX") && Exclusion::new(rule, Some(place)).is_ok()).then(|| (rule, Some(place.to_owned())))
        })
        .collect();
    if what.is_empty() {
        let text = "no rule matched in this request that could be excepted; `tutela waf explain` shows what rules see of a request";
        return Err(Error::invalid("event", text));
    }
    Ok((Some(id), route.to_owned(), what))
}

fn shown(row: ExclusionRow) -> api::Exclusion {
    api::Exclusion {
        id: row.id.to_string(),
        route: row.route,
        rule: row.rule,
        place: row.place,
        reason: row.reason,
        made_by: row.made_by,
        made_at: row.made_at.to_string(),
        until: row.until.to_string(),
        event: row.event.map(|event| event.to_string()),
        ended_at: row.ended_at.map(|at| at.to_string()),
    }
}
