-- What shocks would do, as of the last day of the measures.
CREATE VIEW risk.latest_stress AS
SELECT *
FROM risk.stress
WHERE as_of = (SELECT max(as_of) FROM risk.measure);

COMMENT ON VIEW risk.latest_stress IS 'What shocks would do, as of the last day of the measures.';
