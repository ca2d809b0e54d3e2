-- Keys that tokens are signed with, sealed under the instance's root key.
CREATE TABLE signing_key (
  id {text} NOT NULL PRIMARY KEY,
  algorithm {text} NOT NULL,
  -- Counted for each algorithm, so that of two nodes one makes the next key.
  number {int} NOT NULL,
  sealed {text} NOT NULL,
  signs_from {time} NOT NULL,
  created_at {time} NOT NULL,
  UNIQUE (algorithm, number)
) {strict};

-- Who accounts are at outside providers. What is named there is found by a keyed hash and kept sealed.
CREATE TABLE outside_identity (
  id {id} NOT NULL PRIMARY KEY,
  provider {text} NOT NULL,
  subject_hash {bytes} NOT NULL,
  account_id {id} NOT NULL REFERENCES account (id),
  sealed {text} NOT NULL,
  created_at {time} NOT NULL,
  last_used_at {time},
  UNIQUE (provider, subject_hash)
) {strict};
CREATE INDEX outside_identity_by_account ON outside_identity (account_id);

-- People who were sent to an outside provider and are not back yet, by the hash of the state they bring back.
CREATE TABLE outside_errand (
  state_hash {bytes} NOT NULL PRIMARY KEY,
  sealed {text} NOT NULL,
  -- An answer that came as a form of another site, sealed, until the browser comes back with its cookies.
  answer {text},
  expires_at {time} NOT NULL
) {strict};
CREATE INDEX outside_errand_by_end ON outside_errand (expires_at);

-- What an outside provider calls the session behind one of ours, for when it ends there.
CREATE TABLE outside_session (
  session_id {id} NOT NULL PRIMARY KEY REFERENCES session (id),
  provider {text} NOT NULL,
  subject_hash {bytes} NOT NULL,
  outside_hash {bytes},
  sealed {text} NOT NULL
) {strict};
CREATE INDEX outside_session_by_subject ON outside_session (provider, subject_hash);

-- The key that requests to SAML providers are signed with, sealed under the instance's root key.
CREATE TABLE saml_key (
  one {int} NOT NULL PRIMARY KEY CHECK (one = 1),
  sealed {text} NOT NULL,
  certificate {text} NOT NULL,
  created_at {time} NOT NULL
) {strict};

-- Codes that people bring to clients, by their hash; kept when used, so that a second use is seen.
CREATE TABLE authorization_code (
  hash {bytes} NOT NULL PRIMARY KEY,
  client_id {id} NOT NULL,
  login {id} NOT NULL REFERENCES session (id),
  redirect_uri {text} NOT NULL,
  scopes {json} NOT NULL,
  nonce {text},
  challenge {text} NOT NULL,
  audience {text},
  expires_at {time} NOT NULL,
  used_at {time},
  -- What it was exchanged for.
  session_id {id}
) {strict};
CREATE INDEX authorization_code_by_end ON authorization_code (expires_at);
CREATE INDEX authorization_code_by_login ON authorization_code (login);

-- What people let clients learn of them.
CREATE TABLE client_consent (
  account_id {id} NOT NULL REFERENCES account (id),
  client_id {id} NOT NULL REFERENCES client (id),
  scopes {json} NOT NULL,
  given_at {time} NOT NULL,
  PRIMARY KEY (account_id, client_id)
) {strict};

-- Sessions at clients that want to be told when they end. It outlives the session, until they were told.
CREATE TABLE client_session (
  session_id {id} NOT NULL PRIMARY KEY,
  login {id} NOT NULL,
  client_id {id} NOT NULL,
  account_id {id} NOT NULL,
  run_at {time} NOT NULL,
  lease_until {time},
  attempts {int} NOT NULL
) {strict};
CREATE INDEX client_session_due ON client_session (run_at);
