-- Back-tests of VaR and CVaR as of the last day of the measures.
CREATE VIEW risk.latest_backtest AS
SELECT *
FROM risk.var_backtest
WHERE as_of = (SELECT max(as_of) FROM risk.measure);

COMMENT ON VIEW risk.latest_backtest IS 'Back-tests of VaR and CVaR as of the last day of the measures.';
