//! What a service leaves behind that has run for a while: somebody who left, words of people, what they asked for, what their
//! data was used for, and a backup that was put back. All of it is really done, and compliance is judged by it.

use std::{io::Write as _, path::Path};

use tutela_api::{ExternalId, NewAccount, NewConsent, NewDataUse, NewGrant, NewSubjectRequest, SubjectRef};
use tutela_app::{
    App, Ctx, account, backup, compliance, grant,
    privacy::{consent, request},
};
use tutela_core::{Principal, random_bytes};

use crate::{
    config::Config,
    error::{Error, at},
    instance_restore,
};

/// Tells it, once for all runs of a folder.
pub async fn tell(app: &App, config: &Config, data: &Path) -> Result<(), Error> {
    let told = data.join("story-is-told");
    if told.exists() {
        return Ok(());
    }
    // Before it begins: one that was cut off is not told twice.
    std::fs::write(&told, "").map_err(|e| at(&told, &e))?;
    let ctx = Ctx::new(app.env(), Principal::System("demo"));
    staff(app, &ctx).await?;
    customers(app, &ctx).await?;
    rehearsal(app, &ctx, config, data).await
}

/// Hal worked here, and Ada may do something for a while that no role gives her.
async fn staff(app: &App, ctx: &Ctx) -> Result<(), Error> {
    let password = random_bytes::<20>(&mut { app.env() }).map(|byte| char::from(b'a' + byte % 26)).iter().collect();
    let hal = NewAccount { email: "hal@example.com".into(), name: "Hal Left".into(), password: Some(password), roles: vec!["member".into()] };
    let hal = account::create(app, ctx, hal).await?;
    account::disable(app, ctx, hal.id.parse().map_err(|_| Error::Failed("the id of an account is none".into()))?).await?;
    let ada = account::list(app, ctx, None, 100).await?.into_iter().find(|account| account.email == "ada@example.com");
    let grant = NewGrant {
        account_id: ada.map(|account| account.id),
        group: None,
        effect: "allow".into(),
        permission: "photos:restore".into(),
        resource: None,
        reason: "puts pictures back that were deleted by mistake".into(),
        expires_at: Some((ctx.now + std::time::Duration::from_secs(30 * 86_400)).to_string()),
    };
    grant::give(app, ctx, grant).await?;
    Ok(())
}

/// Customers of the photo app whom only the app knows, by its own numbers.
async fn customers(app: &App, ctx: &Ctx) -> Result<(), Error> {
    let customer = |number: u32| SubjectRef::External(ExternalId { namespace: "photos".into(), value: number.to_string() });
    for (number, purpose, said) in
        [(101, "personalize", "given"), (102, "personalize", "given"), (102, "personalize", "withdrawn"), (103, "marketing.advertising", "refused")]
    {
        let new = NewConsent { subject: customer(number), purposes: vec![purpose.into()], said: said.into(), method: Some("form".into()) };
        consent::record(app, ctx, &new).await?;
    }
    for (number, data_type, purpose) in
        [(101, "user.behavior", "personalize"), (101, "user.content", "service_delivery"), (102, "user.content", "service_delivery")]
    {
        let new = NewDataUse {
            event_type: "data_processing".into(),
            subject: customer(number),
            data_type: data_type.into(),
            purpose: purpose.into(),
            resource: None,
            metadata: None,
        };
        compliance::log(app, ctx, new).await?;
    }
    for (number, law, kind) in [(104, "gdpr", "access"), (105, "gdpr", "erasure"), (106, "ccpa", "do_not_sell")] {
        let new = NewSubjectRequest {
            subject: customer(number),
            law: Some(law.into()),
            kind: kind.into(),
            corrections: Default::default(),
            purposes: Vec::new(),
            contact: None,
        };
        request::create(app, ctx, new).await?;
    }
    Ok(())
}

/// The whole instance in a backup, and put back into a scratch folder.
async fn rehearsal(app: &App, ctx: &Ctx, config: &Config, data: &Path) -> Result<(), Error> {
    let file = data.join("rehearsed.backup");
    let mut out = std::fs::File::create(&file).map_err(|e| at(&file, &e))?;
    let mut backup = backup::begin(app, ctx).await?;
    while let Some(piece) = backup.next().await {
        out.write_all(&piece.map_err(Error::Failed)?).map_err(|e| at(&file, &e))?;
    }
    let done = instance_restore::drill(config, &file).await?;
    let bytes = std::fs::read(&file).map_err(|e| at(&file, &e))?;
    let digest = tutela_ledger::sha256(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(backup::rehearsed(app, ctx, digest, done.rows, done.entries, None).await?)
}
