-- How often each limit of the desk was broken, and by how much at worst; days on which it was not measured are counted.
-- sources: what VaR and CVaR were forecast from on these days; null for limits of the day itself.
CREATE VIEW risk.limit_summary AS
SELECT
    strategy,
    limit_name,
    any_value(unit) AS unit,
    string_agg(DISTINCT "source", ', ' ORDER BY "source") AS sources,
    count(*) FILTER (status IN ('within', 'breached')) AS days_measured,
    count(*) FILTER (status = 'not measured') AS days_not_measured,
    count(*) FILTER (status = 'breached') AS days_breached,
    max(allowed) FILTER (efa_date = last_date) AS allowed,
    max(excess) AS worst_excess,
    max(efa_date) FILTER (status = 'breached') AS last_breach,
    any_value(status) FILTER (efa_date = last_date) AS status_on_last_day,
    any_value(last_date) AS last_date
FROM (SELECT *, max(efa_date) OVER (PARTITION BY strategy, limit_name) AS last_date FROM risk.limit_status)
GROUP BY strategy, limit_name
ORDER BY strategy, limit_name;

COMMENT ON VIEW risk.limit_summary IS 'How often each limit of the desk was broken by each strategy, how far at worst, and its status on the last day.';
