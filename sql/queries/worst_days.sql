-- What happened on the worst days of each strategy, and what share of its CVaR do they make up?
SELECT strategy, place, efa_date, weekday, pnl_gbp, share_of_cvar, lost, highest_system_price_gbp_mwh, words
FROM risk.latest_tail_day
WHERE place <= 5
ORDER BY strategy, confidence, place;
