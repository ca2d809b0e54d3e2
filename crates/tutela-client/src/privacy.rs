//! Privacy: purposes, and what people say to them.

use reqwest::Method;
use tutela_api::{
    Consent, ConsentAnswer, ConsentQuestion, ExternalId, KeptPurpose, NewConsent, NewProjection, ProcessingRecord, Projection, Purpose, SignedReceipt,
    SubjectRef,
};

use crate::{Client, Error, with_query};

impl Client {
    /// All purposes, those out of use too.
    pub async fn purposes(&self) -> Result<Vec<KeptPurpose>, Error> {
        self.send(self.request(Method::GET, "/v1/purposes")).await
    }

    /// Sets a purpose.
    pub async fn purpose_set(&self, purpose: &Purpose) -> Result<KeptPurpose, Error> {
        self.send(self.request(Method::PUT, &format!("/v1/purposes/{}", purpose.name)).json(purpose)).await
    }

    /// Records with only what some purposes need.
    pub async fn project(&self, new: &NewProjection) -> Result<Projection, Error> {
        self.send(self.request(Method::POST, "/v1/privacy/projections").json(new)).await
    }

    /// The record of processing, as it is now.
    pub async fn processing_record(&self) -> Result<ProcessingRecord, Error> {
        self.send(self.request(Method::GET, "/v1/privacy/processing-record")).await
    }

    /// Takes a purpose out of use.
    pub async fn purpose_retire(&self, name: &str, reason: &str) -> Result<(), Error> {
        self.done(self.request(Method::DELETE, &with_query(&format!("/v1/purposes/{name}"), &[("reason", reason.to_owned())]))).await
    }

    /// Records what somebody has said.
    pub async fn consent(&self, new: &NewConsent) -> Result<Vec<Consent>, Error> {
        self.send(self.request(Method::POST, "/v1/consents").json(new)).await
    }

    /// What somebody has said.
    pub async fn consents(&self, subject: &SubjectRef) -> Result<Vec<Consent>, Error> {
        let query = match subject {
            SubjectRef::Account(id) => vec![("account", id.clone())],
            SubjectRef::External(ExternalId { namespace, value }) => vec![("namespace", namespace.clone()), ("value", value.clone())],
        };
        self.send(self.request(Method::GET, &with_query("/v1/consents", &query))).await
    }

    /// Whether something may be done with somebody's data.
    pub async fn consent_check(&self, question: &ConsentQuestion) -> Result<ConsentAnswer, Error> {
        self.send(self.request(Method::POST, "/v1/consents/check").json(question)).await
    }

    /// A receipt.
    pub async fn receipt(&self, id: &str) -> Result<SignedReceipt, Error> {
        self.send(self.request(Method::GET, &format!("/v1/consents/receipts/{id}"))).await
    }
}
