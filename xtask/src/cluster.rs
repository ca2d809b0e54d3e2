//! OpenSearch and Elasticsearch for tests, from Maven Central, unpacked into the cache folder.
//!
//! The distributions without plugins that both projects publish for integration tests. They run on
//! the Java of this machine. Elasticsearch is under Elastic's own licence: for tests, never shipped.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Place, Stop, cmd};

/// Oldest Java that both run on.
const JAVA: u32 = 17;
/// How artifacts are fetched: the plugin is pinned too.
const COPY: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy";

/// A distribution: the variable that names it for tests, what it is called, and what its archive must be.
struct Distribution {
    variable: &'static str,
    name: &'static str,
    group: &'static str,
    version: &'static str,
    sha256: &'static str,
}

const DISTRIBUTIONS: [Distribution; 2] = [
    Distribution {
        variable: "TUTELA_OPENSEARCH",
        name: "opensearch",
        group: "org.opensearch.distribution.integ-test-zip",
        version: "2.19.3",
        sha256: "760530e522de0a9f06380d4a4a43dfd83c31fa8911f41745513ce715ed5dfd03",
    },
    Distribution {
        variable: "TUTELA_ELASTICSEARCH",
        name: "elasticsearch",
        group: "org.elasticsearch.distribution.integ-test-zip",
        version: "8.19.3",
        sha256: "c4b08b70523700efde9f3e4c9287229f085c2c0db1efca5c6a7d65abbdb9f2e1",
    },
];

/// Installs both where they are not there yet. Gives variables and folders for tests.
pub fn variables(place: &Place) -> Result<Vec<(&'static str, PathBuf)>, Stop> {
    let java = java_version(&cmd::output(Command::new(cmd::need("java")?).arg("--version")).map_err(Stop::Skipped)?);
    if java.is_none_or(|version| version < JAVA) {
        return Err(Stop::Skipped(format!("Java {JAVA} or newer is not installed: OpenSearch and Elasticsearch do not run")));
    }
    DISTRIBUTIONS.iter().map(|distribution| installed(place, distribution).map(|folder| (distribution.variable, folder))).collect()
}

/// The folder of a distribution. Two runs at once: the second waits for the first.
fn installed(place: &Place, distribution: &Distribution) -> Result<PathBuf, Stop> {
    let Distribution { name, version, .. } = distribution;
    let folder = place.cache.join(format!("{name}-{version}"));
    let broken = |path: &Path, e: std::io::Error| Stop::Failed(format!("{}: {e}", path.display()));
    fs::create_dir_all(&place.cache).map_err(|e| broken(&place.cache, e))?;
    let lock_file = place.cache.join(format!("{name}-{version}.lock"));
    let lock = fs::File::create(&lock_file).map_err(|e| broken(&lock_file, e))?;
    lock.lock().map_err(|e| broken(&lock_file, e))?;
    if folder.join("bin").join(name).is_file() {
        return Ok(folder);
    }
    let work = place.cache.join(format!("{name}-{version}.part"));
    if work.exists() {
        fs::remove_dir_all(&work).map_err(|e| broken(&work, e))?;
    }
    fs::create_dir_all(&work).map_err(|e| broken(&work, e))?;
    let archive = fetch(distribution, &work)?;
    cmd::run(Command::new(cmd::need("unzip")?).arg("-q").arg(&archive).arg("-d").arg(&work))?;
    // Renamed as the last step: what stands under its name is whole.
    fs::rename(work.join(format!("{name}-{version}")), &folder).map_err(|e| broken(&folder, e))?;
    fs::remove_dir_all(&work).map_err(|e| broken(&work, e))?;
    Ok(folder)
}

/// Fetches the archive through Maven, and refuses another than the one that was tried.
fn fetch(distribution: &Distribution, into: &Path) -> Result<PathBuf, Stop> {
    let Distribution { name, group, version, sha256, .. } = distribution;
    let mut maven = Command::new(cmd::need("mvn")?);
    maven.args(["-q", "-B", COPY]).arg(format!("-Dartifact={group}:{name}:{version}:zip"));
    cmd::run(maven.arg(format!("-DoutputDirectory={}", into.display())).current_dir(into))?;
    let archive = into.join(format!("{name}-{version}.zip"));
    let sum = cmd::output(Command::new(cmd::need("sha256sum")?).arg(&archive))?;
    if sum.split_whitespace().next() == Some(*sha256) {
        return Ok(archive);
    }
    Err(Stop::Failed(format!("{name}-{version}.zip is not the archive that was tried (SHA-256 {sha256}); remove it from Maven's repository and run again")))
}

/// The major version in what `java --version` prints first: `openjdk 17.0.15 2025-04-15`.
fn java_version(text: &str) -> Option<u32> {
    text.split_whitespace().nth(1)?.split(['.', '-', '+']).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn java_tells_its_version() {
        assert_eq!(java_version("openjdk 17.0.15 2025-04-15\nOpenJDK Runtime Environment"), Some(17));
        assert_eq!(java_version("java 25-ea 2026-09-15"), Some(25));
        assert_eq!(java_version(""), None);
    }

    #[test]
    fn every_archive_is_pinned() {
        for distribution in &DISTRIBUTIONS {
            assert_eq!(distribution.sha256.len(), 64, "{}", distribution.name);
        }
    }
}
