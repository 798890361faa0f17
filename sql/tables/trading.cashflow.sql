CREATE TABLE trading.cashflow (
    efa_date   DATE NOT NULL,
    strategy   VARCHAR NOT NULL,
    start_utc  TIMESTAMP WITH TIME ZONE NOT NULL,
    stream     VARCHAR NOT NULL,
    amount_gbp DOUBLE NOT NULL
);
