//! What may stand in source files, and how long they may be.

use super::{Findings, Text};

const LONG: usize = 450;
const TOO_LONG: usize = 800;

/// SQL lives in `tutela-store` only, and for databases of others in one folder of `tutela-connect`.
pub(crate) fn no_sql(texts: &[Text]) -> Vec<String> {
    let own = ["crates/tutela-store/", "crates/tutela-connect/src/data/"];
    let outside = crate_sources(texts).filter(|text| !own.iter().any(|folder| text.path.starts_with(folder)));
    lines(outside, is_sql).map(|(at, _)| format!("{at}: SQL outside of tutela-store")).collect()
}

/// Only the command line prints; everything else logs or returns.
pub(crate) fn no_printing(texts: &[Text]) -> Vec<String> {
    let outside = crate_sources(texts).filter(|text| !text.path.starts_with("crates/tutela/"));
    // `eprintln!` ends in the same letters.
    let prints = |line: &str| line.contains("println!(") || line.contains("print!(");
    lines(outside, prints).map(|(at, _)| format!("{at}: only the command line prints")).collect()
}

/// No text names a folder of somebody's machine.
pub(crate) fn no_machine_path(texts: &[Text]) -> Vec<String> {
    lines(texts.iter(), has_machine_path).map(|(at, line)| format!("{at}: the path of somebody's machine: `{}`", excerpt(line))).collect()
}

/// Long files are told of, very long ones refused.
pub(crate) fn lengths(texts: &[Text], found: &mut Findings) {
    for text in crate_sources(texts) {
        let count = text.text.lines().count();
        if count > TOO_LONG {
            found.errors.push(format!("{}: {count} lines, the most is {TOO_LONG}", text.path));
        } else if count > LONG {
            found.notes.push(format!("{}: {count} lines; a file of more than {LONG} usually holds two ideas", text.path));
        }
    }
}

fn crate_sources(texts: &[Text]) -> impl Iterator<Item = &Text> {
    texts.iter().filter(|text| text.path.starts_with("crates/") && text.path.contains("/src/") && text.path.ends_with(".rs"))
}

/// The lines of `texts` that are not comments and that `wanted` picks, each with `path:number`.
fn lines<'t>(texts: impl Iterator<Item = &'t Text>, wanted: impl Fn(&str) -> bool) -> impl Iterator<Item = (String, &'t str)> {
    texts.flat_map(move |text| {
        let picked: Vec<_> = text.text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//") && wanted(line)).collect();
        picked.into_iter().map(|(index, line)| (format!("{}:{}", text.path, index + 1), line))
    })
}

fn is_sql(line: &str) -> bool {
    let updates = || line.split_once("UPDATE ").is_some_and(|(_, rest)| rest.contains(" SET "));
    ["\"SELECT ", "INSERT INTO ", "DELETE FROM "].iter().any(|verb| line.contains(verb)) || updates()
}

/// The folders are put together here so that this file does not name them. What follows a letter
/// or digit is part of a longer path or address and no folder at the root.
fn has_machine_path(line: &str) -> bool {
    ["root", "home", "work"].iter().any(|name| {
        let folder = format!("/{name}/");
        line.match_indices(&folder).any(|(at, _)| !line[..at].ends_with(|before: char| before.is_alphanumeric() || "._-}".contains(before)))
    })
}

fn excerpt(line: &str) -> String {
    line.trim().chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> Text {
        Text { path: path.into(), text: text.into() }
    }

    #[test]
    fn a_planted_sql_string_is_found_outside_the_store_only() {
        let planted = "fn f() {\n    // SELECT is fine in a comment: \"SELECT 1\"\n    run(\"SELECT id FROM account\");\n}\n";
        assert_eq!(no_sql(&[file("crates/tutela-app/src/a.rs", planted)]), ["crates/tutela-app/src/a.rs:3: SQL outside of tutela-store"]);
        assert!(no_sql(&[file("crates/tutela-store/src/a.rs", planted), file("docs/a.md", planted)]).is_empty());
        for text in ["\"INSERT INTO t VALUES (1)\"", "\"UPDATE t SET a = 1\"", "\"DELETE FROM t WHERE a = 1\""] {
            assert_eq!(no_sql(&[file("crates/tutela-http/src/a.rs", text)]).len(), 1, "{text}");
        }
        assert!(no_sql(&[file("crates/tutela-http/src/a.rs", "say(\"UPDATE your settings\")")]).is_empty());
    }

    #[test]
    fn a_planted_print_is_found_outside_the_command_line_only() {
        let planted = "println!(\"hello\");";
        assert_eq!(no_printing(&[file("crates/tutela-app/src/a.rs", planted)]).len(), 1);
        assert!(no_printing(&[file("crates/tutela/src/main.rs", planted), file("xtask/src/main.rs", planted)]).is_empty());
    }

    #[test]
    fn a_planted_machine_path_is_found_and_an_address_is_none() {
        let planted = format!("let data = \"/{}/ada/data\";", "home");
        assert_eq!(no_machine_path(&[file("docs/a.md", &planted)]).len(), 1);
        let address = format!("see https://example.com/{}/page and {{base}}/{}/x", "work", "home");
        assert!(no_machine_path(&[file("docs/a.md", &address)]).is_empty());
    }

    #[test]
    fn long_files_are_told_of_and_very_long_ones_refused() {
        let mut found = Findings::default();
        let long = |count: usize| file("crates/tutela-app/src/a.rs", &"x\n".repeat(count));
        lengths(&[long(450), long(451), long(801)], &mut found);
        assert_eq!((found.notes.len(), found.errors.len()), (1, 1));
    }
}
