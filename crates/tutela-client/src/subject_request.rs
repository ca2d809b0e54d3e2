//! What people ask for about their data.

use reqwest::Method;
use serde_json::json;
use tutela_api::{
    DataStoreStatus, ErasurePlan, ErasureReplay, ExpiredData, NewErasureReplay, NewPrivacyHold, NewSubjectRequest, Page, PrivacyHold, SubjectRef,
    SubjectRequest,
};

use crate::{Client, Error, checked, with_query};

impl Client {
    /// Takes in what somebody asks for, and waits for the answer for at most so many seconds.
    pub async fn subject_request_create(&self, new: &NewSubjectRequest, wait: u64) -> Result<SubjectRequest, Error> {
        self.send(self.request(Method::POST, &format!("/v1/subject-requests?wait={wait}")).json(new)).await
    }

    /// The newest requests.
    pub async fn subject_requests(&self) -> Result<Page<SubjectRequest>, Error> {
        self.send(self.request(Method::GET, "/v1/subject-requests?limit=100")).await
    }

    /// A request, and how far it is.
    pub async fn subject_request(&self, id: &str) -> Result<SubjectRequest, Error> {
        self.send(self.request(Method::GET, &format!("/v1/subject-requests/{id}"))).await
    }

    /// Approves of a plan.
    pub async fn subject_request_approve(&self, id: &str) -> Result<SubjectRequest, Error> {
        self.send(self.request(Method::POST, &format!("/v1/subject-requests/{id}/approve"))).await
    }

    /// Extends the time of a request.
    pub async fn subject_request_extend(&self, id: &str, reason: &str) -> Result<SubjectRequest, Error> {
        self.send(self.request(Method::POST, &format!("/v1/subject-requests/{id}/extend")).json(&json!({"reason": reason}))).await
    }

    /// Refuses a request.
    pub async fn subject_request_refuse(&self, id: &str, reason: &str) -> Result<SubjectRequest, Error> {
        self.send(self.request(Method::POST, &format!("/v1/subject-requests/{id}/refuse")).json(&json!({"reason": reason}))).await
    }

    /// Tries a request again now, and waits for at most so many seconds.
    pub async fn subject_request_run(&self, id: &str, wait: u64) -> Result<SubjectRequest, Error> {
        self.send(self.request(Method::POST, &format!("/v1/subject-requests/{id}/run?wait={wait}"))).await
    }

    /// The package of a request as one ZIP, or its JSON alone.
    pub async fn subject_request_fetch(&self, id: &str, export: bool) -> Result<Vec<u8>, Error> {
        let part = if export { "export" } else { "package" };
        Ok(checked(self.request(Method::GET, &format!("/v1/subject-requests/{id}/{part}")).send().await?).await?.bytes().await?.to_vec())
    }

    /// What erasing somebody would come to.
    pub async fn privacy_plan(&self, subject: &SubjectRef) -> Result<ErasurePlan, Error> {
        self.send(self.request(Method::POST, "/v1/privacy/plan").json(subject)).await
    }

    /// The stores with data of people, and how their maps differ from them.
    pub async fn datasets(&self) -> Result<Vec<DataStoreStatus>, Error> {
        self.send(self.request(Method::GET, "/v1/datasets")).await
    }

    /// Rows whose time is over; with `apply` they go now.
    pub async fn privacy_retention(&self, apply: bool) -> Result<Vec<ExpiredData>, Error> {
        let (method, path) = if apply { (Method::POST, "/v1/privacy/retention/apply") } else { (Method::GET, "/v1/privacy/retention") };
        self.send(self.request(method, path)).await
    }

    /// A store came back from a backup: has those erased again who were erased since.
    pub async fn privacy_replay(&self, new: &NewErasureReplay) -> Result<ErasureReplay, Error> {
        self.send(self.request(Method::POST, "/v1/privacy/erasure-replays").json(new)).await
    }

    /// What is kept of people by decision.
    pub async fn privacy_holds(&self) -> Result<Vec<PrivacyHold>, Error> {
        self.send(self.request(Method::GET, "/v1/privacy/holds")).await
    }

    /// Keeps something of somebody.
    pub async fn privacy_hold(&self, new: &NewPrivacyHold) -> Result<PrivacyHold, Error> {
        self.send(self.request(Method::POST, "/v1/privacy/holds").json(new)).await
    }

    /// Ends a hold.
    pub async fn privacy_hold_release(&self, id: &str, reason: &str) -> Result<(), Error> {
        self.done(self.request(Method::DELETE, &with_query(&format!("/v1/privacy/holds/{id}"), &[("reason", reason.to_owned())]))).await
    }
}
