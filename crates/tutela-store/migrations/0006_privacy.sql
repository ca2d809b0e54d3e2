-- What personal data is used for.
CREATE TABLE purpose (
  name {text} NOT NULL PRIMARY KEY,
  -- All of it, as it was set.
  body {json} NOT NULL,
  -- SHA-256 of the notice.
  notice_hash {bytes} NOT NULL,
  changed_at {time} NOT NULL,
  retired_at {time}
) {strict};

-- What a person has said last to a purpose. Whose word it is, is a keyed hash.
CREATE TABLE consent (
  tag {bytes} NOT NULL,
  purpose {text} NOT NULL,
  said {text} NOT NULL,
  notice_version {text} NOT NULL,
  said_at {time} NOT NULL,
  -- The event that holds the receipt.
  event {id} NOT NULL,
  PRIMARY KEY (tag, purpose)
) {strict};

-- What a person has asked of all purposes: `restricted`, `opted_out`.
CREATE TABLE privacy_wish (
  tag {bytes} NOT NULL,
  wish {text} NOT NULL,
  since {time} NOT NULL,
  PRIMARY KEY (tag, wish)
) {strict};

-- What people have asked for: access, erasure … Who it is and what is left to do stands sealed, and goes when it is done.
CREATE TABLE subject_request (
  id {id} NOT NULL PRIMARY KEY,
  -- Whose, as a keyed hash.
  tag {bytes} NOT NULL,
  law {text} NOT NULL,
  kind {text} NOT NULL,
  state {text} NOT NULL,
  sealed {text} NOT NULL,
  -- How far it is, in numbers and words that say nothing of the person.
  progress {json} NOT NULL,
  version {int} NOT NULL,
  received_at {time} NOT NULL,
  -- The day by which it is answered.
  due_on {text} NOT NULL,
  closed_at {time},
  -- When it is worked on next; nothing where it waits for somebody.
  run_at {time},
  lease_until {time},
  attempts {int} NOT NULL
) {strict};
CREATE INDEX subject_request_by_tag ON subject_request (tag, id);
CREATE INDEX subject_request_due ON subject_request (run_at);

-- Packages for people, in sealed parts, until they expire.
CREATE TABLE subject_package (
  request {id} NOT NULL,
  part {int} NOT NULL,
  sealed {text} NOT NULL,
  expires_at {time} NOT NULL,
  PRIMARY KEY (request, part)
) {strict};

-- What is kept of a person though they ask for erasure, by decision.
CREATE TABLE privacy_hold (
  id {id} NOT NULL PRIMARY KEY,
  tag {bytes} NOT NULL,
  -- `dataset.collection`, with a field, or `*`.
  place {text} NOT NULL,
  article {text} NOT NULL,
  reason {text} NOT NULL,
  owner {text} NOT NULL,
  placed_at {time} NOT NULL,
  until {time},
  released_at {time}
) {strict};
CREATE INDEX privacy_hold_by_tag ON privacy_hold (tag);

-- Who was erased, by keyed hashes of what identified them: a store that is restored from before must not bring them back.
CREATE TABLE erased_name (
  tag {bytes} NOT NULL PRIMARY KEY,
  -- The account, where the name was one of ours.
  account {id},
  request {id} NOT NULL,
  erased_at {time} NOT NULL
) {strict};
CREATE INDEX erased_name_by_time ON erased_name (erased_at);
