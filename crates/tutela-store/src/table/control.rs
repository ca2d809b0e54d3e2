//! Controls of laws and standards: what people state of them, how they stood, and each assessment.

use tutela_core::{EventId, StatementId, Timestamp};

use crate::{
    Changeset, Error, Expect, Store,
    sql::statements,
    value::{Row, params},
};

statements! {
    ASSESSMENT_INSERT (Id, Text, Time, Text, Text, Int, Int, Int, Int, Int) = "INSERT INTO assessment (event, framework, made_at, why, settings, passed, failed, without_data, manual, not_applicable)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    ASSESSMENT_LIST (Text, Int) = "SELECT event, framework, made_at, why, settings, passed, failed, without_data, manual, not_applicable FROM assessment
        WHERE framework = $1 ORDER BY made_at DESC LIMIT $2";
    CONTROL_STATE_LIST () = "SELECT framework, control, outcome, since, event FROM control_state ORDER BY framework, control";
    CONTROL_STATE_SET (Text, Text, Text, Time, Id) = "INSERT INTO control_state (framework, control, outcome, since, event) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (framework, control) DO UPDATE SET outcome = excluded.outcome, since = excluded.since, event = excluded.event";
    CONTROL_STATEMENT_APPROVE (Id, Text, Text, Time) = "UPDATE control_statement SET approved_by = $3, approved_at = $4
        WHERE id = $1 AND approved_at IS NULL AND ended_at IS NULL AND maker <> $2";
    CONTROL_STATEMENT_END (Id, Time) = "UPDATE control_statement SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL";
    CONTROL_STATEMENT_GET (Id) = "SELECT id, framework, control, kind, owner, document, reason, made_by, maker, made_at, until, approved_by, approved_at, ended_at FROM control_statement WHERE id = $1";
    CONTROL_STATEMENT_INSERT (Id, Text, Text, Text, Text, Text, Text, Text, Text, Time, Time) = "INSERT INTO control_statement (id, framework, control, kind, owner, document, reason, made_by, maker, made_at, until, approved_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, '')";
    CONTROL_STATEMENT_LIST () = "SELECT id, framework, control, kind, owner, document, reason, made_by, maker, made_at, until, approved_by, approved_at, ended_at FROM control_statement ORDER BY id DESC LIMIT 5000";
}

/// What somebody states of a control.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementRow {
    /// Its id.
    pub id: StatementId,
    /// The framework.
    pub framework: String,
    /// The control's id.
    pub control: String,
    /// In a word.
    pub kind: String,
    /// Who answers for it.
    pub owner: String,
    /// Where it is written; empty where nowhere.
    pub document: String,
    /// Why; empty where it needs none.
    pub reason: String,
    /// Who made it, as they were called.
    pub made_by: String,
    /// Who that is, whatever they are called; empty where nobody has to agree.
    pub maker: String,
    /// When.
    pub made_at: Timestamp,
    /// When it is over.
    pub until: Timestamp,
    /// Somebody else who agreed; empty until then.
    pub approved_by: String,
    /// When they did.
    pub approved_at: Option<Timestamp>,
    /// When it was taken back.
    pub ended_at: Option<Timestamp>,
}

/// How a control stood when it was assessed last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlStateRow {
    /// The framework.
    pub framework: String,
    /// The control's id.
    pub control: String,
    /// How, in a word.
    pub outcome: String,
    /// Since when.
    pub since: Timestamp,
    /// The event that says so.
    pub event: EventId,
}

/// An assessment of a framework.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssessmentRow {
    /// The event with what was found.
    pub event: EventId,
    /// The framework.
    pub framework: String,
    /// When.
    pub made_at: Timestamp,
    /// What gave rise to it, in a word.
    pub why: String,
    /// A hash of the configuration that it judged.
    pub settings: String,
    /// Controls that held.
    pub passed: u64,
    /// Controls that did not.
    pub failed: u64,
    /// Controls with nothing to judge by.
    pub without_data: u64,
    /// Controls that somebody attests to.
    pub manual: u64,
    /// Controls that do not concern this installation.
    pub not_applicable: u64,
}

