-- How far the rules of detection have read the log. A cache of the log, like what follows.
CREATE TABLE detection_cursor (
  one {int} NOT NULL PRIMARY KEY CHECK (one = 1),
  position {int} NOT NULL
) {strict};

-- What a rule remembers of a key: hashes and times, nothing in clear.
CREATE TABLE detection_state (
  rule {text} NOT NULL,
  key_hash {bytes} NOT NULL,
  version {int} NOT NULL,
  state {bytes} NOT NULL,
  PRIMARY KEY (rule, key_hash)
) {strict};

-- Addresses and networks that the gateway refuses, until a time comes or somebody lifts it.
CREATE TABLE block (
  id {id} NOT NULL PRIMARY KEY,
  -- A keyed hash of the network, and the network itself, sealed.
  tag {bytes} NOT NULL,
  sealed {text} NOT NULL,
  -- The rule; none where somebody made it by hand.
  rule {text},
  reason {text} NOT NULL,
  -- Who, in words for people; the ledger has it exactly.
  made_by {text} NOT NULL,
  made_at {time} NOT NULL,
  until {time} NOT NULL,
  ended_at {time},
  -- When the ledger was told; a block that was made in the commit of an offence is there before.
  told_at {time}
) {strict};
CREATE INDEX block_by_end ON block (ended_at, until);
CREATE INDEX block_by_tag ON block (tag, made_at);
CREATE INDEX block_untold ON block (made_at) WHERE told_at IS NULL;

-- The newest offences of a network against a rule that blocks in the commit of the offence.
CREATE TABLE strike (
  rule {text} NOT NULL,
  -- As in `block`.
  tag {bytes} NOT NULL,
  -- Microseconds, sixteen digits each, the oldest first.
  times {text} NOT NULL,
  last_at {time} NOT NULL,
  PRIMARY KEY (rule, tag)
) {strict};
CREATE INDEX strike_by_age ON strike (last_at);

-- Rules that somebody has written, or whose mode somebody has set, while the server runs.
CREATE TABLE detection_rule (
  name {text} NOT NULL PRIMARY KEY,
  -- As YAML; none where it is a rule of the configuration that only goes further, or less far.
  body {text},
  -- Shadow, alert, act or off; none where the rule says it.
  mode {text},
  reason {text} NOT NULL,
  made_by {text} NOT NULL,
  made_at {time} NOT NULL
) {strict};

-- Alerts that belong together, and how far somebody has come with them.
CREATE TABLE incident (
  id {id} NOT NULL PRIMARY KEY,
  state {text} NOT NULL,
  level {text} NOT NULL,
  title {text} NOT NULL,
  playbook {text},
  -- Names of rules, in the order in which they came.
  rules {json} NOT NULL,
  -- Whom and what it is about, sealed.
  about {text} NOT NULL,
  alerts {int} NOT NULL,
  opened_at {time} NOT NULL,
  updated_at {time} NOT NULL
) {strict};
CREATE INDEX incident_by_state ON incident (state, id);

-- What ties alerts to an incident: keyed hashes.
CREATE TABLE incident_entity (
  tag {bytes} NOT NULL,
  incident {id} NOT NULL,
  last_at {time} NOT NULL,
  PRIMARY KEY (tag, incident)
) {strict};

-- Events of an incident: its alerts, what followed, what people did.
CREATE TABLE incident_event (
  incident {id} NOT NULL,
  event {id} NOT NULL,
  PRIMARY KEY (incident, event)
) {strict};

-- Steps of its playbook that are done.
CREATE TABLE incident_step (
  incident {id} NOT NULL,
  step {text} NOT NULL,
  done_by {text} NOT NULL,
  done_at {time} NOT NULL,
  note {text},
  PRIMARY KEY (incident, step)
) {strict};

-- Where it was told, so that what follows stands below.
CREATE TABLE incident_message (
  incident {id} NOT NULL,
  channel {text} NOT NULL,
  target {text} NOT NULL,
  handle {text} NOT NULL,
  PRIMARY KEY (incident, channel, target)
) {strict};

-- Who signed in from where with two factors, by a keyed hash and for a day: an address that many share is not blocked.
CREATE TABLE good_sign_in (
  tag {bytes} NOT NULL,
  account_id {id} NOT NULL,
  last_at {time} NOT NULL,
  PRIMARY KEY (tag, account_id)
) {strict};
