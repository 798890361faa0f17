-- What did each response product clear at, by EFA block, and how often was the price negative?
SELECT
    product,
    efa_block,
    count(*) AS windows,
    count(*) - count(clearing_price_gbp_mw_h) AS windows_without_price,
    avg(clearing_price_gbp_mw_h) AS mean_price_gbp_mw_h,
    count(*) FILTER (clearing_price_gbp_mw_h < 0) AS negative_windows,
    sum(clearing_price_gbp_mw_h * date_diff('minute', delivery_start_utc, delivery_end_utc) / 60.0)
        AS paid_gbp_per_mw
FROM market.auction_clearing
WHERE product IN ('DCL', 'DCH', 'DML', 'DMH', 'DRL', 'DRH')
GROUP BY product, efa_block
ORDER BY product, efa_block;
