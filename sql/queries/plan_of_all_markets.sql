-- What do the newest plans of all markets hold by EFA block: energy sold, response by direction (MW) and its state?
WITH newest AS (
    SELECT *, efa_block_of(start_utc) AS efa_block
    FROM trading.co_optimised_plan
    WHERE efa_date = (SELECT max(efa_date) FROM trading.co_optimised_plan)
)
SELECT
    efa_date,
    strategy,
    gate,
    efa_block,
    sum(day_ahead_mw) * 0.5 AS day_ahead_mwh,
    (sum(discharge_mw) - sum(charge_mw)) * 0.5 AS planned_export_mwh,
    avg(coalesce(dcl_mw, 0) + coalesce(dml_mw, 0) + coalesce(drl_mw, 0)) AS low_response_mw,
    avg(coalesce(dch_mw, 0) + coalesce(dmh_mw, 0) + coalesce(drh_mw, 0)) AS high_response_mw,
    max(energy_floor_mwh) AS energy_floor_mwh,
    arg_max(energy_mwh, start_utc) AS closing_energy_mwh,
    min(energy_ceiling_mwh) AS energy_ceiling_mwh
FROM newest
GROUP BY efa_date, strategy, gate, efa_block
ORDER BY strategy, gate, efa_block;
