//! In this process, one core: permission decisions, and the verification of access tokens.

use std::{collections::BTreeMap, hint::black_box};

use tutela_core::{AccountId, GrantId, Random, Timestamp};
use tutela_identity::{
    AccessClaims, Algorithm, Role, TokenKeys,
    access::{Access, Effect, Grant, Grantee, Holder},
    jwt::{SigningKey, TokenKey},
};

use crate::{machine::thread_cpu, report::Report, stats::median};

const ISSUER: &str = "https://id.example.com";
const PASSES: usize = 7;

/// Bytes that are the same in every run.
struct Same;

impl Random for Same {
    fn fill(&mut self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

/// Measures and tells.
pub fn measure(report: &mut Report) -> Result<(), String> {
    let now = Timestamp::from_secs(1_790_000_000);
    let (access, holder) = house(now)?;
    // By a role, by a role of a group, by a grant on a resource, denied, and not at all.
    let questions = [("photos:view", None), ("albums:edit", None), ("films:cut", Some("film/7")), ("films:cut", Some("film/9")), ("bills:pay", None)];
    let expected = [true, true, true, false, false];
    for ((wanted, resource), right) in questions.iter().zip(expected) {
        let decision = access.decide(&holder, wanted, *resource, now);
        if decision.allowed != right {
            return Err(format!("{wanted} on {resource:?}: {}", decision.reason));
        }
    }
    let rates: Vec<f64> =
        questions.iter().map(|(wanted, resource)| per_second(200_000, || drop(black_box(access.decide(&holder, wanted, *resource, now))))).collect();
    report.figure("decisions_per_s", rates.iter().copied().fold(f64::INFINITY, f64::min));
    report.raw(
        "decisions_per_s",
        questions.iter().zip(&rates).map(|((wanted, on), rate)| serde_json::json!({"asked": wanted, "on": on, "per_s": rate})).collect(),
    );

    let key = SigningKey::restore(Algorithm::EdDsa, &[7; 32]).and_then(|key| TokenKey::new(key, now));
    let signer = TokenKeys::new(vec![key.map_err(|e| e.to_string())?]);
    let token = signer.sign(&claims(now), now).map_err(|e| e.to_string())?;
    let verify = || signer.verify::<AccessClaims>(&token, ISSUER, &["photos"], now).is_ok();
    if !verify() {
        return Err("a token does not verify".into());
    }
    report.figure(
        "verifications_per_s",
        per_second(5_000, || {
            black_box(verify());
        }),
    );
    Ok(())
}

/// The median of some passes, by the CPU time of this thread.
fn per_second(count: u32, mut once: impl FnMut()) -> f64 {
    let pass = |_| {
        let begun = thread_cpu();
        (0..count).for_each(|_| once());
        f64::from(count) / (thread_cpu() - begun)
    };
    median((0..PASSES).map(pass).collect())
}

/// Somebody as they are in a company: four roles of thirty, two groups, six grants.
fn house(now: Timestamp) -> Result<(Access, Holder), String> {
    let role = |number: usize| {
        let permissions =
            ["photos:view", "letters:read", "tasks:*", "albums:view"].map(|name| if number == 3 { name.to_owned() } else { format!("r{number}{name}") });
        Role::new(&format!("role{number}"), permissions.to_vec()).map_err(|e| e.to_string())
    };
    let mut roles = (0..30).map(role).collect::<Result<Vec<_>, _>>()?;
    roles.push(Role::new("editor", vec!["albums:edit".into()]).map_err(|e| e.to_string())?);
    let groups = BTreeMap::from([("day".to_owned(), vec!["role9".to_owned()]), ("night".to_owned(), vec!["editor".to_owned()])]);
    let account = AccountId::new(now, &mut Same);
    let grant = |effect, permission: &str, resource: &str| Grant {
        id: GrantId::new(now, &mut Same),
        to: Grantee::Account(account),
        effect,
        permission: permission.to_owned(),
        resource: resource.to_owned(),
        reason: "cuts the old ones".into(),
        approver: "Grace".into(),
        created_at: now,
        expires_at: None,
    };
    let mut grants: Vec<Grant> = (0..4).map(|number| grant(Effect::Allow, "letters:send", &format!("letter/{number}"))).collect();
    grants.push(grant(Effect::Allow, "films:cut", "film/*"));
    grants.push(grant(Effect::Deny, "films:cut", "film/9"));
    let roles_held = ["role0", "role1", "role2", "role3"].map(str::to_owned).to_vec();
    Ok((Access::new(roles, groups), Holder { active: true, roles: roles_held, groups: vec!["day".into(), "night".into()], grants }))
}

fn claims(now: Timestamp) -> AccessClaims {
    AccessClaims {
        iss: ISSUER.into(),
        aud: "photos".into(),
        sub: "01a203a9-5b4a-7394-8999-98039a275aae".into(),
        client_id: "01a203a9-5b4a-7394-8999-98039a275aaf".into(),
        sid: Some("01a203a9-5b4a-7394-8999-98039a275ab0".into()),
        jti: "01a203a9-5b4a-7394-8999-98039a275ab1".into(),
        acr: Some("aal2".into()),
        amr: vec!["pwd".into(), "otp".into(), "mfa".into()],
        auth_time: Some(now.secs()),
        scope: String::new(),
        iat: now.secs(),
        exp: now.secs() + 900,
    }
}
