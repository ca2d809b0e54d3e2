use std::io::IsTerminal as _;

use clap::ValueEnum;
use comfy_table::{ContentArrangement, Table, TableStyle};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

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
            Self::Json => items.iter().for_each(|item| println!("{}", serde_json::to_string(item).unwrap_or_default())),
            Self::Table => {
                let mut table = Table::new();
                table.load_style(TableStyle::new()).set_content_arrangement(ContentArrangement::Dynamic);
                table.set_header(head.iter().map(|h| h.to_uppercase()));
                items.iter().for_each(|item| {
                    table.add_row(cells(item));
                });
                println!("{table}");
            }
        }
    }

    /// Writes one thing: a sentence for people, the thing itself for programs.
    pub fn one<T: Serialize>(self, item: &T, sentence: &str) {
        match self {
            Self::Json => println!("{}", serde_json::to_string(item).unwrap_or_default()),
            Self::Table => println!("{sentence}"),
        }
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
