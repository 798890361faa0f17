-- Auction results in words: service, direction and era of each window, and what one accepted MW was paid for it.
-- Until 2023-11-02T23:00Z response was bought by block auctions (pre-EAC), since then by the Enduring Auction Capability.
CREATE VIEW market.auction_result AS
SELECT
    product,
    CASE
        WHEN product IN ('DCL', 'DCH') THEN 'dynamic containment'
        WHEN product IN ('DML', 'DMH') THEN 'dynamic moderation'
        WHEN product IN ('DRL', 'DRH') THEN 'dynamic regulation'
        WHEN product IN ('PQR', 'NQR') THEN 'quick reserve'
        WHEN product IN ('PBR', 'NBR') THEN 'balancing reserve'
        WHEN product IN ('PSR', 'NSR') THEN 'slow reserve'
    END AS service,
    CASE WHEN product LIKE 'D__' THEN 'response' WHEN product LIKE '_%R' THEN 'reserve' END AS service_type,
    CASE
        WHEN product LIKE 'D_L' OR product LIKE 'P_R' THEN 'export'
        WHEN product LIKE 'D_H' OR product LIKE 'N_R' THEN 'import'
    END AS direction,
    CASE
        WHEN product LIKE 'D__' AND delivery_start_utc < TIMESTAMPTZ '2023-11-02 23:00:00+00' THEN 'pre-EAC'
        ELSE 'EAC'
    END AS era,
    delivery_start_utc,
    delivery_end_utc,
    date_diff('minute', delivery_start_utc, delivery_end_utc) / 60.0 AS hours,
    efa_date,
    efa_block,
    clearing_price_gbp_mw_h,
    cleared_volume_mw,
    clearing_price_gbp_mw_h * date_diff('minute', delivery_start_utc, delivery_end_utc) / 60.0 AS paid_gbp_per_mw
FROM market.auction_clearing
ORDER BY delivery_start_utc, product;

COMMENT ON VIEW market.auction_result IS 'Auction results in words: service, direction, era, hours and GBP paid per accepted MW (prices GBP/MW/h).';
