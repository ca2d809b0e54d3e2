//! Roles, and the one function that says yes.

use tutela_core::Principal;

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

    #[test]
    fn malformed_roles_are_refused() {
        for (name, permission) in [("", "a:b"), ("Bad", "a:b"), ("ok", "a"), ("ok", "a:b:c"), ("ok", "*:b"), ("admin", "a:b")] {
            assert!(Role::new(name, vec![permission.to_owned()]).is_err(), "{name} {permission}");
        }
    }
}
