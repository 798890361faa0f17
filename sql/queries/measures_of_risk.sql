-- What are VaR, CVaR, drawdown and ratios of each strategy over all its days, with their intervals?
SELECT strategy, basis, measure, confidence, unit, value, ci_low, ci_high, days
FROM risk.latest_measure
WHERE "window" = 'all'
ORDER BY strategy, basis, measure, confidence;
