CREATE TABLE market.auction_clearing (
    product                 VARCHAR NOT NULL,
    delivery_start_utc      TIMESTAMP WITH TIME ZONE NOT NULL,
    delivery_end_utc        TIMESTAMP WITH TIME ZONE NOT NULL,
    efa_date                DATE NOT NULL,
    efa_block               BIGINT NOT NULL,
    clearing_price_gbp_mw_h DOUBLE,
    cleared_volume_mw       DOUBLE NOT NULL
);
