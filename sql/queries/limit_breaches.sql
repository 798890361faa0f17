-- Which limits of the desk were broken on which days, and by how much?
SELECT efa_date, strategy, limit_name, source, measured, allowed, excess, unit, words
FROM risk.limit_status
WHERE status = 'breached'
ORDER BY efa_date DESC, strategy, limit_name;
