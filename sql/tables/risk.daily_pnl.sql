CREATE TABLE risk.daily_pnl (
    efa_date       DATE NOT NULL,
    strategy       VARCHAR NOT NULL,
    stream         VARCHAR NOT NULL,
    pnl_gbp        DOUBLE NOT NULL,
    pnl_gbp_per_mw DOUBLE NOT NULL
);
