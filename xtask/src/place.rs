use std::path::{Path, PathBuf};

use crate::cmd;

/// Where things are: the repository, what cargo builds, what is kept between runs.
#[derive(Debug, Clone)]
pub struct Place {
    /// The repository.
    pub root: PathBuf,
    /// Cargo's target folder.
    pub target: PathBuf,
    /// `tutela` in the user's cache folder.
    pub cache: PathBuf,
}

impl Place {
    /// Finds them: the repository from cargo or from the current folder, the rest by the usual variables.
    pub fn find() -> Result<Self, String> {
        let root = root()?;
        let metadata = cmd::metadata(&root, &["--no-deps"])?;
        let target = metadata["target_directory"].as_str().ok_or("cargo metadata names no target folder")?.into();
        Ok(Self { root, target, cache: cache()?.join("tutela") })
    }

    /// A file or folder of the repository.
    pub fn file(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// The program `tutela` of a profile, `debug` or `release`.
    pub fn program(&self, profile: &str) -> PathBuf {
        self.target.join(profile).join("tutela")
    }

    /// An empty folder under the target folder, for one run of one command.
    pub fn scratch(&self, name: &str) -> Result<PathBuf, String> {
        let dir = self.target.join("xtask").join(name);
        match std::fs::remove_dir_all(&dir) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(format!("{}: {e}", dir.display())),
            _ => {}
        }
        std::fs::create_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
        Ok(dir)
    }
}

/// The repository's root. Read at run time: the target folder may be shared by several clones.
fn root() -> Result<PathBuf, String> {
    let start = match std::env::var_os("CARGO_MANIFEST_DIR") {
        Some(dir) => PathBuf::from(dir),
        None => std::env::current_dir().map_err(|e| e.to_string())?,
    };
    let found = start.ancestors().find(|dir| dir.join("Cargo.lock").exists() && dir.join("xtask").exists());
    found.map(Path::to_owned).ok_or_else(|| format!("`{}` is not inside the repository", start.display()))
}

fn cache() -> Result<PathBuf, String> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache"))).ok_or_else(|| "neither XDG_CACHE_HOME nor HOME is set".into())
}
