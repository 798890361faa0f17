-- Which forecasts, scenarios and scores are missing or weaker than they should be, and why?
SELECT efa_date, gate, step, status, reason, notes
FROM scenario.gate_status
WHERE status <> 'complete' OR notes <> ''
ORDER BY ALL;
