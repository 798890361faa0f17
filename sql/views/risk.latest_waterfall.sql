-- The waterfalls from perfect foresight to each strategy as of the last day of the measures.
CREATE VIEW risk.latest_waterfall AS
SELECT *
FROM risk.waterfall
WHERE as_of = (SELECT max(as_of) FROM risk.measure);

COMMENT ON VIEW risk.latest_waterfall IS 'The waterfalls from perfect foresight to each strategy as of the last day of the measures.';
