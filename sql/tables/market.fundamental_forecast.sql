CREATE TABLE market.fundamental_forecast (
    series        VARCHAR NOT NULL,
    published_utc TIMESTAMP WITH TIME ZONE NOT NULL,
    start_utc     TIMESTAMP WITH TIME ZONE NOT NULL,
    value         DOUBLE NOT NULL,
    unit          VARCHAR NOT NULL
);