impl Store {
    /// A statement.
    pub async fn control_statement_get(&self, id: StatementId) -> Result<Option<StatementRow>, Error> {
        self.opt(&CONTROL_STATEMENT_GET, params![id.0]).await?.as_ref().map(statement).transpose()
    }

    /// The newest 5,000 statements, those that are over too.
    pub async fn control_statement_list(&self) -> Result<Vec<StatementRow>, Error> {
        self.all(&CONTROL_STATEMENT_LIST, params![]).await?.iter().map(statement).collect()
    }

    /// How each control stood when it was assessed last.
    pub async fn control_state_list(&self) -> Result<Vec<ControlStateRow>, Error> {
        self.all(&CONTROL_STATE_LIST, params![]).await?.iter().map(state).collect()
    }

    /// Assessments of a framework, the newest first.
    pub async fn assessment_list(&self, framework: &str, limit: u32) -> Result<Vec<AssessmentRow>, Error> {
        self.all(&ASSESSMENT_LIST, params![framework, i64::from(limit)]).await?.iter().map(assessment).collect()
    }
}

impl Changeset {
    /// Somebody states something.
    pub fn control_statement_insert(self, row: &StatementRow) -> Self {
        let params = params![
            row.id.0,
            &row.framework,
            &row.control,
            &row.kind,
            &row.owner,
            &row.document,
            &row.reason,
            &row.made_by,
            &row.maker,
            row.made_at,
            row.until
        ];
        self.run(&CONTROL_STATEMENT_INSERT, params, Expect::Any)
    }

    /// Somebody else agrees, who is called so.
    pub fn control_statement_approve(self, id: StatementId, by: &str, name: &str, now: Timestamp) -> Self {
        let params = params![id.0, by, name, now];
        self.run(&CONTROL_STATEMENT_APPROVE, params, Expect::One("the statement is over, is approved, or was made by whoever approves it now"))
    }

    /// It is taken back.
    pub fn control_statement_end(self, id: StatementId, now: Timestamp) -> Self {
        self.run(&CONTROL_STATEMENT_END, params![id.0, now], Expect::One("the statement is over"))
    }

    /// A control stands so from now on.
    pub fn control_state_set(self, row: &ControlStateRow) -> Self {
        self.run(&CONTROL_STATE_SET, params![&row.framework, &row.control, &row.outcome, row.since, row.event.0], Expect::Any)
    }

    /// A framework was assessed.
    pub fn assessment_insert(self, row: &AssessmentRow) -> Self {
        let params = params![
            row.event.0,
            &row.framework,
            row.made_at,
            &row.why,
            &row.settings,
            row.passed,
            row.failed,
            row.without_data,
            row.manual,
            row.not_applicable
        ];
        self.run(&ASSESSMENT_INSERT, params, Expect::Any)
    }
}

fn statement(row: &Row) -> Result<StatementRow, Error> {
    Ok(StatementRow {
        id: StatementId(row.get(0)?),
        framework: row.get(1)?,
        control: row.get(2)?,
        kind: row.get(3)?,
        owner: row.get(4)?,
        document: row.get(5)?,
        reason: row.get(6)?,
        made_by: row.get(7)?,
        maker: row.get(8)?,
        made_at: row.get(9)?,
        until: row.get(10)?,
        approved_by: row.get(11)?,
        approved_at: row.get(12)?,
        ended_at: row.get(13)?,
    })
}

fn state(row: &Row) -> Result<ControlStateRow, Error> {
    Ok(ControlStateRow { framework: row.get(0)?, control: row.get(1)?, outcome: row.get(2)?, since: row.get(3)?, event: EventId(row.get(4)?) })
}

fn assessment(row: &Row) -> Result<AssessmentRow, Error> {
    Ok(AssessmentRow {
        event: EventId(row.get(0)?),
        framework: row.get(1)?,
        made_at: row.get(2)?,
        why: row.get(3)?,
        settings: row.get(4)?,
        passed: row.get(5)?,
        failed: row.get(6)?,
        without_data: row.get(7)?,
        manual: row.get(8)?,
        not_applicable: row.get(9)?,
    })
}
