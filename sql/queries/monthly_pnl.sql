-- What did each strategy earn in cash by month, in GBP and GBP/MW/year, and from which streams?
SELECT
    pnl.strategy,
    pnl."month",
    pnl.days,
    pnl.days_in_month,
    sum(pnl.cash_gbp) AS cash_gbp,
    sum(pnl.cash_gbp_per_mw_year) AS cash_gbp_per_mw_year,
    coalesce(sum(pnl.cash_gbp_per_mw_year) FILTER (pnl.stream IN ('day_ahead', 'intraday')), 0) AS energy_gbp_per_mw_year,
    coalesce(sum(pnl.cash_gbp_per_mw_year) FILTER (pnl.stream = 'imbalance'), 0) AS imbalance_gbp_per_mw_year,
    coalesce(sum(pnl.cash_gbp_per_mw_year) FILTER (pnl.stream IN ('response', 'reserve', 'penalty')), 0)
        AS services_gbp_per_mw_year
FROM risk.monthly_pnl AS pnl
GROUP BY ALL
ORDER BY pnl.strategy, pnl."month";
