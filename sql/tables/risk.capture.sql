CREATE TABLE risk.capture (
    as_of            DATE NOT NULL,
    month            DATE NOT NULL,
    strategy         VARCHAR NOT NULL,
    bound            VARCHAR NOT NULL,
    imbalance_cap_mw DOUBLE,
    traded_cap_mw    DOUBLE,
    capture          DOUBLE,
    pnl_gbp          DOUBLE NOT NULL,
    bound_gbp        DOUBLE NOT NULL,
    stored_gbp       DOUBLE NOT NULL,
    bound_stored_gbp DOUBLE NOT NULL,
    days             BIGINT NOT NULL
);
