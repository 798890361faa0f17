-- Running cash of each strategy and its drawdown from the highest point so far (the start counts as 0).
-- On cumulative cash in GBP, not in per cent: the base can be zero or negative.
CREATE VIEW risk.cumulative_pnl AS
WITH running AS (
    SELECT
        efa_date,
        strategy,
        total_cash_gbp,
        sum(total_cash_gbp) OVER so_far AS cumulative_cash_gbp,
        sum(total_after_wear_gbp) OVER so_far AS cumulative_after_wear_gbp
    FROM risk.daily_pnl_by_stream
    WINDOW so_far AS (PARTITION BY strategy ORDER BY efa_date)
)
SELECT
    efa_date,
    strategy,
    total_cash_gbp,
    cumulative_cash_gbp,
    cumulative_after_wear_gbp,
    greatest(0, max(cumulative_cash_gbp) OVER (PARTITION BY strategy ORDER BY efa_date))
        - cumulative_cash_gbp AS drawdown_gbp
FROM running
ORDER BY strategy, efa_date;

COMMENT ON VIEW risk.cumulative_pnl IS 'Running cash per strategy with drawdown (>= 0) from the highest point so far, GBP.';
