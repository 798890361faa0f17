-- Daily P&L by strategy in GBP, one column per stream; wear is a cost, not cash.
CREATE VIEW risk.daily_pnl_by_stream AS
SELECT
    efa_date,
    strategy,
    coalesce(sum(pnl_gbp) FILTER (stream = 'day_ahead'), 0) AS day_ahead_gbp,
    coalesce(sum(pnl_gbp) FILTER (stream = 'intraday'), 0) AS intraday_gbp,
    coalesce(sum(pnl_gbp) FILTER (stream = 'imbalance'), 0) AS imbalance_gbp,
    coalesce(sum(pnl_gbp) FILTER (stream = 'balancing_mechanism'), 0) AS balancing_mechanism_gbp,
    coalesce(sum(pnl_gbp) FILTER (stream = 'response'), 0) AS response_gbp,
    coalesce(sum(pnl_gbp) FILTER (stream = 'reserve'), 0) AS reserve_gbp,
    coalesce(sum(pnl_gbp) FILTER (stream = 'capacity_market'), 0) AS capacity_market_gbp,
    coalesce(sum(pnl_gbp) FILTER (stream = 'penalty'), 0) AS penalty_gbp,
    coalesce(sum(pnl_gbp) FILTER (stream = 'fee'), 0) AS fee_gbp,
    coalesce(sum(pnl_gbp) FILTER (stream = 'wear'), 0) AS wear_gbp,
    coalesce(sum(pnl_gbp) FILTER (stream <> 'wear'), 0) AS total_cash_gbp,
    sum(pnl_gbp) AS total_after_wear_gbp,
    sum(pnl_gbp_per_mw) AS total_after_wear_gbp_per_mw
FROM risk.daily_pnl
GROUP BY efa_date, strategy
ORDER BY efa_date, strategy;

COMMENT ON VIEW risk.daily_pnl_by_stream IS 'Daily P&L by strategy, one column per stream, GBP; wear is a cost and not cash.';
