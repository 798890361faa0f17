CREATE TABLE market.day_ahead_price (
    settlement_date           DATE NOT NULL,
    settlement_period         BIGINT NOT NULL,
    start_utc                 TIMESTAMP WITH TIME ZONE NOT NULL,
    day_ahead_price_gbp_mwh   DOUBLE NOT NULL,
    source                    VARCHAR NOT NULL,
    native_resolution_minutes BIGINT NOT NULL
);
