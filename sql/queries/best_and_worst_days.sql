-- Which five days earned a strategy most, and which five least, and what was the day-ahead spread then?
WITH ranked AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY strategy ORDER BY total_cash_gbp DESC, efa_date) AS from_best,
        row_number() OVER (PARTITION BY strategy ORDER BY total_cash_gbp, efa_date) AS from_worst
    FROM risk.daily_pnl_by_stream
),

spread AS (
    SELECT efa_date, max(day_ahead_price_gbp_mwh) - min(day_ahead_price_gbp_mwh) AS day_ahead_spread_gbp_mwh
    FROM market.price_panel
    GROUP BY efa_date
)

SELECT strategy, efa_date, total_cash_gbp, wear_gbp, day_ahead_spread_gbp_mwh
FROM ranked
LEFT JOIN spread USING (efa_date)
WHERE from_best <= 5 OR from_worst <= 5
ORDER BY strategy, total_cash_gbp DESC;
