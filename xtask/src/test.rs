//! `test`: everything a commit has to pass. `test --fast`: what a change in one crate needs.

use std::path::Path;

use crate::{Place, Steps, Stop, cluster, cmd, e2e, fuzz, go, node, python, tidy};

/// Seconds for each fuzz target.
const FUZZ_SECONDS: u64 = 5;

/// `test [--fast] [-p CRATE]`.
pub fn run(place: &Place, words: &[String], steps: &mut Steps) -> Result<(), String> {
    let wanted = Wanted::parse(words)?;
    steps.step("format", || cmd::run(&mut cmd::cargo(place, &["fmt", "--all", "--check"])));
    steps.step("tidy", || tidy::report(place));
    if wanted.fast {
        steps.step("tests", || {
            // `--tests` is every target with tests in it: libraries, programs and tests/it.
            let mut command = cmd::cargo(place, &["test", "--tests"]);
            cmd::run(command.args(wanted.scope()).env("TUTELA_FAST", "1"))
        });
        return Ok(());
    }
    steps.step("clippy", || cmd::run(cmd::cargo(place, &["clippy", "--all-targets"]).args(wanted.scope()).args(["--", "-D", "warnings"])));
    steps.step("PostgreSQL is here", postgres);
    let mut clusters = Vec::new();
    steps.step("OpenSearch and Elasticsearch are here", || {
        clusters = cluster::variables(place)?;
        Ok(())
    });
    steps.step("tests on both engines", || {
        let (bao, python, s3) = (python::openbao(place)?, python::test_python(place)?, go::versitygw(place)?);
        let federation = node::folder(place, "xtask/federation")?;
        let mut command = cmd::cargo(place, &["test", "--no-fail-fast"]);
        command.args(wanted.scope()).env("TUTELA_BAO", bao).env("TUTELA_S3", s3).env("TUTELA_TEST_PYTHON", python).env("TUTELA_FEDERATION", federation);
        cmd::run(command.envs(clusters))
    });
    if wanted.package.is_some() {
        return Ok(());
    }
    steps.step("Python SDK", || python::pytest(place, "sdk/python/tests", |pytest| pytest.arg("--ignore=sdk/python/tests/live")));
    steps.step("test doubles", || python::pytest(place, "xtask/doubles", |pytest| pytest));
    e2e::steps(place, &[], steps);
    fuzz::steps(place, FUZZ_SECONDS, None, steps);
    Ok(())
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Wanted {
    fast: bool,
    package: Option<String>,
}

impl Wanted {
    fn parse(words: &[String]) -> Result<Self, String> {
        let mut wanted = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--fast" => wanted.fast = true,
                "-p" | "--package" => wanted.package = Some(words.next().ok_or("`-p` needs the name of a crate")?.clone()),
                other => return Err(format!("`test` takes `--fast` and `-p CRATE`, not `{other}`")),
            }
        }
        Ok(wanted)
    }

    fn scope(&self) -> Vec<&str> {
        self.package.as_deref().map_or_else(|| vec!["--workspace"], |package| vec!["-p", package])
    }
}

/// The tests themselves print nothing where PostgreSQL is missing, so this says it aloud.
fn postgres() -> Result<(), Stop> {
    let mut versions = Path::new("/usr/lib/postgresql").read_dir().into_iter().flatten().flatten();
    if versions.any(|version| version.path().join("bin/initdb").exists()) {
        return Ok(());
    }
    Err(Stop::Skipped("PostgreSQL is not installed under /usr/lib/postgresql: the tests run on SQLite only".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_in_any_order_and_nothing_else() {
        let parse = |text: &str| Wanted::parse(&text.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(parse("-p tutela-core --fast").unwrap(), Wanted { fast: true, package: Some("tutela-core".into()) });
        assert_eq!(parse("").unwrap().scope(), ["--workspace"]);
        assert!(parse("-p").is_err() && parse("--quick").is_err());
    }
}
