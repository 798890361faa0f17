-- Imbalance of strategies of all markets, per half-hour: the spread position (intended dispatch less contract, as it was
-- decided; long is positive) and the physical deviation (forced, and response energy that is not taken out of imbalance).
-- GBP are null where there is no system price.
CREATE VIEW trading.imbalance_split AS
WITH parts AS (
    SELECT
        efa_date,
        strategy,
        start_utc,
        imbalance_mwh,
        forced_imbalance_mwh + activation_export_mwh - activation_import_mwh - absvd_mwh AS physical_deviation_mwh
    FROM trading.market_dispatch
)
SELECT
    parts.efa_date,
    parts.strategy,
    parts.start_utc,
    parts.imbalance_mwh,
    parts.imbalance_mwh - parts.physical_deviation_mwh AS spread_position_mwh,
    parts.physical_deviation_mwh,
    price.system_price_gbp_mwh,
    (parts.imbalance_mwh - parts.physical_deviation_mwh) * price.system_price_gbp_mwh AS spread_position_gbp,
    parts.physical_deviation_mwh * price.system_price_gbp_mwh AS physical_deviation_gbp
FROM parts
LEFT JOIN market.system_price AS price USING (start_utc)
ORDER BY parts.strategy, parts.start_utc;

COMMENT ON VIEW trading.imbalance_split IS 'Imbalance per half-hour as spread position and physical deviation, MWh and GBP at the system price; both add up to it.';
