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
  ended_at {time}
) {strict};
CREATE INDEX block_by_end ON block (ended_at, until);
CREATE INDEX block_by_tag ON block (tag, made_at);
