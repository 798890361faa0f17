-- Every price of every half-hour in one row. A half-hour is listed when any half-hourly price is there;
-- what is missing is null, never filled.
CREATE VIEW market.price_panel AS
WITH half_hours AS (
    SELECT settlement_date, settlement_period, start_utc FROM market.day_ahead_price
    UNION
    SELECT settlement_date, settlement_period, start_utc FROM market.system_price
    UNION
    SELECT settlement_date, settlement_period, start_utc FROM market.market_index_price
)
SELECT
    half_hours.settlement_date,
    half_hours.settlement_period,
    half_hours.start_utc,
    efa_date_of(half_hours.start_utc) AS efa_date,
    efa_block_of(half_hours.start_utc) AS efa_block,
    day_ahead.day_ahead_price_gbp_mwh,
    day_ahead.source AS day_ahead_source,
    system_price.system_price_gbp_mwh,
    system_price.net_imbalance_volume_mwh,
    market_index.market_index_price_gbp_mwh,
    response.dcl_price_gbp_mw_h,
    response.dch_price_gbp_mw_h,
    response.dml_price_gbp_mw_h,
    response.dmh_price_gbp_mw_h,
    response.drl_price_gbp_mw_h,
    response.drh_price_gbp_mw_h,
    reserve.pqr_price_gbp_mw_h,
    reserve.nqr_price_gbp_mw_h,
    reserve.pbr_price_gbp_mw_h,
    reserve.nbr_price_gbp_mw_h,
    reserve.psr_price_gbp_mw_h,
    reserve.nsr_price_gbp_mw_h
FROM half_hours
LEFT JOIN market.day_ahead_price AS day_ahead USING (start_utc)
LEFT JOIN market.system_price AS system_price USING (start_utc)
LEFT JOIN market.market_index_price AS market_index USING (start_utc)
LEFT JOIN market.response_half_hour AS response USING (start_utc)
LEFT JOIN market.reserve_half_hour AS reserve USING (start_utc)
ORDER BY half_hours.start_utc;

COMMENT ON VIEW market.price_panel IS 'Half-hourly panel of all prices; GBP/MWh, response and reserve GBP/MW/h, NIV positive when the system is short.';
