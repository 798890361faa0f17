-- What did each strategy trade on the last trading day that was dispatched, at which price and for how much cash?
SELECT
    strategy, market, product, side, london_time(start_utc) AS london_start, end_utc - start_utc AS length,
    volume, volume_unit, price, price_unit, cash_gbp
FROM trading.blotter
WHERE efa_date = (SELECT max(efa_date) FROM trading.position)
ORDER BY strategy, start_utc, market, product;
