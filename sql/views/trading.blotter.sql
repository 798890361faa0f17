-- Every trade of every strategy with its volume, price and cash: day-ahead and intraday energy, services by auction
-- window, reserve energy called for (net, at its mean price), acceptances of the balancing mechanism, imbalance; and
-- payments without a volume (penalties, fees …).
-- Energy is in MWh (positive = sold) at GBP/MWh, a service in MW h at GBP/MW/h. Cash that is not settled yet is null.
-- The cash of a strategy and day sums to its cash in risk.daily_pnl; limit prices of offers are in trading.orders.
CREATE VIEW trading.blotter AS
WITH dispatched AS (
    SELECT efa_date, strategy, start_utc, contracted_mwh AS day_ahead_mwh, imbalance_mwh
    FROM trading.dispatch
    ANTI JOIN trading.market_dispatch USING (efa_date, strategy, start_utc)
    UNION ALL BY NAME
    SELECT
        efa_date,
        strategy,
        start_utc,
        day_ahead_mwh,
        imbalance_mwh,
        intraday_mwh,
        intraday_price_gbp_mwh,
        accepted_mwh,
        accepted_price_gbp_mwh
    FROM trading.market_dispatch
),

priced AS (
    SELECT dispatched.*, day_ahead.day_ahead_price_gbp_mwh, system_price.system_price_gbp_mwh
    FROM dispatched
    LEFT JOIN market.day_ahead_price AS day_ahead USING (start_utc)
    LEFT JOIN market.system_price AS system_price USING (start_utc)
),

energy AS (
    SELECT efa_date, strategy, start_utc, 'day_ahead' AS market, day_ahead_mwh AS volume, day_ahead_price_gbp_mwh AS price
    FROM priced
    UNION ALL
    SELECT efa_date, strategy, start_utc, 'intraday', intraday_mwh, intraday_price_gbp_mwh FROM priced
    UNION ALL
    SELECT efa_date, strategy, start_utc, 'balancing_mechanism', accepted_mwh, accepted_price_gbp_mwh FROM priced
    UNION ALL
    SELECT efa_date, strategy, start_utc, 'imbalance', imbalance_mwh, system_price_gbp_mwh FROM priced
),

paid AS (
    SELECT efa_date, strategy, start_utc, stream, sum(amount_gbp) AS cash_gbp
    FROM trading.cashflow
    WHERE stream <> 'wear'
    GROUP BY ALL
),

accepted AS (
    UNPIVOT (
        SELECT efa_date, strategy, start_utc, dcl_mw, dch_mw, dml_mw, dmh_mw, drl_mw, drh_mw,
            pbr_mw, nbr_mw, pqr_mw, nqr_mw, psr_mw, nsr_mw
        FROM trading.market_dispatch
    )
    ON dcl_mw, dch_mw, dml_mw, dmh_mw, drl_mw, drh_mw, pbr_mw, nbr_mw, pqr_mw, nqr_mw, psr_mw, nsr_mw
    INTO NAME service VALUE mw
),

clearing AS (
    SELECT
        product,
        delivery_start_utc,
        clearing_price_gbp_mw_h,
        unnest(range(delivery_start_utc, delivery_end_utc, INTERVAL 30 MINUTE)) AS start_utc
    FROM market.auction_clearing
),

available AS (
    SELECT
        accepted.efa_date,
        accepted.strategy,
        CASE WHEN accepted.service[1] = 'd' THEN 'response' ELSE 'reserve' END AS market,
        upper(replace(accepted.service, '_mw', '')) AS product,
        accepted.start_utc,
        coalesce(clearing.delivery_start_utc, accepted.start_utc) AS window_utc,
        accepted.mw * 0.5 AS volume,
        clearing.clearing_price_gbp_mw_h AS price
    FROM accepted
    LEFT JOIN clearing
        ON clearing.start_utc = accepted.start_utc AND clearing.product = upper(replace(accepted.service, '_mw', ''))
    WHERE accepted.mw > 0
),

services AS (
    SELECT
        efa_date,
        strategy,
        market,
        product,
        window_utc,
        min(start_utc) AS start_utc,
        max(start_utc) + INTERVAL 30 MINUTE AS end_utc,
        sum(volume) AS volume,
        any_value(price) AS price
    FROM available
    GROUP BY ALL
),

called AS (
    SELECT
        dispatch.efa_date,
        dispatch.strategy,
        dispatch.start_utc,
        any_value(dispatch.reserve_mwh) AS volume,
        any_value(paid.cash_gbp) - coalesce(sum(available.volume * available.price), 0) AS cash_gbp
    FROM trading.market_dispatch AS dispatch
    LEFT JOIN paid
        ON paid.efa_date = dispatch.efa_date AND paid.strategy = dispatch.strategy
        AND paid.start_utc = dispatch.start_utc AND paid.stream = 'reserve'
    LEFT JOIN available
        ON available.efa_date = dispatch.efa_date AND available.strategy = dispatch.strategy
        AND available.start_utc = dispatch.start_utc AND available.market = 'reserve'
    GROUP BY ALL
)

SELECT
    energy.efa_date,
    energy.strategy,
    energy.market,
    'energy' AS product,
    CASE WHEN energy.volume > 0 THEN 'sell' ELSE 'buy' END AS side,
    energy.start_utc,
    energy.start_utc + INTERVAL 30 MINUTE AS end_utc,
    energy.volume,
    'MWh' AS volume_unit,
    energy.price,
    'GBP/MWh' AS price_unit,
    paid.cash_gbp
FROM energy
LEFT JOIN paid
    ON paid.efa_date = energy.efa_date AND paid.strategy = energy.strategy
    AND paid.start_utc = energy.start_utc AND paid.stream = energy.market
WHERE energy.volume <> 0
UNION ALL
SELECT
    efa_date,
    strategy,
    market,
    product,
    'provide' AS side,
    start_utc,
    end_utc,
    volume,
    'MW h' AS volume_unit,
    price,
    'GBP/MW/h' AS price_unit,
    volume * price AS cash_gbp
FROM services
UNION ALL
SELECT
    efa_date,
    strategy,
    'reserve' AS market,
    'energy' AS product,
    CASE WHEN volume > 0 THEN 'sell' ELSE 'buy' END AS side,
    start_utc,
    start_utc + INTERVAL 30 MINUTE AS end_utc,
    volume,
    'MWh' AS volume_unit,
    CASE WHEN volume <> 0 THEN cash_gbp / volume END AS price,
    'GBP/MWh' AS price_unit,
    cash_gbp
FROM called
WHERE volume <> 0 OR abs(cash_gbp) > 1e-6
UNION ALL
SELECT
    efa_date,
    strategy,
    stream AS market,
    'payment' AS product,
    CASE WHEN cash_gbp > 0 THEN 'receive' ELSE 'pay' END AS side,
    start_utc,
    start_utc + INTERVAL 30 MINUTE AS end_utc,
    NULL AS volume,
    NULL AS volume_unit,
    NULL AS price,
    NULL AS price_unit,
    cash_gbp
FROM paid
WHERE stream NOT IN ('day_ahead', 'intraday', 'balancing_mechanism', 'imbalance', 'response', 'reserve') AND cash_gbp <> 0
ORDER BY efa_date, strategy, start_utc, market, product;

COMMENT ON VIEW trading.blotter IS 'Trades of every strategy with volume, price and cash: energy per half-hour, services per auction window, payments without a volume; cash sums to that of risk.daily_pnl.';
