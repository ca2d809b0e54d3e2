//! The Python SDK's tests, in a virtual environment that is made once for each set of requirements.

use std::{path::PathBuf, process::Command};

use crate::{Place, Stop, cmd};

/// Runs pytest on a folder; `more` adds flags and environment.
pub fn pytest(place: &Place, tests: &str, more: impl FnOnce(&mut Command) -> &mut Command) -> Result<(), Stop> {
    let python = environment(place)?;
    let report = place.scratch("pytest")?.join("report.xml");
    let mut command = Command::new(python);
    // Nothing may be left behind in the tree: no byte code, no cache of pytest.
    command.args(["-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", tests]).arg(format!("--junitxml={}", report.display()));
    command.current_dir(&place.root).env("PYTHONPATH", place.file("sdk/python")).env("PYTHONDONTWRITEBYTECODE", "1");
    cmd::run(more(&mut command))?;
    let report = std::fs::read_to_string(&report).map_err(|e| format!("{}: {e}", report.display()))?;
    match skipped(&report) {
        0 => Ok(()),
        count => Err(Stop::Skipped(format!("pytest skipped {count} tests; its reasons stand above"))),
    }
}

/// The Python of the virtual environment.
fn environment(place: &Place) -> Result<PathBuf, Stop> {
    let system = cmd::need("python3")?;
    let requirements = place.file("sdk/python/requirements-test.txt");
    let dir = place.cache.join(format!("py-{}", cmd::fingerprint(&[&requirements])?));
    let (python, done) = (dir.join("bin/python"), dir.join("complete"));
    if done.exists() && python.exists() {
        return Ok(python);
    }
    cmd::run(Command::new(system).args(["-m", "venv", "--clear"]).arg(&dir))?;
    cmd::run(Command::new(&python).args(["-m", "pip", "install", "-q", "--disable-pip-version-check", "-r"]).arg(&requirements))?;
    std::fs::write(&done, "").map_err(|e| format!("{}: {e}", done.display()))?;
    Ok(python)
}

/// How many tests a JUnit report counts as skipped.
fn skipped(report: &str) -> u32 {
    let count = |suite: &str| suite.split_once(" skipped=\"")?.1.split_once('"')?.0.parse::<u32>().ok();
    report.split("<testsuite ").skip(1).filter_map(count).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skips_are_read_from_the_report() {
        let report = r#"<?xml version="1.0"?><testsuites name="pytest tests"><testsuite name="pytest" errors="0" failures="0" skipped="3" tests="8"><testcase/></testsuite></testsuites>"#;
        assert_eq!(skipped(report), 3);
        assert_eq!(skipped("<testsuites></testsuites>"), 0);
    }
}
