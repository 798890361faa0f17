-- How often outcomes lay in the central intervals, by gate and stream, and how wide these were, in the stream's unit.
CREATE VIEW scenario.interval_coverage AS
SELECT
    gate,
    stream,
    count(DISTINCT efa_date) AS days,
    avg(value) FILTER (score = 'coverage_50') AS coverage_50,
    avg(value) FILTER (score = 'coverage_80') AS coverage_80,
    avg(value) FILTER (score = 'coverage_90') AS coverage_90,
    avg(value) FILTER (score = 'width_50') AS width_50,
    avg(value) FILTER (score = 'width_80') AS width_80,
    avg(value) FILTER (score = 'width_90') AS width_90
FROM scenario.score
WHERE score IN ('coverage_50', 'coverage_80', 'coverage_90', 'width_50', 'width_80', 'width_90')
GROUP BY gate, stream
ORDER BY gate, stream;

COMMENT ON VIEW scenario.interval_coverage IS 'Share of periods whose outcome lay in the central 50, 80 and 90 % intervals, and their mean width in the unit of the stream.';
