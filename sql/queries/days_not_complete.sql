-- Which days are not complete, at the sources or in trading, and why?
SELECT settlement_date AS day, dataset AS part, status, reason FROM market.incomplete_day
UNION ALL
SELECT efa_date, 'trading: ' || strategy, status, reason FROM trading.run_status WHERE status <> 'complete'
ORDER BY day, part;
