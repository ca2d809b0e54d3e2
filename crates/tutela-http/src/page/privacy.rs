//! The privacy centre: what one's data is used for, and one's say in it.

use axum::{
    Form as Posted,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde::Deserialize;
use tutela_app::privacy::consent::{self, OwnPurposes};

use super::{T, destination::sign_in_first, failed, frame, html, see_other, show::when_text};
use crate::{
    caller::Caller,
    view::{
        own::AccountTab,
        privacy::{OwnPurpose, PrivacyPage, basis_words},
    },
    web::Web,
};

/// What one's data is used for.
pub(crate) async fn overview(State(web): State<Web>, caller: Caller, headers: HeaderMap) -> Response {
    // The gateway leads people here from an application: they come back after signing in.
    if caller.identity.is_none() {
        return sign_in_first(consent::PAGE);
    }
    page(&web, &caller, &headers, None).await
}

/// One's word to a purpose.
#[derive(Deserialize)]
pub(crate) struct Said {
    said: String,
}

/// Says it.
pub(crate) async fn say(State(web): State<Web>, caller: Caller, Path(purpose): Path<String>, headers: HeaderMap, Posted(form): Posted<Said>) -> Response {
    match consent::say(&web.app, &caller.ctx, &[purpose], &form.said, "form").await {
        Ok(_) => page(&web, &caller, &headers, Some(T.said_so.into())).await,
        Err(e) if e.kind() == tutela_core::ErrorKind::Invalid => see_other("/account/privacy"),
        Err(e) => failed(&web, &e),
    }
}

/// The receipt of one's word, to be kept.
pub(crate) async fn receipt(State(web): State<Web>, caller: Caller, Path(id): Path<String>) -> Response {
    match consent::own_receipt(&web.app, &caller.ctx, &id).await {
        Ok(receipt) => {
            let text = serde_json::to_string_pretty(&receipt).unwrap_or_default();
            let name = format!("attachment; filename=\"consent-{id}.json\"");
            ([(header::CONTENT_TYPE, "application/json".to_owned()), (header::CONTENT_DISPOSITION, name)], text).into_response()
        }
        Err(e) => failed(&web, &e),
    }
}

async fn page(web: &Web, caller: &Caller, headers: &HeaderMap, notice: Option<String>) -> Response {
    let OwnPurposes { purposes, opted_out, restricted } = match consent::overview(&web.app, &caller.ctx).await {
        Ok(found) => found,
        Err(e) => return failed(web, &e),
    };
    let gpc = headers.get("sec-gpc").is_some_and(|value| value == "1");
    let purposes = purposes.into_iter().map(shown).collect();
    html(StatusCode::OK, &PrivacyPage { frame: frame(web), tab: AccountTab::Privacy, notice, gpc, opted_out, restricted, purposes }, None, None)
}

fn shown((purpose, said): (tutela_api::Purpose, Option<tutela_api::Consent>)) -> OwnPurpose {
    let word = said.as_ref().map(|said| said.said.as_str());
    let (asks, may_object) = (purpose.basis == "consent", matches!(purpose.basis.as_str(), "public_task" | "legitimate_interests"));
    let choices = match (asks, may_object, word) {
        (true, _, Some("given")) => vec![("withdrawn", T.withdraw)],
        (true, _, None) => vec![("given", T.allow), ("refused", T.not_allow)],
        (true, _, Some(_)) => vec![("given", T.allow)],
        (false, true, Some("refused" | "withdrawn")) => vec![("given", T.allow)],
        (false, true, _) => vec![("refused", T.object)],
        (false, false, _) => Vec::new(),
    };
    let said = said.map(|said| {
        let words = match said.said.as_str() {
            "given" => T.you_allowed,
            "refused" => T.you_refused,
            _ => T.you_withdrew,
        };
        (words, when_text(&said.said_at), said.receipt)
    });
    let recipient = |of: &tutela_api::Recipient| of.country.as_ref().map_or_else(|| of.name.clone(), |country| format!("{} ({country})", of.name));
    OwnPurpose {
        basis: basis_words(T, &purpose.basis),
        sells: purpose.sells,
        recipients: purpose.recipients.iter().map(recipient).collect::<Vec<_>>().join(", "),
        retention_days: purpose.retention_days,
        waits: asks && said.is_none(),
        said,
        choices,
        name: purpose.name,
        title: purpose.title,
        description: purpose.description,
        text: purpose.notice.text,
        version: purpose.notice.version,
    }
}
