-- Measures of risk of every strategy as of the last day of the measures.
CREATE VIEW risk.latest_measure AS
SELECT *
FROM risk.measure
WHERE as_of = (SELECT max(as_of) FROM risk.measure);

COMMENT ON VIEW risk.latest_measure IS 'Measures of risk of every strategy as of the last day of the measures.';
