-- Each time a system price was seen to change: from what to what, and by how much.
CREATE VIEW market.system_price_change AS
SELECT * FROM (
    SELECT
        settlement_date,
        settlement_period,
        version,
        fetched_utc AS changed_utc,
        lag(system_price_gbp_mwh) OVER versions AS previous_gbp_mwh,
        system_price_gbp_mwh,
        system_price_gbp_mwh - lag(system_price_gbp_mwh) OVER versions AS change_gbp_mwh
    FROM market.system_price_revision
    WINDOW versions AS (PARTITION BY settlement_date, settlement_period ORDER BY version)
)
WHERE change_gbp_mwh <> 0
ORDER BY settlement_date, settlement_period, version;

COMMENT ON VIEW market.system_price_change IS 'Each time a system price was seen to change: from what to what, and by how much.';
