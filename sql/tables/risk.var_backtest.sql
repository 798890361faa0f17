CREATE TABLE risk.var_backtest (
    as_of               DATE NOT NULL,
    strategy            VARCHAR NOT NULL,
    source              VARCHAR NOT NULL,
    confidence          DOUBLE NOT NULL,
    test                VARCHAR NOT NULL,
    statistic           DOUBLE,
    p_value             DOUBLE,
    exceptions          BIGINT NOT NULL,
    expected_exceptions DOUBLE NOT NULL,
    days                BIGINT NOT NULL,
    power               DOUBLE,
    verdict             VARCHAR NOT NULL,
    note                VARCHAR NOT NULL
);
