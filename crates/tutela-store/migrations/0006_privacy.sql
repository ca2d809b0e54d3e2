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
