-- What is each strategy worth a year after wear, with its stored energy, and what share of its upper bound, at which cap?
-- Where traded_cap_mw is another cap, capture is a share of a bound that the strategy was not under.
SELECT
    imbalance_cap_mw, traded_cap_mw, strategy, kind, worth AS gbp_per_mw_year, worth_low, worth_high,
    capture, capture_low, capture_high, bound, lead AS lead_over_yardstick_gbp_per_mw_year, yardstick, days, left_out
FROM risk.latest_ladder
WHERE basis = 'after_wear'
ORDER BY imbalance_cap_mw, worth DESC;
