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
