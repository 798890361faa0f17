CREATE TABLE risk.tail_day (
    as_of                           DATE NOT NULL,
    strategy                        VARCHAR NOT NULL,
    confidence                      DOUBLE NOT NULL,
    place                           BIGINT NOT NULL,
    efa_date                        DATE NOT NULL,
    weekday                         VARCHAR NOT NULL,
    pnl_gbp                         DOUBLE NOT NULL,
    tail_weight                     DOUBLE NOT NULL,
    share_of_cvar                   DOUBLE,
    lost                            VARCHAR NOT NULL,
    lowest_day_ahead_price_gbp_mwh  DOUBLE,
    highest_day_ahead_price_gbp_mwh DOUBLE,
    lowest_system_price_gbp_mwh     DOUBLE,
    highest_system_price_gbp_mwh    DOUBLE,
    imbalance_mwh                   DOUBLE,
    words                           VARCHAR NOT NULL
);
