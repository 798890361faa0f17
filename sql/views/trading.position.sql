-- The position of every strategy per half-hour, MWh exported: what it sold, what it dispatched without activation, what
-- was metered, and the state of energy at the end. Of physical notifications there are two: pn_mwh is the plan of the
-- last gate of the day before; final_pn_mwh is the final one, at T-60: the baseline after re-dispatch, without
-- acceptances. Where physics then cut that baseline (part of forced_imbalance_mwh) it is the baseline as cut.
-- trading.dispatch holds all strategies, those of all markets with fewer columns than trading.market_dispatch.
-- A strategy that trades day-ahead alone has contracted day-ahead what it has contracted at all.
CREATE VIEW trading.position AS
WITH planned AS (
    SELECT efa_date, strategy, start_utc, (discharge_mw - charge_mw) * 0.5 AS pn_mwh
    FROM trading.plan
    QUALIFY row_number() OVER (PARTITION BY efa_date, strategy, start_utc ORDER BY (gate = 'response') DESC) = 1
    UNION ALL
    SELECT efa_date, strategy, start_utc, (discharge_mw - charge_mw) * 0.5 AS pn_mwh
    FROM trading.foresight_plan
),

dispatched AS (
    SELECT
        dispatch.*,
        dispatch.contracted_mwh AS day_ahead_mwh,
        0.0 AS intraday_mwh,
        planned.pn_mwh,
        0.0 AS response_mw,
        0.0 AS reserve_mw,
        0.0 AS absvd_mwh,
        0.0 AS accepted_mwh
    FROM trading.dispatch AS dispatch
    ANTI JOIN trading.market_dispatch USING (efa_date, strategy, start_utc)
    LEFT JOIN planned USING (efa_date, strategy, start_utc)
    UNION ALL BY NAME
    SELECT
        * EXCLUDE (planned_charge_mw, planned_discharge_mw),
        (planned_discharge_mw - planned_charge_mw) * 0.5 AS pn_mwh,
        dcl_mw + dch_mw + dml_mw + dmh_mw + drl_mw + drh_mw AS response_mw,
        pbr_mw + nbr_mw + pqr_mw + nqr_mw + psr_mw + nsr_mw AS reserve_mw
    FROM trading.market_dispatch
)

SELECT
    efa_date,
    efa_block_of(start_utc) AS efa_block,
    strategy,
    start_utc,
    day_ahead_mwh,
    intraday_mwh,
    contracted_mwh,
    pn_mwh,
    (discharge_mw - charge_mw) * 0.5 - accepted_mwh AS final_pn_mwh,
    (discharge_mw - charge_mw) * 0.5 AS baseline_mwh,
    activation_export_mwh - activation_import_mwh AS activation_mwh,
    metered_mwh,
    absvd_mwh,
    accepted_mwh,
    imbalance_mwh,
    forced_imbalance_mwh,
    energy_mwh,
    response_mw,
    reserve_mw
FROM dispatched
ORDER BY strategy, start_utc;

COMMENT ON VIEW trading.position IS 'Position of every strategy per half-hour: contracted, planned at the last gate of the day before (pn_mwh), notified at T-60 (final_pn_mwh), dispatched, metered, imbalance, MWh exported; state of energy at the end.';
