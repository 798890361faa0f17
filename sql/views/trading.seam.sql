-- Where one chain of trading days ends and the next begins: a strategy opens with the initial state, not with what it
-- closed with. The difference is energy that nobody paid for (positive: given, negative: lost), in no cash and no P&L.
-- Worth at the mean day-ahead price of the day that starts the chain; null where that day has none.
CREATE VIEW trading.seam AS
WITH states AS (
    SELECT
        efa_date,
        strategy,
        opening_energy_mwh,
        chain_start,
        lag(efa_date) OVER days AS closed_on,
        lag(closing_energy_mwh) OVER days AS closing_energy_mwh
    FROM trading.run_status
    WHERE closing_energy_mwh IS NOT NULL
    WINDOW days AS (PARTITION BY strategy ORDER BY efa_date)
),

prices AS (
    SELECT efa_date_of(start_utc) AS efa_date, avg(day_ahead_price_gbp_mwh) AS mean_day_ahead_price_gbp_mwh
    FROM market.day_ahead_price
    GROUP BY ALL
)

SELECT
    efa_date,
    strategy,
    closed_on,
    closing_energy_mwh,
    opening_energy_mwh,
    opening_energy_mwh - closing_energy_mwh AS difference_mwh,
    mean_day_ahead_price_gbp_mwh,
    (opening_energy_mwh - closing_energy_mwh) * mean_day_ahead_price_gbp_mwh AS worth_gbp
FROM states
LEFT JOIN prices USING (efa_date)
WHERE chain_start = efa_date AND closed_on IS NOT NULL
ORDER BY strategy, efa_date;

COMMENT ON VIEW trading.seam IS 'Chain starts after the first by strategy: energy at the close before, at the opening, difference in MWh (positive = given) and its worth at the mean day-ahead price of the day.';
