//! Keycloak, from Maven Central, built once for PostgreSQL and kept in the cache folder.

use std::{path::PathBuf, process::Command};

use crate::{Place, Stop, cmd};

/// The version that is compared with.
const VERSION: &str = "26.7.3";
const MAVEN_PLUGIN: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1";

/// Keycloak's folder.
pub fn home(place: &Place) -> Result<PathBuf, Stop> {
    let home = place.cache.join(format!("keycloak-{VERSION}"));
    let done = home.join("complete");
    if done.exists() {
        return Ok(home);
    }
    let (maven, _) = (cmd::need("mvn")?, cmd::need("java")?);
    let unzip = cmd::need("unzip")?;
    let archive = place.scratch("keycloak")?;
    // Maven's own copy in its repository is kept, so a second clone downloads nothing.
    let artifact = format!("-Dartifact=org.keycloak:keycloak-quarkus-dist:{VERSION}:zip");
    cmd::run(Command::new(maven).args(["-q", "-B", &format!("{MAVEN_PLUGIN}:copy"), &artifact]).arg(format!("-DoutputDirectory={}", archive.display())))?;
    let _ = std::fs::remove_dir_all(&home);
    std::fs::create_dir_all(&place.cache).map_err(|e| format!("{}: {e}", place.cache.display()))?;
    cmd::run(Command::new(unzip).arg("-q").arg(archive.join(format!("keycloak-quarkus-dist-{VERSION}.zip"))).arg("-d").arg(&place.cache))?;
    cmd::run(Command::new(home.join("bin/kc.sh")).args(["build", "--db=postgres", "--cache=local"]))?;
    std::fs::write(&done, "").map_err(|e| format!("{}: {e}", done.display()))?;
    let _ = std::fs::remove_dir_all(archive);
    Ok(home)
}
