-- Ways to sign in beside the password. Secrets are sealed under the instance's root key.
CREATE TABLE authenticator (
  id {id} NOT NULL PRIMARY KEY,
  account_id {id} NOT NULL REFERENCES account (id),
  kind {text} NOT NULL CHECK (kind IN ('passkey', 'recovery', 'totp')),
  name {text} NOT NULL,
  -- Credential id of a passkey.
  handle {bytes} UNIQUE,
  secret {text} NOT NULL,
  -- Time step of the last code (totp), codes left (recovery).
  counter {int} NOT NULL,
  created_at {time} NOT NULL,
  last_used_at {time}
) {strict};
CREATE INDEX authenticator_by_account ON authenticator (account_id, kind);

-- Browsers and applications by the hash of their cookie; what they say of themselves decides nothing.
CREATE TABLE device (
  id {id} NOT NULL PRIMARY KEY,
  account_id {id} NOT NULL REFERENCES account (id),
  token_hash {bytes} NOT NULL,
  label {text} NOT NULL,
  language {text} NOT NULL,
  first_seen_at {time} NOT NULL,
  last_seen_at {time} NOT NULL,
  remembered_until {time},
  UNIQUE (account_id, token_hash)
) {strict};
CREATE INDEX device_by_last_seen ON device (last_seen_at);

-- Sign-ins under way, from the first proof on.
CREATE TABLE sign_in (
  id {id} NOT NULL PRIMARY KEY,
  token_hash {bytes} NOT NULL UNIQUE,
  account_id {id} NOT NULL REFERENCES account (id),
  session_id {id},
  device_id {id},
  proofs {json} NOT NULL,
  wanted_factors {int} NOT NULL,
  wanted_aal {text} NOT NULL,
  started_at {time} NOT NULL,
  -- The one live code that was sent, as a keyed hash.
  code {json},
  -- What an outside provider calls the session that the first proof came from, sealed.
  outside {text},
  version {int} NOT NULL
) {strict};
CREATE INDEX sign_in_by_start ON sign_in (started_at);
CREATE INDEX sign_in_by_account ON sign_in (account_id);

-- Attempts by what they are counted for, as a keyed hash: an account and a device, an address, an authenticator.
CREATE TABLE attempt (
  key {bytes} NOT NULL PRIMARY KEY,
  times {json} NOT NULL,
  in_a_row {int} NOT NULL,
  locked_until {time},
  changed_at {time} NOT NULL,
  version {int} NOT NULL
) {strict};
CREATE INDEX attempt_by_change ON attempt (changed_at);

CREATE TABLE refresh_token (
  hash {bytes} NOT NULL PRIMARY KEY,
  session_id {id} NOT NULL REFERENCES session (id),
  -- Who holds it: one of the two.
  device_id {id},
  client_id {id},
  audience {text} NOT NULL,
  scopes {json} NOT NULL,
  expires_at {time} NOT NULL,
  used_at {time}
) {strict};
CREATE INDEX refresh_token_by_session ON refresh_token (session_id);
CREATE INDEX refresh_token_by_end ON refresh_token (expires_at);

-- Mails and text messages on their way, sealed: they hold links and codes.
CREATE TABLE message (
  id {id} NOT NULL PRIMARY KEY,
  channel {text} NOT NULL CHECK (channel IN ('mail', 'sms', 'slack', 'pagerduty', 'webhook')),
  sealed {text} NOT NULL,
  run_at {time} NOT NULL,
  lease_until {time},
  attempts {int} NOT NULL,
  expires_at {time} NOT NULL
) {strict};
CREATE INDEX message_due ON message (channel, run_at, id);

-- Challenges of passkeys that were answered, so that none is answered twice.
CREATE TABLE spent_challenge (
  hash {bytes} NOT NULL PRIMARY KEY,
  expires_at {time} NOT NULL
) {strict};
CREATE INDEX spent_challenge_by_end ON spent_challenge (expires_at);

-- Groups of accounts; their roles are those of every member.
CREATE TABLE account_group (
  name {text} NOT NULL PRIMARY KEY,
  created_at {time} NOT NULL
) {strict};

CREATE TABLE account_group_role (
  group_name {text} NOT NULL REFERENCES account_group (name),
  role {text} NOT NULL REFERENCES role (name),
  PRIMARY KEY (group_name, role)
) {strict};

CREATE TABLE account_group_member (
  group_name {text} NOT NULL REFERENCES account_group (name),
  account_id {id} NOT NULL REFERENCES account (id),
  PRIMARY KEY (account_id, group_name)
) {strict};
CREATE INDEX account_group_member_by_group ON account_group_member (group_name, account_id);

-- Permissions given or denied to one account or group, on all resources or some, for a time.
CREATE TABLE access_grant (
  id {id} NOT NULL PRIMARY KEY,
  account_id {id} REFERENCES account (id),
  group_name {text} REFERENCES account_group (name),
  effect {text} NOT NULL CHECK (effect IN ('allow', 'deny')),
  permission {text} NOT NULL,
  resource {text} NOT NULL,
  reason {text} NOT NULL,
  approver {text} NOT NULL,
  created_at {time} NOT NULL,
  expires_at {time},
  ended_at {time}
) {strict};
CREATE INDEX access_grant_by_account ON access_grant (account_id);
CREATE INDEX access_grant_by_group ON access_grant (group_name);
CREATE INDEX access_grant_by_permission ON access_grant (permission);

-- What the instance found out once and keeps: the cost of a password hash.
CREATE TABLE setting (
  name {text} NOT NULL PRIMARY KEY,
  value {json} NOT NULL
) {strict};
