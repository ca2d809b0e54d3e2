//! The gateway: what it guards, and reading its configuration again.

use reqwest::Method;
use tutela_api::{Gateway, Reloaded};

use crate::{Client, Error};

impl Client {
    /// What the gateway guards, and how.
    pub async fn gateway(&self) -> Result<Gateway, Error> {
        self.send(self.request(Method::GET, "/v1/gateway")).await
    }

    /// Has the server read its configuration again.
    pub async fn gateway_reload(&self) -> Result<Reloaded, Error> {
        self.send(self.request(Method::POST, "/v1/gateway/reload")).await
    }
}
