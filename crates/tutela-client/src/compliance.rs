//! Whether what laws and standards ask for holds.

use reqwest::Method;
use tutela_api::{
    Assessment, Breach, BreachFacts, BreachTold, Compliance, ComplianceProbe, ComplianceScan, ComplianceSettings, ControlStatement, NewBreach,
    NewControlStatement, NewDataUse, Recorded,
};

use crate::{Client, Error, with_query};

impl Client {
    /// How every control stands, by facts that are collected now.
    pub async fn compliance(&self) -> Result<Compliance, Error> {
        self.send(self.request(Method::GET, "/v1/compliance")).await
    }

    /// What an application has to hold to.
    pub async fn compliance_settings(&self) -> Result<ComplianceSettings, Error> {
        self.send(self.request(Method::GET, "/v1/compliance/settings")).await
    }

    /// Records a use of somebody's data.
    pub async fn data_use(&self, new: &NewDataUse) -> Result<Recorded, Error> {
        self.send(self.request(Method::POST, "/v1/compliance/events").json(new)).await
    }

    /// Assesses every framework now.
    pub async fn assess(&self) -> Result<Vec<Assessment>, Error> {
        self.send(self.request(Method::POST, "/v1/compliance/assessments")).await
    }

    /// How controls stand, as `csv`, `html`, `measures` or `oscal`.
    pub async fn compliance_report(&self, format: &str, framework: Option<&str>) -> Result<String, Error> {
        let mut query = vec![("format", format.to_owned())];
        query.extend(framework.map(|framework| ("framework", framework.to_owned())));
        self.text(&with_query("/v1/compliance/report", &query)).await
    }

    /// Sends requests through the gateway to see what happens.
    pub async fn compliance_probe(&self) -> Result<ComplianceProbe, Error> {
        self.send(self.request(Method::POST, "/v1/compliance/probes")).await
    }

    /// Verifies the whole ledger, and looks everything through for card numbers.
    pub async fn compliance_scan(&self) -> Result<ComplianceScan, Error> {
        self.send(self.request(Method::POST, "/v1/compliance/scans")).await
    }

    /// Assessments of a framework, the newest first.
    pub async fn assessments(&self, framework: &str) -> Result<Vec<Assessment>, Error> {
        self.send(self.request(Method::GET, &with_query("/v1/compliance/assessments", &[("framework", framework.to_owned())]))).await
    }

    /// What people state of controls, the newest first.
    pub async fn control_statements(&self) -> Result<Vec<ControlStatement>, Error> {
        self.send(self.request(Method::GET, "/v1/compliance/statements")).await
    }

    /// States something of a control.
    pub async fn control_statement(&self, new: &NewControlStatement) -> Result<ControlStatement, Error> {
        self.send(self.request(Method::POST, "/v1/compliance/statements").json(new)).await
    }

    /// Approves what somebody else has stated.
    pub async fn control_statement_approve(&self, id: &str) -> Result<ControlStatement, Error> {
        self.send(self.request(Method::POST, &format!("/v1/compliance/statements/{id}/approve"))).await
    }

    /// Takes a statement back.
    pub async fn control_statement_withdraw(&self, id: &str, reason: &str) -> Result<(), Error> {
        self.done(self.request(Method::DELETE, &with_query(&format!("/v1/compliance/statements/{id}"), &[("reason", reason.to_owned())]))).await
    }

    /// The register of breaches, the newest first.
    pub async fn breaches(&self) -> Result<Vec<Breach>, Error> {
        self.send(self.request(Method::GET, "/v1/breaches")).await
    }

    /// Enters a breach.
    pub async fn breach_open(&self, new: &NewBreach) -> Result<Breach, Error> {
        self.send(self.request(Method::POST, "/v1/breaches").json(new)).await
    }

    /// One breach.
    pub async fn breach(&self, id: &str) -> Result<Breach, Error> {
        self.send(self.request(Method::GET, &format!("/v1/breaches/{id}"))).await
    }

    /// Says what is known of it now.
    pub async fn breach_facts(&self, id: &str, facts: &BreachFacts) -> Result<Breach, Error> {
        self.send(self.request(Method::PUT, &format!("/v1/breaches/{id}/facts")).json(facts)).await
    }

    /// Signs what is known of it now.
    pub async fn breach_sign(&self, id: &str) -> Result<Breach, Error> {
        self.send(self.request(Method::POST, &format!("/v1/breaches/{id}/sign"))).await
    }

    /// Records that somebody was told.
    pub async fn breach_told(&self, id: &str, told: &BreachTold) -> Result<Breach, Error> {
        self.send(self.request(Method::POST, &format!("/v1/breaches/{id}/told")).json(told)).await
    }

    /// Closes it.
    pub async fn breach_close(&self, id: &str, reason: &str) -> Result<Breach, Error> {
        self.send(self.request(Method::POST, &format!("/v1/breaches/{id}/close")).json(&serde_json::json!({"reason": reason}))).await
    }
}
