//! Applications are told that a session at them has ended (OpenID Connect Back-Channel Logout 1.0).
//!
//! What ends a session does not know of this: a row for each session that somebody wants to hear of stays until they
//! heard. A process that dies in between tells twice, and never not at all; who does not answer is asked again, for a day.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tutela_core::{EventId, Principal, Secret, Timestamp};
use tutela_identity::{
    event::{ClientLogoutTold, ClientLogoutUntold},
    federation::Call,
    oauth::logout_claims,
};
use tutela_store::ToldRow;

use super::known;
use crate::{
    App, Ctx, Error,
    lanes::{Lanes, pause},
    usecase::signing_key,
};

/// For how long nobody else takes what is being told.
const LEASE: Duration = Duration::from_secs(15);
const LONGEST_PAUSE: u64 = 3_600;
/// After so many tries, about a day, the application is given up.
const MOST_TRIES: u64 = 34;
/// How many applications are told at once, so that one that says nothing holds up no other.
const LANES: usize = 8;
/// How often sessions are looked for that ended by the clock.
const LOOK: Duration = Duration::from_secs(5);

/// Tells whoever is to be told, until told to stop.
pub(crate) async fn run(app: App, stop: CancellationToken) {
    let lanes = Lanes { count: LANES, look: LOOK, what: "logout tokens" };
    let take = async |app: App, now: Timestamp| app.store.client_session_take(now, now + LEASE).await;
    lanes.run(app, stop, |app| &app.logouts_due, take, turn).await;
}

async fn turn(app: App, row: ToldRow, now: Timestamp) -> Result<(), Error> {
    let ctx = Ctx::new(app.env(), Principal::System("sessions"));
    let attempts = row.attempts + 1;
    let found = known(&app, &row.client.to_string(), now).await?;
    let Some(place) = found.and_then(|(_, registration)| registration.backchannel_logout_uri.map(|uri| (uri, registration.algorithm))) else {
        // It is no client any more, or does not want to hear.
        let gone = tutela_store::Changeset::housekeeping(tutela_store::Housekeeping::Job).client_session_delete(row.session);
        return Ok(app.store.commit(gone).await?);
    };
    let (uri, algorithm) = place;
    signing_key::ensure(&app, &ctx, algorithm).await?;
    let id = EventId::batch(now, &mut { app.env() }).to_string();
    let (client, account, session) = (row.client.to_string(), row.account.to_string(), row.session.to_string());
    let claims = logout_claims(&app.urls.public, &client, &account, &session, &id, now);
    let token = app.signer().sign_as(algorithm, "logout+jwt", &claims, now)?;
    let call = Call::post(uri.as_str(), vec![("logout_token".into(), Secret::new(token))]);
    let Some(http) = &app.clients_http else { return Ok(()) };
    let why = match http.send(&call).await {
        Ok(answer) if (200..300).contains(&answer.status) => {
            let told = ClientLogoutTold::new(row.account, row.client, row.session, attempts);
            return app.commit(&ctx, told, |c| c.client_session_delete(row.session)).await;
        }
        Ok(answer) => format!("it answered with status {}", answer.status),
        Err(e) => e.to_string(),
    };
    if attempts >= MOST_TRIES {
        let untold = ClientLogoutUntold::new(row.account, row.client, row.session, attempts, &why);
        return app.commit(&ctx, untold, |c| c.client_session_delete(row.session)).await;
    }
    tracing::warn!(client, attempts, why, "an application did not hear that a session ended; it will be told again");
    Ok(app.store.client_session_later(row.session, row.client, now + pause(row.attempts, LONGEST_PAUSE)).await?)
}
