-- Why P&L of the last days is not that of the days before, as of the last day of the measures.
CREATE VIEW risk.latest_explain AS
SELECT *
FROM risk.explain
WHERE as_of = (SELECT max(as_of) FROM risk.measure);

COMMENT ON VIEW risk.latest_explain IS 'Why P&L of the last days is not that of the days before, as of the last day of the measures.';
