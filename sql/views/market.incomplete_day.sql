-- Settlement dates that a source has not (fully) delivered, with the reason.
CREATE VIEW market.incomplete_day AS
SELECT "date" AS settlement_date, dataset, source, status, reason, expected_rows, "rows"
FROM market.source_status
WHERE status <> 'complete'
ORDER BY settlement_date, dataset;

COMMENT ON VIEW market.incomplete_day IS 'Settlement dates that a source has not (fully) delivered, with the reason.';
