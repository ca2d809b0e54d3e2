-- Rules of the firewall that do not look at a place, or at nothing, on a route, until a day comes or somebody ends it.
CREATE TABLE waf_exclusion (
  id {id} NOT NULL PRIMARY KEY,
  route {text} NOT NULL,
  rule_id {int} NOT NULL,
  -- As reports have it: `ARGS:comment`; the whole rule where absent.
  place {text},
  reason {text} NOT NULL,
  -- Who, in words for people; the ledger has it exactly.
  made_by {text} NOT NULL,
  made_at {time} NOT NULL,
  until {time} NOT NULL,
  -- The blocked request that it was made from.
  event_id {id},
  ended_at {time}
) {strict};
CREATE INDEX waf_exclusion_by_end ON waf_exclusion (ended_at, until);
