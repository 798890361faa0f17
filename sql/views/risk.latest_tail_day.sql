-- The worst days of every strategy as of the last day of the measures.
CREATE VIEW risk.latest_tail_day AS
SELECT *
FROM risk.tail_day
WHERE as_of = (SELECT max(as_of) FROM risk.measure);

COMMENT ON VIEW risk.latest_tail_day IS 'The worst days of every strategy as of the last day of the measures.';
