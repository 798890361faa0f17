CREATE TABLE market.system_price (
    settlement_date          DATE NOT NULL,
    settlement_period        BIGINT NOT NULL,
    start_utc                TIMESTAMP WITH TIME ZONE NOT NULL,
    system_price_gbp_mwh     DOUBLE NOT NULL,
    net_imbalance_volume_mwh DOUBLE,
    price_derivation_code    VARCHAR,
    published_utc            TIMESTAMP WITH TIME ZONE
);
