//! The gateway: what it guards, and reading its configuration again.

use reqwest::Method;
use tutela_api::{Exclusion, Gateway, LiftLimit, Limited, NewExclusion, Reloaded};

use crate::{Client, Error, with_query};

impl Client {
    /// What the gateway guards, and how.
    pub async fn gateway(&self) -> Result<Gateway, Error> {
        self.send(self.request(Method::GET, "/v1/gateway")).await
    }

    /// Has the server read its configuration again.
    pub async fn gateway_reload(&self) -> Result<Reloaded, Error> {
        self.send(self.request(Method::POST, "/v1/gateway/reload")).await
    }

    /// Whom limits of requests refuse on the node that answers.
    pub async fn limited(&self) -> Result<Vec<Limited>, Error> {
        self.send(self.request(Method::GET, "/v1/limits")).await
    }

    /// Lets somebody in again whom a limit refuses.
    pub async fn limit_lift(&self, lift: &LiftLimit) -> Result<(), Error> {
        self.done(self.request(Method::POST, "/v1/limits/lift").json(lift)).await
    }

    /// What is excepted from rules of the firewall, newest first, what has ended too.
    pub async fn exclusions(&self) -> Result<Vec<Exclusion>, Error> {
        self.send(self.request(Method::GET, "/v1/gateway/exclusions")).await
    }

    /// Excepts rules of the firewall on a route.
    pub async fn exclude(&self, new: &NewExclusion) -> Result<Vec<Exclusion>, Error> {
        self.send(self.request(Method::POST, "/v1/gateway/exclusions").json(new)).await
    }

    /// Ends an exclusion.
    pub async fn exclusion_end(&self, id: &str, reason: &str) -> Result<(), Error> {
        self.done(self.request(Method::DELETE, &with_query(&format!("/v1/gateway/exclusions/{id}"), &[("reason", reason.to_owned())]))).await
    }
}
