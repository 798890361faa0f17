-- Response clearing prices on the half-hour grid: one row per half-hour that an auction window covers.
-- A price is null where nothing cleared or no window covers the half-hour.
CREATE VIEW market.response_half_hour AS
WITH half_hours AS (
    SELECT
        unnest(range(delivery_start_utc, delivery_end_utc, INTERVAL 30 MINUTE)) AS start_utc,
        product,
        clearing_price_gbp_mw_h
    FROM market.auction_clearing
    WHERE product IN ('DCL', 'DCH', 'DML', 'DMH', 'DRL', 'DRH')
)
SELECT
    start_utc,
    max(clearing_price_gbp_mw_h) FILTER (product = 'DCL') AS dcl_price_gbp_mw_h,
    max(clearing_price_gbp_mw_h) FILTER (product = 'DCH') AS dch_price_gbp_mw_h,
    max(clearing_price_gbp_mw_h) FILTER (product = 'DML') AS dml_price_gbp_mw_h,
    max(clearing_price_gbp_mw_h) FILTER (product = 'DMH') AS dmh_price_gbp_mw_h,
    max(clearing_price_gbp_mw_h) FILTER (product = 'DRL') AS drl_price_gbp_mw_h,
    max(clearing_price_gbp_mw_h) FILTER (product = 'DRH') AS drh_price_gbp_mw_h
FROM half_hours
GROUP BY start_utc;

COMMENT ON VIEW market.response_half_hour IS 'Response clearing prices per half-hour, a column per product, GBP/MW/h.';
