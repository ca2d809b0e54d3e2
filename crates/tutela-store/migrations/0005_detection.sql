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
