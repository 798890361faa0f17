CREATE TABLE market.system_price_check (
    settlement_date        DATE NOT NULL,
    settlement_period      BIGINT NOT NULL,
    start_utc              TIMESTAMP WITH TIME ZONE NOT NULL,
    method                 VARCHAR NOT NULL,
    published_gbp_mwh      DOUBLE,
    recomputed_gbp_mwh     DOUBLE,
    difference_gbp_mwh     DOUBLE,
    published_niv_mwh      DOUBLE,
    recomputed_niv_mwh     DOUBLE,
    tagging_difference_mwh DOUBLE,
    status                 VARCHAR NOT NULL,
    notes                  VARCHAR NOT NULL
);
