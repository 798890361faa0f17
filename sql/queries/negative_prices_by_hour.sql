-- At which London hours of the day are prices negative, and how often?
SELECT
    hour(london_time(start_utc)) AS london_hour,
    count(*) AS half_hours,
    count(*) FILTER (day_ahead_price_gbp_mwh < 0) AS negative_day_ahead,
    count(*) FILTER (system_price_gbp_mwh < 0) AS negative_system_price,
    min(day_ahead_price_gbp_mwh) AS lowest_day_ahead_gbp_mwh
FROM market.price_panel
GROUP BY london_hour
ORDER BY london_hour;
