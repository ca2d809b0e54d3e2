//! How controls stand, for those who read it elsewhere: OSCAL, CSV, a page to print, and the measures that are in place.

mod measures;
mod oscal;
mod page;

use tutela_api as api;

use super::status::taken;
use crate::{App, Ctx, Error, export::csv_cell};

/// What it is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A line for each control (RFC 4180).
    Csv,
    /// A page that prints well.
    Html,
    /// What is in place, in sentences (Markdown).
    Measures,
    /// Assessment results of OSCAL 1.2, as JSON.
    Oscal,
}

impl Format {
    /// By its name.
    pub fn parse(name: &str) -> Result<Self, Error> {
        Ok(match name {
            "csv" => Self::Csv,
            "html" => Self::Html,
            "measures" => Self::Measures,
            "oscal" => Self::Oscal,
            _ => return Err(Error::invalid("format", format!("`{name}` is none of csv, html, measures, oscal"))),
        })
    }

    /// What a browser is told that it is.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Html => "text/html; charset=utf-8",
            Self::Measures => "text/markdown; charset=utf-8",
            Self::Oscal => "application/json",
        }
    }
}

/// How the controls stand now, of one framework or of all.
pub async fn report(app: &App, ctx: &Ctx, format: Format, framework: Option<&str>) -> Result<String, Error> {
    app.permit(ctx, "compliance:read").await?;
    let (mut found, facts) = taken(app, ctx).await?;
    if let Some(key) = framework {
        found.frameworks.retain(|of| of.key == key);
        found.conflicts.retain(|of| of.framework == key);
        if found.frameworks.is_empty() {
            return Err(Error::invalid("framework", format!("`{key}` is not switched on")));
        }
    }
    Ok(match format {
        Format::Csv => csv(&found),
        Format::Html => page::page(&found, &app.privacy.controller),
        Format::Measures => measures::measures(&facts, &app.privacy.controller),
        Format::Oscal => oscal::results(&found, &app.store.instance().origin, &app.urls.public)?,
    })
}

fn csv(found: &api::Compliance) -> String {
    let mut text = String::from("framework,control,number,title,kind,owner,outcome,why,since,collected_at\r\n");
    for (framework, control) in found.frameworks.iter().flat_map(|framework| framework.controls.iter().map(move |control| (framework, control))) {
        let since = control.since.as_deref().unwrap_or_default();
        let cells = [
            framework.key.as_str(),
            &control.id,
            &control.number,
            &control.title,
            &control.kind,
            &control.owner,
            &control.outcome,
            &control.why,
            since,
            &found.collected_at,
        ];
        text += &cells.map(csv_cell).join(",");
        text += "\r\n";
    }
    text
}
