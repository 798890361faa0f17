-- Estimated against settled: the imbalance cash of each trading day at each stored version of the system price.
-- Version n prices every half-hour with its newest version up to the n-th; a half-hour without stored versions has the
-- price of market.system_price throughout. Elexon publishes no run type (II, SF, R1 ... RF) with a price, so versions are
-- those that were seen, in order; as_of_utc is when the newest of those used was fetched.
CREATE VIEW trading.cash_by_version AS
WITH imbalance AS (
    SELECT efa_date, strategy, start_utc, imbalance_mwh FROM trading.dispatch WHERE imbalance_mwh <> 0
    UNION ALL
    SELECT efa_date, strategy, start_utc, imbalance_mwh FROM trading.market_dispatch WHERE imbalance_mwh <> 0
),
stored AS (
    SELECT
        price.start_utc,
        coalesce(revision.version, 1) AS version,
        revision.fetched_utc,
        coalesce(revision.system_price_gbp_mwh, price.system_price_gbp_mwh) AS system_price_gbp_mwh
    FROM market.system_price AS price
    LEFT JOIN market.system_price_revision AS revision USING (settlement_date, settlement_period)
),
steps AS (
    SELECT
        efa_date,
        strategy,
        unnest(range(1, coalesce(max(stored.version), 1) + 1)) AS version
    FROM imbalance
    LEFT JOIN stored USING (start_utc)
    GROUP BY efa_date, strategy
),
priced AS (
    SELECT
        steps.efa_date,
        steps.strategy,
        steps.version,
        imbalance.start_utc,
        any_value(imbalance.imbalance_mwh) AS imbalance_mwh,
        max(stored.fetched_utc) AS fetched_utc,
        arg_max(stored.system_price_gbp_mwh, stored.version) AS system_price_gbp_mwh
    FROM steps
    INNER JOIN imbalance USING (efa_date, strategy)
    LEFT JOIN stored ON imbalance.start_utc = stored.start_utc AND stored.version <= steps.version
    GROUP BY steps.efa_date, steps.strategy, steps.version, imbalance.start_utc
),
settled AS (
    SELECT
        efa_date,
        strategy,
        version,
        max(fetched_utc) AS as_of_utc,
        coalesce(sum(imbalance_mwh * system_price_gbp_mwh), 0) AS imbalance_gbp,
        count(*) FILTER (system_price_gbp_mwh IS NULL) AS unpriced_half_hours
    FROM priced
    GROUP BY efa_date, strategy, version
)
SELECT
    *,
    imbalance_gbp - first_value(imbalance_gbp) OVER so_far AS change_from_first_gbp,
    imbalance_gbp - lag(imbalance_gbp) OVER so_far AS change_gbp
FROM settled
WINDOW so_far AS (PARTITION BY efa_date, strategy ORDER BY version)
ORDER BY efa_date, strategy, version;

COMMENT ON VIEW trading.cash_by_version IS 'Imbalance cash per trading day and strategy at each stored version of the system price, and how it moved, GBP; no settlement run is published with a price.';
