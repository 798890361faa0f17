-- How much better than each baseline forecasts scored, over all days that both have: skill = 1 - score / baseline score.
-- A baseline's scores carry its name behind a colon ("crps:similar_day"); smaller scores are better.
CREATE VIEW scenario.forecast_skill AS
SELECT
    own.gate,
    own.stream,
    own.score,
    split_part(other.score, ':', 2) AS baseline,
    count(*) AS days,
    min(own.efa_date) AS first_date,
    max(own.efa_date) AS last_date,
    avg(own.value) AS score_value,
    avg(other.value) AS baseline_value,
    CASE WHEN avg(other.value) > 0 THEN 1 - avg(own.value) / avg(other.value) END AS skill,
    count(*) FILTER (own.value < other.value) / count(*) AS share_of_days_better
FROM scenario.score AS own
INNER JOIN scenario.score AS other
    ON
        own.efa_date = other.efa_date
        AND own.gate = other.gate
        AND own.stream = other.stream
        AND other.score LIKE '%:%'
        AND own.score = split_part(other.score, ':', 1)
WHERE
    own.score IN ('crps', 'energy_score', 'variogram_score', 'cross_variogram_score')
    OR own.score LIKE 'crps^_h__' ESCAPE '^'
GROUP BY own.gate, own.stream, own.score, baseline
ORDER BY own.gate, own.stream, own.score, baseline;

COMMENT ON VIEW scenario.forecast_skill IS 'Mean scores of forecasts and baselines over common days, with the skill (1 perfect, 0 no better) and the share of days that were better.';
