-- From the stamps of trading.market_dispatch: a day that is dispatched is not dispatched again because the day after it
-- is planned later.
CREATE TABLE meta.without_next_day (
    efa_date DATE NOT NULL,
    strategy VARCHAR NOT NULL
);

COMMENT ON TABLE meta.without_next_day IS 'Days that a strategy was dispatched on before the day after was planned, without its contracts.';
COMMENT ON COLUMN meta.without_next_day.efa_date IS 'trading day that was dispatched';
COMMENT ON COLUMN meta.without_next_day.strategy IS 'strategy name';
