-- What shocks would do, as of the last day they were put on.
CREATE VIEW risk.latest_stress AS
SELECT *
FROM risk.stress
WHERE as_of = (SELECT max(as_of) FROM risk.stress);

COMMENT ON VIEW risk.latest_stress IS 'What shocks would do, as of the last day they were put on.';
