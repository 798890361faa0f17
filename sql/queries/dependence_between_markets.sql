-- How strongly do markets move together in the scenarios, and (where it is stored) in the past of forecast ranks?
SELECT
    gate,
    split_part(stream, '|', 1) AS first_stream,
    split_part(stream, '|', 2) AS second_stream,
    count(DISTINCT efa_date) AS days,
    avg(value) FILTER (score = 'kendall_tau') AS kendall_tau,
    avg(value) FILTER (score = 'kendall_tau:history') AS kendall_tau_history,
    avg(value) FILTER (score = 'upper_tail_90') AS upper_tail_90,
    avg(value) FILTER (score = 'upper_tail_90:history') AS upper_tail_90_history,
    avg(value) FILTER (score = 'lower_tail_10') AS lower_tail_10,
    avg(value) FILTER (score = 'lower_tail_10:history') AS lower_tail_10_history
FROM scenario.score
WHERE contains(stream, '|') AND (contains(score, 'kendall_tau') OR contains(score, '_tail_'))
GROUP BY gate, stream
ORDER BY gate, abs(kendall_tau) DESC NULLS LAST, stream;
