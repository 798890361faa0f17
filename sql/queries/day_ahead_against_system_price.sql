-- How far is the system price from the day-ahead price, month by month, and how strongly do they move together?
SELECT
    date_trunc('month', settlement_date)::DATE AS month,
    count(*) AS half_hours,
    avg(day_ahead_price_gbp_mwh) AS mean_day_ahead_gbp_mwh,
    avg(system_price_gbp_mwh) AS mean_system_price_gbp_mwh,
    avg(abs(system_price_gbp_mwh - day_ahead_price_gbp_mwh)) AS mean_distance_gbp_mwh,
    CASE WHEN count(*) > 1 THEN corr(day_ahead_price_gbp_mwh, system_price_gbp_mwh) END AS correlation,
    any_value(day_ahead_source) AS day_ahead_source
FROM market.price_panel
WHERE day_ahead_price_gbp_mwh IS NOT NULL AND system_price_gbp_mwh IS NOT NULL
GROUP BY month
ORDER BY month;
