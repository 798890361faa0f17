CREATE TABLE market.market_index_price (
    settlement_date            DATE NOT NULL,
    settlement_period          BIGINT NOT NULL,
    start_utc                  TIMESTAMP WITH TIME ZONE NOT NULL,
    market_index_price_gbp_mwh DOUBLE NOT NULL,
    market_index_volume_mwh    DOUBLE
);
