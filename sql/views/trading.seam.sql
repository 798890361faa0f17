-- Where one chain of trading days ends and the next begins: a strategy opens with the initial state, not with what it
-- closed with. The difference is energy that nobody paid for (positive: given, negative: lost), in no cash and no P&L.
-- Worth at the mean day-ahead price of the day that starts the chain; null where that day has none.
-- And where a day was dispatched before the day after it (efa_date) was planned, so without its contracts: no energy is
-- given there, but a replay of both days in one range does otherwise. A day whose successor has no plan is no seam.
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
),

unseen AS (
    SELECT CAST(closed.efa_date + INTERVAL 1 DAY AS DATE) AS efa_date, strategy, closed.efa_date AS closed_on
    FROM meta.without_next_day AS closed
),

planned AS (
    SELECT DISTINCT efa_date, strategy FROM trading.plan
)

SELECT
    efa_date,
    strategy,
    closed_on,
    closing_energy_mwh,
    opening_energy_mwh,
    opening_energy_mwh - closing_energy_mwh AS difference_mwh,
    mean_day_ahead_price_gbp_mwh,
    (opening_energy_mwh - closing_energy_mwh) * mean_day_ahead_price_gbp_mwh AS worth_gbp,
    'chain start' AS kind
FROM states
LEFT JOIN prices USING (efa_date)
WHERE chain_start = efa_date AND closed_on IS NOT NULL
UNION ALL BY NAME
SELECT
    unseen.efa_date,
    unseen.strategy,
    unseen.closed_on,
    states.closing_energy_mwh,
    states.closing_energy_mwh AS opening_energy_mwh,
    0.0 AS difference_mwh,
    prices.mean_day_ahead_price_gbp_mwh,
    0.0 AS worth_gbp,
    'next day unplanned' AS kind
FROM unseen
INNER JOIN planned USING (efa_date, strategy)
LEFT JOIN prices USING (efa_date)
LEFT JOIN (SELECT efa_date, strategy, closing_energy_mwh FROM trading.run_status) AS states
    ON unseen.closed_on = states.efa_date AND unseen.strategy = states.strategy
ORDER BY strategy, efa_date, kind;

COMMENT ON VIEW trading.seam IS 'Chain starts after the first by strategy: energy at the close before, at the opening, difference in MWh (positive = given) and its worth at the mean day-ahead price of the day. Kind next day unplanned: the day before was dispatched without the contracts of this one.';
