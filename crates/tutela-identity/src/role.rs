//! Roles, and the one function that says yes.

use std::collections::BTreeMap;

use tutela_core::{Grants, Principal};

use crate::Error;

/// The role that may do everything; it always exists.
pub const ADMIN: &str = "admin";

/// A named set of permissions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// What it allows.
    pub permissions: Vec<String>,
}

impl Role {
    /// Checks name and permissions.
    pub fn new(name: &str, permissions: Vec<String>) -> Result<Self, Error> {
        let is_word =
            |text: &str| !text.is_empty() && text.len() <= 64 && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b));
        if !is_word(name) {
            return Err(Error::invalid("name", "a role's name has 1 to 64 characters of `a-z 0-9 _ -`"));
        }
        if permissions.len() > 256 {
            return Err(Error::invalid("permissions", "a role has at most 256 permissions"));
        }
        let is_permission = |p: &String| p == "*" || p.split_once(':').is_some_and(|(room, what)| is_word(room) && (what == "*" || is_word(what)));
        if let Some(bad) = permissions.iter().find(|p| !is_permission(p)) {
            return Err(Error::invalid("permissions", format!("`{bad}` is not a permission; expected `room:what`, `room:*` or `*`")));
        }
        if name == ADMIN && permissions != ["*"] {
            return Err(Error::invalid("permissions", "the role `admin` always has the one permission `*`"));
        }
        Ok(Self { name: name.to_owned(), permissions })
    }
}

/// All roles of the instance.
#[derive(Debug, Clone, Default)]
pub struct Roles {
    by_name: BTreeMap<String, Role>,
}

impl Roles {
    /// From storage.
    pub fn new(roles: impl IntoIterator<Item = Role>) -> Self {
        Self { by_name: roles.into_iter().map(|r| (r.name.clone(), r)).collect() }
    }

    /// Whether a role exists.
    pub fn contains(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    /// The permissions of somebody who holds `held`.
    pub fn grants(&self, held: &[String]) -> Grants {
        Grants::new(held.iter().filter_map(|name| self.by_name.get(name)).flat_map(|role| role.permissions.iter().cloned()))
    }

    /// Whether somebody who holds `held` may do `wanted`: the name of a role, or a permission.
    /// The text says which role granted it, or that none did.
    pub fn decide(&self, held: &[String], wanted: &str) -> Result<String, String> {
        if !wanted.contains(':') && held.iter().any(|name| name == wanted) {
            return Ok(format!("holds the role `{wanted}`"));
        }
        let granting = held.iter().filter_map(|name| self.by_name.get(name)).find(|role| Grants::new(role.permissions.iter().cloned()).allow(wanted));
        match granting {
            Some(role) => Ok(format!("the role `{}` grants it", role.name)),
            None if held.is_empty() => Err("the subject holds no role".to_owned()),
            None => Err(format!("none of the roles held ({}) grants it", held.join(", "))),
        }
    }
}

/// Proof that a principal may do one thing. Only [`authorize`] makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permit {
    permission: &'static str,
}

impl Permit {
    /// What it permits.
    pub fn permission(&self) -> &'static str {
        self.permission
    }
}

/// The principal may not do this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Denied {
    /// What was wanted.
    pub permission: &'static str,
    /// Whether signing in could help.
    pub anonymous: bool,
}

/// Asks whether `principal` may do `permission`.
pub fn authorize(principal: &Principal, permission: &'static str) -> Result<Permit, Denied> {
    if principal.allows(permission) { Ok(Permit { permission }) } else { Err(Denied { permission, anonymous: matches!(principal, Principal::Anonymous) }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roles() -> Roles {
        Roles::new([("admin", "*"), ("editor", "photos:edit"), ("keeper", "photos:*")].map(|(n, p)| Role::new(n, vec![p.to_owned()]).unwrap()))
    }

    #[test]
    fn a_bare_name_is_a_role_and_a_dotted_one_a_permission() {
        let held = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        let roles = roles();
        assert!(roles.decide(&held(&["admin"]), "admin").is_ok());
        assert!(roles.decide(&held(&["admin"]), "photos:edit").is_ok());
        assert!(roles.decide(&held(&["keeper"]), "photos:delete").is_ok());
        for (held, wanted) in [(held(&["editor"]), "admin"), (held(&["editor"]), "photos:delete"), (held(&[]), "photos:edit"), (held(&["gone"]), "photos:edit")]
        {
            assert!(roles.decide(&held, wanted).is_err());
        }
    }

    #[test]
    fn an_administrator_holds_every_role_s_permissions_but_only_its_own_name() {
        assert!(roles().decide(&["admin".to_owned()], "editor").is_ok(), "`*` covers a bare permission name too");
    }

    #[test]
    fn malformed_roles_are_refused() {
        for (name, permission) in [("", "a:b"), ("Bad", "a:b"), ("ok", "a"), ("ok", "a:b:c"), ("ok", "*:b"), ("admin", "a:b")] {
            assert!(Role::new(name, vec![permission.to_owned()]).is_err(), "{name} {permission}");
        }
    }
}
