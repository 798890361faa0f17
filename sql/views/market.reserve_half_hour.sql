-- Reserve clearing prices per half-hour: P = positive (more export), N = negative (more import); quick (QR),
-- balancing (BR) and slow (SR) reserve. A price is null where nothing was bought: reserve is sparse.
CREATE VIEW market.reserve_half_hour AS
SELECT
    delivery_start_utc AS start_utc,
    max(clearing_price_gbp_mw_h) FILTER (product = 'PQR') AS pqr_price_gbp_mw_h,
    max(clearing_price_gbp_mw_h) FILTER (product = 'NQR') AS nqr_price_gbp_mw_h,
    max(clearing_price_gbp_mw_h) FILTER (product = 'PBR') AS pbr_price_gbp_mw_h,
    max(clearing_price_gbp_mw_h) FILTER (product = 'NBR') AS nbr_price_gbp_mw_h,
    max(clearing_price_gbp_mw_h) FILTER (product = 'PSR') AS psr_price_gbp_mw_h,
    max(clearing_price_gbp_mw_h) FILTER (product = 'NSR') AS nsr_price_gbp_mw_h
FROM market.auction_clearing
WHERE product IN ('PQR', 'NQR', 'PBR', 'NBR', 'PSR', 'NSR')
GROUP BY delivery_start_utc;

COMMENT ON VIEW market.reserve_half_hour IS 'Reserve clearing prices per half-hour, a column per product, GBP/MW/h; null where nothing was bought.';
