//! Accounts, groups and grants beyond the everyday calls.

use reqwest::Method;
use tutela_api::{AccountDetail, AccountsVerified, Authenticator, Grant, Group, NewGrant, Page, PermissionHolder, PermissionsOf, ReasonBody, SetupLink};

use crate::{Client, Error, with_query};

impl Client {
    /// One account.
    pub async fn account(&self, id: &str) -> Result<AccountDetail, Error> {
        self.send(self.request(Method::GET, &format!("/v1/accounts/{id}"))).await
    }

    /// Holds every account against the ledger.
    pub async fn accounts_verify(&self) -> Result<AccountsVerified, Error> {
        self.send(self.request(Method::POST, "/v1/accounts/verify")).await
    }

    /// Lets a disabled account sign in again.
    pub async fn account_enable(&self, id: &str, reason: &str) -> Result<(), Error> {
        self.because(&format!("/v1/accounts/{id}/enable"), reason).await
    }

    /// Lifts the locks of an account.
    pub async fn account_unlock(&self, id: &str, reason: &str) -> Result<(), Error> {
        self.because(&format!("/v1/accounts/{id}/unlock"), reason).await
    }

    /// Has somebody choose another password at the next sign-in.
    pub async fn account_require_password_change(&self, id: &str, reason: &str) -> Result<(), Error> {
        self.because(&format!("/v1/accounts/{id}/password-change"), reason).await
    }

    /// Deletes an account.
    pub async fn account_delete(&self, id: &str, reason: &str) -> Result<(), Error> {
        let path = with_query(&format!("/v1/accounts/{id}"), &[("reason", reason.to_owned())]);
        self.done(self.request(Method::DELETE, &path)).await
    }

    /// A fresh set-up link for an account.
    pub async fn account_invite(&self, id: &str) -> Result<SetupLink, Error> {
        self.send(self.request(Method::POST, &format!("/v1/accounts/{id}/setup-link"))).await
    }

    /// Ways to sign in of an account.
    pub async fn authenticators(&self, account: &str) -> Result<Vec<Authenticator>, Error> {
        self.send(self.request(Method::GET, &format!("/v1/accounts/{account}/authenticators"))).await
    }

    /// Removes a way to sign in of somebody who was identified anew.
    pub async fn authenticator_remove(&self, account: &str, id: &str, reason: &str) -> Result<(), Error> {
        let path = with_query(&format!("/v1/accounts/{account}/authenticators/{id}"), &[("reason", reason.to_owned())]);
        self.done(self.request(Method::DELETE, &path)).await
    }

    /// All groups.
    pub async fn groups(&self) -> Result<Vec<Group>, Error> {
        self.send(self.request(Method::GET, "/v1/groups")).await
    }

    /// Makes a group or sets its roles.
    pub async fn group_set(&self, group: &Group) -> Result<(), Error> {
        self.done(self.request(Method::PUT, "/v1/groups").json(group)).await
    }

    /// Deletes a group.
    pub async fn group_delete(&self, name: &str) -> Result<(), Error> {
        self.done(self.request(Method::DELETE, &format!("/v1/groups/{name}"))).await
    }

    /// Members of a group.
    pub async fn group_members(&self, name: &str) -> Result<Page<String>, Error> {
        self.send(self.request(Method::GET, &format!("/v1/groups/{name}/members"))).await
    }

    /// Puts an account into a group, or takes it out.
    pub async fn group_set_member(&self, name: &str, account: &str, joined: bool) -> Result<(), Error> {
        let method = if joined { Method::PUT } else { Method::DELETE };
        self.done(self.request(method, &format!("/v1/groups/{name}/members/{account}"))).await
    }

    /// Live grants, newest first.
    pub async fn grants(&self) -> Result<Page<Grant>, Error> {
        self.send(self.request(Method::GET, "/v1/grants")).await
    }

    /// Gives or denies a permission.
    pub async fn grant(&self, new: &NewGrant) -> Result<Grant, Error> {
        self.send(self.request(Method::POST, "/v1/grants").json(new)).await
    }

    /// Takes a grant back.
    pub async fn grant_end(&self, id: &str, reason: &str) -> Result<(), Error> {
        let path = with_query(&format!("/v1/grants/{id}"), &[("reason", reason.to_owned())]);
        self.done(self.request(Method::DELETE, &path)).await
    }

    /// What somebody may do.
    pub async fn permissions_of(&self, account: &str) -> Result<PermissionsOf, Error> {
        self.send(self.request(Method::GET, &format!("/v1/permissions/of/{account}"))).await
    }

    /// Who may do something: one page.
    pub async fn permission_holders(&self, query: &[(&str, String)]) -> Result<Page<PermissionHolder>, Error> {
        self.send(self.request(Method::GET, &with_query("/v1/permissions/holders", query))).await
    }

    async fn because(&self, path: &str, reason: &str) -> Result<(), Error> {
        self.done(self.request(Method::POST, path).json(&ReasonBody { reason: reason.to_owned() })).await
    }
}
