-- What did wear cost after the fact beside the plan's shadow cost, and which shadow cost (GBP/MWh) would have matched?
SELECT
    strategy,
    count(*) AS days,
    sum(equivalent_cycles) AS equivalent_cycles,
    sum(throughput_mwh) AS throughput_mwh,
    sum(calendar_fade) AS calendar_fade,
    sum(cycle_fade) AS cycle_fade,
    arg_max(state_of_health, efa_date) AS state_of_health,
    sum(plan_cost_gbp) AS plan_cost_gbp,
    sum(cycle_cost_gbp) AS cycle_cost_gbp,
    sum(calendar_cost_gbp) AS calendar_cost_gbp,
    sum(cycle_cost_gbp) / nullif(sum(throughput_mwh), 0) AS matching_cost_gbp_per_mwh
FROM risk.degradation
GROUP BY strategy
ORDER BY strategy;
