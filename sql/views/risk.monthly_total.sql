-- All streams of risk.monthly_pnl together, of the same days, and what is left after wear.
CREATE VIEW risk.monthly_total AS
SELECT
    strategy,
    date_trunc('month', efa_date)::DATE AS "month",
    count(DISTINCT efa_date) AS days,
    any_value(day(last_day(efa_date))) AS days_in_month,
    coalesce(sum(pnl_gbp) FILTER (stream <> 'wear'), 0) AS cash_gbp,
    coalesce(sum(pnl_gbp) FILTER (stream = 'wear'), 0) AS wear_gbp,
    sum(pnl_gbp) AS after_wear_gbp,
    gbp_per_mw_year(
        coalesce(sum(pnl_gbp_per_mw) FILTER (stream <> 'wear'), 0), count(DISTINCT efa_date)
    ) AS cash_gbp_per_mw_year,
    gbp_per_mw_year(sum(pnl_gbp_per_mw), count(DISTINCT efa_date)) AS after_wear_gbp_per_mw_year
FROM risk.daily_pnl
ANTI JOIN (SELECT * FROM trading.run_status WHERE status NOT IN ('complete', 'provisional')) AS left_out
    USING (efa_date, strategy)
GROUP BY strategy, "month"
ORDER BY strategy, "month";

COMMENT ON VIEW risk.monthly_total IS 'P&L by strategy and month: cash, wear and what is left, GBP and GBP/MW/year of the days counted.';
