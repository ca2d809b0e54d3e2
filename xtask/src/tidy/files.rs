//! Manifests that must not redirect anything, and documents whose links must lead somewhere.

use std::collections::BTreeSet;

use super::Text;

/// Registries and packages are used as they are: nothing is patched, replaced or redirected.
pub(crate) fn nothing_patched(texts: &[Text]) -> Result<Vec<String>, String> {
    let mut errors = Vec::new();
    for text in texts.iter().filter(|text| text.path.ends_with("Cargo.toml") || text.path.ends_with(".cargo/config.toml")) {
        let table: toml::Table = text.text.parse().map_err(|e| format!("{}: {e}", text.path))?;
        for key in ["patch", "replace", "source", "registries"] {
            if table.contains_key(key) {
                errors.push(format!("{}: `[{key}]` redirects packages", text.path));
            }
        }
    }
    Ok(errors)
}

/// Relative links of the two documents that lead to all others.
pub(crate) fn links(texts: &[Text]) -> Vec<String> {
    let known: BTreeSet<&str> = texts.iter().map(|text| text.path.as_str()).collect();
    let mut errors = Vec::new();
    for text in texts.iter().filter(|text| matches!(text.path.as_str(), "README.md" | "ARCHITECTURE.md" | "docs/ARCHITECTURE.md")) {
        for target in targets(&text.text) {
            let path = resolve(&text.path, target);
            let is_folder = || known.iter().any(|file| file.starts_with(&format!("{path}/")));
            if !known.contains(path.as_str()) && !is_folder() {
                errors.push(format!("{}: its link to `{target}` leads nowhere", text.path));
            }
        }
    }
    errors
}

/// Targets inside the repository of all Markdown links: `[text](target)`.
fn targets(text: &str) -> impl Iterator<Item = &str> {
    let inside = text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
    let bare = inside.map(|target| target.split(['#', ' ']).next().unwrap_or_default());
    bare.filter(|target| !target.is_empty() && !target.contains(':') && !target.starts_with('/'))
}

fn resolve(from: &str, target: &str) -> String {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in target.trim_end_matches('/').split('/') {
        match part {
            "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> Text {
        Text { path: path.into(), text: text.into() }
    }

    #[test]
    fn a_planted_patch_is_found() {
        let planted = file("Cargo.toml", "[workspace]\n[patch.crates-io]\nserde = { path = \"x\" }\n");
        assert_eq!(nothing_patched(&[planted]).unwrap(), ["Cargo.toml: `[patch]` redirects packages"]);
        assert!(nothing_patched(&[file("Cargo.toml", "[workspace]\n"), file(".cargo/config.toml", "[alias]\nx = \"y\"\n")]).unwrap().is_empty());
    }

    #[test]
    fn a_planted_dead_link_is_found_and_the_others_are_followed() {
        let readme = file("README.md", "[a](docs/a.md#part) [web](https://example.com/x.md) [here](#top) [folder](docs/) [dead](docs/b.md)");
        let architecture = file("docs/ARCHITECTURE.md", "[up](../README.md) [beside](a.md) [dead](c.md \"title\")");
        let found = links(&[readme, architecture, file("docs/a.md", "")]);
        assert_eq!(found, ["README.md: its link to `docs/b.md` leads nowhere", "docs/ARCHITECTURE.md: its link to `c.md` leads nowhere"]);
    }
}
