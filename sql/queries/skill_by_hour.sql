-- At which London hours are forecasts better than the baseline, by CRPS, and where are they worse?
SELECT gate, stream, baseline, right(score, 2)::INTEGER AS london_hour, days, score_value, baseline_value, skill
FROM scenario.forecast_skill
WHERE score LIKE 'crps^_h__' ESCAPE '^'
ORDER BY gate, stream, baseline, london_hour;
