//! `e2e`: the browser suite and the SDK's live tests, against a `tutela demo` of their own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    Place, Steps, Stop, cluster, cmd,
    demo::{Begin, Demo},
    python,
};

/// `e2e [WORDS]`.
pub fn run(place: &Place, words: &[String], steps: &mut Steps) -> Result<(), String> {
    self::steps(place, words, steps);
    Ok(())
}

/// The steps: build, start, browser, live SDK, stop. `words` choose cases of the browser suite.
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
    steps.step("Python SDK, live", || {
        let program = place.program("debug");
        // Where no search cluster can be had, its tests are the ones that are skipped.
        let clusters = cluster::variables(place).unwrap_or_default();
        python::pytest(place, "sdk/python/tests/live", |pytest| {
            pytest.env("TUTELA_LIVE_URL", &demo.own).env("TUTELA_LIVE_KEY", &demo.api_key).env("TUTELA_BIN", &program).envs(clusters)
        })
    });
    steps.step("demo stops", || demo.stop());
}

fn browser(place: &Place, demo: &Demo, words: &[String]) -> Result<(), Stop> {
    let chromium = cmd::need("chromium")?;
    let suite = suite(place)?;
    let mut node = Command::new(cmd::need("node")?);
    node.arg("run.mjs").args(words).current_dir(&suite).env("E2E_CHROMIUM", chromium);
    node.env("E2E_APP", &demo.app).env("E2E_OWN", &demo.own).env("E2E_CONSOLE", &demo.console);
    node.env("E2E_EMAIL", &demo.person.email).env("E2E_PASSWORD", &demo.person.password);
    node.env("E2E_MESSAGES", &demo.messages);
    node.env("E2E_ADMIN_EMAIL", &demo.admin.email).env("E2E_ADMIN_PASSWORD", &demo.admin.password);
    // E2E_SHOTS is inherited where it is set; it is resolved here, since the suite runs in another folder.
    if let Some(shots) = std::env::var_os("E2E_SHOTS").filter(|shots| !shots.is_empty()) {
        node.env("E2E_SHOTS", std::path::absolute(shots).map_err(|e| e.to_string())?);
    }
    cmd::run(&mut node)
}

/// A copy of `e2e/` in the cache folder with its packages installed, so that the tree stays clean.
fn suite(place: &Place) -> Result<PathBuf, Stop> {
    let from = place.file("e2e");
    let lock = from.join("package-lock.json");
    let manifest = from.join("package.json");
    let locked = lock.exists();
    let of = if locked { vec![manifest.as_path(), lock.as_path()] } else { vec![manifest.as_path()] };
    let dir = place.cache.join(format!("e2e-{}", cmd::fingerprint(&of)?));
    refresh(&from, &dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    let done = dir.join("node_modules/.complete");
    if !done.exists() {
        let install: &[&str] = if locked { &["ci"] } else { &["install"] };
        cmd::run(Command::new(cmd::need("npm")?).args(install).args(["--no-audit", "--no-fund", "--ignore-scripts"]).current_dir(&dir))?;
        fs::write(&done, "").map_err(|e| format!("{}: {e}", done.display()))?;
    }
    Ok(dir)
}

/// Makes `to` equal to `from`, but for `node_modules`.
fn refresh(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for old in fs::read_dir(to)? {
        let old = old?;
        if old.file_name() == "node_modules" {
            continue;
        }
        if old.file_type()?.is_dir() { fs::remove_dir_all(old.path())? } else { fs::remove_file(old.path())? }
    }
    copy(from, to)
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_name() == "node_modules" {
            continue;
        }
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
