-- How much of what was offered to each auction was accepted, and how far were limit prices from what it cleared at?
SELECT
    strategy,
    market,
    product,
    CASE WHEN offered_mw < 0 THEN 'buy' ELSE 'sell' END AS side,
    count(*) AS offers,
    count(accepted_mw) AS decided,
    count(*) FILTER (abs(accepted_mw) > 0) AS accepted,
    sum(abs(offered_mw) * date_diff('minute', start_utc, end_utc) / 60.0) AS offered_mw_h,
    sum(abs(accepted_mw) * date_diff('minute', start_utc, end_utc) / 60.0) AS accepted_mw_h,
    avg(clearing_price - limit_price) AS mean_price_above_limit,
    sum(accepted_mw * clearing_price * date_diff('minute', start_utc, end_utc) / 60.0) AS paid_gbp
FROM trading.orders
WHERE offered_mw <> 0
GROUP BY strategy, market, product, side
ORDER BY strategy, market, product, side;
