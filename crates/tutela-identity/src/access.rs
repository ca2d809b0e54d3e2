//! The permission decision: roles, the roles of groups, and grants beside them. Deny wins, and unknown is no.
//!
//! ```text
//!   a live deny for this permission and resource -> no
//!   a role, one's own or a group's ---------------> yes, on every resource
//!   a live allow for it and the resource ---------> yes
//!   anything else --------------------------------> no
//! ```
//! A grant on some resources says nothing where no resource is asked for.

use std::collections::{BTreeMap, BTreeSet};

use tutela_core::{AccountId, GrantId, Grants, Timestamp, permission_covers};

use crate::{Error, Role};

/// Longest name of a resource.
pub const LONGEST_RESOURCE: usize = 256;

/// Whether a grant gives or takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Gives.
    Allow,
    /// Takes, whatever else gives.
    Deny,
}

impl Effect {
    /// As stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }

    /// From its word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Allow, Self::Deny].into_iter().find(|effect| effect.as_str() == word)
    }
}

/// Whom a grant is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grantee {
    /// One account.
    Account(AccountId),
    /// Every member of a group.
    Group(String),
}

/// A permission given or denied beside roles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Its id.
    pub id: GrantId,
    /// Whom it is for.
    pub to: Grantee,
    /// Whether it gives or takes.
    pub effect: Effect,
    /// `room:what`, `room:*` or `*`.
    pub permission: String,
    /// `*`, a name such as `album/7`, or all below one: `album/*`.
    pub resource: String,
    /// Why, for the ledger.
    pub reason: String,
    /// Who approved it.
    pub approver: String,
    /// When it was given.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
}

impl Grant {
    /// Refuses what means nothing.
    pub fn check(&self, now: Timestamp) -> Result<(), Error> {
        Role::new("grant", vec![self.permission.clone()]).map_err(|e| match e {
            Error::Invalid { message, .. } => Error::invalid("permission", message),
            other => other,
        })?;
        let resource = &self.resource;
        let shape = resource.strip_suffix("/*").unwrap_or(resource);
        let fine = resource == "*" || (!shape.is_empty() && !shape.contains('*') && resource.len() <= LONGEST_RESOURCE && !shape.chars().any(char::is_control));
        if !fine {
            return Err(Error::invalid("resource", "a resource is `*`, a name such as `album/7`, or `album/*` for all below one"));
        }
        if self.expires_at.is_some_and(|end| end <= now) {
            return Err(Error::invalid("expires_at", "a grant ends in the future"));
        }
        Ok(())
    }

    fn is_live(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }

    /// Whether it speaks of this permission and resource.
    fn fits(&self, wanted: &str, resource: Option<&str>) -> bool {
        let place = match (self.resource.as_str(), resource) {
            ("*", _) => true,
            (_, None) => false,
            (pattern, Some(resource)) => pattern == resource || pattern.strip_suffix('*').is_some_and(|below| resource.starts_with(below)),
        };
        permission_covers(&self.permission, wanted) && place
    }
}

/// What everybody's decision rests on: roles, and the roles of groups.
#[derive(Debug, Clone, Default)]
pub struct Access {
    roles: BTreeMap<String, Role>,
    groups: BTreeMap<String, Vec<String>>,
}

/// What one account holds.
#[derive(Debug, Clone, Default)]
pub struct Holder {
    /// Whether the account may be used at all.
    pub active: bool,
    /// Its own roles.
    pub roles: Vec<String>,
    /// Groups it is in.
    pub groups: Vec<String>,
    /// Grants to it and to its groups.
    pub grants: Vec<Grant>,
}

/// Yes or no, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Whether it is allowed.
    pub allowed: bool,
    /// Which role or grant decided, or that none did.
    pub reason: String,
}

impl Access {
    /// From storage: roles, and the roles of each group.
    pub fn new(roles: impl IntoIterator<Item = Role>, groups: impl IntoIterator<Item = (String, Vec<String>)>) -> Self {
        Self { roles: roles.into_iter().map(|r| (r.name.clone(), r)).collect(), groups: groups.into_iter().collect() }
    }

