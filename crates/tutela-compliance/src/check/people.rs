//! Accounts, sessions, programs.

use super::{Check, none_of};
use crate::{
    facts::{Facts, People},
    finding::Finding,
};

const ACCOUNTS: &str = "GET /v1/accounts";

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "admins-use-two-factors",
        looks_at: "administrators have a second factor",
        judge: |facts| of(facts, |people| none_of(&people.admins_without_second, (people.admins, "administrators"), "have no second factor", ACCOUNTS)),
    },
    Check {
        name: "grants-approved",
        looks_at: "permissions beside roles were approved",
        judge: |facts| {
            of(facts, |people| none_of(&people.grants_unapproved, (people.grants, "permissions beside roles"), "have no approver", "GET /v1/grants"))
        },
    },
    Check {
        name: "leavers-have-no-way-in",
        looks_at: "accounts that are off have no session",
        judge: |facts| of(facts, |people| none_of(&people.leavers_inside, (people.disabled, "accounts that are off"), "have a session", ACCOUNTS)),
    },
    Check {
        name: "no-idle-accounts",
        looks_at: "accounts that nobody uses for 90 days are off",
        judge: |facts| of(facts, |people| none_of(&people.idle, (people.enabled, "accounts"), "were not used for 90 days", ACCOUNTS)),
    },
    Check {
        name: "password-only-accounts",
        looks_at: "a password alone is changed every 90 days",
        judge: |facts| {
            of(facts, |people| {
                none_of(&people.old_passwords, (people.password_only, "accounts with a password alone"), "have had it for more than 90 days", ACCOUNTS)
            })
        },
    },
    Check {
        name: "program-keys-rotate",
        looks_at: "keys of programs are younger than a year",
        judge: |facts| {
            of(facts, |people| none_of(&people.old_program_keys, (people.program_keys, "keys of programs"), "are older than a year", "GET /v1/clients"))
        },
    },
    Check {
        name: "roles-used",
        looks_at: "people have permissions by roles",
        judge: |facts| {
            of(facts, |people| {
                let finding = if people.enabled == 0 {
                    super::no_data("there are no accounts", ACCOUNTS)
                } else if people.grants > people.enabled {
                    super::fail("more permissions are given beside roles than there are people: make roles of them", ACCOUNTS)
                } else {
                    super::pass("permissions come from roles", ACCOUNTS)
                };
                finding.counted("grants", people.grants).counted("accounts", people.enabled)
            })
        },
    },
];

fn of(facts: &Facts, judge: impl Fn(&People) -> Finding) -> Finding {
    facts.people.as_ref().map_or_else(|| Finding::silent(ACCOUNTS), judge)
}
