-- How much better than the similar-day baseline were the forecasts of each gate, and how often did the 90 % interval hold?
SELECT
    gate,
    stream,
    count(DISTINCT efa_date) AS days,
    round(avg(value) FILTER (score = 'crps'), 3) AS crps,
    round(avg(value) FILTER (score = 'crps:similar_day'), 3) AS baseline_crps,
    round(1 - avg(value) FILTER (score = 'crps') / nullif(avg(value) FILTER (score = 'crps:similar_day'), 0), 3) AS skill,
    round(avg(value) FILTER (score = 'coverage_90'), 3) AS coverage_90
FROM scenario.score
WHERE stream NOT LIKE '%|%' AND stream <> 'all'
GROUP BY gate, stream
ORDER BY gate, stream;
