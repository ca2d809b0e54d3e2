//! Rules of detection that were written, or whose mode was set, while the server runs.

use tutela_core::Timestamp;

use crate::{
    Changeset, Error, Expect, Store,
    sql::statements,
    value::{Row, params},
};

statements! {
    DETECTION_RULE_DELETE (Text) = "DELETE FROM detection_rule WHERE name = $1";
    DETECTION_RULE_LIST () = "SELECT name, body, mode, reason, made_by, made_at FROM detection_rule ORDER BY name";
    DETECTION_RULE_SET (Text, Text, Text, Text, Text, Time) = "INSERT INTO detection_rule (name, body, mode, reason, made_by, made_at) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (name) DO UPDATE SET body = excluded.body, mode = excluded.mode, reason = excluded.reason, made_by = excluded.made_by, made_at = excluded.made_at";
}

/// A rule, or a mode for one of the configuration.
#[derive(Debug, Clone)]
pub struct DetectionRuleRow {
    /// Its name.
    pub name: String,
    /// As YAML.
    pub body: Option<String>,
    /// Shadow, alert, act or off.
    pub mode: Option<String>,
    /// Why.
    pub reason: String,
    /// Who.
    pub made_by: String,
    /// When.
    pub made_at: Timestamp,
}

impl Store {
    /// All of them, by name.
    pub async fn detection_rule_list(&self) -> Result<Vec<DetectionRuleRow>, Error> {
        self.all(&DETECTION_RULE_LIST, params![]).await?.iter().map(rule).collect()
    }
}

impl Changeset {
    /// Writes a rule, or sets how far one goes.
    pub fn detection_rule_set(self, row: &DetectionRuleRow) -> Self {
        let values = params![&row.name, row.body.as_deref(), row.mode.as_deref(), &row.reason, &row.made_by, row.made_at];
        self.run(&DETECTION_RULE_SET, values, Expect::Any)
    }

    /// Takes back what was written.
    pub fn detection_rule_delete(self, name: &str) -> Self {
        self.run(&DETECTION_RULE_DELETE, params![name], Expect::One("there is no such rule"))
    }
}

fn rule(row: &Row) -> Result<DetectionRuleRow, Error> {
    Ok(DetectionRuleRow { name: row.get(0)?, body: row.get(1)?, mode: row.get(2)?, reason: row.get(3)?, made_by: row.get(4)?, made_at: row.get(5)? })
}
