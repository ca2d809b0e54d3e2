//! Looking after the ledger: exports, retention, holds, projections, declared types.

use futures_util::TryStreamExt as _;
use reqwest::Method;
use serde_json::json;
use tutela_api::{Counts, DeadLetter, EventType, EventTypeBody, Hold, NewHold, Page, Reconciliation, Retention, Retried, Sink, Taken};

use crate::{Client, Error, Pieces, checked, escape, with_query};

impl Client {
    /// Events in a form that others read, oldest first; a stream that breaks off is not all of it.
    pub async fn events_export(&self, query: &[(&str, String)]) -> Result<Pieces, Error> {
        let response = checked(self.request(Method::GET, &with_query("/v1/events/export", query)).send().await?).await?;
        Ok(Box::pin(response.bytes_stream().map_err(Error::from)))
    }

    /// A backup of the whole instance; a stream that breaks off is none.
    pub async fn backup(&self) -> Result<Pieces, Error> {
        let response = checked(self.request(Method::POST, "/v1/backups").send().await?).await?;
        Ok(Box::pin(response.bytes_stream().map_err(Error::from)))
    }

    /// Records what a rehearsed restore found.
    pub async fn backup_rehearsed(&self, found: &serde_json::Value) -> Result<(), Error> {
        self.done(self.request(Method::POST, "/v1/backups/rehearsals").json(found)).await
    }

    /// Totals of events.
    pub async fn events_counts(&self, query: &[(&str, String)]) -> Result<Counts, Error> {
        self.send(self.request(Method::GET, &with_query("/v1/events/counts", query))).await
    }

    /// Declared event types.
    pub async fn event_types(&self) -> Result<Page<EventType>, Error> {
        self.send(self.request(Method::GET, "/v1/event-types")).await
    }

    /// Declares an event type, or declares it anew.
    pub async fn event_type_set(&self, body: &EventTypeBody) -> Result<EventType, Error> {
        self.send(self.request(Method::PUT, &format!("/v1/event-types/{}", escape(&body.name))).json(body)).await
    }

    /// Takes the declaration of an event type back.
    pub async fn event_type_delete(&self, name: &str) -> Result<(), Error> {
        self.done(self.request(Method::DELETE, &format!("/v1/event-types/{}", escape(name)))).await
    }

    /// How long which events are kept.
    pub async fn retention(&self) -> Result<Retention, Error> {
        self.send(self.request(Method::GET, "/v1/retention")).await
    }

    /// Takes out what has expired, now.
    pub async fn retention_apply(&self) -> Result<Taken, Error> {
        self.send(self.request(Method::POST, "/v1/retention/apply")).await
    }

    /// Holds, newest first.
    pub async fn holds(&self) -> Result<Page<Hold>, Error> {
        self.send(self.request(Method::GET, "/v1/holds")).await
    }

    /// Places a hold.
    pub async fn hold_place(&self, new: &NewHold) -> Result<Hold, Error> {
        self.send(self.request(Method::POST, "/v1/holds").json(new)).await
    }

    /// Ends a hold.
    pub async fn hold_release(&self, id: &str, reason: &str) -> Result<Hold, Error> {
        self.send(self.request(Method::POST, &format!("/v1/holds/{}/release", escape(id))).json(&json!({"reason": reason}))).await
    }

    /// Projections of the ledger.
    pub async fn sinks(&self) -> Result<Page<Sink>, Error> {
        self.send(self.request(Method::GET, "/v1/sinks")).await
    }

    /// Drops a projection's documents and has every event sent again.
    pub async fn sink_rebuild(&self, name: &str) -> Result<(), Error> {
        self.done(self.request(Method::POST, &format!("/v1/sinks/{}/rebuild", escape(name)))).await
    }

    /// Compares a projection with the ledger.
    pub async fn sink_reconcile(&self, name: &str) -> Result<Reconciliation, Error> {
        self.send(self.request(Method::POST, &format!("/v1/sinks/{}/reconcile", escape(name)))).await
    }

    /// The oldest dead letters of a projection.
    pub async fn sink_dead_letters(&self, name: &str) -> Result<Page<DeadLetter>, Error> {
        self.send(self.request(Method::GET, &format!("/v1/sinks/{}/dead-letters?limit=1000", escape(name)))).await
    }

    /// Sends the dead letters of a projection again.
    pub async fn sink_retry(&self, name: &str) -> Result<Retried, Error> {
        self.send(self.request(Method::POST, &format!("/v1/sinks/{}/retry", escape(name)))).await
    }
}
