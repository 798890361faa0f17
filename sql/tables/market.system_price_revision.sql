CREATE TABLE market.system_price_revision (
    settlement_date          DATE NOT NULL,
    settlement_period        BIGINT NOT NULL,
    version                  BIGINT NOT NULL,
    published_utc            TIMESTAMP WITH TIME ZONE,
    fetched_utc              TIMESTAMP WITH TIME ZONE NOT NULL,
    system_price_gbp_mwh     DOUBLE NOT NULL,
    net_imbalance_volume_mwh DOUBLE
);
