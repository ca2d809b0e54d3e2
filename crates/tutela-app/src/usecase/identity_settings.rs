//! What applications have to know of how people sign in here, so that they can compare it with what they count on.

use serde_json::json;
use tutela_api::IdentitySettings;

use crate::{App, Ctx, Error};

/// The settings, in the words of the configuration.
pub async fn read(app: &App, ctx: &Ctx) -> Result<IdentitySettings, Error> {
    app.permit(ctx, "permissions:check").await?;
    let (session, mfa) = (&app.identity.session, &app.identity.mfa);
    Ok(IdentitySettings {
        profile: app.identity.profile.as_str().to_owned(),
        public_url: app.urls.public.clone(),
        providers: app.identity.providers.iter().map(|protocol| protocol.as_str().to_owned()).collect(),
        session: json!({
            "timeout": session.timeout, "refresh_enabled": session.refresh_enabled, "secure": session.secure, "http_only": session.http_only,
            "access_token": session.access_token,
        }),
        mfa: json!({
            "providers": mfa.providers, "required_factors": mfa.required_factors, "remember_device": mfa.remember_device, "passkeys": app.identity.passkeys,
        }),
        limits: json!({"login": app.limits.login}),
        weakened: app.identity.weakened().into_iter().map(str::to_owned).collect(),
    })
}
