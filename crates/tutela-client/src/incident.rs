//! Incidents, and alerts that come from outside the rules.

use futures_util::TryStreamExt as _;
use reqwest::Method;
use tutela_api::{
    AlertSettings, ContainIncident, Contained, Incident, IncidentDetail, MoveIncident, NewAlert, RaisedAlert, SetIncidentStep, UndoIncident, Undone,
};

use crate::{Client, Error, Pieces, checked, with_query};

impl Client {
    /// Raises an alert.
    pub async fn alert_raise(&self, new: &NewAlert) -> Result<RaisedAlert, Error> {
        self.send(self.request(Method::POST, "/v1/alerts").json(new)).await
    }

    /// Who is told of alerts.
    pub async fn alert_settings(&self) -> Result<AlertSettings, Error> {
        self.send(self.request(Method::GET, "/v1/alerts/settings")).await
    }

    /// Incidents in a state, `live` or `all`, the newest first, below `before`.
    pub async fn incidents(&self, state: &str, before: Option<&str>) -> Result<Vec<Incident>, Error> {
        let mut query = vec![("state", state.to_owned())];
        query.extend(before.map(|id| ("before", id.to_owned())));
        self.send(self.request(Method::GET, &with_query("/v1/incidents", &query))).await
    }

    /// One incident.
    pub async fn incident(&self, id: &str) -> Result<IncidentDetail, Error> {
        self.send(self.request(Method::GET, &format!("/v1/incidents/{id}"))).await
    }

    /// Moves an incident on.
    pub async fn incident_move(&self, id: &str, change: &MoveIncident) -> Result<(), Error> {
        self.done(self.request(Method::POST, &format!("/v1/incidents/{id}/state")).json(change)).await
    }

    /// Checks a step off, or says that it is to be done again.
    pub async fn incident_step(&self, id: &str, step: &str, change: &SetIncidentStep) -> Result<(), Error> {
        self.done(self.request(Method::PUT, &format!("/v1/incidents/{id}/steps/{step}")).json(change)).await
    }

    /// Has something done about everybody whom an incident names.
    pub async fn incident_contain(&self, id: &str, wanted: &ContainIncident) -> Result<Contained, Error> {
        self.send(self.request(Method::POST, &format!("/v1/incidents/{id}/contain")).json(wanted)).await
    }

    /// Lifts the blocks of what an incident names.
    pub async fn incident_undo(&self, id: &str, why: &UndoIncident) -> Result<Undone, Error> {
        self.send(self.request(Method::POST, &format!("/v1/incidents/{id}/undo")).json(why)).await
    }

    /// The events of an incident with proofs, piece by piece.
    pub async fn incident_timeline(&self, id: &str) -> Result<Pieces, Error> {
        let response = checked(self.request(Method::GET, &format!("/v1/incidents/{id}/timeline")).send().await?).await?;
        Ok(Box::pin(response.bytes_stream().map_err(Error::from)))
    }
}
