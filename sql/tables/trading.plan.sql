CREATE TABLE trading.plan (
    efa_date     DATE NOT NULL,
    strategy     VARCHAR NOT NULL,
    gate         VARCHAR NOT NULL,
    start_utc    TIMESTAMP WITH TIME ZONE NOT NULL,
    day_ahead_mw DOUBLE NOT NULL,
    charge_mw    DOUBLE NOT NULL,
    discharge_mw DOUBLE NOT NULL,
    energy_mwh   DOUBLE NOT NULL
);
