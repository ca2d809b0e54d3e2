//! `peers`: comparisons with other programs on this machine, slower than what a commit has to pass.

use std::path::PathBuf;

use crate::{Place, Steps, Stop, bench, cmd, go, keycloak, node, python, rust};

/// Who is compared with, what has to be installed, and which benchmark does it.
const PEERS: &[(&str, &[&str], &str)] = &[
    ("coraza", &["go", "nginx", "wrk"], "waf"),
    ("keycloak", &["java", "mvn", "unzip"], "identity"),
    ("nginx", &["nginx", "wrk"], "proxy"),
    ("openbao", &["python3"], "crypto"),
    ("postgresql", &["setpriv"], "ledger"),
];

/// The peers of federation, which are tested with and not measured.
const FEDERATION: &str = "federation";
/// What else evaluates Sigma's rules.
const RSIGMA: &str = "rsigma";

/// `peers [NAME...]`: all of them where none is named.
pub fn run(place: &Place, words: &[String], steps: &mut Steps) -> Result<(), String> {
    let mut known: Vec<&str> = PEERS.iter().map(|(name, ..)| *name).collect();
    known.extend([FEDERATION, RSIGMA]);
    if let Some(stranger) = words.iter().find(|word| !known.contains(&word.as_str())) {
        return Err(format!("there is no peer `{stranger}`; there are {}", known.join(", ")));
    }
    let wanted = |name: &str| words.is_empty() || words.iter().any(|word| word == name);
    for (name, needs, benchmark) in PEERS.iter().filter(|(name, ..)| wanted(name)) {
        if let Some(missing) = needs.iter().find(|program| cmd::find(program).is_none()) {
            steps.step(&format!("peer {name}"), || Err(Stop::Skipped(format!("`{missing}` is not installed"))));
            continue;
        }
        bench::run(place, &[(*benchmark).to_owned()], steps)?;
    }
    if wanted(FEDERATION) {
        federation(place, steps);
    }
    if wanted(RSIGMA) {
        steps.step("rsigma: the same rules over the same events", || {
            let mut command = cmd::cargo(place, &["test", "-p", "tutela-detection", "--test", "beside", "--", "--nocapture"]);
            cmd::run(command.env("TUTELA_RSIGMA", rust::rsigma(place)?))
        });
        bench::run(place, &["detection".to_owned()], steps)?;
    }
    Ok(())
}

/// Each provider and each client that federation is tried with, a step for each.
fn federation(place: &Place, steps: &mut Steps) {
    let light = |steps: &mut Steps, name: &str, words: &'static [&'static str]| {
        steps.step(name, || {
            let (python, folder) = (python::test_python(place)?, node::folder(place, "xtask/federation")?);
            let mut command = cmd::cargo(place, &["test", "-p", "tutela", "--test", "it", "--"]);
            cmd::run(command.args(words).env("TUTELA_TEST_PYTHON", python).env("TUTELA_FEDERATION", folder).env("TUTELA_REQUIRE_ALL", "1"))
        });
    };
    light(steps, "provider: npm oidc-provider, OpenID Connect and OAuth 2.0", &["federation::"]);
    light(steps, "provider: pysaml2 with xmlsec1, SAML", &["saml::"]);
    light(steps, "client: npm openid-client", &["oauth::"]);
    steps.step("client and resource server: authlib", || {
        cmd::run(&mut cmd::cargo(place, &["build", "-p", "tutela"]))?;
        let program = place.program("debug");
        python::pytest(place, "sdk/python/tests/live/test_oauth_live.py", |pytest| pytest.env("TUTELA_BIN", &program))
    });
    let heavy = |name: &'static str, variable: &'static str, found: Result<PathBuf, Stop>| {
        let mut command = cmd::cargo(place, &["test", "-p", "tutela", "--test", "matrix", "--", name]);
        cmd::run(command.env(variable, found?).env("TUTELA_REQUIRE_ALL", "1"))
    };
    steps.step("provider: Keycloak, OpenID Connect and SAML", || heavy("keycloak", "TUTELA_KEYCLOAK", keycloak::home(place)));
    steps.step("provider: crewjam/saml, SAML", || heavy("crewjam", "TUTELA_SAMLIDP", samlidp(place)));
}

/// crewjam's provider, built from its module.
fn samlidp(place: &Place) -> Result<PathBuf, Stop> {
    go::built(place, "xtask/federation/samlidp")
}
