-- What came, under the names of the streams that are forecast: joins forecast.price_forecast by stream and start_utc.
-- Half-hours, and windows of response; a period that is not known, or in which nothing cleared, has no row.
CREATE VIEW forecast.outcome AS
SELECT 'day_ahead' AS stream, start_utc, day_ahead_price_gbp_mwh AS value FROM market.day_ahead_price
UNION ALL
SELECT 'system_price', start_utc, system_price_gbp_mwh FROM market.system_price
UNION ALL
SELECT 'market_index', start_utc, market_index_price_gbp_mwh FROM market.market_index_price
UNION ALL
SELECT 'response_' || product, delivery_start_utc, clearing_price_gbp_mw_h
FROM market.auction_clearing
WHERE product IN ('DCL', 'DCH', 'DML', 'DMH', 'DRL', 'DRH') AND clearing_price_gbp_mw_h IS NOT NULL
UNION ALL
SELECT 'activation_' || product, start_utc, energy_mwh_per_mw FROM market.response_energy;

COMMENT ON VIEW forecast.outcome IS 'Outcomes by stream and start of period; GBP/MWh, response GBP/MW/h, activation MWh/MW.';
