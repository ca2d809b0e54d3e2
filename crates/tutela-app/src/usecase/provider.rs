//! Asking the key provider whether everything works that tutela needs of it.

use tutela_api as api;
use tutela_kms::event::KeyProviderWarned;

use crate::{App, Ctx, Error};

/// Makes a key at the provider, wraps and unwraps with it, destroys it, and asks for what endangers keys in use.
pub async fn check(app: &App, ctx: &Ctx) -> Result<api::ProviderCheck, Error> {
    app.permit(ctx, "keys:write").await?;
    let provider = app.ring.provider()?;
    let mut steps = Vec::new();
    let mut note = |step: &str, result: Result<(), String>| {
        let fine = result.is_ok();
        steps.push(api::ProviderStep { step: step.to_owned(), result: result.err().unwrap_or_else(|| "ok".into()) });
        fine
    };
    let clear = tutela_core::Secret::new(tutela_core::random_bytes::<32>(&mut { app.env() }));
    let label = format!("tutela-check-{}", ctx.request.0.simple());
    match provider.create(&label).await {
        Err(e) => drop(note("make a key", Err(e.to_string()))),
        Ok(key) => {
            note("make a key", Ok(()));
            let wrapped = provider.wrap(&key, clear.open(), b"check").await;
            if note("wrap with it", wrapped.as_ref().map(|_| ()).map_err(ToString::to_string))
                && let Ok(wrapped) = wrapped
            {
                let unwrapped = provider.unwrap(&key, &wrapped, b"check").await.map_err(|e| e.to_string());
                note(
                    "unwrap with the same version",
                    unwrapped.and_then(|u| if u.open() == clear.open() { Ok(()) } else { Err("other bytes came back".into()) }),
                );
            }
            note("destroy it", provider.destroy(&key).await.map_err(|e| e.to_string()));
        }
    }
    let warnings = warnings(app, ctx).await?;
    Ok(api::ProviderCheck { provider: provider.name().to_owned(), steps, warnings })
}

/// What the providers' own settings would do to keys in use. Each finding is an event.
pub(crate) async fn warnings(app: &App, ctx: &Ctx) -> Result<Vec<String>, Error> {
    let mut all = Vec::new();
    for row in app.store.epoch_list().await?.iter().filter(|row| row.state != "destroyed") {
        match app.ring.provider_named(&row.provider)?.warnings(&row.provider_key).await {
            Ok(found) if found.is_empty() => {}
            Ok(found) => {
                tracing::warn!(provider = row.provider, key = row.provider_key, warnings = ?found, "the key provider's settings endanger a key in use");
                app.commit(ctx, KeyProviderWarned::new(&row.provider, found.clone()), |c| c).await?;
                all.extend(found);
            }
            Err(e) => tracing::warn!(error = %e, provider = row.provider, "the key provider's settings could not be read"),
        }
    }
    Ok(all)
}
