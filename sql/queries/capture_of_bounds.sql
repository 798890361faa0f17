-- What is each strategy worth a year after wear, and what share of its upper bound, at which imbalance cap?
SELECT
    imbalance_cap_mw, strategy, kind, value AS gbp_per_mw_year, ci_low, ci_high, capture, capture_low, capture_high,
    bound, lead AS lead_over_yardstick_gbp_per_mw_year, yardstick, days, left_out
FROM risk.latest_ladder
WHERE basis = 'after_wear'
ORDER BY imbalance_cap_mw, value DESC;
