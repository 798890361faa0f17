-- What the battery did each trading day, beside the status of the day.
CREATE VIEW trading.daily_operation AS
SELECT
    status.efa_date,
    status.strategy,
    status.status,
    status.reason,
    status.opening_energy_mwh,
    status.closing_energy_mwh,
    coalesce(sum(dispatch.charge_mw * 0.5 + dispatch.activation_import_mwh), 0) AS charged_mwh,
    coalesce(sum(dispatch.discharge_mw * 0.5 + dispatch.activation_export_mwh), 0) AS discharged_mwh,
    coalesce(sum(dispatch.imbalance_mwh), 0) AS imbalance_mwh,
    coalesce(sum(dispatch.forced_imbalance_mwh), 0) AS forced_imbalance_mwh
FROM trading.run_status AS status
LEFT JOIN trading.dispatch AS dispatch USING (efa_date, strategy)
GROUP BY ALL
ORDER BY status.efa_date, status.strategy;

COMMENT ON VIEW trading.daily_operation IS 'Energy charged and discharged (AC side, MWh, activation included) per trading day and strategy, with the status of the day.';
