//! What people state of controls: attestations, exceptions, and what does not concern this installation. Each has an owner
//! and an end; the last two count once somebody else has approved them.

use std::time::Duration;

use tutela_api as api;
use tutela_compliance::Stated;
use tutela_core::{StatementId, Timestamp};
use tutela_store::StatementRow;

use super::happened::{ControlStated, StatementApproved, StatementWithdrawn};
use crate::{
    App, Ctx, Error,
    usecase::{
        account::{last_moment, line, reason},
        grant::approver,
        sign_in,
        signer::Signer,
    },
};

const KINDS: [&str; 3] = ["attestation", "exception", "not_applicable"];
/// Longest time that a word counts.
const LONGEST: Duration = Duration::from_secs(732 * 86_400);

/// States something of a control.
pub async fn make(app: &App, ctx: &Ctx, new: api::NewControlStatement) -> Result<api::ControlStatement, Error> {
    sign_in::permit_fresh(app, ctx, "compliance:write").await?;
    let framework = app.frameworks.iter().find(|of| of.key == new.framework);
    let framework = framework.ok_or_else(|| Error::invalid("framework", format!("`{}` is not switched on", new.framework)))?;
    if !framework.controls.iter().any(|control| control.id == new.control) {
        return Err(Error::invalid("control", format!("`{}` has no control `{}`", new.framework, new.control)));
    }
    if !KINDS.contains(&new.kind.as_str()) {
        return Err(Error::invalid("kind", format!("`{}` is none of {}", new.kind, KINDS.join(", "))));
    }
    let owner = line("owner", &new.owner, 200)?;
    let document = line("document", new.document.as_deref().unwrap_or_default(), 500);
    let (document, why) = match new.kind.as_str() {
        "attestation" => (document?, new.reason.as_deref().map(reason).transpose()?.unwrap_or_default()),
        _ => (new.document.map(|_| document).transpose()?.unwrap_or_default(), reason(new.reason.as_deref().unwrap_or_default())?),
    };
    let until = last_moment("until", &new.until)?;
    if until <= ctx.now || until > ctx.now + LONGEST {
        return Err(Error::invalid("until", "the last day is today or later, and at most two years from now"));
    }
    // What somebody else has to agree to, a person says.
    let maker = match new.kind.as_str() {
        "attestation" => Signer { id: String::new(), name: approver(app, ctx).await? },
        _ => Signer::of(app, ctx).await?,
    };
    let row = StatementRow {
        id: StatementId::new(ctx.now, &mut { app.env() }),
        framework: new.framework,
        control: new.control,
        kind: new.kind,
        owner,
        document,
        reason: why,
        made_by: maker.name,
        maker: maker.id,
        made_at: ctx.now,
        until,
        approved_by: String::new(),
        approved_at: None,
        ended_at: None,
    };
    let stated = ControlStated::new(row.id, &row.framework, &row.control, &row.kind, &row.owner, &row.document, &new.until, &row.reason);
    app.commit(ctx, stated, |changeset| changeset.control_statement_insert(&row)).await?;
    Ok(shown(&row, ctx.now))
}

/// Approves what somebody else has stated.
pub async fn approve(app: &App, ctx: &Ctx, id: &str) -> Result<api::ControlStatement, Error> {
    sign_in::permit_fresh(app, ctx, "compliance:write").await?;
    let (row, by) = (found(app, id).await?, Signer::of(app, ctx).await?);
    if row.maker == by.id {
        return Err(Error::Conflict("whoever makes a statement cannot approve it: ask somebody else".into()));
    }
    if row.kind == "attestation" {
        return Err(Error::Conflict("an attestation counts without approval".into()));
    }
    let approved = StatementApproved::new(row.id, &row.framework, &row.control, &row.kind);
    app.commit(ctx, approved, |changeset| changeset.control_statement_approve(row.id, &by.id, &by.name, ctx.now)).await?;
    Ok(shown(&found(app, id).await?, ctx.now))
}

/// Takes a statement back.
pub async fn withdraw(app: &App, ctx: &Ctx, id: &str, why: &str) -> Result<(), Error> {
    app.permit(ctx, "compliance:write").await?;
    let (row, why) = (found(app, id).await?, reason(why)?);
    if row.until < ctx.now {
        return Err(Error::Conflict("its time is over: attest again, or say what has changed".into()));
    }
    let withdrawn = StatementWithdrawn::new(row.id, &row.framework, &row.control, &row.kind, &why);
    app.commit(ctx, withdrawn, |changeset| changeset.control_statement_end(row.id, ctx.now)).await
}

/// All of them, the newest first.
pub async fn list(app: &App, ctx: &Ctx) -> Result<Vec<api::ControlStatement>, Error> {
    app.permit(ctx, "compliance:read").await?;
    Ok(app.store.control_statement_list().await?.iter().map(|row| shown(row, ctx.now)).collect())
}

/// What counts of the statements about a control.
pub(super) fn counts<'a>(rows: impl Iterator<Item = &'a StatementRow>, now: Timestamp) -> Stated {
    let mut stated = Stated::default();
    // The newest word of a kind is the one that counts.
    for row in rows {
        let (until, kind) = (row.until.date(), row.kind.as_str());
        match (kind, state(row, now)) {
            ("attestation", "counts") if !matches!(stated.attested, Some(Ok(_))) => {
                stated.attested = Some(Ok(format!("attested by {} until {until}: {}", row.owner, row.document)));
            }
            ("attestation", "over") if stated.attested.is_none() => {
                stated.attested = Some(Err(format!("what {} attested is over since {until}: attest again, or say what has changed", row.owner)));
            }
            ("exception", "counts") if stated.excepted.is_none() => {
                stated.excepted = Some(format!("accepted by {} until {until}: {}", row.approved_by, row.reason));
            }
            ("not_applicable", "counts") if stated.outside.is_none() => {
                stated.outside = Some(format!("{} (approved by {}, until {until})", row.reason, row.approved_by));
            }
            _ => {}
        }
    }
    stated
}

/// How a statement stands, in a word.
fn state(row: &StatementRow, now: Timestamp) -> &'static str {
    if row.ended_at.is_some() {
        "withdrawn"
    } else if row.until < now {
        "over"
    } else if row.kind != "attestation" && row.approved_at.is_none() {
        "waits"
    } else {
        "counts"
    }
}

pub(super) fn shown(row: &StatementRow, now: Timestamp) -> api::ControlStatement {
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    api::ControlStatement {
        id: row.id.to_string(),
        framework: row.framework.clone(),
        control: row.control.clone(),
        kind: row.kind.clone(),
        state: state(row, now).into(),
        owner: row.owner.clone(),
        document: some(&row.document),
        reason: some(&row.reason),
        made_by: row.made_by.clone(),
        made_at: row.made_at.to_string(),
        until: row.until.date().to_string(),
        approved_by: some(&row.approved_by),
    }
}

async fn found(app: &App, id: &str) -> Result<StatementRow, Error> {
    let id: StatementId = id.parse().map_err(|_| Error::NotFound("statement"))?;
    app.store.control_statement_get(id).await?.ok_or(Error::NotFound("statement"))
}
