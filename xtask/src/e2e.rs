//! `e2e`: the browser suite and the SDK's live tests, against a `tutela demo` of their own.

use std::process::Command;

use crate::{
    Place, Steps, Stop, cluster, cmd,
    demo::{Begin, Demo},
    node, python,
};

/// `e2e [WORDS]`.
pub fn run(place: &Place, words: &[String], steps: &mut Steps) -> Result<(), String> {
    self::steps(place, words, steps);
    Ok(())
}

/// The steps: build, start, browser, live SDK, stop. `words` choose cases of the browser suite, and nothing beside it.
pub(crate) fn steps(place: &Place, words: &[String], steps: &mut Steps) {
    steps.step("build tutela", || cmd::run(&mut cmd::cargo(place, &["build", "-p", "tutela"])));
    let mut running = None;
    steps.step("demo starts", || {
        let scratch = place.scratch("e2e")?;
        running = Some(Demo::start(&place.program("debug"), &scratch.join("data"), &scratch.join("demo.log"), Begin::Anew)?);
        Ok(())
    });
    let Some(demo) = running else { return };
    steps.step("browser", || browser(place, &demo, words));
    if words.is_empty() {
        steps.step("Python SDK, live", || {
            let program = place.program("debug");
            // Where no search cluster can be had, its tests are the ones that are skipped.
            let clusters = cluster::variables(place).unwrap_or_default();
            python::pytest(place, "sdk/python/tests/live", |pytest| {
                pytest.env("TUTELA_LIVE_URL", &demo.own).env("TUTELA_LIVE_KEY", &demo.api_key).env("TUTELA_BIN", &program).envs(clusters)
            })
        });
    }
    if words.is_empty() {
        steps.step("demo attack", || cmd::run(Command::new(place.program("debug")).args(["demo", "attack", "--data"]).arg(&demo.data)));
    }
    steps.step("demo stops", || demo.stop());
}

fn browser(place: &Place, demo: &Demo, words: &[String]) -> Result<(), Stop> {
    let chromium = cmd::need("chromium")?;
    let suite = node::folder(place, "e2e")?;
    let mut node = Command::new(cmd::need("node")?);
    node.arg("run.mjs").args(words).current_dir(&suite).env("E2E_CHROMIUM", chromium);
    node.env("E2E_APP", &demo.app).env("E2E_OWN", &demo.own).env("E2E_CONSOLE", &demo.console);
    node.env("E2E_EMAIL", &demo.person.email).env("E2E_PASSWORD", &demo.person.password);
    node.env("E2E_LEAVER_EMAIL", &demo.leaver.email).env("E2E_LEAVER_PASSWORD", &demo.leaver.password);
    node.env("E2E_MESSAGES", &demo.messages);
    node.env("E2E_ADMIN_EMAIL", &demo.admin.email).env("E2E_ADMIN_PASSWORD", &demo.admin.password);
    // E2E_SHOTS is inherited where it is set; it is resolved here, since the suite runs in another folder.
    if let Some(shots) = std::env::var_os("E2E_SHOTS").filter(|shots| !shots.is_empty()) {
        node.env("E2E_SHOTS", std::path::absolute(shots).map_err(|e| e.to_string())?);
    }
    cmd::run(&mut node)
}
