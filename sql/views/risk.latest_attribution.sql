-- P&L and CVaR by stream, EFA block and driver as of the last day they were split on.
CREATE VIEW risk.latest_attribution AS
SELECT *
FROM risk.attribution
WHERE efa_date = (SELECT max(efa_date) FROM risk.attribution);

COMMENT ON VIEW risk.latest_attribution IS 'P&L and CVaR by stream, EFA block and driver as of the last day they were split on.';
