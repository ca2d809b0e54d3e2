//! Detection: rules, and addresses that are blocked.

use reqwest::Method;
use tutela_api::{AlertTest, Backtest, Block, ChangeRule, DetectionRule, LiftBlock, NewBacktest, NewBlock};

use crate::{Client, Error, with_query};

impl Client {
    /// Sends a test alert to everybody who is told of alerts.
    pub async fn alert_test(&self) -> Result<AlertTest, Error> {
        self.send(self.request(Method::POST, "/v1/alerts/test")).await
    }

    /// The rules of detection that run.
    pub async fn rules(&self) -> Result<Vec<DetectionRule>, Error> {
        self.send(self.request(Method::GET, "/v1/rules")).await
    }

    /// One rule.
    pub async fn rule(&self, name: &str) -> Result<DetectionRule, Error> {
        self.send(self.request(Method::GET, &format!("/v1/rules/{name}"))).await
    }

    /// Writes a rule, or sets how far one goes.
    pub async fn rule_set(&self, name: &str, change: &ChangeRule) -> Result<DetectionRule, Error> {
        self.send(self.request(Method::PUT, &format!("/v1/rules/{name}")).json(change)).await
    }

    /// Takes back what was written over a rule.
    pub async fn rule_reset(&self, name: &str, reason: &str) -> Result<(), Error> {
        self.done(self.request(Method::DELETE, &with_query(&format!("/v1/rules/{name}"), &[("reason", reason.to_owned())]))).await
    }

    /// What rules would have found in the last days.
    pub async fn rule_backtest(&self, wanted: &NewBacktest) -> Result<Backtest, Error> {
        self.send(self.request(Method::POST, "/v1/rules/backtest").json(wanted)).await
    }

    /// Addresses and networks that the gateway refuses, newest first, what has ended too.
    pub async fn blocks(&self) -> Result<Vec<Block>, Error> {
        self.send(self.request(Method::GET, "/v1/blocks")).await
    }

    /// Blocks an address or network.
    pub async fn block(&self, new: &NewBlock) -> Result<(), Error> {
        self.done(self.request(Method::POST, "/v1/blocks").json(new)).await
    }

    /// Lifts a block.
    pub async fn block_lift(&self, lift: &LiftBlock) -> Result<(), Error> {
        self.done(self.request(Method::POST, "/v1/blocks/lift").json(lift)).await
    }
}
