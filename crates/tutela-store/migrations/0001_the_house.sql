CREATE TABLE instance (
  one {int} NOT NULL PRIMARY KEY CHECK (one = 1),
  id {id} NOT NULL,
  origin {text} NOT NULL,
  key_fingerprint {bytes} NOT NULL,
  created_at {time} NOT NULL,
  -- A database whose restore is not finished is served by nobody.
  state {text} NOT NULL CHECK (state IN ('ready', 'restoring'))
) {strict};

CREATE TABLE account (
  id {id} NOT NULL PRIMARY KEY,
  email {text} NOT NULL UNIQUE,
  name {text} NOT NULL,
  state {text} NOT NULL CHECK (state IN ('active', 'disabled', 'unverified')),
  password_hash {text},
  password_changed_at {time},
  -- Why the next sign-in has to choose a new password.
  password_must_change {text},
  -- When the reminder to change it was put off.
  reminded_at {time},
  -- Set by a reset through the mailbox: until a stronger proof, mail is no second factor.
  mail_reset_at {time},
  email_verified_at {time},
  phone {text},
  phone_verified_at {time},
  created_at {time} NOT NULL
) {strict};

CREATE TABLE role (
  name {text} NOT NULL PRIMARY KEY,
  permissions {json} NOT NULL
) {strict};

CREATE TABLE account_role (
  account_id {id} NOT NULL REFERENCES account (id),
  role {text} NOT NULL REFERENCES role (name),
  PRIMARY KEY (account_id, role)
) {strict};

-- An external identifier of an application, and the account it means.
CREATE TABLE external_id (
  namespace {text} NOT NULL,
  value {text} NOT NULL,
  account_id {id} NOT NULL REFERENCES account (id),
  PRIMARY KEY (namespace, value)
) {strict};

CREATE TABLE session (
  id {id} NOT NULL PRIMARY KEY,
  login {id} NOT NULL,
  account_id {id} NOT NULL REFERENCES account (id),
  host {text} NOT NULL,
  device_id {id},
  aal {text} NOT NULL,
  amr {json} NOT NULL,
  auth_time {time} NOT NULL,
  token_hash {bytes} NOT NULL UNIQUE,
  created_at {time} NOT NULL,
  last_seen_at {time} NOT NULL,
  idle_until {time} NOT NULL,
  expires_at {time} NOT NULL,
  ended_at {time}
) {strict};
CREATE INDEX session_by_login ON session (login);
CREATE INDEX session_by_account ON session (account_id, created_at);
CREATE INDEX session_by_end ON session (expires_at);

CREATE TABLE sign_in_code (
  code_hash {bytes} NOT NULL PRIMARY KEY,
  login {id} NOT NULL REFERENCES session (id),
  origin {text} NOT NULL,
  cookie_hash {bytes} NOT NULL,
  expires_at {time} NOT NULL
) {strict};

-- One-time links: what each is for, and for whom.
CREATE TABLE link (
  id {id} NOT NULL PRIMARY KEY,
  purpose {text} NOT NULL,
  token_hash {bytes} NOT NULL UNIQUE,
  account_id {id} REFERENCES account (id),
  -- What the link confirms, sealed: a new address, a device.
  sealed {text},
  expires_at {time} NOT NULL,
  used_at {time}
) {strict};
CREATE INDEX link_by_account ON link (account_id);

CREATE TABLE client (
  id {id} NOT NULL PRIMARY KEY,
  name {text} NOT NULL UNIQUE,
  -- Permissions on the API.
  scopes {json} NOT NULL,
  -- Its side of OAuth 2.0, where people sign in to it.
  oauth {json},
  created_at {time} NOT NULL,
  revoked_at {time}
) {strict};

-- Keys of clients; while one takes the place of another both work.
CREATE TABLE client_key (
  hash {bytes} NOT NULL PRIMARY KEY,
  client_id {id} NOT NULL REFERENCES client (id),
  created_at {time} NOT NULL,
  expires_at {time} NOT NULL
) {strict};
CREATE INDEX client_key_by_client ON client_key (client_id, expires_at);

-- Provider epochs: a key encryption key each, wrapped by a provider key of its own.
CREATE TABLE key_epoch (
  number {int} NOT NULL PRIMARY KEY,
  id {id} NOT NULL UNIQUE,
  provider {text} NOT NULL,
  provider_key {text} NOT NULL,
  wrapped {bytes},
  check_value {bytes} NOT NULL,
  state {text} NOT NULL CHECK (state IN ('active', 'retiring', 'ending', 'destroyed')),
  created_at {time} NOT NULL,
  retired_at {time},
  destroyed_at {time}
) {strict};

