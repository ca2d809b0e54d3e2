//! What we ourselves hold of a person: shown to them, and erased with the rest.

use serde_json::{Value, json};
use tutela_core::Subject;
use tutela_identity::{SessionEndReason, event::AccountDeleted};
use tutela_privacy::check::Finding;
use tutela_store::{Changeset, Housekeeping};

use super::person::Person;
use crate::{
    App, Ctx, Error,
    usecase::{
        search,
        session::{self, Ending},
        subject,
    },
};

/// Most events of a package.
const MOST_EVENTS: usize = 5_000;

/// What speaks against erasing somebody from our own data.
pub(super) async fn problems(app: &App, person: &Person) -> Result<Vec<Finding>, Error> {
    let mut found = Vec::new();
    for name in &person.names {
        if let Some(key) = app.store.subject_key_get_by_tag(app.ring.tag(name)).await?
            && let Some(hold) = key.hold
        {
            found.push(Finding { place: "tutela".into(), why: format!("a legal hold keeps the person's key: {hold}") });
        }
        let Subject::Account(account) = name else { continue };
        let roles = app.store.account_role_list(*account).await?;
        if roles.iter().any(|role| role == "admin") {
            found.push(Finding { place: "tutela".into(), why: "the account is an administrator's: take the role away first".into() });
        }
    }
    Ok(found)
}

/// Erases the account, what was said, and the keys of everything that is sealed. Done twice it is done once.
pub(super) async fn erase(app: &App, ctx: &Ctx, person: &Person) -> Result<(), Error> {
    for name in &person.names {
        if let Subject::Account(id) = name
            && app.store.account_get(*id).await?.is_some()
        {
            let (_, ending) = session::ending(app, ctx, *id, Ending::AllBut(None), SessionEndReason::AccountDeleted).await?;
            app.commit(ctx, AccountDeleted::new(*id, "the person asked for erasure"), |c| ending(c).account_delete(*id)).await?;
            app.forget(id.0);
        }
    }
    let mut forget = Changeset::housekeeping(Housekeeping::Sweep);
    for (name, tag) in person.names.iter().zip(person.tags(app)) {
        for earlier in app.store.subject_request_list_by_tag(tag).await? {
            forget = forget.subject_package_delete(earlier.id);
        }
        forget = forget.consent_forget(tag).announce("consent", search::hex(&tag));
        app.consents.forget(&search::hex(&app.ring.tag(name)));
    }
    app.store.commit(forget).await?;
    match subject::erase_all(app, ctx, &person.names, "the person asked for erasure").await {
        // Nothing was ever sealed for them, or it was done before.
        Ok(_) | Err(Error::NotFound(_)) => Ok(()),
        Err(e) => Err(e),
    }
}

/// What we hold of a person.
pub(super) async fn held(app: &App, person: &Person) -> Result<Value, Error> {
    let mut held = json!({"consents": [], "requests": []});
    for tag in person.tags(app) {
        for row in app.store.consent_list(tag).await? {
            push(
                &mut held["consents"],
                json!({"purpose": row.purpose, "said": row.said, "notice_version": row.notice_version, "said_at": row.said_at.to_string()}),
            );
        }
        for row in app.store.subject_request_list_by_tag(tag).await? {
            push(&mut held["requests"], json!({"law": row.law, "type": row.kind, "received_at": row.received_at.to_string(), "status": row.state}));
        }
    }
    for name in &person.names {
        match name {
            Subject::Account(id) => {
                let Some(account) = app.store.account_get(*id).await? else { continue };
                held["account"] = json!({
                    "id": id.to_string(), "email": account.email.as_str(), "name": account.name, "phone": account.phone, "created_at": account.created_at.to_string(),
                });
                held["events"] = json!(search::of_account(app, *id, MOST_EVENTS).await?);
            }
            Subject::External { namespace, value } => push(&mut held["identifiers"], json!({"namespace": namespace, "value": value})),
            Subject::Unknown(_) => {}
        }
    }
    Ok(held)
}

fn push(list: &mut Value, what: Value) {
    match list.as_array_mut() {
        Some(list) => list.push(what),
        None => *list = json!([what]),
    }
}
