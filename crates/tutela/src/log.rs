use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;

/// `[log]`: what the program says on standard error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// `pretty` for people, `json` for machines: one object a line.
    pub format: Format,
    /// What is said: `error`, `warn`, `info`, `debug`, or a filter such as `info,tutela_gateway=debug`.
    pub level: String,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// One JSON object a line.
    Json,
    /// For people.
    #[default]
    Pretty,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: Format::Pretty, level: "info".into() }
    }
}

/// Starts logging to standard error.
pub fn start(config: &LogConfig) -> Result<(), String> {
    let filter = EnvFilter::try_new(&config.level).map_err(|e| format!("`log.level`: {e}"))?;
    let base = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match config.format {
        Format::Json => base.json().flatten_event(true).try_init(),
        Format::Pretty => base.with_target(false).try_init(),
    };
    started.map_err(|e| e.to_string())
}