CREATE TABLE named_key (
  id {id} NOT NULL PRIMARY KEY,
  name {text} NOT NULL UNIQUE,
  purposes {json} NOT NULL,
  suite {int} NOT NULL,
  export {int} NOT NULL,
  state {text} NOT NULL CHECK (state IN ('active', 'destroying', 'destroyed')),
  version {int} NOT NULL,
  min_decryption_version {int} NOT NULL,
  rotation_secs {int},
  created_at {time} NOT NULL,
  rotated_at {time} NOT NULL,
  destroy_at {time}
) {strict};

-- Data keys: versions of named keys, and one of each data subject. A destroyed one stays as a tombstone.
CREATE TABLE key_version (
  key_id {id} NOT NULL,
  version {int} NOT NULL,
  state {text} NOT NULL CHECK (state IN ('active', 'compromised', 'deactivated', 'destroyed')),
  epoch {int},
  wrapped {bytes},
  created_at {time} NOT NULL,
  messages {int} NOT NULL,
  plain_messages {int} NOT NULL,
  released {int} NOT NULL,
  PRIMARY KEY (key_id, version)
) {strict};
CREATE INDEX key_version_by_epoch ON key_version (epoch, key_id, version);

-- Whose key it is, as a keyed hash that is dropped with the key.
CREATE TABLE subject_key (
  key_id {id} NOT NULL PRIMARY KEY,
  tag {bytes} UNIQUE,
  created_at {time} NOT NULL,
  hold {text},
  epoch {int},
  destroyed_at {time},
  unreadable_at {time},
  backups_gone_at {time}
) {strict};

-- Keys that a job could not move, and why.
CREATE TABLE key_quarantine (
  key_id {id} NOT NULL,
  version {int} NOT NULL,
  job {id} NOT NULL,
  reason {text} NOT NULL,
  PRIMARY KEY (job, key_id, version)
) {strict};

CREATE TABLE key_job (
  id {id} NOT NULL PRIMARY KEY,
  epoch {int} NOT NULL,
  done {int} NOT NULL,
  total {int} NOT NULL,
  after_key {id},
  after_version {int},
  started_at {time} NOT NULL,
  finished_at {time}
) {strict};

CREATE TABLE key_backup (
  id {id} NOT NULL PRIMARY KEY,
  file {text} NOT NULL,
  sha256 {bytes} NOT NULL,
  keys {int} NOT NULL,
  created_at {time} NOT NULL,
  rehearsed_at {time},
  deleted_at {time}
) {strict};

CREATE TABLE field_policy (
  name {text} NOT NULL PRIMARY KEY,
  policy {json} NOT NULL,
  changed_at {time} NOT NULL
) {strict};

CREATE TABLE counter (
  key {text} NOT NULL PRIMARY KEY,
  value {int} NOT NULL
) {strict};

CREATE TABLE idempotency (
  key_hash {bytes} NOT NULL PRIMARY KEY,
  request_hash {bytes} NOT NULL,
  status {int},
  content_type {text},
  body {bytes},
  expires_at {time} NOT NULL
) {strict};

CREATE TABLE job (
  id {id} NOT NULL PRIMARY KEY,
  queue {text} NOT NULL,
  unique_key {text} NOT NULL UNIQUE,
  run_at {time} NOT NULL,
  lease_until {time},
  attempts {int} NOT NULL
) {strict};
CREATE INDEX job_due ON job (queue, run_at, id);

CREATE TABLE lease (
  name {text} NOT NULL PRIMARY KEY,
  holder {id} NOT NULL,
  until {time} NOT NULL,
  term {int} NOT NULL
) {strict};

CREATE TABLE change (
  seq {serial},
  topic {text} NOT NULL,
  key {text} NOT NULL
) {strict};

-- The ledger: bodies and leaves, completed tile nodes, kept checkpoints, and its one head.
-- A body is taken out when its class expires; the leaf stays until everything before it may go.
-- @sqlite
CREATE TABLE log (
  seq INTEGER NOT NULL PRIMARY KEY,
  id BLOB NOT NULL UNIQUE,
  time INTEGER NOT NULL,
  leaf BLOB NOT NULL,
  body BLOB
) STRICT;

-- Records of batch leaves; row_id = position << 10 | item.
-- @sqlite
CREATE TABLE log_item (
  row_id INTEGER NOT NULL PRIMARY KEY,
  body BLOB NOT NULL
) STRICT;

