CREATE TABLE trading.foresight_orders (
    efa_date       DATE NOT NULL,
    strategy       VARCHAR NOT NULL,
    gate           VARCHAR NOT NULL,
    market         VARCHAR NOT NULL,
    product        VARCHAR NOT NULL,
    start_utc      TIMESTAMP WITH TIME ZONE NOT NULL,
    end_utc        TIMESTAMP WITH TIME ZONE NOT NULL,
    step           BIGINT NOT NULL,
    basket         DOUBLE,
    limit_price    DOUBLE NOT NULL,
    offered_mw     DOUBLE NOT NULL,
    clearing_price DOUBLE,
    accepted_mw    DOUBLE
);
