-- The ladder of strategies and bounds as of the last day of the measures, by basis and imbalance cap.
CREATE VIEW risk.latest_ladder AS
SELECT *
FROM risk.ladder
WHERE as_of = (SELECT max(as_of) FROM risk.measure);

COMMENT ON VIEW risk.latest_ladder IS 'The ladder of strategies and bounds as of the last day of the measures, by basis and imbalance cap.';
