CREATE TABLE trading.plan_explanation (
    efa_date        DATE NOT NULL,
    strategy        VARCHAR NOT NULL,
    gate            VARCHAR NOT NULL,
    market          VARCHAR NOT NULL,
    product         VARCHAR NOT NULL,
    start_utc       TIMESTAMP WITH TIME ZONE NOT NULL,
    committed_mw    DOUBLE NOT NULL,
    expected_price  DOUBLE NOT NULL,
    displaced_value DOUBLE NOT NULL,
    margin          DOUBLE NOT NULL,
    displaces       VARCHAR,
    binding         VARCHAR,
    why             VARCHAR NOT NULL
);
