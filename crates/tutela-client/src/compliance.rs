//! Whether what laws and standards ask for holds.

use reqwest::Method;
use tutela_api::{Compliance, ComplianceSettings, NewDataUse, Recorded};

use crate::{Client, Error};

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
}
