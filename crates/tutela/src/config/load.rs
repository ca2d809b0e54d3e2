//! From file and environment to a checked configuration. Secrets come as files only.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::Config;
use crate::error::{Error, at};

/// Prefix of overriding variables: `TUTELA__SERVER__LISTEN` is `server.listen`.
const PREFIX: &str = "TUTELA__";
/// The file that is read where none is named.
const DEFAULT_FILE: &str = "tutela.toml";

/// Reads the named file, or `tutela.toml` where it exists, then the environment; refuses what is wrong.
pub fn load(file: Option<&Path>) -> Result<Config, Error> {
    let file = match file {
        Some(named) => Some(named.to_owned()),
        None => Some(PathBuf::from(DEFAULT_FILE)).filter(|f| f.exists()),
    };
    let (text, folder) = match &file {
        Some(path) => (std::fs::read_to_string(path).map_err(|e| at(path, &e))?, path.parent().map(Path::to_owned).unwrap_or_default()),
        None => (String::new(), PathBuf::new()),
    };
    let name = file.as_deref().unwrap_or(Path::new(DEFAULT_FILE)).display().to_string();
    let mut config = read(&text, &name, std::env::vars())?;
    config.resolve(&folder);
    match config.problems() {
        problems if problems.is_empty() => Ok(config),
        problems => Err(Error::Usage(format!("the configuration is not valid:\n  {}", problems.join("\n  ")))),
    }
}

/// A configuration with what a file says in its place; what is wrong with the two together is refused.
pub fn over(base: &Config, file: &Path) -> Result<Config, Error> {
    let wrong = |e: &dyn std::fmt::Display| Error::Usage(format!("{}: {}", file.display(), with_hint(&e.to_string())));
    let text = std::fs::read_to_string(file).map_err(|e| at(file, &e))?;
    // By itself first: its errors can point at the line.
    toml::from_str::<Config>(&text).map_err(|e| wrong(&e))?;
    let (mut table, said): (Table, Table) = (Table::try_from(base).map_err(|e| wrong(&e))?, text.parse().map_err(|e: toml::de::Error| wrong(&e))?);
    lay(&mut table, said);
    let config: Config = Value::Table(table).try_into().map_err(|e: toml::de::Error| wrong(&e))?;
    match config.problems() {
        problems if problems.is_empty() => Ok(config),
        problems => Err(wrong(&problems.join("\n  "))),
    }
}

/// Puts values over others, table by table.
fn lay(under: &mut Table, over: Table) {
    for (name, value) in over {
        match (under.get_mut(&name), value) {
            (Some(Value::Table(under)), Value::Table(over)) => lay(under, over),
            (_, value) => drop(under.insert(name, value)),
        }
    }
}

fn read(text: &str, name: &str, env: impl Iterator<Item = (String, String)>) -> Result<Config, Error> {
    // The file by itself first: its errors can point at the line.
    let config: Config = toml::from_str(text).map_err(|e| Error::Usage(format!("{name}: {}", with_hint(&e.to_string()))))?;
    let mut overlay: Vec<(String, String)> = env.filter(|(key, _)| key.starts_with(PREFIX)).collect();
    if overlay.is_empty() {
        return Ok(config);
    }
    overlay.sort();
    let mut table: Table = text.parse().map_err(|e: toml::de::Error| Error::Usage(format!("{name}: {e}")))?;
    for (key, value) in &overlay {
        put(&mut table, key, value)?;
    }
    let names: Vec<&str> = overlay.iter().map(|(key, _)| key.as_str()).collect();
    Value::Table(table).try_into().map_err(|e: toml::de::Error| Error::Usage(format!("environment ({}): {}", names.join(", "), with_hint(&e.to_string()))))
}

fn put(table: &mut Table, key: &str, value: &str) -> Result<(), Error> {
    let path: Vec<String> = key[PREFIX.len()..].split("__").map(str::to_ascii_lowercase).collect();
    let Some((last, groups)) = path.split_last() else { return Ok(()) };
    let mut at = table;
    for group in groups {
        at = at
            .entry(group.clone())
            .or_insert_with(|| Value::Table(Table::new()))
            .as_table_mut()
            .ok_or_else(|| Error::Usage(format!("environment ({key}): `{group}` is not a group of settings")))?;
    }
    // `true`, `5`, `["a"]` are read as TOML; everything else is text.
    let parsed = format!("v = {value}").parse::<Table>().ok().and_then(|mut t| t.remove("v"));
    at.insert(last.clone(), parsed.unwrap_or_else(|| Value::String(value.to_owned())));
    Ok(())
}

/// Adds the nearest known name to "unknown field `x`, expected one of `a`, `b`".
fn with_hint(message: &str) -> String {
    let message = message.trim_end();
    let Some(rest) = message.split("unknown field `").nth(1).or(message.split("unknown variant `").nth(1)) else { return message.to_owned() };
    let mut quoted = rest.split('`');
    let unknown = quoted.next().unwrap_or_default();
    let known = quoted.skip(1).step_by(2);
    let nearest = known.map(|name| (strsim::jaro_winkler(unknown, name), name)).max_by(|a, b| a.0.total_cmp(&b.0));
    match nearest {
        Some((likeness, name)) if likeness > 0.8 => format!("{message}\nhelp: did you mean `{name}`?"),
        _ => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_env(text: &str, env: &[(&str, &str)]) -> Result<Config, String> {
        read(text, "tutela.toml", env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))).map_err(|e| e.to_string())
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line_and_the_nearest_name() {
        let error = with_env("[server]\nlisten_adress = \"127.0.0.1:1\"\n", &[]).unwrap_err();
        assert!(error.contains("line 2") && error.contains("`listen_adress`") && error.contains("did you mean `listen`?"), "{error}");
        let error = with_env("[identity.sesion]\ntimeout = 60\n", &[]).unwrap_err();
        assert!(error.contains("did you mean `session`?"), "{error}");
    }

    #[test]
    fn the_environment_overrides_the_file() {
        let config = with_env(
            "[server]\nlisten = \"127.0.0.1:1\"\n",
            &[("TUTELA__SERVER__LISTEN", "127.0.0.1:2"), ("TUTELA__IDENTITY__SESSION__TIMEOUT", "120"), ("OTHER", "x")],
        )
        .unwrap();
        assert_eq!((config.server.listen.port(), config.identity.session.timeout), (2, 120));
        let error = with_env("", &[("TUTELA__SERVER__LISTN", "x")]).unwrap_err();
        assert!(error.contains("TUTELA__SERVER__LISTN") && error.contains("did you mean `listen`?"), "{error}");
    }

    #[test]
    fn routes_are_read_in_all_three_spellings() {
        let route = |require: &str| format!("[[gateway.routes]]\nhost = \"a.localhost\"\nupstream = \"http://127.0.0.1:1\"\nrequire = {require}\n");
        for (text, expected) in [
            ("\"public\"", tutela_gateway::Require::Public),
            ("\"signed-in\"", tutela_gateway::Require::SignedIn),
            ("{ permission = \"a:b\" }", tutela_gateway::Require::Permission("a:b".into())),
        ] {
            assert_eq!(with_env(&route(text), &[]).unwrap().gateway.routes[0].require, expected);
        }
    }
}