    /// Whether a role exists.
    pub fn has_role(&self, name: &str) -> bool {
        self.roles.contains_key(name)
    }

    /// Whether a group exists.
    pub fn has_group(&self, name: &str) -> bool {
        self.groups.contains_key(name)
    }

    /// The roles that a group gives its members.
    pub fn group_roles(&self, name: &str) -> &[String] {
        self.groups.get(name).map_or(&[], Vec::as_slice)
    }

    /// Every role somebody has, their own and those of their groups, sorted.
    pub fn roles_of(&self, holder: &Holder) -> Vec<String> {
        let of_groups = holder.groups.iter().flat_map(|group| self.group_roles(group));
        let mut all: Vec<String> = holder.roles.iter().chain(of_groups).cloned().collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// What somebody may do wherever no resource is named.
    pub fn grants_of(&self, holder: &Holder, now: Timestamp) -> Grants {
        if !holder.active {
            return Grants::default();
        }
        let roles = self.roles_of(holder);
        let of_roles = roles.iter().filter_map(|name| self.roles.get(name)).flat_map(|role| role.permissions.iter().cloned());
        let live = |effect| holder.grants.iter().filter(move |g| g.effect == effect && g.resource == "*" && g.is_live(now)).map(|g| g.permission.clone());
        Grants::new(of_roles.chain(live(Effect::Allow))).without(live(Effect::Deny))
    }

    /// Decides whether somebody may do `wanted`, the name of a role or a permission, on `resource`.
    pub fn decide(&self, holder: &Holder, wanted: &str, resource: Option<&str>, now: Timestamp) -> Decision {
        let yes = |reason: String| Decision { allowed: true, reason };
        let no = |reason: String| Decision { allowed: false, reason };
        if !holder.active {
            return no("the account is disabled".to_owned());
        }
        let live = || holder.grants.iter().filter(|grant| grant.is_live(now) && grant.fits(wanted, resource));
        if let Some(denied) = live().find(|grant| grant.effect == Effect::Deny) {
            return no(format!("the grant {} denies it: {}", denied.id, denied.reason));
        }
        if let Some(role) = holder.roles.iter().find(|name| self.role_gives(name, wanted)) {
            return yes(because(role, wanted));
        }
        for group in &holder.groups {
            if let Some(role) = self.group_roles(group).iter().find(|name| self.role_gives(name, wanted)) {
                return yes(format!("{}, through the group `{group}`", because(role, wanted)));
            }
        }
        if let Some(allowed) = live().find(|grant| grant.effect == Effect::Allow) {
            return yes(format!("the grant {} gives it: {}", allowed.id, allowed.reason));
        }
        let of_groups = holder.groups.iter().flat_map(|group| self.group_roles(group));
        let held: BTreeSet<&str> = holder.roles.iter().chain(of_groups).map(String::as_str).collect();
        let held: Vec<&str> = held.into_iter().collect();
        no(if held.is_empty() { "the subject holds no role".to_owned() } else { format!("none of the roles held ({}) grants it", held.join(", ")) })
    }

    fn role_gives(&self, name: &str, wanted: &str) -> bool {
        let Some(role) = self.roles.get(name) else { return false };
        (!wanted.contains(':') && name == wanted) || role.permissions.iter().any(|held| permission_covers(held, wanted))
    }
}

fn because(role: &str, wanted: &str) -> String {
    if role == wanted { format!("holds the role `{role}`") } else { format!("the role `{role}` grants it") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tutela_core::{Env, SystemEnv};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_secs(1_000_000 + seconds)
    }

    fn access() -> Access {
        let roles = [("admin", "*"), ("editor", "photos:edit"), ("keeper", "photos:*")].map(|(n, p)| Role::new(n, vec![p.to_owned()]).unwrap());
        Access::new(roles, [("night shift".to_owned(), vec!["editor".to_owned()])])
    }

    fn grant(effect: Effect, permission: &str, resource: &str) -> Grant {
        let env: &dyn Env = &SystemEnv;
        let rng = &mut { env };
        Grant {
            id: GrantId::new(at(0), rng),
            to: Grantee::Account(AccountId::new(at(0), rng)),
            effect,
            permission: permission.into(),
            resource: resource.into(),
            reason: "stands in for Ben".into(),
            approver: "Ada".into(),
            created_at: at(0),
            expires_at: Some(at(100)),
        }
    }

    fn holder(roles: &[&str], groups: &[&str], grants: Vec<Grant>) -> Holder {
        let owned = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect();
        Holder { active: true, roles: owned(roles), groups: owned(groups), grants }
    }

    #[test]
    fn a_bare_name_is_a_role_and_a_dotted_one_a_permission() {
        let decide = |roles: &[&str], wanted: &str| access().decide(&holder(roles, &[], vec![]), wanted, None, at(0)).allowed;
        assert!(decide(&["admin"], "admin") && decide(&["admin"], "photos:edit") && decide(&["keeper"], "photos:delete"));
        assert!(decide(&["admin"], "editor"), "`*` covers a bare permission name too");
        for (roles, wanted) in [(&["editor"][..], "admin"), (&["editor"], "photos:delete"), (&[], "photos:edit"), (&["gone"], "photos:edit")] {
            assert!(!decide(roles, wanted), "{roles:?} {wanted}");
        }
    }

    #[test]
    fn grants_reach_as_far_as_they_say_and_end() {
        let ben = holder(&[], &[], vec![grant(Effect::Allow, "photos:edit", "album/*")]);
        let may = |resource, now| access().decide(&ben, "photos:edit", resource, at(now)).allowed;
        assert!(may(Some("album/7"), 0));
        for (resource, now) in [(Some("albums/7"), 0), (Some("album"), 0), (None, 0), (Some("album/7"), 100)] {
            assert!(!may(resource, now), "{resource:?} at {now}");
        }
        assert!(!access().decide(&ben, "photos:delete", Some("album/7"), at(0)).allowed);
    }

    #[test]
    fn deny_wins_over_everything_that_gives() {
        let denied = holder(&["admin"], &["night shift"], vec![grant(Effect::Deny, "photos:edit", "album/7"), grant(Effect::Allow, "photos:edit", "*")]);
        let decision = access().decide(&denied, "photos:edit", Some("album/7"), at(0));
        assert!(!decision.allowed && decision.reason.contains("denies it"), "{decision:?}");
        assert!(access().decide(&denied, "photos:edit", Some("album/8"), at(0)).allowed);
        assert!(access().decide(&denied, "photos:edit", Some("album/7"), at(100)).allowed, "it has ended");
        let everywhere = holder(&["admin"], &[], vec![grant(Effect::Deny, "accounts:*", "*")]);
        let grants = access().grants_of(&everywhere, at(0));
        assert!(grants.allow("ledger:read") && !grants.allow("accounts:write"));
    }

    #[test]
    fn a_group_gives_its_roles_and_a_disabled_account_gets_nothing() {
        let member = holder(&[], &["night shift"], vec![]);
        let decision = access().decide(&member, "photos:edit", None, at(0));
        assert_eq!(decision.reason, "the role `editor` grants it, through the group `night shift`");
        assert_eq!(access().roles_of(&member), ["editor"]);
        let off = Holder { active: false, ..holder(&["admin"], &[], vec![]) };
        assert!(!access().decide(&off, "photos:edit", None, at(0)).allowed && !access().grants_of(&off, at(0)).allow("photos:edit"));
    }

    #[test]
    fn grants_that_mean_nothing_are_refused() {
        assert!(grant(Effect::Allow, "photos:edit", "album/*").check(at(0)).is_ok());
        for (permission, resource, now) in
            [("photos", "*", 0), ("photos:edit", "", 0), ("photos:edit", "a*b", 0), ("photos:edit", "**", 0), ("photos:edit", "*", 100)]
        {
            assert!(grant(Effect::Allow, permission, resource).check(at(now)).is_err(), "{permission} {resource} {now}");
        }
    }
}
