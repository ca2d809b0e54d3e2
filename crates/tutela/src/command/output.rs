use std::io::IsTerminal as _;

use clap::ValueEnum;
use comfy_table::{ContentArrangement, Table, TableStyle};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

/// As `println!`; whoever reads may have had enough, for example `head`.
macro_rules! say {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        if writeln!(std::io::stdout(), $($text)*).is_err_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe) {
            std::process::exit(0);
        }
    }};
}

/// How listings are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// One JSON value a line.
    Json,
    /// Columns for people.
    Table,
}

impl Output {
    /// Writes a listing: rows of cells for people, the items themselves for programs.
    pub fn list<T: Serialize>(self, items: &[T], head: &[&str], cells: impl Fn(&T) -> Vec<String>) {
        match self {
            Self::Json => items.iter().for_each(|item| say!("{}", serde_json::to_string(item).unwrap_or_default())),
            Self::Table => {
                let mut table = Table::new();
                table.load_style(TableStyle::new()).set_content_arrangement(ContentArrangement::Dynamic);
                table.set_header(head.iter().map(|h| h.to_uppercase()));
                items.iter().for_each(|item| {
                    table.add_row(cells(item));
                });
                say!("{table}");
            }
        }
    }

    /// Writes a listing whose columns are members of the items.
    pub fn columns<T: Serialize>(self, items: &[T], names: &[&str]) {
        let head: Vec<String> = names.iter().map(|name| name.replace('_', " ")).collect();
        let head: Vec<&str> = head.iter().map(String::as_str).collect();
        self.list(items, &head, |item| {
            let value = serde_json::to_value(item).unwrap_or_default();
            names.iter().map(|name| plain(&value[*name])).collect()
        });
    }

    /// Writes one thing: its members for people, the thing itself for programs.
    pub fn members<T: Serialize>(self, item: &T) {
        let value = serde_json::to_value(item).unwrap_or_default();
        match (self, &value) {
            (Self::Table, serde_json::Value::Object(map)) => map.iter().for_each(|(name, value)| match value {
                serde_json::Value::Array(items) if items.iter().any(serde_json::Value::is_object) => {
                    say!("{}:", name.replace('_', " "));
                    items.iter().for_each(|item| say!("  {}", plain(item)));
                }
                value => say!("{:<24} {}", name.replace('_', " "), plain(value)),
            }),
            _ => say!("{value}"),
        }
    }

    /// Writes one thing: a sentence for people, the thing itself for programs.
    pub fn one<T: Serialize>(self, item: &T, sentence: &str) {
        match self {
            Self::Json => say!("{}", serde_json::to_string(item).unwrap_or_default()),
            Self::Table => say!("{sentence}"),
        }
    }
}

/// A value as people read it.
fn plain(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => "-".into(),
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        serde_json::Value::Object(map) => map.iter().map(|(name, value)| format!("{} {}", name.replace('_', " "), plain(value))).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// A progress bar on a terminal, nothing elsewhere.
pub fn progress(total: Option<u64>, what: &str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = match total {
        Some(total) => ProgressBar::new(total),
        None => ProgressBar::new_spinner(),
    };
    let style = if total.is_some() { "{bar:30} {human_pos} of {human_len} {msg}, {eta} left" } else { "{spinner} {human_pos} {msg}" };
    if let Ok(style) = ProgressStyle::with_template(style) {
        bar.set_style(style);
    }
    bar.set_message(what.to_owned());
    bar
}