-- @pg
-- Partitions of 2^20 positions each, so that retention drops them whole.
CREATE TABLE log (
  seq BIGINT NOT NULL PRIMARY KEY,
  id UUID NOT NULL,
  time TIMESTAMPTZ NOT NULL,
  leaf BYTEA NOT NULL,
  body BYTEA
) PARTITION BY RANGE (seq);

-- @pg
CREATE INDEX log_by_id ON log (id);

-- @pg
CREATE TABLE log_item (
  row_id BIGINT NOT NULL PRIMARY KEY,
  body BYTEA NOT NULL
) PARTITION BY RANGE (row_id);

CREATE TABLE log_node (
  level {int} NOT NULL,
  idx {int} NOT NULL,
  hash {bytes} NOT NULL,
  PRIMARY KEY (level, idx)
) {strict};

CREATE TABLE log_checkpoint (
  size {int} NOT NULL PRIMARY KEY,
  note {text} NOT NULL
) {strict};

CREATE TABLE log_head (
  one {int} NOT NULL PRIMARY KEY CHECK (one = 1),
  size {int} NOT NULL,
  frontier {bytes} NOT NULL,
  checkpoint {text} NOT NULL,
  term {int} NOT NULL,
  -- Entries before this one were deleted by retention (the "minimum index" of C2SP tlog-tiles).
  first {int} NOT NULL
) {strict};

-- Zone map: the event times that stand in the 256 positions from `first` on.
CREATE TABLE log_mark (
  first {int} NOT NULL PRIMARY KEY,
  earliest {time} NOT NULL,
  latest {time} NOT NULL
) {strict};

-- Which row ids the index of a month (yyyymm) holds.
CREATE TABLE index_month (
  month {int} NOT NULL PRIMARY KEY,
  lowest {int} NOT NULL,
  highest {int} NOT NULL
) {strict};

-- Events and batch records by type, outcome and the hour they were recorded in (hours since 1970).
CREATE TABLE event_hour (
  hour {int} NOT NULL,
  type {text} NOT NULL,
  outcome {text} NOT NULL,
  events {int} NOT NULL,
  PRIMARY KEY (hour, type, outcome)
) {strict};

-- Event types that applications declared over the API.
CREATE TABLE event_type (
  name {text} NOT NULL PRIMARY KEY,
  declaration {json} NOT NULL
) {strict};

-- How far the expiry of the classes that are kept for so many days came.
CREATE TABLE retention (
  days {int} NOT NULL PRIMARY KEY,
  classes {text} NOT NULL,
  position {int} NOT NULL
) {strict};

-- Holds: events that match are kept whatever their class says.
CREATE TABLE ledger_hold (
  id {id} NOT NULL PRIMARY KEY,
  case_name {text} NOT NULL,
  reason {text} NOT NULL,
  query {text} NOT NULL,
  placed_at {time} NOT NULL,
  until {time},
  released_at {time}
) {strict};

-- Where each projection of the ledger stands: everything before `position` is there.
CREATE TABLE sink (
  name {text} NOT NULL PRIMARY KEY,
  position {int} NOT NULL,
  state {text} NOT NULL,
  error {text},
  since {time} NOT NULL
) {strict};

-- Events that a projection refused for good, and why.
CREATE TABLE sink_dead_letter (
  sink {text} NOT NULL,
  row_id {int} NOT NULL,
  reason {text} NOT NULL,
  refused_at {time} NOT NULL,
  PRIMARY KEY (sink, row_id)
) {strict};

-- Erased subjects whose traces in indexes and projections are still to be removed.
CREATE TABLE erasure_task (
  key_id {id} NOT NULL,
  place {text} NOT NULL,
  added_at {time} NOT NULL,
  PRIMARY KEY (key_id, place)
) {strict};

-- @pg
CREATE TABLE event_index (
  month BIGINT NOT NULL,
  row_id BIGINT NOT NULL,
  tokens TEXT[] NOT NULL,
  PRIMARY KEY (month, row_id)
) PARTITION BY LIST (month);

-- @pg
-- A pending list would be read whole by every search.
CREATE INDEX event_index_tokens ON event_index USING gin (tokens) WITH (fastupdate = off);

-- @pg
-- Events of business transactions, waiting for the sequencer.
CREATE TABLE outbox (
  n BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id UUID NOT NULL UNIQUE,
  time TIMESTAMPTZ NOT NULL,
  recorded_at TIMESTAMPTZ NOT NULL,
  body BYTEA NOT NULL,
  items BYTEA NOT NULL,
  tokens TEXT NOT NULL
);
