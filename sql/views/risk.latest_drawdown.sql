-- The deepest drawdown of every strategy, as of the last day of the measures.
CREATE VIEW risk.latest_drawdown AS
SELECT *
FROM risk.drawdown
WHERE as_of = (SELECT max(as_of) FROM risk.measure);

COMMENT ON VIEW risk.latest_drawdown IS 'The deepest drawdown of every strategy, as of the last day of the measures.';
