-- How much better than the baselines are forecasts, by gate and stream, and on how many days?
SELECT gate, stream, score, baseline, days, score_value, baseline_value, skill, share_of_days_better
FROM scenario.forecast_skill
WHERE score NOT LIKE 'crps^_h__' ESCAPE '^'
ORDER BY gate, baseline, score, skill DESC, stream;
