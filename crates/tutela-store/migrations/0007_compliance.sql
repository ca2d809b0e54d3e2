-- How often data was used for a purpose on which ground, by day: what assessments count without reading the ledger.
CREATE TABLE data_use (
  day {int} NOT NULL,
  purpose {text} NOT NULL,
  -- A ground of Art. 6(1), or `none: ` and why there was none.
  ground {text} NOT NULL,
  events {int} NOT NULL,
  -- One of them, to look at.
  sample {id} NOT NULL,
  PRIMARY KEY (day, purpose, ground)
) {strict};

-- What somebody states of a control: that it is so, that it is accepted as it is, or that it does not concern us.
CREATE TABLE control_statement (
  id {id} PRIMARY KEY,
  framework {text} NOT NULL,
  control {text} NOT NULL,
  kind {text} NOT NULL,
  owner {text} NOT NULL,
  document {text} NOT NULL,
  reason {text} NOT NULL,
  made_by {text} NOT NULL,
  -- Who that is, whatever they are called; empty where nobody has to agree.
  maker {text} NOT NULL,
  made_at {time} NOT NULL,
  until {time} NOT NULL,
  -- Somebody else; empty until then.
  approved_by {text} NOT NULL,
  approved_at {time},
  ended_at {time}
) {strict};
CREATE INDEX control_statement_by_control ON control_statement (framework, control);

-- How a control stood when it was assessed last, and the event that says so.
CREATE TABLE control_state (
  framework {text} NOT NULL,
  control {text} NOT NULL,
  outcome {text} NOT NULL,
  since {time} NOT NULL,
  event {id} NOT NULL,
  PRIMARY KEY (framework, control)
) {strict};

-- Each assessment of a framework: its counts, to see where it goes, and the event with what was found.
CREATE TABLE assessment (
  event {id} PRIMARY KEY,
  framework {text} NOT NULL,
  made_at {time} NOT NULL,
  why {text} NOT NULL,
  -- Of the configuration that it judged.
  settings {text} NOT NULL,
  passed {int} NOT NULL,
  failed {int} NOT NULL,
  without_data {int} NOT NULL,
  manual {int} NOT NULL,
  not_applicable {int} NOT NULL
) {strict};
CREATE INDEX assessment_by_time ON assessment (framework, made_at);

-- Breaches of personal data: the register. What happened is sealed; the times are what duties run by.
CREATE TABLE breach (
  id {id} PRIMARY KEY,
  sealed {text} NOT NULL,
  version {int} NOT NULL,
  aware_at {time} NOT NULL,
  opened_at {time} NOT NULL,
  closed_at {time}
) {strict};
