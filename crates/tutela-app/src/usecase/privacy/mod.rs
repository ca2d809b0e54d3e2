//! Privacy: what personal data is used for, what people say to it, and what they ask for.

pub(crate) mod banner;
pub mod consent;
pub mod erase;
pub mod expiry;
pub(crate) mod happened;
pub mod hold;
mod own_data;
pub mod package;
pub(crate) mod person;
pub mod places;
pub mod project;
pub mod purpose;
pub mod record;
pub mod replay;
pub mod request;
pub mod visitor;
mod wish;
pub(crate) mod work;

use tutela_api as api;

use crate::{App, Ctx, Error};

/// What is switched on, for an application that counts on it.
pub async fn settings(app: &App, ctx: &Ctx) -> Result<api::PrivacySettings, Error> {
    app.permit(ctx, "consents:check").await?;
    let rights = app.privacy.data_subject_rights;
    Ok(api::PrivacySettings {
        consent_required: app.privacy.consent_required,
        data_subject_rights: api::DataSubjectRights {
            access: rights.access,
            rectification: rights.rectification,
            erasure: rights.erasure,
            portability: rights.portability,
        },
    })
}
