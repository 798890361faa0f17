-- What is each strategy worth a year per MW, in cash and after wear, and what is its worst drawdown?
SELECT
    pnl.strategy,
    count(DISTINCT pnl.efa_date) AS days,
    gbp_per_mw_year(
        sum(pnl.pnl_gbp_per_mw) FILTER (pnl.stream <> 'wear'), count(DISTINCT pnl.efa_date)
    ) AS cash_gbp_per_mw_year,
    gbp_per_mw_year(sum(pnl.pnl_gbp_per_mw), count(DISTINCT pnl.efa_date)) AS after_wear_gbp_per_mw_year,
    any_value(worst.drawdown_gbp) AS worst_drawdown_gbp
FROM risk.daily_pnl AS pnl
LEFT JOIN (
    SELECT strategy, max(drawdown_gbp) AS drawdown_gbp FROM risk.cumulative_pnl GROUP BY strategy
) AS worst USING (strategy)
GROUP BY pnl.strategy
ORDER BY after_wear_gbp_per_mw_year DESC;
