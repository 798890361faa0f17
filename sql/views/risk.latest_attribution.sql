-- P&L and CVaR by stream, EFA block and driver as of the last day of the measures.
CREATE VIEW risk.latest_attribution AS
SELECT *
FROM risk.attribution
WHERE efa_date = (SELECT max(as_of) FROM risk.measure);

COMMENT ON VIEW risk.latest_attribution IS 'P&L and CVaR by stream, EFA block and driver as of the last day of the measures.';
