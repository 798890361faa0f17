-- Do the 50, 80 and 90 % intervals of each stream hold as many outcomes as they say?
SELECT gate, stream, days, coverage_50, coverage_80, coverage_90, coverage_90 - 0.9 AS above_90, width_90
FROM scenario.interval_coverage
ORDER BY gate, abs(above_90) DESC, stream;
